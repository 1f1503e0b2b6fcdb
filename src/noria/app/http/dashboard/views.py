"""From measures and findings to what is shown: rows, sentences, what charts draw. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from noria.app.http.figures import NOT_ENOUGH, date_text, finding_title, number, percent, time_text
from noria.app.http.rendering import without_nan
from noria.monitor.windows.reading import Measures
from noria.records import DAY_MS, HOUR_MS, Finding, LedgerEntry
from noria.records.findings import Alert, Dimension, Explanation, Part
from noria.stats import Estimate

KINDS: Mapping[str, str] = {
    "account": "Account", "intent": "Intent", "channel": "Channel", "language": "Language", "release": "Release",
}  # fmt: skip
SPANS: Mapping[int, str] = {1: "1 day", 7: "7 days", 28: "4 weeks", 91: "13 weeks", 364: "52 weeks"}
SEVERITY = {"info": "info", "low": "low", "medium": "medium", "high": "high"}
_WIDEST = 0.2


@dataclass(frozen=True, slots=True)
class Told:
    """An estimate as text."""

    value: str
    interval: str
    count: str
    enough: bool


def told(estimate: Estimate | None) -> Told:
    """An estimate as text; "not enough labels" where there are none or the interval says nothing."""
    if estimate is None or not estimate.n or not math.isfinite(estimate.value):
        return Told(NOT_ENOUGH, "", "no labels", enough=False)
    interval = f"{100 * estimate.low:.1f} to {percent(estimate.high)}"
    count = f"{number(estimate.n)} labels"
    if estimate.high - estimate.low > 2 * _WIDEST:
        return Told(NOT_ENOUGH, interval, count, enough=False)
    return Told(percent(estimate.value), interval, count, enough=True)


def slice_rows(now: Sequence[Measures], before: Sequence[Measures], metric: str) -> list[dict[str, Any]]:
    """A row for each slice, the busiest first, with how it stood in the span before."""
    old = {(m.account, m.value): m for m in before}
    rows = []
    for m in now:
        was = old.get((m.account, m.value))
        estimate, past = m.metrics[metric], was.metrics[metric] if was else None
        rows.append(
            {
                "value": m.value or "(none)",
                "raw": m.value,
                "predictions": number(m.predictions),
                "trend": _trend(m.predictions, was.predictions if was else 0),
                "metric": told(estimate),
                "change": _change(estimate, past),
                "answered": percent(m.decisions["answer"] / m.predictions) if m.predictions else "–",
                "confidence": _figure(m.confidence),
                "latency": _ms(m.latency_p95_ms),
                "helpful": f"{percent(m.users.value)} of {m.users.n}" if m.users.n else "–",
                "unseen": percent(m.unseen),
            }
        )
    return rows


def series_chart(
    measures: Sequence[Measures], metric: str, title: str, findings: Sequence[Finding] = (),
    releases: Sequence[LedgerEntry] = (),
) -> dict[str, Any]:  # fmt: skip
    """What a chart of one metric draws: a point a window at its middle, findings as bands, releases as lines."""
    points = [
        {
            "time_ms": (m.start_ms + m.end_ms) // 2,
            **without_nan({"value": e.value, "low": e.low, "high": e.high} if e.n else dict.fromkeys(_POINT)),
            "n": e.n,
            "queries": m.predictions,
        }
        for m in measures
        for e in [m.metrics[metric]]
    ]
    return {
        "title": title,
        "points": points,
        "bands": [
            {"from_ms": f.inception_low_ms, "to_ms": f.inception_high_ms, "at_ms": f.inception_ms, "id": f.finding_id}
            for f in findings
        ],
        "lines": [
            {"time_ms": e.time_ms, "text": str(e.release)} for e in releases if e.kind in ("release", "rollback")
        ],
    }


_POINT = ("value", "low", "high")


def chart_rows(chart: Mapping[str, Any], step_hours: int) -> list[dict[str, str]]:
    """The points of a chart as a table."""
    half = step_hours * HOUR_MS // 2
    return [
        {
            "when": time_text(p["time_ms"] - half),
            "queries": number(p["queries"]),
            "value": percent(p["value"]) if p["n"] else NOT_ENOUGH,
            "interval": f"{100 * p['low']:.1f} to {percent(p['high'])}" if p["n"] else "",
            "n": number(p["n"]),
        }
        for p in chart["points"]
    ]


def step_for(days: float) -> int:
    """Hours of a point of a chart over so many days: some 30 to 120 points."""
    return 1 if days <= 4 else 8 if days <= 14 else 24 if days <= 120 else 168


def finding_rows(findings: Sequence[Finding], alerts: Sequence[Alert]) -> list[dict[str, Any]]:
    """Findings for a list, newest first, each with its number and the state of its alert."""
    by_finding = {f: a for a in alerts for f in a.finding_ids}
    return [
        {
            "key": f"F{place}",
            "id": f.finding_id,
            "metric": finding_title(f.metric, f.slice),
            "sentence": f.sentence,
            "low": date_text(f.inception_low_ms),
            "high": date_text(f.inception_high_ms),
            "raised": time_text(f.raised_ms),
            "alert": by_finding.get(f.finding_id),
        }
        for place, f in enumerate(findings, 1)
    ][::-1]


def place(account: str, kind: str, value: str) -> tuple[str, str, str]:
    """(account, kind, value) as the windows name a slice: an account is its own total."""
    return (value, "all", "") if kind == "account" else (account, kind, value)


def asked_for(found_in: str) -> dict[str, str]:
    """Kind and value of a finding's slice, "account=acme", as pages and exports are asked for it; "" = all traffic."""
    kind, _, value = found_in.partition("=")
    return {"kind": kind or "all", "value": value}


def explained(told_of: Explanation) -> dict[str, Any]:
    """An explanation as shown: sentences, and each dimension as bars of mix and within on one scale."""
    most = max((abs(v) for d in told_of.dimensions for p in d.parts for v in (p.mix, p.within)), default=0.0)
    return {
        "sentences": told_of.sentences,
        "words": told_of.words,
        "near": [{"when": time_text(h.time_ms), "kind": h.kind, "sentence": h.sentence} for h in told_of.near],
        "n_before": number(told_of.n_before),
        "n_after": number(told_of.n_after),
        "when": time_text(told_of.time_ms),
        "change": points(told_of.after - told_of.before),
        "dimensions": [_dimension(d, most) for d in told_of.dimensions],
    }


def points(change: float) -> str:
    """A difference of shares in points."""
    return "–" if not math.isfinite(change) else f"{100 * change:+.1f}".replace("-", "\u2212")


def _dimension(d: Dimension, most: float) -> dict[str, Any]:
    return {
        "name": d.name,
        "mix": points(d.mix),
        "within": points(d.within),
        "parts": [_part(p, most) for p in d.parts],
    }


def _part(p: Part, most: float) -> dict[str, Any]:
    return {
        "value": p.value,
        "mix": points(p.mix),
        "within": points(p.within),
        "mix_bar": _bar(p.mix, most),
        "within_bar": _bar(p.within, most),
        "before": percent(p.before),
        "after": percent(p.after),
        "labels": f"{number(p.labels_before)} → {number(p.labels_after)}",
        "share": f"{percent(p.share_before)} → {percent(p.share_after)}",
        "certain": p.apart,
    }


def _bar(value: float, most: float) -> tuple[float, float]:
    """(x, width) of a bar from the middle of a box 100 wide."""
    width = 0.0 if not most else 50 * abs(value) / most
    return (round(50 - width if value < 0 else 50.0, 2), round(width, 2))


def histogram(now: Sequence[float], before: Sequence[float]) -> list[dict[str, float]]:
    """Two distributions as pairs of bars (heights 0 to 100 of the highest)."""
    a, b = (([v / sum(side) for v in side] if sum(side) else [0.0] * len(side)) for side in (now, before))
    top = max([*a, *b, 1e-9])
    return [
        {"now": round(100 * x / top, 1), "before": round(100 * y / top, 1)} for x, y in zip(a, b, strict=True)
    ]  # fmt: skip


def span_ms(days: int, end_ms: int) -> tuple[int, int]:
    """The span of so many days up to an end, in whole hours."""
    return end_ms - days * DAY_MS, end_ms


def _trend(now: int, before: int) -> str:
    if not before:
        return "new" if now else ""
    return f"{100 * (now / before - 1):+.0f}\u00a0%".replace("-", "\u2212")


def _change(now: Estimate, before: Estimate | None) -> dict[str, Any]:
    """How a rate moved since the span before, and whether the two intervals lie apart."""
    if before is None or not now.n or not before.n:
        return {"text": "–", "certain": False, "worse": False}
    apart = now.low > before.high or now.high < before.low
    return {"text": points(now.value - before.value), "certain": apart, "worse": now.value < before.value}


def _figure(value: float) -> str:
    return "–" if not math.isfinite(value) else f"{value:.2f}"


def _ms(value: float) -> str:
    return "–" if not math.isfinite(value) else f"{value:.0f}\u00a0ms" if value >= 10 else f"{value:.1f}\u00a0ms"
