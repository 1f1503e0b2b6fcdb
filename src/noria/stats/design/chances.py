"""The chance of each prediction to be labelled: a floor for all, the rest where the outcome is least certain."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from noria.errors import UsageError
from noria.stats.intervals import Floats, as_numbers

# An agent that is wrong may be very sure: nothing counts as less uncertain than an outcome of 1 in 10,000.
_LEAST = 0.01


def uncertainty(f: npt.ArrayLike) -> Floats:
    """The standard deviation (n,) of outcomes that are 1 with probability f: 0 to 0.5, never below 0.01.

    Example:
        >>> uncertainty([0.5, 0.9, 1.0]).round(3).tolist()
        [0.5, 0.3, 0.01]
    """
    expected = as_numbers("f", f, 0, 1)
    return np.maximum(np.sqrt(expected * (1 - expected)), _LEAST)


def chances(u: npt.ArrayLike, expected: float, floor_share: float = 0.2) -> Floats:
    """Inclusion probabilities (n,) that add up to the expected number of labels, for one independent coin each.

    Each gets floor_share · expected / n, and the rest of the budget in proportion to its uncertainty. What would exceed
    1 goes to the others (water-filling). With an expected number of n or more everyone is drawn.

    Args:
        u: uncertainty (n,), above 0; take `uncertainty`, for several metrics the largest.
        expected: labels wanted on average, above 0.
        floor_share: part of them that is spread evenly, above 0 to 1. No chance is below this part of the mean chance,
            hence no label weighs more than 1 / floor_share times the mean.

    Raises:
        UsageError: an argument is outside its limits.

    Source: Zrnic, Candès, arXiv 2403.03208 (active inference), the mixture with uniform draws.

    Example:
        >>> chances([0.1, 0.1, 0.2, 0.4], expected=1.0).round(2).tolist()
        [0.15, 0.15, 0.25, 0.45]
        >>> chances([0.01, 0.01, 0.01, 0.5], expected=2.0).round(2).tolist()
        [0.33, 0.33, 0.33, 1.0]
    """
    weights = as_numbers("u", u, 0)
    if not (expected > 0 and 0 < floor_share <= 1):
        raise UsageError(f"{expected} labels with a floor of {floor_share}: above 0, and above 0 to 1.")
    if (weights == 0).any() or not np.isfinite(weights).all():
        raise UsageError("an uncertainty of 0 or infinity leaves no chance to the rest; take `uncertainty`.")
    n = len(weights)
    if expected >= n:
        return np.ones(n)
    floor = floor_share * expected / n
    order = np.argsort(-weights, kind="stable")
    ordered = weights[order]
    capped = np.arange(n)
    # factor[k]: what an uncertainty of 1 gets once the k most uncertain are certain to be drawn.
    left = ordered.sum() - np.concatenate([[0.0], np.cumsum(ordered)[:-1]])
    factor = (expected - capped - (n - capped) * floor) / left
    k = int(np.argmax(floor + factor * ordered <= 1 + 1e-12))
    pi: Floats = np.minimum(1.0, floor + factor[k] * weights)
    pi[order[:k]] = 1.0
    return pi


def floor_of(expected: float, n: int, floor_share: float = 0.2) -> float:
    """The chance that each of n predictions has at least: that of the uniform part of the draw; NaN for n = 0.

    A coin below it puts a prediction into the uniform part: a plain random sample of all traffic, inside the draw.

    Example:
        >>> round(floor_of(40, 800), 6)
        0.01
    """
    return floor_share * min(1.0, expected / n) if n else math.nan
