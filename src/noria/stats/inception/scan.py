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

HOURLY_RAMPS = (0, 12, 24, 36, 48, 72, 96, 120, 168)
# A drop below this share of all labels is rounding of a constant rate; sums of weighted labels are less exact.
_ROUNDING, _WEIGHTED = 1e-12, 1e-9
# How often variances are taken again from the likeliest change.
_ROUNDS = 2
# The part of either outcome's rate that a change leaves at least.
_LEAST = 0.05


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
    level: float = 0.95,
    direction: Direction = "down",
) -> Inception | None:
    """The beginning of one change, or None where nothing changed that way; by default a rise is none.

    It always names the best place, also for pure chance: ask it after an alarm, and again with every batch of labels.
    Where the rate falls and recovers, or falls twice, run it inside each segment.

    A first scan takes the variance of each stratum's rate over all windows. Where failures have doubled that is too
    small for what came after, and a burst of them within a ramp looks like a sudden change; so variances are taken
    again from the likeliest change. Whatever lies within `-log((1 - sqrt(level)) / kinds)` of the best log-likelihood
    is in the set: Siegmund's bound for a sudden change, shared by the two kinds where ramps are tried as well (4.37 at
    95 %). In simulation it covers less (85 to 92 %) where failures are rare, 2 % or fewer, and grow for longer than the
    longest ramp that is tried.

    Args:
        k: successes, (windows,) or (windows, strata). Strata keep a change of mix or of labelling policy apart.
        n: labels, same shape; windows without labels are fine.
        ramps: lengths to try, in windows, 0 for a sudden change; the default is for hourly windows.
        level: how often the set shall hold the beginning, between 0 and 1.
        direction: "down" looks for drops, "up" for rises, "both" for the likelier of the two.

    Raises:
        UsageError: shapes differ, counts are not 0 <= k <= n, no ramp or a negative one, or a level that is not
            between 0 and 1.

    Source: score scan over step and ramps, weights again from the fit as in iteratively reweighted least squares
    (McCullagh, Nelder, Generalized Linear Models, 1989); set by Siegmund, Int. Statistical Review 56 (1988) 31.

    Example:
        >>> found = locate([16] * 20 + [10] * 10, [20] * 30, ramps=(0, 3, 7))
        >>> found.index, found.low <= 20 <= found.high, found.ramp, found.before, found.after
        (20, True, 0, 0.8, 0.5)
        >>> locate([16] * 30, [20] * 30) is None
        True
    """
    good, labels = _counts(k, n)
    if len(ramps) == 0 or min(ramps) < 0 or not 0 < level < 1:
        raise UsageError(f"ramps {tuple(ramps)} and level {level}: give ramps of 0 or more windows and 0 < level < 1.")
    if not labels.any():
        return None
    likelihood = _likelihood(good, labels, [max(int(ramp), 1) for ramp in ramps], direction)
    best = likelihood.max(axis=0)
    if not np.isfinite(best).any():
        return None
    width = -math.log((1 - math.sqrt(level)) / len({ramp > 1 for ramp in ramps}))
    index, near = int(best.argmax()), best.max() - width
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


def _likelihood(good: Floats, labels: Floats, lengths: list[int], direction: Direction) -> Floats:
    """Gain in log-likelihood (lengths, windows) by a change that begins at each window and is complete after a length.

    The regression: a label of stratum h at t succeeds with the chance rate_h - size · share_h · w_t, share being the
    change of a rate by one step of its log odds; the w of a change at s is min(t - s + 1, length) / length from s on.
    """
    totals = np.maximum(labels.sum(axis=0), 1)
    rate = good.sum(axis=0) / totals
    spread = rate * (1 - rate)
    missing = (labels * rate - good).sum(axis=1)
    least = _ROUNDING * labels.sum()
    gain, size = _scan(missing, labels, labels @ spread, spread / totals, lengths, direction, least)
    floor = 0.5 / totals
    known = np.clip(rate, floor, 1 - floor)
    share = known * (1 - known)
    exact = labels / share
    for _ in range(_ROUNDS if np.isfinite(gain).any() else 0):
        at, start = np.unravel_index(int(gain.argmax()), gain.shape)
        change = size[at, start] * np.clip((np.arange(len(labels)) - start + 1) / lengths[at], 0, 1)
        known = rate + share * (change @ exact) / np.maximum(exact.sum(axis=0), 1e-300)
        known = np.clip(known, floor, 1 - floor)
        share = known * (1 - known)
        chance = np.clip(known - change[:, None] * share, _LEAST * known, 1 - _LEAST * (1 - known))
        variance = chance * (1 - chance)
        exact, pull = labels / variance, share / variance
        sums = np.maximum(exact.sum(axis=0), 1e-300)
        rate = (good / variance).sum(axis=0) / sums
        missing, mass = (pull * (labels * rate - good)).sum(axis=1), labels * pull
        again = _scan(missing, mass, mass @ share, 1 / sums, lengths, direction, _WEIGHTED * mass.sum())
        if not np.isfinite(again[0]).any():
            break
        gain, size = again
    return gain


def _scan(
    missing: Floats, mass: Floats, square: Floats, back: Floats, lengths: list[int], direction: Direction, least: float
) -> tuple[Floats, Floats]:
    """Gain in log-likelihood and size of the change, (lengths, windows) each, by score and information.

    missing: score of each window (windows,). mass: information that the change shares with the strata's rates (windows,
    strata); square: its own (windows,); back: the inverse of the rates' (strata,).

    A weighted sum with w is a mean of suffix sums, its square one with the weights 1, 3, 5, ...: no table of windows by
    windows is needed, and all lengths read the same cumulative sums.
    """
    n = len(missing)
    suffix = np.zeros((n + max(lengths), 2 + mass.shape[1]))
    suffix[:n] = np.cumsum(np.column_stack([missing, square, mass])[::-1], axis=0)[::-1]
    plain, tilted = _cumulative(suffix), _cumulative(suffix[:, 1] * np.arange(len(suffix)))
    gain, size = np.full((len(lengths), n), -np.inf), np.zeros((len(lengths), n))
    for row, length in enumerate(lengths):
        sums = plain[length : length + n] - plain[:n]
        odd = 2 * (tilted[length : length + n] - tilted[:n] - np.arange(n) * sums[:, 1]) + sums[:, 1]
        fall, information = sums[:, 0] / length, (odd - sums[:, 2:] ** 2 @ back) / length**2
        drop = np.abs(fall) if direction == "both" else fall if direction == "down" else -fall
        # A sum of squares of whole numbers leaves no more than rounding where it is nought.
        found = (drop > least) & (information > least)
        gain[row, found] = drop[found] ** 2 / (2 * information[found])
        size[row, found] = fall[found] / information[found]
    return gain, size


def _cumulative(values: Floats) -> Floats:
    out: Floats = np.concatenate([np.zeros((1, *values.shape[1:])), np.cumsum(values, axis=0)])
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
