"""Simulated labelled streams, and the stratified detector on thousands of them at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from noria.stats.detection.stratified import STAKES, QualityWatch
from noria.stats.intervals import score_bounds

Floats = npt.NDArray[np.float64]
ERRORS = np.array([0.02, 0.05, 0.11, 0.22])  # by band of confidence, the most confident first; 10 % on the whole
EVEN, HARD_FIRST = np.full(4, 0.25), np.array([0.05, 0.10, 0.25, 0.60])
WEEKEND = 1.3  # a weekend has so many times the errors of a working day
QUERIES_AN_HOUR, BASELINE_DAYS, CHANGE_DAY, DAYS = 150, 14, 28, 70


@dataclass(frozen=True)
class Case:
    """error: share of wrong answers after the change (0.10 = none). share: of queries that are labelled.

    ramp: hours over which the change comes. switch: day from which the least confident are labelled first.
    """

    error: float = 0.10
    share: float = 0.10
    ramp: int = 0
    switch: int | None = None
    days: int = DAYS


@dataclass(frozen=True, eq=False)
class Streams:
    """S streams of N labels. hour, weekend: (N,), the same for all. band, wrong: (S, N)."""

    hour: npt.NDArray[np.int64]
    weekend: npt.NDArray[np.bool_]
    band: npt.NDArray[np.int8]
    wrong: npt.NDArray[np.bool_]

    @cached_property
    def stratum(self) -> npt.NDArray[np.int8]:
        return (self.band + 4 * self.weekend).astype(np.int8)


def simulate(rng: np.random.Generator, streams: int, case: Case) -> Streams:
    """Streams of a case."""
    a_day = round(24 * QUERIES_AN_HOUR * case.share)
    hour = np.arange(case.days * a_day) * 24 // a_day
    day = hour // 24
    weekend = day % 7 >= 5
    hard = day >= (case.days if case.switch is None else case.switch)
    begun = np.clip((hour - 24 * CHANGE_DAY + 1) / max(case.ramp, 1), 0, 1)
    factor = np.where(weekend, WEEKEND, 1.0) * (1 + (case.error / 0.10 - 1) * begun)
    edges = np.where(hard, np.cumsum(HARD_FIRST)[:3, None], np.cumsum(EVEN)[:3, None])
    band, wrong = np.empty((streams, len(hour)), dtype=np.int8), np.empty((streams, len(hour)), dtype=bool)
    for s in range(streams):
        np.sum(rng.random(len(hour)) >= edges, axis=0, out=band[s])
        wrong[s] = rng.random(len(hour)) < ERRORS[band[s]] * factor
    return Streams(hour, weekend, band, wrong)


def references(streams: Streams, strata: npt.NDArray[np.int8], n_strata: int) -> Floats:
    """Acceptable rates (S, strata) from the first days: the rate less one standard error, as `QualityWatch` has it."""
    known = streams.hour < 24 * BASELINE_DAYS
    out = np.zeros((len(strata), n_strata))
    for s in range(len(strata)):
        n = np.bincount(strata[s, known], minlength=n_strata)
        k = np.bincount(strata[s, known], weights=~streams.wrong[s, known], minlength=n_strata)
        out[s] = [score_bounds(a / b, b, 1.0)[0] if b else 0.0 for a, b in zip(k, n, strict=True)]
    return out


def evidence(
    wrong: npt.NDArray[np.bool_],
    strata: npt.NDArray[np.int8],
    acceptable: Floats,
    stakes: Sequence[float] = STAKES,
) -> Iterator[Floats]:
    """Mean sum of each stream (S,) after each label."""
    count, n_strata = acceptable.shape
    own = np.minimum(np.array(stakes), 0.95 / np.maximum(1 - acceptable, 1e-9)[..., None])
    factors = np.stack([1 + own * (acceptable[..., None] - 1 + bad) for bad in (0, 1)], axis=2)
    table = factors.reshape(-1, len(stakes))
    codes = (np.arange(count, dtype=np.int32)[:, None] * n_strata + strata) * 2 + wrong
    sums, share = np.zeros((count, len(stakes))), np.full(len(stakes), 1 / len(stakes))
    for code in np.ascontiguousarray(codes.T):
        # What is in alarm needs not grow any further.
        sums = np.minimum((sums + 1) * table[code], 1e12)
        yield sums @ share


def alarms(
    wrong: npt.NDArray[np.bool_],
    strata: npt.NDArray[np.int8],
    acceptable: Floats,
    levels: Sequence[float],
    stakes: Sequence[float] = STAKES,
) -> npt.NDArray[np.int64]:
    """First label of each stream (levels, S) at which the mean sum reaches a run length; N where it never does."""
    count, n = wrong.shape
    first = np.full((len(levels), count), n)
    for at, mean in enumerate(evidence(wrong, strata, acceptable, stakes)):
        for level, limit in enumerate(levels):
            first[level][(mean >= limit) & (first[level] == n)] = at
        if at % 100 == 0 and (first < n).all():
            break
    return first


def agree(streams: Streams, acceptable: Floats, level: float, found: npt.NDArray[np.int64], most: int = 3) -> bool:
    """Whether the product's own detector alarms at the same labels as `alarms`, on the first streams."""
    later = streams.hour >= 24 * BASELINE_DAYS
    for s in range(min(most, len(found))):
        names = [str(v) for v in streams.stratum[s, later]]
        watch = QualityWatch(floors={str(h): float(rate) for h, rate in enumerate(acceptable[s])})
        at = watch.run(names, ~streams.wrong[s, later], spend=1 / level)[1]
        if (at if at is not None else int(later.sum())) != found[s]:
            return False
    return True


def cells(streams: Streams, s: int, until: int, since_hour: int) -> tuple[Floats, Floats]:
    """Right answers and labels (hours, strata) of a stream, of labels before `until`."""
    own = slice(int(np.searchsorted(streams.hour, since_hour)), until)
    hour = streams.hour[own] - since_hour
    size = 8 * (int(hour[-1]) + 1)
    cell = 8 * hour + streams.stratum[s, own]
    n = np.bincount(cell, minlength=size).reshape(-1, 8)
    k = np.bincount(cell, weights=~streams.wrong[s, own], minlength=size).reshape(-1, 8)
    return k, n.astype(np.float64)
