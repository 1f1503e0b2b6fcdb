"""When did it fall? The likely beginning of a drop in a rate, as a 95 % set of windows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from noria.errors import UsageError
from noria.stats.intervals import Floats

# A drop below this share of all labels is rounding of a constant rate.
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class Inception:
    """Where a rate began to fall.

    index: the most likely first window of the change. low, high: first and last window of the likelihood set. ramp: 0
    for a sudden change, else over how many windows it came. before: rate before `index`; after: rate once the change
    is complete, or since `index` where it is not. With strata both rates are for the same mix of strata.
    """

    index: int
    low: int
    high: int
    ramp: int
    before: float
    after: float


def locate(
    k: npt.ArrayLike,
    n: npt.ArrayLike,
    ramps: Sequence[int] = (0, 24, 48, 72, 120, 168),
    c: float = 3.68,
) -> Inception | None:
    """The beginning of one drop, or None where nothing fell; a rise is no drop.

    It always names the best place, also for pure chance: ask it after an alarm, and again with every batch of labels.
    Where the rate falls and recovers, or falls twice, run it inside each segment. The set covers less than it says
    (about 90 % in simulation) where failures are rare and labels few, say 1 % of ten labels a window.

    Args:
        k: successes, (windows,) or (windows, strata). Strata keep a change of mix or of labelling policy apart.
        n: labels, same shape; windows without labels are fine.
        ramps: lengths to try, in windows, 0 for a sudden change; the default is for hourly windows.
        c: width of the set in log-likelihood: -log(1 - sqrt(level)), 3.68 at 95 %, 5.3 at 99 %.

    Raises:
        UsageError: shapes differ, counts are not 0 <= k <= n, no ramp or a negative one, or c is not above 0.

    Source: score scan over step and ramps; set by Siegmund, International Statistical Review 56 (1988) 31.

    Example:
        >>> found = locate([16] * 20 + [10] * 10, [20] * 30, ramps=(0, 3, 7))
        >>> found.index, found.low <= 20 <= found.high, found.ramp, found.before, found.after
        (20, True, 0, 0.8, 0.5)
        >>> locate([16] * 30, [20] * 30) is None
        True
    """
    good, labels = _counts(k, n)
    if len(ramps) == 0 or min(ramps) < 0 or not c > 0:
        raise UsageError(f"ramps {tuple(ramps)} and c = {c}: give ramps of 0 or more windows and a c above 0.")
    if not labels.any():
        return None
    likelihood = np.array([_scan(good, labels, max(int(ramp), 1)) for ramp in ramps])
    best = likelihood.max(axis=0)
    if not np.isfinite(best).any():
        return None
    index = int(best.argmax())
    ramp = int(ramps[int(likelihood[:, index].argmax())])
    inside = np.flatnonzero(best.max() - best <= c)
    before, after = _rates(good, labels, index, ramp)
    return Inception(index, int(inside[0]), int(inside[-1]), ramp, before, after)


def _counts(k: npt.ArrayLike, n: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Successes and labels as (windows, strata)."""
    good, labels = np.asarray(k, dtype=np.float64), np.asarray(n, dtype=np.float64)
    if good.shape != labels.shape or good.ndim not in {1, 2}:
        shapes = f"successes of shape {good.shape}, labels of shape {labels.shape}"
        raise UsageError(f"{shapes}: give both as (windows,) or both as (windows, strata).")
    if not ((good >= 0) & (good <= labels) & np.isfinite(labels)).all():
        raise UsageError("there must be 0 <= successes <= labels in each window.")
    return (good[:, None], labels[:, None]) if good.ndim == 1 else (good, labels)


def _scan(good: Floats, labels: Floats, length: int) -> Floats:
    """Gain in log-likelihood (windows,) by a drop that begins at each window and is complete after `length` windows.

    A change at s has the weights w_t = min(t - s + 1, length) / length from s on. Such a weighted sum is a mean of
    suffix sums, its square one with the weights 1, 3, 5, ...: no table of windows by windows is needed.
    """
    totals = labels.sum(axis=0)
    rates = good.sum(axis=0) / np.maximum(totals, 1)
    missing = _suffix((labels * rates - good).sum(axis=1, keepdims=True), length)
    counts = _suffix(labels, length)
    flat = np.ones(length) / length
    odd = (2 * np.arange(length) + 1) / length**2
    drop = _smooth(missing, flat)[:, 0]
    spread = _smooth(counts, odd) - _smooth(counts, flat) ** 2 / np.maximum(totals, 1)
    variance = spread @ (rates * (1 - rates))
    found = (drop > _ROUNDING * totals.sum()) & (variance > 0)
    gain = np.full(len(labels), -np.inf)
    gain[found] = drop[found] ** 2 / (2 * variance[found])
    return gain


def _suffix(values: Floats, length: int) -> Floats:
    """Sums from each window to the end, followed by `length` - 1 zeros."""
    sums = np.cumsum(values[::-1], axis=0)[::-1]
    return np.concatenate([sums, np.zeros((length - 1, values.shape[1]))])


def _smooth(sums: Floats, weights: Floats) -> Floats:
    columns = [np.correlate(column, weights, mode="valid") for column in sums.T]
    return np.stack(columns, axis=1)


def _rates(good: Floats, labels: Floats, index: int, ramp: int) -> tuple[float, float]:
    """Rates before and after the change for one mix of strata: that of all labels in strata seen on both sides."""
    complete = index + max(ramp, 1) - 1
    start = complete if labels[complete:].any() else index
    n_before, n_after = labels[:index].sum(axis=0), labels[start:].sum(axis=0)
    seen = (n_before > 0) & (n_after > 0)
    if not seen.any():
        return math.nan, math.nan
    mix = labels.sum(axis=0)[seen]
    before = good[:index].sum(axis=0)[seen] / n_before[seen]
    after = good[start:].sum(axis=0)[seen] / n_after[seen]
    return float(before @ mix / mix.sum()), float(after @ mix / mix.sum())
