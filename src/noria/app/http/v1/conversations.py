"""Sessions of chats, hand-over to a person, and what an account may read."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, HTTPException, Path, Query
from pydantic import AfterValidator

from noria.app.http.house import House, TheHouse, Who
from noria.app.http.schemas import MAX_NAME, printable
from noria.app.http.v1.asking import PROBLEM, REFUSED, readers, within
from noria.app.http.v1.committing import committed
from noria.app.http.v1.schemas import (
    AccountArticle,
    ArticlesReply,
    DeflectionReply,
    HandOverBody,
    HandOverReply,
    OpenedReply,
    SessionBody,
    TranscriptReply,
    TurnReply,
)
from noria.errors import NotFound
from noria.records import DAY_MS
from noria.records.sessions import HandOver, Session, Turn
from noria.serve.access.keyring import CHAT_MS
from noria.serve.sessions import deflection

Name = Annotated[str, Path(min_length=1, max_length=MAX_NAME), AfterValidator(printable)]
AccountName = Annotated[str, Query(min_length=1, max_length=MAX_NAME), AfterValidator(printable)]
Groups = Annotated[list[Annotated[str, AfterValidator(printable)]], Query(max_length=50)]
router = APIRouter(prefix="/v1", responses=REFUSED, tags=["conversations"])


@router.post("/sessions", status_code=201, responses={413: PROBLEM})
async def open_session(body: SessionBody, house: TheHouse, who: Who) -> OpenedReply:
    """A session for a chat, with a short-lived token for the browser: called by the back end of the page around it.

    With the `session` of one that was opened before, it gives a fresh token for that.
    """
    within(who, body.account)
    session = body.session or house.new_id()
    if body.session:
        known = await asyncio.to_thread(_session, house, body.account, session)
        if known is None or known.requester != body.requester:
            raise NotFound("session", session)
    else:
        made = Session(body.account, session, body.requester, body.channel, house.now_ms())
        await committed(house.service.open_session(made))
    token = house.keyring.chat_token(who, body.account, session, body.requester, readers(who, body.groups))
    return OpenedReply(session=session, token=token, expires_ms=house.now_ms() + CHAT_MS)


@router.get("/sessions/{session}", responses={404: PROBLEM})
async def transcript(session: Name, account: AccountName, house: TheHouse, who: Who) -> TranscriptReply:
    """What was asked, answered and said in a session, oldest first."""
    within(who, account, session)
    turns = await asyncio.to_thread(house.conversations.transcript, account, session)
    if not turns:
        raise NotFound("session", session)
    return TranscriptReply(account=account, session=session, turns=[_turn(turn) for turn in turns])


@router.post("/sessions/{session}/handoff", status_code=202, responses={404: PROBLEM, 413: PROBLEM})
async def hand_over(session: Name, body: HandOverBody, house: TheHouse, who: Who) -> HandOverReply:
    """A person is to take over, with the transcript; sent again with the same id it counts once."""
    within(who, body.account, session)
    turns = await asyncio.to_thread(house.conversations.transcript, body.account, session)
    if not turns:
        raise NotFound("session", session)
    requester = who.requester
    if not requester:
        known = await asyncio.to_thread(_session, house, body.account, session)
        requester = known.requester if known else ""
    # an id counts within its session only, so that nobody can take up another's
    name = f"{body.account}:{session}:{body.hand_over_id or house.new_id()}"
    await committed(
        house.service.hand_over(HandOver(name, body.account, session, requester, body.reason, house.now_ms()))
    )
    return HandOverReply(hand_over_id=name, turns=len(turns))


@router.get("/accounts/{account}/articles", responses={404: PROBLEM})
async def articles(account: Name, house: TheHouse, who: Who, groups: Groups = []) -> ArticlesReply:  # noqa: B006 - FastAPI copies it
    """The articles that an account's readers of these groups may see, by id."""
    within(who, account)
    found = await asyncio.to_thread(house.service.articles, account, readers(who, groups))
    return ArticlesReply(
        account=account,
        articles=[
            AccountArticle(article_id=a.article_id, title=a.title, body=a.body, intents=list(a.intents)) for a in found
        ],
    )


@router.get("/accounts/{account}/deflection")
async def deflected(
    account: Name, house: TheHouse, who: Who, days: Annotated[int, Query(ge=1, le=366)] = 28
) -> DeflectionReply:
    """Sessions that were settled without ticket or person: a band from confirmed to potential, revoked on return."""
    if who.session is not None:
        raise HTTPException(403, "A chat cannot read figures.")
    within(who, account)
    until_ms = house.now_ms()
    return await asyncio.to_thread(_deflection, house, account, until_ms - days * DAY_MS, until_ms)


def _deflection(house: House, account: str, since_ms: int, until_ms: int) -> DeflectionReply:
    sessions = house.conversations.sessions(account, since_ms, until_ms)
    turns = house.conversations.transcripts([(account, s.session) for s in sessions])
    handed = house.conversations.hand_overs(since_ms, until_ms + 1, account)
    band = deflection(sessions, {session: its for (_, session), its in turns.items()}, handed)
    return DeflectionReply(
        account=account, since_ms=since_ms, until_ms=until_ms, sessions=band.sessions, confirmed=band.confirmed,
        potential=band.potential, revoked=band.revoked, person=band.person, unsettled=band.unsettled, low=band.low,
        high=band.high,
    )  # fmt: skip


def _session(house: House, account: str, session: str) -> Session | None:
    try:
        return house.conversations.session(account, session)
    except NotFound:
        return None


def _turn(turn: Turn) -> TurnReply:
    prediction, answer = turn.prediction, turn.prediction.answer
    return TurnReply(
        prediction_id=prediction.prediction_id,
        time_ms=prediction.query.time_ms,
        text=prediction.query.text,
        decision=answer.decision,
        intent=answer.intent,
        article_ids=[a.article_id for a in answer.articles],
        feedback=[event.kind for event in turn.feedback],
    )
