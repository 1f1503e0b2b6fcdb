"""The pages of findings: the list, one of them with its causes, and what people say of it."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import parse_qs, urlencode

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from noria.app.http.dashboard import exports, views
from noria.app.http.figures import METRICS, date_text, finding_title, percent, time_text
from noria.app.http.house import FORM_FIELD, FormMark, TheHouse, Who
from noria.app.http.rendering import render
from noria.app.http.schemas import MAX_TEXT
from noria.app.http.watched import Watching
from noria.errors import NotFound
from noria.monitor import day_of
from noria.records import DAY_MS, Finding
from noria.records.access import ALL_ACCOUNTS
from noria.records.findings import Comment
from noria.serve.access import Principal

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
_AROUND_MS = 28 * DAY_MS


@router.get("/findings")
async def findings(house: TheHouse) -> HTMLResponse:
    """Every finding with the state of its alert."""
    watching = house.watching
    found, alerts = await asyncio.to_thread(watching.findings), await asyncio.to_thread(watching.alerts)
    rows = views.finding_rows(found, alerts)
    return HTMLResponse(render("findings.html", page="findings", title="Findings", rows=rows))


@router.get("/findings/{finding_id}")
async def finding(house: TheHouse, who: Who, mark: FormMark, finding_id: str) -> HTMLResponse:
    """One finding: what changed, when it began, why, and what people say."""
    return HTMLResponse(await asyncio.to_thread(_finding_page, house.watching, who, mark, finding_id))


@router.get("/findings/{finding_id}/parts.csv")
async def finding_csv(house: TheHouse, finding_id: str) -> Response:
    """The split of the change as CSV."""
    told = await asyncio.to_thread(house.watching.explanation, finding_id)
    if told is None:
        raise NotFound("explanation of the finding", finding_id)
    return exports.attachment("finding", exports.explanation(told))


@router.post("/findings/{finding_id}/acknowledge")
async def acknowledge(request: Request, house: TheHouse, who: Who, mark: FormMark, finding_id: str) -> Response:
    """Somebody looks after it."""
    await asyncio.to_thread(house.watching.acknowledge, finding_id, who.name, house.now_ms())
    return await _said(request, house, who, mark, finding_id)


@router.post("/findings/{finding_id}/comments")
async def comment(request: Request, house: TheHouse, who: Who, mark: FormMark, finding_id: str) -> Response:
    """Takes a comment."""
    text = parse_qs((await request.body()).decode("utf-8", "replace")).get("text", [""])[0].strip()
    if not text or len(text) > MAX_TEXT:
        raise HTTPException(422, f"A comment has 1 to {MAX_TEXT} characters.")
    made = Comment(house.new_id(), finding_id, who.name, house.now_ms(), text)
    await asyncio.to_thread(house.watching.comment, made)
    return await _said(request, house, who, mark, finding_id)


async def _said(request: Request, house: TheHouse, who: Principal, mark: str, finding_id: str) -> Response:
    """The part of the page that changed, or, without scripts, the page again."""
    if "hx-request" not in request.headers:
        return RedirectResponse(f"/findings/{finding_id}", 303)
    context = await asyncio.to_thread(_people, house.watching, who, mark, finding_id)
    return HTMLResponse(render("_said.html", **context))


def _people(watching: Watching, who: Principal, mark: str, finding_id: str) -> dict[str, Any]:
    alert = next((a for a in watching.alerts() if finding_id in a.finding_ids), None)
    said = [
        {"author": c.author, "when": time_text(c.time_ms), "text": c.text} for c in watching.comments(finding_id)
    ]  # fmt: skip
    since = None if alert is None else time_text(alert.acknowledged_ms or alert.resolved_ms or alert.opened_ms)
    return {
        "finding_id": finding_id, "alert": alert, "alert_since": since, "comments": said,
        "may_say": "label" in who.may, "max_text": MAX_TEXT, "form_field": FORM_FIELD, "form_mark": mark,
    }  # fmt: skip


def _finding_page(watching: Watching, who: Principal, mark: str, finding_id: str) -> str:
    every = list(watching.findings())
    place = next((i for i, f in enumerate(every) if f.finding_id == finding_id), None)
    if place is None:
        raise NotFound("finding", finding_id, [f.finding_id for f in every])
    found, told, span = every[place], watching.explanation(finding_id), watching.span()
    metric = found.metric if found.metric in METRICS else "success"
    since = found.inception_low_ms - _AROUND_MS
    until = min(found.raised_ms + _AROUND_MS // 2, span.end_ms) if span else found.raised_ms
    step = views.step_for((until - since) / DAY_MS)
    asked = views.asked_for(found.slice)
    measures = watching.series(step, since, until, *views.place(ALL_ACCOUNTS, **asked))
    chart = views.series_chart(measures, metric, finding_title(metric, found.slice), [found], watching.ledger())
    bins = [_bins(watching, *part) for part in ((found.inception_ms, until), (since, found.inception_low_ms))]
    others = [f for f in every if f is not found and f.inception_low_ms <= found.inception_high_ms
              and found.inception_low_ms <= f.inception_high_ms]  # fmt: skip
    return render(
        "finding.html",
        page="findings",
        title=f"Finding F{place + 1}",
        key=f"F{place + 1}",
        finding=found,
        metric=finding_title(found.metric, found.slice),
        csv=f"/series.csv?{urlencode({'days': 91} | asked)}",
        evidence="labels" if found.stream == "labels" else "queries",
        raised=time_text(found.raised_ms),
        low=date_text(found.inception_low_ms),
        high=date_text(found.inception_high_ms),
        began=date_text(found.inception_ms),
        change=_change(found),
        explained=told and views.explained(told),
        chart=chart,
        rows=views.chart_rows(chart, step),
        bins=views.histogram(*bins) if all(bins) else [],
        others=[(f"F{every.index(f) + 1}", f) for f in others],
        since_day=day_of(found.inception_ms),
        until_day=day_of(until),
        **_people(watching, who, mark, finding_id),
    )


def _change(found: Finding) -> tuple[str, str]:
    """How large a change is, and of what: only the text of queries is not measured in shares."""
    if found.metric == "words":
        return "–", "words have no one figure"
    if found.metric == "length":
        more = f"{found.after - found.before:+.1f}".replace("-", "\u2212")
        return more, f"characters: {found.before:.1f} to {found.after:.1f}"
    return views.points(found.after - found.before), f"points: {percent(found.before)} to {percent(found.after)}"


def _bins(watching: Watching, since_ms: int, until_ms: int) -> list[float]:
    """How confident the agent was in a span, all traffic."""
    found = watching.slices(since_ms, until_ms, ALL_ACCOUNTS, "all") if since_ms < until_ms else []
    return [float(v) for v in found[0].bins["confidence"]] if found else []
