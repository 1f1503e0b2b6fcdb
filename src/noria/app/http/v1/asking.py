"""Ask and feedback: the two calls of live traffic."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, HTTPException
from fastapi.responses import Response, StreamingResponse
from pydantic_core import to_json

from noria.app.http.house import AnsweringService, House, TheHouse, Who
from noria.app.http.problems import of_error
from noria.app.http.schemas import AskBody, AskReply, FeedbackBody, FeedbackReply, ProblemReply
from noria.app.http.v1.committing import committed
from noria.errors import NoriaError
from noria.records import SMALL_TALK, Feedback, Prediction, Query
from noria.records.traffic import DESK_KINDS
from noria.serve import Asked, Principal
from noria.serve.service import may_see
from noria.serve.sessions import reply_to_small_talk

PROBLEM: dict[str, Any] = {"model": ProblemReply, "description": "RFC 9457 problem (application/problem+json)"}
REFUSED: dict[int | str, dict[str, Any]] = {401: PROBLEM, 403: PROBLEM, 422: PROBLEM, 429: PROBLEM}
router = APIRouter(prefix="/v1", responses=REFUSED, tags=["asking"])


@router.post("/ask", responses={413: PROBLEM, 503: PROBLEM}, response_model=AskReply)
async def ask(body: AskBody, house: TheHouse, who: Who) -> Response:
    """Answers a query: with articles, by asking back, or by handing over to a person.

    Sent again with the same `query_id` it gives the same answer and is logged once.
    """
    return Response(await answered(body, house, who), media_type="application/json")


@router.post("/ask/stream", responses={413: PROBLEM, 503: PROBLEM, 200: {"content": {"text/event-stream": {}}}})
async def ask_stream(body: AskBody, house: TheHouse, who: Who) -> StreamingResponse:
    """The same as server-sent events: `status` while it works, then `answer` (as /v1/ask replies) or `problem`."""
    _allowed(body, who)

    async def events() -> AsyncIterator[str]:
        yield _event("status", {"stage": "received"})
        task = asyncio.ensure_future(answered(body, house, who))
        try:
            yield _event("status", {"stage": "searching"})
            yield f"event: answer\ndata: {(await task).decode()}\n\n"
        except NoriaError as error:
            yield _event("problem", of_error(error).as_json())

    return StreamingResponse(events(), media_type="text/event-stream")


@router.post("/feedback", responses={404: PROBLEM, 413: PROBLEM})
async def feedback(body: FeedbackBody, house: TheHouse, who: Who) -> FeedbackReply:
    """Takes what a user or the help desk says about a prediction; with the same `event_id` for it, it counts once."""
    if who.session is not None and body.kind in DESK_KINDS:
        raise HTTPException(403, f"A chat cannot say {body.kind!r}; the help desk does, with a key.")
    event = Feedback(
        # an id counts for its prediction only, so that nobody can take up another's, nor one of the help desk's
        event_id=f"{body.prediction_id}:{body.event_id}" if body.event_id else house.new_id(),
        prediction_id=body.prediction_id,
        kind=body.kind,
        time_ms=house.now_ms(),
        value=body.value,
    )
    account = None if who.account == "*" else who.account
    new = await committed(house.service.feedback(event, account, who.session))
    if new:
        house.metrics.told(event.kind)
    return FeedbackReply(new=new)


def within(who: Principal, account: str, session: str | None = None) -> None:
    """Lets through whom the account, and the session if a token is tied to one, belong to.

    Raises:
        HTTPException: 403.
    """
    if not who.reaches(account):
        raise HTTPException(403, "This key is for another account.")
    if who.session is not None and session not in {None, "", who.session}:
        raise HTTPException(403, "This token is for another session.")


def readers(who: Principal, groups: list[str]) -> tuple[str, ...]:
    """The groups in whose name articles are read.

    Raises:
        HTTPException: 403, a browser named groups of its own.
    """
    if groups and not who.speaks_for_readers:
        raise HTTPException(403, "The groups of a chat are set by its token.")
    return tuple(dict.fromkeys((*who.groups, *groups)))


def _allowed(body: AskBody, who: Principal) -> tuple[str, ...]:
    within(who, body.account, body.session)
    if body.requester and not who.speaks_for_readers and body.requester != who.requester:
        raise HTTPException(403, "The requester of a chat is set by its token.")
    return readers(who, body.groups)


async def answered(body: AskBody, house: House, who: Principal) -> bytes:
    """An `AskReply` in JSON; what it says is in the journal.

    Raises:
        HTTPException: 403. NoriaError: see `Service.ask`.
    """
    groups = _allowed(body, who)
    named = who.session or body.session
    requester = who.requester or body.requester
    session = named or house.new_id()
    query = Query(
        query_id=body.query_id or house.new_id(),
        account=body.account,
        session=session,
        text=body.text,
        time_ms=house.now_ms(),
        channel=body.channel,
        language=body.language,
    )
    choice = None if body.choice is None else (body.choice.prediction_id, body.choice.intent)
    asked = Asked(groups, requester, bool(named or requester), choice)
    prediction_id = _id_of(body.account, named, body.query_id) if body.query_id else house.new_id()
    prediction = await committed(house.service.ask(query, prediction_id, asked))
    if prediction.query.time_ms == query.time_ms:  # else it was sent again, and counted the first time
        house.metrics.predicted(prediction)
    return to_json(_reply(house.service, prediction, groups), inf_nan_mode="null")


def _id_of(account: str, session: str, query_id: str) -> str:
    """The same for a query that is sent again, whichever process answers."""
    return hashlib.sha256(f"{account}\0{session}\0{query_id}".encode()).hexdigest()[:32]


def _reply(service: AnsweringService, prediction: Prediction, groups: tuple[str, ...]) -> dict[str, object]:
    """What `AskReply` holds; a plain mapping, since nothing in it needs to be checked again."""
    answer, account = prediction.answer, prediction.query.account
    shown = []
    for ranked in answer.articles:
        article = service.article(ranked.article_id)
        # the agent ranks by account and audience already; a second look costs nothing and nothing may cross accounts
        if article is not None and may_see(article, account, groups):
            shown.append(
                {"article_id": article.article_id, "title": article.title, "body": article.body, "score": ranked.score}
            )
    return {
        "prediction_id": prediction.prediction_id,
        "session": prediction.query.session,
        "decision": answer.decision,
        "intent": answer.intent,
        "intent_title": service.intent_title(answer.intent),
        "intent_confidence": answer.intent_confidence,
        "scope_score": answer.scope_score,
        "in_scope": answer.in_scope,
        "articles": shown,
        "choices": [{"intent": name, "title": service.intent_title(name)} for name in answer.choices],
        "message": _message(prediction, shown=bool(shown)),
        "release": prediction.release,
        "missing": [what.partition(":")[0] for what in prediction.missing],
    }


def _message(prediction: Prediction, *, shown: bool) -> str:
    answer = prediction.answer
    if answer.intent == SMALL_TALK and answer.decision == "answer":
        return reply_to_small_talk(prediction.query.text)
    if answer.decision == "clarify":
        return "I am not sure what you mean. Is it one of these?" if answer.choices else "Can you say that differently?"
    if answer.decision == "handoff":
        return "I cannot answer this well. A person at the service desk can."
    return "This should help:" if shown else "I understand what you need, but have no article about it."


def _event(name: str, data: object) -> str:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"
