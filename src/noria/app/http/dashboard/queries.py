"""What was asked, query by query: only of accounts within the rights, without personal data where it is to go."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Iterable
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse, Response

from noria.app.http.dashboard import exports
from noria.app.http.dashboard.routes import account_of
from noria.app.http.figures import time_text
from noria.app.http.house import House, TheHouse, Who
from noria.app.http.rendering import render
from noria.app.http.schemas import MAX_NAME
from noria.errors import NotFound
from noria.records import DAY_MS, FOREVER_MS, Prediction
from noria.records.access import ALL_ACCOUNTS
from noria.records.redaction import redact
from noria.serve.access import Principal
from noria.stores.journal.watching.lists import QueryFilter

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
Name = Annotated[str, Query(max_length=MAX_NAME)]
Day = Annotated[str, Query(pattern=r"^(\d{4}-\d{2}-\d{2})?$")]
Chosen = Literal["", "answer", "clarify", "handoff"]
_PAGE, _EXPORT = 50, 5_000


def _given(
    account: Name = "",
    intent: Name = "",
    channel: Name = "",
    language: Name = "",
    release: Name = "",
    decision: Chosen = "",
    words: Name = "",
    since: Day = "",
    until: Day = "",
) -> dict[str, str]:
    return {
        "account": account, "intent": intent, "channel": channel, "language": language, "release": release,
        "decision": decision, "words": words, "since": since, "until": until,
    }  # fmt: skip


Given = Annotated[dict[str, str], Depends(_given)]
"""What queries are asked for, by name of the filter; "" = any."""


@router.get("/queries")
async def queries(
    request: Request,
    house: TheHouse,
    who: Who,
    given: Given,
    before: Annotated[str, Query(max_length=2 * MAX_NAME)] = "",
) -> HTMLResponse:
    """The newest queries that fit."""
    asked = given if who.account == ALL_ACCOUNTS else {**given, "account": ""}
    which = _filter(who, given, before)
    found = await asyncio.to_thread(house.watching.queries, which, _PAGE)
    named = {k: v for k, v in asked.items() if v}
    query = urlencode(named)
    more = found.more and urlencode({**named, "before": f"{found.more[0]}~{found.more[1]}"})
    part = request.headers.get("hx-target")
    name = {"queries": "_queries.html", "more": "_more.html"}.get(part or "", "queries.html")
    page = render(
        name, page="queries", title="Queries", rows=list(_shown(house, found.rows)), more=more, asked=asked,
        query=query, own=who.account != ALL_ACCOUNTS, max_name=MAX_NAME,
    )  # fmt: skip
    return HTMLResponse(page)


@router.get("/queries.csv")
async def queries_csv(house: TheHouse, who: Who, given: Given) -> Response:
    """The newest few thousand of them as CSV."""
    which = _filter(who, given, "")
    found = await asyncio.to_thread(house.watching.queries, which, _EXPORT)
    names = ["time_ms", "account", "channel", "language", "text", "decision", "intent", "confidence", "release"]
    rows = ([row[n] for n in names] for row in _shown(house, found.rows))
    return exports.attachment("queries", exports.table(names, rows))


@router.get("/queries/{prediction_id}")
async def one(house: TheHouse, who: Who, prediction_id: str) -> HTMLResponse:
    """One query: the agent's answer with every score, what users and labellers said."""
    found, said, judged = await asyncio.to_thread(house.watching.query, prediction_id)
    if not who.reaches(found.query.account):
        # another account's query is as unknown as one that never was
        raise NotFound("prediction", prediction_id)
    answer = found.answer
    page = render(
        "query.html",
        page="queries",
        title="Query",
        row=next(iter(_shown(house, [found]))),
        prediction=found,
        scores=[(name, f"{value:.4g}", _limit(answer.thresholds.get(name))) for name, value in answer.scores.items()],
        thresholds=[(n, f"{v:.4g}") for n, v in answer.thresholds.items() if n not in answer.scores],
        said=[(time_text(f.time_ms), f.kind.replace("_", " ")) for f in said],
        judged=judged,
    )
    return HTMLResponse(page)


def _filter(who: Principal, asked: dict[str, str], before: str) -> QueryFilter:
    chosen = account_of(who, asked["account"])
    time_ms, _, last = before.partition("~")
    names = ("intent", "channel", "language", "release", "decision", "words")
    return QueryFilter(
        since_ms=_day_ms(asked["since"], 0),
        until_ms=_day_ms(asked["until"], FOREVER_MS - DAY_MS) + DAY_MS,
        account=None if chosen == ALL_ACCOUNTS else chosen,
        before=(int(time_ms), last) if time_ms.isdecimal() else None,
        **{name: asked[name] for name in names},
    )


def _day_ms(day: str, otherwise: int) -> int:
    try:
        return int(dt.datetime.fromisoformat(day).replace(tzinfo=dt.UTC).timestamp() * 1000)
    except ValueError:
        return otherwise


def _shown(house: House, rows: Iterable[Prediction]) -> Iterable[dict[str, Any]]:
    """Queries as shown: of accounts whose rule it is, without personal data, also where it was kept before the rule."""
    for p in rows:
        text = redact(p.query.text).text if house.keyring.rules(p.query.account).redact else p.query.text
        yield {
            "id": p.prediction_id,
            "time_ms": p.query.time_ms,
            "when": time_text(p.query.time_ms),
            "account": p.query.account,
            "channel": p.query.channel,
            "language": p.query.language,
            "text": text,
            "decision": p.answer.decision,
            "intent": p.answer.intent,
            "confidence": f"{p.answer.intent_confidence:.2f}",
            "release": p.release,
        }


def _limit(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
