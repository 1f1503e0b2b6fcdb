"""The view model of the performance page: stored records in, plain JSON values out."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from noria.records import DAY_MS, FOREVER_MS, DayQuality, Finding, LedgerEntry, Rate
from noria.stats import Estimate, wilson

if TYPE_CHECKING:
    from noria.loop.replay import ReplayDay, Replayed
    from noria.loop.traffic import Change
    from noria.stores import Stores

END_DAYS = 14


def performance(stores: Stores, reports: Path, *, generated_ms: int, title: str) -> dict[str, Any]:
    """Quality by day, releases, verdicts, findings, and the last replay where there was one."""
    journal = stores.journal
    days = quality_by_day(stores)
    ledger, challenger = journal.ledger(), journal.staging.running()
    return {
        "generated_ms": generated_ms,
        "title": title,
        "days": [
            {"day": d.day, "predictions": d.predictions, "labels": d.labels}
            | {name: _rate(rate) for name, rate in d.rates.items()}
            for d in days
        ],
        "challenger": challenger.to_dict() if challenger else None,
        "releases": [_verdict(e) for e in ledger if e.kind in ("release", "rollback")],
        "verdicts": [_verdict(e) for e in ledger],
        "findings": [_finding(f) for f in journal.findings()],
        "replay": last_replay(reports),
    }


def quality_by_day(stores: Stores) -> list[DayQuality]:
    """Quality of each day, from the windows where they were made; else from every label."""
    from noria.monitor import by_day, day_of
    from noria.monitor.windows.keeping import STATE
    from noria.monitor.windows.reading import series

    journal = stores.journal
    span = journal.watching.span()
    if span is None or journal.get_state(STATE) is None:
        return by_day(journal.judged(0, FOREVER_MS), journal.counts_by_day())
    found = series(stores, 24, since_ms=span[0] - DAY_MS, until_ms=span[1] + 1)
    return [
        DayQuality(day_of(m.start_ms), m.predictions, m.labels, {n: _counted(e) for n, e in m.metrics.items()})
        for m in found
    ]


def _counted(e: Estimate) -> Rate:
    """An estimate as counts of labels that weigh equally, so that days can be added up."""
    n = min(e.n, max(1, round(e.n_effective))) if e.n else 0
    return Rate(e.value, e.low, e.high, round(e.value * n) if n else 0, n)


def replay_view(replayed: Replayed, changes: Sequence[Change], start_ms: int) -> dict[str, Any]:
    """The replay part of the view: success by day with and without the loop, what was planted, and the summary.

    Success: queries with a named intent that were answered rightly ÷ all with a named intent, by the stream's truth;
    both arms are held against the same queries, those on a domain that is new to the agent included.
    """
    days = [
        {
            "day": d.day,
            "n": d.requests,
            "with_loop": d.right_with / d.requests if d.requests else None,
            "without_loop": d.right_without / d.requests if d.requests else None,
            "release": d.release,
        }
        for d in replayed.days
    ]
    end = replayed.days[-END_DAYS:]
    n = sum(d.requests for d in end)
    with_loop = sum(d.right_with for d in end) / n if n else math.nan
    without = sum(d.right_without for d in end) / n if n else math.nan
    verdicts = [t.verdict for t in replayed.turns]
    summary = {
        "end_days": len(end),
        "success_with": with_loop,
        "success_without": without,
        "uplift_percent": 100 * (with_loop / without - 1) if without else None,
        "days": len(days),
        "queries": sum(d.queries for d in replayed.days),
        "labels": replayed.labels,
        "releases": verdicts.count("promote"),
        "refusals": verdicts.count("refuse"),
        "holds": verdicts.count("hold"),
    }
    planted = [{"name": c.kind, "time_ms": start_ms + c.start_day * DAY_MS, "sentence": c.sentence} for c in changes]
    return {"days": days, "changes": planted, "summary": summary}


def arm_view(replayed: Replayed, title: str, cost_per_label: float) -> dict[str, Any]:
    """What an arm of a replay came to: success at the end and over all, with intervals; labels, cost, verdicts."""
    verdicts = [t.verdict for t in replayed.turns]
    return {
        "title": title,
        "end": _rate(_success(replayed.days[-END_DAYS:], "right_with")),
        "whole": _rate(_success(replayed.days, "right_with")),
        "labels": replayed.labels,
        "cost": replayed.labels * cost_per_label,
        "releases": verdicts.count("promote"),
        "refusals": verdicts.count("refuse"),
        "holds": verdicts.count("hold"),
    }


def without_loop(replayed: Replayed) -> dict[str, Any]:
    """The same for the first release left alone."""
    end, whole = (_success(d, "right_without") for d in (replayed.days[-END_DAYS:], replayed.days))
    facts = dict.fromkeys(("labels", "cost", "releases", "refusals", "holds"), 0)
    return {"title": "no loop", "end": _rate(end), "whole": _rate(whole)} | facts


def _success(days: Sequence[ReplayDay], arm: str) -> Rate:
    return wilson(sum(getattr(d, arm) for d in days), sum(d.requests for d in days))


def save_replay(reports: Path, view: Mapping[str, Any]) -> tuple[Path, Path]:
    """Writes a replay's report as JSON and as one HTML file, and makes it the last one."""
    from noria.app.report import render_report

    reports.mkdir(parents=True, exist_ok=True)
    as_json, as_html = reports / "replay.json", reports / "replay.html"
    as_html.write_text(render_report(view), encoding="utf-8")
    as_json.write_text(json.dumps(view, indent=1) + "\n", encoding="utf-8")
    return as_json, as_html


def last_replay(reports: Path) -> Any:
    """The replay part of the last report; None where nothing was replayed."""
    path = reports / "replay.json"
    if not path.is_file():
        return None
    return json.loads(path.read_text(encoding="utf-8"))["replay"]


def _rate(rate: Rate) -> dict[str, Any]:
    return asdict(rate) | {"value": rate.value if math.isfinite(rate.value) else None}


def _verdict(entry: LedgerEntry) -> dict[str, Any]:
    return {
        "seq": entry.seq,
        "time_ms": entry.time_ms,
        "kind": entry.kind,
        "release": entry.release,
        "tag": entry.tag,
        "sentence": entry.evidence.get("reason", ""),
        "basket_score": entry.evidence.get("basket_score"),
        "champion_basket_score": entry.evidence.get("champion_basket_score"),
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {k: (v if not isinstance(v, float) or math.isfinite(v) else None) for k, v in asdict(finding).items()}
