"""The pages of slices, labels, releases and backlog."""

from __future__ import annotations

import asyncio
import math
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import HTMLResponse, Response

from noria.app.http.dashboard import exports, views
from noria.app.http.figures import KINDS as VERDICTS
from noria.app.http.figures import METRICS, date_text, number, percent, time_text
from noria.app.http.house import TheHouse, Who
from noria.app.http.rendering import render
from noria.app.http.schemas import MAX_NAME
from noria.app.http.watched import Span, Watching
from noria.records import DAY_MS
from noria.records.access import ALL_ACCOUNTS
from noria.serve.access import Principal

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
Metric = Literal["success", "coverage", "preciseness", "helpfulness", "new_domain", "irrelevant"]
Kind = Literal["account", "intent", "channel", "language", "release"]
Days = Annotated[int, Query(ge=1, le=364)]
Name = Annotated[str, Query(max_length=MAX_NAME)]
_AROUND_MS = 28 * DAY_MS


def account_of(who: Principal, asked: str) -> str:
    """The account whose figures are shown: the one asked for, or the only one that is within the rights."""
    if who.account != ALL_ACCOUNTS:
        if asked and asked != who.account:
            raise HTTPException(403, "This key is for another account.")
        return who.account
    return asked or ALL_ACCOUNTS


@router.get("/slices")
async def slices(
    request: Request,
    house: TheHouse,
    who: Who,
    kind: Kind = "intent",
    metric: Metric = "success",
    days: Days = 28,
    account: Name = "",
    value: Name | None = None,
) -> HTMLResponse:
    """Slices of the traffic side by side, and one of them over time."""
    chosen = account_of(who, account)
    context = await asyncio.to_thread(_slices, house.watching, who, chosen, kind, metric, days, value)
    part = "_slices.html" if request.headers.get("hx-target") == "slices" else "slices.html"
    return HTMLResponse(render(part, page="slices", title="Slices", **context))


@router.get("/slices.csv")
async def slices_csv(house: TheHouse, who: Who, kind: Kind = "intent", days: Days = 28, account: Name = "") -> Response:
    """The same figures as CSV."""
    chosen, span = account_of(who, account), await asyncio.to_thread(house.watching.span)
    rows = [] if span is None else await asyncio.to_thread(_now, house.watching, span, days, chosen, kind)
    return exports.attachment(f"slices-{kind}", exports.measures(rows))


@router.get("/series.csv")
async def series_csv(
    house: TheHouse, who: Who, kind: Literal["all", Kind] = "all", value: Name = "", days: Days = 28, account: Name = ""
) -> Response:
    """One slice over time as CSV."""
    chosen, watching = account_of(who, account), house.watching
    span = await asyncio.to_thread(watching.span)
    if span is None:
        return exports.attachment("series", exports.measures([]))
    place = _place(chosen, kind, value)
    rows = await asyncio.to_thread(watching.series, views.step_for(days), *views.span_ms(days, span.end_ms), *place)
    return exports.attachment("series", exports.measures(rows))


def _place(account: str, kind: str, value: str) -> tuple[str, str, str]:
    """As `views.place`, for who may see it."""
    if kind == "account" and account not in {ALL_ACCOUNTS, value}:
        raise HTTPException(403, f"These are the figures of {account}.")
    return views.place(account, kind, value)


def _now(watching: Watching, span: Span, days: int, account: str, kind: str) -> list[Any]:
    if kind == "account" and account != ALL_ACCOUNTS:
        found = watching.slices(*views.span_ms(days, span.end_ms), account, "all")
    else:
        found = watching.slices(*views.span_ms(days, span.end_ms), account, kind)
    return list(found)


def _slices(
    watching: Watching, who: Principal, account: str, kind: str, metric: str, days: int, value: str | None
) -> dict[str, Any]:
    span = watching.span()
    context: dict[str, Any] = {
        "kind": kind, "kinds": views.KINDS, "metric": metric, "metrics": METRICS, "days": days, "spans": views.SPANS,
        "account": "" if account == ALL_ACCOUNTS else account, "own": who.account != ALL_ACCOUNTS, "value": value,
        "rows": [], "chart": None, "window": "", "made": "", "step": "",
    }  # fmt: skip
    shown = {"kind": kind, "metric": metric, "days": days, "account": context["account"]}
    context["query"] = urlencode({k: v for k, v in shown.items() if v})
    context["accounts"] = []
    if span is None:
        return context
    since, until = views.span_ms(days, span.end_ms)
    if not context["own"]:
        context["accounts"] = [m.account for m in watching.slices(since, until, ALL_ACCOUNTS, "account")]
    length = until - since
    now = _now(watching, span, days, account, kind)
    before = watching.slices(
        since - length, since, account, "all" if account != ALL_ACCOUNTS and kind == "account" else kind
    )
    context |= {
        "rows": views.slice_rows(now, before, metric),
        "window": f"{date_text(since)} to {date_text(until - 1)}",
        "made": time_text(span.made_ms),
    }
    step = views.step_for(days)
    place = (account, "all", "") if value is None else _place(account, kind, value)
    title = "all traffic" if value is None else f"{views.KINDS[kind]} {value or '(none)'}"
    measures = watching.series(step, since, until, *place)
    # findings are told from the traffic of all accounts
    every = [] if context["own"] else watching.findings()
    whose = "" if value is None else f"{kind}={value}"
    marked = [f for f in every if (f.metric, f.slice) == (metric, whose) and f.inception_high_ms >= since]
    chart = views.series_chart(measures, metric, f"{METRICS[metric][0]}, {title}", marked, watching.ledger())
    chart["lines"] = [line for line in chart["lines"] if line["time_ms"] >= since]
    context |= {"chart": chart, "chart_rows": views.chart_rows(chart, step), "chart_title": chart["title"]}
    return context


@router.get("/labels")
async def labels(house: TheHouse) -> HTMLResponse:
    """How labelling stands."""
    return HTMLResponse(await asyncio.to_thread(_labels, house.watching))


def _labels(watching: Watching) -> str:
    counts, span = watching.tasks(), watching.span()
    weeks = watching.series(168, span.first_ms - 7 * DAY_MS, span.end_ms, ALL_ACCOUNTS, "all", "") if span else []
    return render(
        "labels.html",
        page="labels",
        title="Labels",
        open=number(counts["open"]),
        labelled=number(counts["labelled"]),
        oldest=time_text(counts["oldest_open_ms"]) if "oldest_open_ms" in counts else "",
        weeks=[(date_text(m.start_ms), number(m.predictions), number(m.labels), views.told(m.metrics["success"]))
               for m in weeks[::-1][:26]],
    )  # fmt: skip


@router.get("/labels/people")
async def people(house: TheHouse) -> HTMLResponse:
    """Part of the page of labels that takes longer: people, agreement, cost."""
    status = await asyncio.to_thread(house.watching.labelling)
    cost = None if status.cost_per_settled is None else f"{status.cost_per_settled:.2f}"
    return HTMLResponse(render("_people.html", status=status, people=status.people, cost=cost))


@router.get("/releases")
async def releases(house: TheHouse) -> HTMLResponse:
    """The ledger, and experiments by name."""
    return HTMLResponse(await asyncio.to_thread(_releases, house.watching))


def _releases(watching: Watching) -> str:
    ledger = watching.ledger()
    entries = [
        {
            "seq": e.seq, "when": time_text(e.time_ms), "kind": e.kind, "went": VERDICTS.get(e.kind, e.kind),
            "release": e.release, "tag": e.tag, "reason": e.evidence.get("reason", ""),
            "basket": percent(_share(e.evidence.get("basket_score"))),
        }
        for e in reversed(ledger)
    ]  # fmt: skip
    span = watching.span()
    live = watching.slices(span.first_ms, span.end_ms, ALL_ACCOUNTS, "release") if span else []
    rows = [
        (m.value, number(m.predictions), views.told(m.metrics["success"]), views.told(m.metrics["preciseness"]))
        for m in sorted(live, key=lambda m: m.value, reverse=True)
    ]
    return render(
        "releases.html", page="releases", title="Releases and experiments", entries=entries, live=rows,
        experiments=watching.experiments(),
    )  # fmt: skip


def _share(value: object) -> float:
    return float(value) if isinstance(value, int | float) else math.nan


@router.get("/backlog")
async def backlog(house: TheHouse) -> HTMLResponse:
    """What waits for people, as the last turn saw it."""
    held = await asyncio.to_thread(house.watching.backlog)
    when = "" if held is None else time_text(held.time_ms)
    items = [] if held is None else held.items
    return HTMLResponse(render("backlog.html", page="backlog", title="Backlog", when=when, items=items))


@router.get("/backlog.csv")
async def backlog_csv(house: TheHouse) -> Response:
    """The same as CSV."""
    held = await asyncio.to_thread(house.watching.backlog)
    names = ["item_id", "kind", "title", "weekly", "gain_weekly", "effort_hours", "trend", "evidence", "outcome"]
    rows = [] if held is None else [[item.get(n, "") for n in names] for item in held.items]
    return exports.attachment("backlog", exports.table(names, rows))
