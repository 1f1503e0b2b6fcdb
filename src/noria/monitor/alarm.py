"""A sequential alarm on labelled quality, with the inception of the change as an interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from noria.monitor.quality import day_of
from noria.records import DAY_MS, Finding, Judged
from noria.stats import baseline, e_sr, locate
from noria.stats.design import read_floor

Floats = npt.NDArray[np.float64]


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
    """Outcomes in order of query time: 1 = good. `words` says how the metric is worded in a sentence.

    weight: the floor of the draw ÷ the label's own chance, 0 to 1: labels drawn for their uncertainty would else lower
    every rate the day such a draw begins.
    """

    metric: str
    words: str
    time_ms: npt.NDArray[np.int64]
    good: Floats
    weight: Floats


def findings(judged: Sequence[Judged], releases_ms: Sequence[int], policy: AlarmPolicy) -> list[Finding]:
    """Every alarm in the history of labels, in order of time; the same labels give the same findings.

    The reference is the rate of the first `baseline_days` after the start, an alarm, or a release, less one standard
    error; between alarms it only rises, so that a release that made things worse is held against the time before it.
    """
    drawn = [j for j in judged if j.task.purpose == "estimate"]
    ordered = sorted(drawn, key=lambda j: (j.task.query_time_ms, j.task.task_id))
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
    weight = [(read_floor(j.task.design) or j.task.inclusion_probability) / j.task.inclusion_probability for j in items]
    return _Series(metric, words, times, np.array(good, dtype=float), np.minimum(np.array(weight, dtype=float), 1.0))


def _alarms(series: _Series, releases_ms: Sequence[int], policy: AlarmPolicy) -> list[Finding]:
    out: list[Finding] = []
    start = 0
    while start < len(series.time_ms):
        reference, first = _reference(series, start, releases_ms, policy)
        if first >= len(series.good):
            return out
        # Weights about 1, as the time before tells: else the stakes, and with them the alarm, would come late.
        scale = max(1.0, 1 / float(series.weight[start:first].mean())) if first > start else 1.0
        at = e_sr(
            series.good[first:],
            reference[first:],
            policy.run_length,
            weight=scale * series.weight[first:],
            heaviest=scale,
        )
        if at is None:
            return out
        stop = first + at
        out.append(_finding(series, start, stop))
        start = stop + 1
    return out


def _reference(series: _Series, start: int, releases_ms: Sequence[int], policy: AlarmPolicy) -> tuple[Floats, int]:
    """The acceptable rate at each label (rising only), and the first label that has one."""
    times, length_ms = series.time_ms, policy.baseline_days * DAY_MS
    reference = np.full(len(times), -np.inf)
    begins = [int(times[start])] + [r for r in releases_ms if r > times[start]]
    for begin in begins:
        low, high = np.searchsorted(times, [begin, begin + length_ms])
        if high - low >= policy.min_baseline and high < len(times):
            k, n = _worth(series.good[low:high], series.weight[low:high])
            reference[high:] = np.maximum(reference[high:], baseline(k, n))
    known = np.flatnonzero(np.isfinite(reference))
    return reference, int(known[0]) if len(known) else len(times)


def _finding(series: _Series, start: int, stop: int) -> Finding:
    """The alarm at label `stop`, located by days among the labels from `start` on."""
    here = slice(start, stop + 1)
    times, good, weight = series.time_ms[here], series.good[here], series.weight[here]
    first_day = int(times[0]) // DAY_MS
    day = (times // DAY_MS - first_day).astype(np.int64)
    days = [_worth(good[day == d], weight[day == d]) for d in range(int(day[-1]) + 1)]
    place = locate([k for k, _ in days], [n for _, n in days], ramps=(0, 3, 7))
    index, low, high = (place.index, place.low, place.high) if place else (len(days) - 1, 0, len(days) - 1)
    before_rate, after_rate = (_rate(good[part], weight[part]) for part in (day < index, day >= index))
    begin_ms, low_ms, high_ms = ((first_day + i) * DAY_MS for i in (index, low, high))
    sentence = (
        f"{series.words} fell from {100 * before_rate:.0f} % to {100 * after_rate:.0f} % of such queries; it began "
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


def _worth(good: Floats, weight: Floats) -> tuple[float, float]:
    """Successes and labels that weigh equally and tell as much: the weighted rate at Kish's effective number."""
    total = float(weight.sum())
    if not total:
        return 0.0, 0.0
    n = total**2 / float(weight @ weight)
    # Rounding must not count more successes than labels.
    return n * min(1.0, float(weight @ good) / total), n


def _rate(good: Floats, weight: Floats) -> float:
    return float(weight @ good / weight.sum()) if len(good) else float("nan")
