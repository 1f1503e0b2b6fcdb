"""Summaries of a window that add up: what two windows hold together is the sum of what each holds."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from noria.stats.estimators import Estimate
from noria.stats.intervals import Floats, score_bounds, two_sided, wilson

SUMS = ("n", "k", "weight", "weight_good", "weight_squared", "spread", "spread_good")
"""What a weighted rate is made of: labels, successes, sum of w = 1/chance, of w of successes, of w², of (1 - chance) w²
and that of successes."""
# With fewer of the rarer outcome the bell curve is too narrow; the same number as in `hajek`.
_FEW = 30


def rate_sums(good: npt.ArrayLike, chance: npt.ArrayLike) -> Floats:
    """The summands (n, 7) of `rate_from_sums`, one row for each label; rows and rows of rows add up.

    Args:
        good: outcomes (n,), 0 or 1.
        chance: probability (n,) with which each label was drawn, above 0 to 1.

    Example:
        >>> rate_sums([1, 0], [0.5, 1.0]).tolist()
        [[1.0, 1.0, 2.0, 2.0, 4.0, 2.0, 2.0], [1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0]]
    """
    y, pi = np.asarray(good, dtype=np.float64), np.asarray(chance, dtype=np.float64)
    w = 1 / pi
    v = (1 - pi) * w * w
    return np.column_stack([np.ones(len(y)), y, w, w * y, w * w, v, v * y])


def rate_from_sums(sums: Sequence[float] | Floats, level: float = 0.95) -> Estimate:
    """The rate over all predictions from summed `rate_sums`: what `hajek` gives, Wilson's where all weigh the same.

    NaN with the interval 0 to 1 where nothing was labelled.

    >>> rate_from_sums(rate_sums([1] * 60 + [0] * 40, [0.1] * 60 + [0.4] * 40).sum(axis=0)).value.__round__(3)
    0.857
    """
    n, k, weight, weight_good, squared, spread, spread_good = (float(s) for s in sums)
    if n == 0:
        return Estimate(math.nan, 0.0, 1.0, 0, 0.0)
    effective = weight * weight / squared
    if effective >= n * (1 - 1e-9):
        rate = wilson(round(k), round(n), level)
        return Estimate(rate.value, rate.low, rate.high, round(n), n)
    value = min(max(weight_good / weight, 0.0), 1.0)
    if min(k, n - k) < _FEW:
        low, high = score_bounds(value, effective, two_sided(level))
        return Estimate(value, low, high, round(n), effective)
    error = math.sqrt(max(spread_good * (1 - 2 * value) + spread * value * value, 0.0)) / weight
    reach = two_sided(level) * error
    return Estimate(value, max(0.0, value - reach), min(1.0, value + reach), round(n), effective)


def bin_of(values: npt.ArrayLike, edges: Sequence[float] | Floats) -> npt.NDArray[np.int64]:
    """The bin of each value, 0 to len(edges): bin i holds edges[i-1] <= value < edges[i]; -1 for NaN.

    Example:
        >>> bin_of([0.05, 0.5, 0.99, float("nan")], [0.1, 0.9]).tolist()
        [0, 1, 2, -1]
    """
    figures = np.asarray(values, dtype=np.float64)
    place = np.searchsorted(np.asarray(edges), figures, side="right")
    return np.where(np.isnan(figures), -1, place).astype(np.int64)


def quantile(counts: Sequence[float] | npt.NDArray[np.generic], edges: Sequence[float] | Floats, share: float) -> float:
    """The value below which a share of those counted lies, as far as bins tell: evenly spread within each.

    The first bin begins at 0, the last one is as wide as the one before it. NaN where nothing was counted.

    Example:
        >>> quantile([10, 10, 0], [1.0, 2.0], 0.75)
        1.5
    """
    held = np.asarray(counts, dtype=np.float64)
    total = held.sum()
    if total == 0:
        return math.nan
    bounds = np.concatenate([[0.0], np.asarray(edges, dtype=np.float64)])
    bounds = np.append(bounds, 2 * bounds[-1] - bounds[-2])
    upto = np.cumsum(held)
    place = int(np.searchsorted(upto, share * total, side="left"))
    place = min(place, len(held) - 1)
    before = upto[place] - held[place]
    within = (share * total - before) / held[place] if held[place] else 0.0
    return float(bounds[place] + within * (bounds[place + 1] - bounds[place]))
