"""A sequential alarm on labelled quality, with the inception of the change as an interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from noria.monitor.quality import day_of
from noria.records import Finding, Judged
from noria.stats import baseline, e_sr, locate

DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class AlarmPolicy:
    """How often a false alarm is accepted, and how much history a reference rate needs.

    run_length: labelled queries to a false alarm, on average at least, for each metric. baseline_days: days from which
    a reference rate is taken; min_baseline: labels that it must have.
    """

    run_length: float = 10_000
    baseline_days: int = 14
    min_baseline: int = 100


@dataclass(frozen=True, slots=True)
class _Series:
    """Outcomes in order of query time: 1 = good. `share` says how the metric is worded in a sentence."""

    metric: str
    words: str
    time_ms: np.ndarray
    good: np.ndarray


def findings(judged: Sequence[Judged], releases_ms: Sequence[int], policy: AlarmPolicy) -> list[Finding]:
    """Every alarm in the history of labels, in order of time; the same labels give the same findings.

    The reference is the rate of the first `baseline_days` after the start, an alarm, or a release, less one standard
    error; between alarms it only rises, so that a release that made things worse is held against the time before it.
    """
    ordered = sorted(judged, key=lambda j: (j.task.query_time_ms, j.task.task_id))
    inside = [j for j in ordered if j.label.relevance == "in_scope"]
    legit = [j for j in ordered if j.label.relevance in ("in_scope", "new_domain")]
    series = [
        _series("success", "Success on in-scope queries", inside, [j.right for j in inside]),
        _series("new_domain", "The share of requests inside the scope", legit,
                [j.label.relevance == "in_scope" for j in legit]),
    ]  # fmt: skip
    found = [f for s in series for f in _alarms(s, sorted(releases_ms), policy)]
    return sorted(found, key=lambda f: (f.raised_ms, f.metric))


def _series(metric: str, words: str, items: Sequence[Judged], good: Sequence[bool]) -> _Series:
    times = np.array([j.task.query_time_ms for j in items], dtype=np.int64)
    return _Series(metric, words, times, np.array(good, dtype=float))


def _alarms(series: _Series, releases_ms: Sequence[int], policy: AlarmPolicy) -> list[Finding]:
    out: list[Finding] = []
    start = 0
    while start < len(series.time_ms):
        reference, first = _reference(series, start, releases_ms, policy)
        if first >= len(series.good):
            return out
        at = e_sr(series.good[first:], reference[first:], policy.run_length)
        if at is None:
            return out
        stop = first + at
        out.append(_finding(series, start, stop))
        start = stop + 1
    return out


def _reference(series: _Series, start: int, releases_ms: Sequence[int], policy: AlarmPolicy) -> tuple[np.ndarray, int]:
    """The acceptable rate at each label (rising only), and the first label that has one."""
    times, length_ms = series.time_ms, policy.baseline_days * DAY_MS
    reference = np.full(len(times), -np.inf)
    begins = [int(times[start])] + [r for r in releases_ms if r > times[start]]
    for begin in begins:
        low, high = np.searchsorted(times, [begin, begin + length_ms])
        if high - low >= policy.min_baseline and high < len(times):
            rate = baseline(float(series.good[low:high].sum()), int(high - low))
            reference[high:] = np.maximum(reference[high:], rate)
    known = np.flatnonzero(np.isfinite(reference))
    return reference, int(known[0]) if len(known) else len(times)


def _finding(series: _Series, start: int, stop: int) -> Finding:
    """The alarm at label `stop`, located by days among the labels from `start` on."""
    times, good = series.time_ms[start : stop + 1], series.good[start : stop + 1]
    first_day = int(times[0]) // DAY_MS
    day = times // DAY_MS - first_day
    n = np.bincount(day)
    k = np.bincount(day, weights=good)
    place = locate(k, n, ramps=(0, 3, 7))
    index, low, high = (place.index, place.low, place.high) if place else (len(n) - 1, 0, len(n) - 1)
    before, after = good[day < index], good[day >= index]
    before_rate = float(before.mean()) if len(before) else float("nan")
    after_rate = float(after.mean()) if len(after) else float("nan")
    begin_ms, low_ms, high_ms = ((first_day + i) * DAY_MS for i in (index, low, high))
    sentence = (
        f"{series.words} fell from {100 * before_rate:.0f} % to {100 * after_rate:.0f} % of labelled queries; it began "
        f"about {day_of(begin_ms)} (between {day_of(low_ms)} and {day_of(high_ms)}, 95 %)."
    )
    raised_ms = int(times[-1])
    return Finding(
        finding_id=f"{series.metric}-{raised_ms}",
        metric=series.metric,
        raised_ms=raised_ms,
        inception_ms=begin_ms,
        inception_low_ms=low_ms,
        inception_high_ms=high_ms,
        before=before_rate,
        after=after_rate,
        sentence=sentence,
    )
