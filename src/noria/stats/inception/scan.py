"""When did it change? The likely beginning of a change of a rate, as a 95 % set of windows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from noria.errors import UsageError
from noria.stats.intervals import Floats

Direction = Literal["down", "up", "both"]
Shape = Literal["sudden", "gradual", "either"]

HOURLY_RAMPS = (0, 24, 48, 72, 120, 168)
# A drop below this share of all labels is rounding of a constant rate.
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class Inception:
    """Where a rate began to change.

    index: the most likely first window of the change. low, high: first and last window of the likelihood set. ramp: 0
    for a sudden change, else over how many windows it came. before: rate before `index`; after: rate once the change
    is complete, or since `index` where it is not. With strata both rates are for the same mix of strata. shape: whether
    the set leaves only sudden changes, only gradual ones, or either. gain: log-likelihood won over "no change".
    """

    index: int
    low: int
    high: int
    ramp: int
    before: float
    after: float
    shape: Shape = "sudden"
    gain: float = 0.0


def locate(
    k: npt.ArrayLike,
    n: npt.ArrayLike,
    ramps: Sequence[int] = HOURLY_RAMPS,
    c: float = 3.68,
    direction: Direction = "down",
) -> Inception | None:
    """The beginning of one change, or None where nothing changed that way; by default a rise is none.

    It always names the best place, also for pure chance: ask it after an alarm, and again with every batch of labels.
    Where the rate falls and recovers, or falls twice, run it inside each segment. The set covers less than it says
    (about 90 % in simulation) where failures are rare and labels few, say 1 % of ten labels a window.

    Args:
        k: successes, (windows,) or (windows, strata). Strata keep a change of mix or of labelling policy apart.
        n: labels, same shape; windows without labels are fine.
        ramps: lengths to try, in windows, 0 for a sudden change; the default is for hourly windows.
        c: width of the set in log-likelihood: -log(1 - sqrt(level)), 3.68 at 95 %, 5.3 at 99 %.
        direction: "down" looks for drops, "up" for rises, "both" for the likelier of the two.

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
    likelihood = np.array([_scan(good, labels, max(int(ramp), 1), direction) for ramp in ramps])
    best = likelihood.max(axis=0)
    if not np.isfinite(best).any():
        return None
    index, near = int(best.argmax()), best.max() - c
    ramp = int(ramps[int(likelihood[:, index].argmax())])
    inside = np.flatnonzero(best >= near)
    kinds = {bool(length > 1) for length, row in zip(ramps, likelihood, strict=True) if row.max() >= near}
    shape: Shape = "either" if len(kinds) > 1 else "gradual" if True in kinds else "sudden"
    before, after = _rates(good, labels, index, ramp)
    return Inception(index, int(inside[0]), int(inside[-1]), ramp, before, after, shape, float(best.max()))


def _counts(k: npt.ArrayLike, n: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Successes and labels as (windows, strata)."""
    good, labels = np.asarray(k, dtype=np.float64), np.asarray(n, dtype=np.float64)
    if good.shape != labels.shape or good.ndim not in {1, 2}:
        shapes = f"successes of shape {good.shape}, labels of shape {labels.shape}"
        raise UsageError(f"{shapes}: give both as (windows,) or both as (windows, strata).")
    if not ((good >= 0) & (good <= labels) & np.isfinite(labels)).all():
        raise UsageError("there must be 0 <= successes <= labels in each window.")
    return (good[:, None], labels[:, None]) if good.ndim == 1 else (good, labels)


def _scan(good: Floats, labels: Floats, length: int, direction: Direction) -> Floats:
    """Gain in log-likelihood (windows,) by a change that begins at each window and is complete after `length` windows.

    A change at s has the weights w_t = min(t - s + 1, length) / length from s on. Such a weighted sum is a mean of
    suffix sums, its square one with the weights 1, 3, 5, ...: no table of windows by windows is needed.
    """
    totals = labels.sum(axis=0)
    rates = good.sum(axis=0) / np.maximum(totals, 1)
    missing = _ramp((labels * rates - good).sum(axis=1, keepdims=True), length)[0][:, 0]
    counts, squared = _ramp(labels, length)
    variance = (squared - counts**2 / np.maximum(totals, 1)) @ (rates * (1 - rates))
    drop = np.abs(missing) if direction == "both" else missing if direction == "down" else -missing
    # A sum of squares of whole numbers leaves no more than rounding where it is nought.
    found = (drop > _ROUNDING * totals.sum()) & (variance > _ROUNDING * totals.sum())
    gain = np.full(len(labels), -np.inf)
    gain[found] = drop[found] ** 2 / (2 * variance[found])
    return gain


def _ramp(values: Floats, length: int) -> tuple[Floats, Floats]:
    """Sums of w_t · value and of w_t² · value (windows, columns) for a change that begins at each window."""
    n = len(values)
    suffix = np.zeros((n + length, values.shape[1]))
    suffix[:n] = np.cumsum(values[::-1], axis=0)[::-1]
    if length == 1:
        return suffix[:n], suffix[:n]
    place = np.arange(n + length)[:, None]
    plain, tilted = (_running(v, length) for v in (suffix, suffix * place))
    start = np.arange(n)[:, None]
    odd = 2 * (tilted - start * plain) + plain
    return plain / length, odd / length**2


def _running(values: Floats, length: int) -> Floats:
    """Sums of `length` values from each place on."""
    sums = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])
    out: Floats = sums[length:-1] - sums[: -length - 1]
    return out


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
