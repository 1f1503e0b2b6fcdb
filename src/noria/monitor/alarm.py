"""Sequential alarms on labelled quality with one budget of false alarms, each with the inception of its change."""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

from noria.errors import UsageError
from noria.monitor.quality import day_of
from noria.monitor.watching.lanes import Lane, Reference
from noria.monitor.watching.placing import HOUR_MS, LOOK_BACK_DAYS, Place, place
from noria.monitor.watching.series import Rows, Series, in_order, series_of, when
from noria.records import DAY_MS, Finding, Judged

# How the budget is spread: what the labels say of all traffic, slices of it, and streams without labels.
SHARES = {
    "success": 0.25, "new_domain": 0.15, "account": 0.1, "intent": 0.1,
    "confidence": 0.1, "decisions": 0.1, "text": 0.1, "embeddings": 0.1,
}  # fmt: skip
_SLICE_LABELS = 30


@dataclass(frozen=True, slots=True)
class AlarmPolicy:
    """How often a false alarm is accepted, and how much history a reference rate needs.

    false_alarms_a_year: of the whole installation, all metrics, slices and streams together, on average at most.
    baseline_days: days from which a reference is taken; min_baseline: labels that it must have (of a slice 30).
    placed_hours: how long after its alarm a change is placed again with every new label; open_days: how long further
    changes are looked for beside it.
    """

    false_alarms_a_year: float = 2.0
    baseline_days: int = 14
    min_baseline: int = 100
    placed_hours: float = 48.0
    open_days: float = 14.0

    def __post_init__(self) -> None:
        least = {"false_alarms_a_year": 1e-6, "baseline_days": 1, "min_baseline": 1, "placed_hours": 0, "open_days": 0}
        for name, limit in least.items():
            if not limit <= (value := getattr(self, name)) < math.inf:
                raise UsageError(f"{name} = {value!r} makes no sense; give a number of {limit:g} or more.")

    def per_year(self, family: str, among: int = 1) -> float:
        """False alarms a year that one of `among` detectors of a family may raise."""
        return self.false_alarms_a_year * SHARES[family] / max(among, 1)


@dataclass(frozen=True, slots=True)
class Watched:
    """What the detectors remember between turns; `to_json` and `from_json` keep it.

    seen: the last label taken, by its time and task. lanes: series → its detectors. since: series → from when its next
    change is looked for, in milliseconds.
    """

    seen: tuple[int, str] = (-1, "")
    lanes: Mapping[str, tuple[Lane, ...]] = field(default_factory=dict)
    since: Mapping[str, int] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        lanes = {name: [lane.to_json() for lane in both] for name, both in self.lanes.items()}
        return {"seen": list(self.seen), "lanes": lanes, "since": dict(self.since)}

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> Self:
        """What `to_json` wrote."""
        lanes = {name: tuple(Lane.from_json(lane) for lane in both) for name, both in state["lanes"].items()}
        return cls((int(state["seen"][0]), str(state["seen"][1])), lanes, dict(state["since"]))


def findings(
    judged: Sequence[Judged], releases_ms: Sequence[int], policy: AlarmPolicy, queries: Mapping[str, int] | None = None
) -> list[Finding]:
    """Every alarm in the history of labels, in order of time, as `advance` from the beginning."""
    return advance(judged, releases_ms, policy, Watched(), queries or {})[0]


def advance(
    judged: Sequence[Judged],
    releases_ms: Sequence[int],
    policy: AlarmPolicy,
    watched: Watched,
    queries: Mapping[str, int],
    known: Sequence[Finding] = (),
) -> tuple[list[Finding], Watched]:
    """Takes the labels that were not seen yet; the alarms they raise, in order of time, and what to remember.

    Of all traffic two detectors share a metric's part of the budget: one holds labels against the first days of the
    same release in bands of confidence, one against what earlier releases reached. An account and an intent have one.
    After an alarm the time since its inception becomes the reference, so that a change is told once. An alarm of a
    slice after one of all traffic whose interval overlaps is not told.

    Args:
        judged: labels, new ones and the history that references and inceptions are taken from.
        releases_ms: when releases went live.
        policy: budget and references.
        watched: what was remembered.
        queries: day → queries, to tell an inception in queries.
        known: findings of earlier turns.
    """
    ordered = in_order(judged)
    every = series_of(ordered, releases_ms, watched.seen)
    among = Counter(series.family for series in every)
    lanes, since = dict(watched.lanes), dict(watched.since)
    told: list[Finding] = []
    for series in every:
        name = series.name
        raised, lanes[name], since[name] = _series(
            series, lanes.get(name), since.get(name, 0), policy, among[series.family], queries
        )
        told += [f for f in raised if not (f.slice and _explained(f, [*known, *told]))]
    seen = max([watched.seen, *(when(j) for j in ordered[-1:])])
    return sorted(told, key=lambda f: (f.raised_ms, f.finding_id)), Watched(seen, lanes, since)


def placed_again(
    known: Sequence[Finding],
    judged: Sequence[Judged],
    policy: AlarmPolicy,
    queries: Mapping[str, int],
    *,
    until_ms: int,
) -> list[Finding]:
    """Findings on labels that what came since places otherwise, or for good; those that stay as they are left out."""
    # one that was never placed for good, since no turn came in time, as long as its labels are read
    days = {False: policy.open_days + 1, True: LOOK_BACK_DAYS}
    recent = [f for f in known if f.stream == "labels" and until_ms <= f.raised_ms + days[f.provisional] * DAY_MS]
    if not recent:
        return []
    every = {series.name: series for series in series_of(in_order(judged), (), (-1, ""))}
    out = []
    for finding in recent:
        series = every.get(f"{finding.metric}|{finding.slice}")
        if series is None:
            continue
        earlier = [f for f in known if (f.metric, f.slice) == (finding.metric, finding.slice)]
        since_ms = max((f.inception_ms for f in earlier if f.raised_ms < finding.raised_ms), default=0)
        last_ms = min([until_ms, *(f.raised_ms for f in earlier if f.raised_ms > finding.raised_ms)])
        again = _placed(series, finding, since_ms, last_ms, policy, queries)
        if replace(again, located_ms=finding.located_ms) != finding:
            out.append(again)
    return out


def _series(
    series: Series,
    known: tuple[Lane, ...] | None,
    since_ms: int,
    policy: AlarmPolicy,
    among: int,
    queries: Mapping[str, int],
) -> tuple[list[Finding], tuple[Lane, ...], int]:
    rows = series.rows
    lanes = known or ((Lane("across"),) if series.slice else (Lane("within"), Lane("across")))
    wanted = Reference(policy.baseline_days, _SLICE_LABELS if series.slice else policy.min_baseline)
    per_year = policy.per_year(series.family, among)
    at, raised = series.start, list[Finding]()
    while True:
        both = [lane.advance(rows, at, per_year / len(lanes), wanted) for lane in lanes]
        alarms = [alarm for _, alarm in both if alarm is not None]
        if not alarms:
            return raised, tuple(lane for lane, _ in both), since_ms
        at = min(alarms)
        finding = _raise(series, at, since_ms, per_year, policy, queries)
        raised.append(finding)
        since_ms = finding.inception_ms
        lanes = tuple(lane.after(since_ms, int(rows.epoch[at])) for lane in lanes)
        at += 1


def _explained(finding: Finding, told: Sequence[Finding]) -> bool:
    """Whether the alarm of a slice belongs to an earlier one of all traffic on the same metric."""
    return any(
        f.metric == finding.metric
        and not f.slice
        and f.raised_ms <= finding.raised_ms
        and f.inception_low_ms <= finding.inception_high_ms
        and finding.inception_low_ms <= f.inception_high_ms
        for f in told
    )


def _raise(
    series: Series, at: int, since_ms: int, per_year: float, policy: AlarmPolicy, queries: Mapping[str, int]
) -> Finding:
    raised_ms = int(series.rows.label_ms[at])
    name = "-".join(part for part in (series.metric, series.slice, str(raised_ms)) if part)
    finding = Finding(
        finding_id=name, metric=series.metric, raised_ms=raised_ms, inception_ms=0, inception_low_ms=0,
        inception_high_ms=0, before=0.0, after=0.0, sentence="", slice=series.slice, per_year=per_year,
    )  # fmt: skip
    return _placed(series, finding, since_ms, raised_ms, policy, queries)


def _placed(
    series: Series, finding: Finding, since_ms: int, until_ms: int, policy: AlarmPolicy, queries: Mapping[str, int]
) -> Finding:
    """The finding, placed by the labels known at a time, at most `placed_hours` after the alarm."""
    rows = series.rows
    settled_ms = finding.raised_ms + int(policy.placed_hours * HOUR_MS)
    placed_ms = min(until_ms, settled_ms)
    open_ms = min(until_ms, finding.raised_ms + int(policy.open_days * DAY_MS))
    recent = (rows.query_ms >= since_ms) & (rows.query_ms >= finding.raised_ms - LOOK_BACK_DAYS * DAY_MS)
    known: Rows = rows.take(recent & (rows.label_ms <= placed_ms))
    if len(known) == 0:
        return finding
    later: Rows = rows.take(recent & (rows.label_ms <= open_ms))
    found = place(known, later, provisional=placed_ms < settled_ms)
    times = (found.inception_ms, found.low_ms, found.high_ms)
    asked = [_asked_before(time_ms, queries) for time_ms in times]
    return replace(
        finding, inception_ms=times[0], inception_low_ms=times[1], inception_high_ms=times[2],
        inception_queries=asked[0], inception_low_queries=asked[1], inception_high_queries=asked[2],
        before=found.before, after=found.after, shape=found.shape, ramp_ms=found.ramp_ms, others=found.others,
        agrees=found.agrees, located_ms=placed_ms, provisional=placed_ms < settled_ms,
        sentence=_sentence(series, finding, found),
    )  # fmt: skip


def _sentence(series: Series, finding: Finding, found: Place) -> str:
    how = {"sudden": ", all at once", "gradual": f", over about {found.ramp_ms // HOUR_MS} hours", "either": ""}
    more = f" Further falls began about {', '.join(map(day_of, found.others))}." if found.others else ""
    return (
        f"{series.words} fell from {100 * found.before:.0f} % to {100 * found.after:.0f} %; it began about "
        f"{_hour(found.inception_ms)} (between {_hour(found.low_ms)} and {_hour(found.high_ms)}, 95 %)"
        f"{how[found.shape]}.{more} This watch may raise {finding.per_year:.2g} false alarms a year."
    )


def _hour(time_ms: int) -> str:
    return dt.datetime.fromtimestamp(time_ms / 1000, dt.UTC).strftime("%Y-%m-%d %H:%M")


def _asked_before(time_ms: int, queries: Mapping[str, int]) -> int:
    """Queries before a time, those of its own day in proportion."""
    today = day_of(time_ms)
    part = queries.get(today, 0) * (time_ms % DAY_MS) / DAY_MS
    return sum(n for day, n in queries.items() if day < today) + round(part)
