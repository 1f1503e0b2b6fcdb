"""Alarms without labels: a reason to look, never a verdict on quality."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from noria.monitor.quality import day_of
from noria.monitor.watching.mixes import MEASURES, Measure, Mix, Window
from noria.monitor.watching.placing import HOUR_MS
from noria.records import Finding, Prediction
from noria.stats.detection.glr import begin, mean_glr, shape_glr

_HOURS_A_YEAR = 365 * 24
# Queries that a reference takes.
_LEAST = 500


@dataclass(frozen=True, slots=True)
class Mixes:
    """What the detectors without labels remember. seen_ms: predictions before it were taken, whole hours only."""

    seen_ms: int = 0
    mixes: Mapping[str, Mix] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {"seen_ms": self.seen_ms, "mixes": {name: mix.to_json() for name, mix in self.mixes.items()}}

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> Self:
        """What `to_json` wrote."""
        return cls(int(state["seen_ms"]), {name: Mix.from_json(mix) for name, mix in state["mixes"].items()})


def watch(
    predictions: Sequence[Prediction], mixes: Mixes, per_year: Mapping[str, float], *, days: int, until_ms: int
) -> tuple[list[Finding], Mixes]:
    """Takes whole hours of predictions; the alarms they raise and what to remember.

    Each measure is held against its first days, working days and weekends apart, in windows of at least twenty queries
    on average. After an alarm it takes a new reference.

    Args:
        predictions: those from `mixes.seen_ms` to `until_ms`, in order of time.
        mixes: what was remembered.
        per_year: stream → false alarms a year that its measures may raise together.
        days: of a reference.
        until_ms: the end, a whole hour.
    """
    known, found = dict(mixes.mixes), []
    for measure in MEASURES:
        mix = known.get(measure.name, Mix()).take(measure, predictions)
        ready = mix.width > 0
        mix = mix.settled(until_ms, days, _LEAST)
        whole = [w for w in mix.windows if (w.at + 1) * mix.width * HOUR_MS <= until_ms] if ready else []
        fresh = sum((w.at + 1) * mix.width * HOUR_MS > mixes.seen_ms for w in whole)
        if fresh:
            raised = _alarm(measure, mix, whole, fresh, per_year[measure.stream] / measure.among)
            if raised is not None:
                found.append(raised)
                mix = Mix(release=mix.release)
        known[measure.name] = mix
    return found, Mixes(until_ms, known)


def _alarm(measure: Measure, mix: Mix, whole: Sequence[Window], fresh: int, per_year: float) -> Finding | None:
    """The finding of the first of the fresh windows in alarm."""
    cells, ends = mix.cells(whole), mix.weekends(whole)
    wanted = _HOURS_A_YEAR / mix.width / per_year
    lengths = [shape_glr(mix.before, cells, dispersion=mix.scatter).run_length]
    if measure.stream == "confidence":
        lengths.append(_of_mean(mix, whole, ends))
    wanted *= len(lengths)
    hits = np.flatnonzero(np.max(lengths, axis=0)[-fresh:] >= wanted)
    if len(hits) == 0:
        return None
    last = len(whole) - fresh + int(hits[0])
    index, low, high = begin(mix.before, cells[: last + 1], dispersion=mix.scatter[-1])
    # whatever begins within a window shows in it: the set goes on to the end of its last one
    starts = [at * mix.width * HOUR_MS for at in (whole[index].at, whole[low].at, whole[high].at + 1)]
    raised_ms = (whole[last].at + 1) * mix.width * HOUR_MS
    n, total, _ = np.sum(mix.moments, axis=0).tolist()
    since = np.sum([w.moments for w in whole[index : last + 1]], axis=0).tolist()
    before, after = total / max(n, 1.0), since[1] / max(since[0], 1.0)
    figures = "" if measure.name == "words" else f" from {before:.3g} to {after:.3g}"
    sentence = (
        f"{measure.words} changed{figures}; it began about {day_of(starts[0])} (between {day_of(starts[1])} and "
        f"{day_of(starts[2])}, 95 %). No label says yet whether quality fell: a reason to look. This watch may raise "
        f"{per_year:.2g} false alarms a year."
    )
    return Finding(
        finding_id=f"{measure.name}-{raised_ms}", metric=measure.name, raised_ms=raised_ms, inception_ms=starts[0],
        inception_low_ms=starts[1], inception_high_ms=starts[2], before=before, after=after, sentence=sentence,
        stream=measure.stream, located_ms=raised_ms, provisional=False, per_year=per_year,
    )  # fmt: skip


def _of_mean(mix: Mix, whole: Sequence[Window], ends: np.ndarray) -> np.ndarray:
    n, sums = np.zeros((len(whole), 2)), np.zeros((len(whole), 2))
    place = np.arange(len(whole)), ends.astype(np.int64)
    n[place], sums[place] = [w.moments[0] for w in whole], [w.moments[1] for w in whole]
    return mean_glr(mix.moments, n, sums, dispersion=mix.scatter).run_length
