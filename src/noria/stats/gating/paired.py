"""Two agents on the same queries: how much better is the second, and could it be chance?"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from noria.errors import UsageError
from noria.stats.intervals import Floats, as_counts, one_sided

# Halvings of an interval no wider than 2: the bound is exact to the last bits of a float.
_HALVINGS = 60


def tango_lower(b: int, c: int, n: int, level: float = 0.95) -> float:
    """Lower bound of the difference challenger - champion in the share of right answers, on n pairs.

    The bound is the smallest difference that a score test does not reject; it covers well from about n = 100 on, also
    where few pairs disagree. The upper bound is its mirror: `-tango_lower(c, b, n, level)`.

    Args:
        b: pairs in which only the champion was right.
        c: pairs in which only the challenger was right.
        n: all pairs, those included in which both or none were right. For n = 0 the bound is -1.
        level: one-sided confidence, above 0.5.

    Returns:
        A number from -1 to (c - b) / n.

    Raises:
        UsageError: counts are negative, no whole numbers, or b + c > n; level is not above 0.5 and below 1.

    Source: Tango, Statistics in Medicine 17 (1998) 891.

    Example:
        >>> round(tango_lower(10, 25, 500), 4)
        0.011
    """
    b, c, n = _pairs(b, c, n)
    z = one_sided(level)
    if n in {0, b}:
        return -1.0
    low, high = -1.0, (c - b) / n
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _score(middle, b, c, n) > z:
            low = middle
        else:
            high = middle
    return low


def tango_lowers(b: npt.ArrayLike, c: npt.ArrayLike, n: npt.ArrayLike, level: float = 0.95) -> Floats:
    """`tango_lower` for many comparisons at once.

    Args:
        b: for each comparison (k,) the pairs in which only the champion was right.
        c: for each comparison (k,) the pairs in which only the challenger was right.
        n: all pairs of a comparison, one number or one for each (k,).
        level: one-sided confidence, above 0.5.

    Returns:
        The lower bounds (k,).

    Raises:
        UsageError: as `tango_lower` does.

    Example:
        >>> tango_lowers([10, 25], [25, 10], 500).round(4)
        array([ 0.011 , -0.0508])
    """
    lost, won = np.asarray(b, dtype=np.float64), np.asarray(c, dtype=np.float64)
    z = one_sided(level)
    if len(lost) != len(won):
        raise UsageError(f"{len(lost)} counts of one and {len(won)} of the other.")
    n = np.broadcast_to(np.asarray(n, dtype=np.float64), lost.shape)
    if ((lost < 0) | (won < 0) | (lost + won > n)).any():
        raise UsageError("counts below 0 or above the number of pairs.")
    if (n == 0).any():
        some = n > 0
        bounds = np.full(len(lost), -1.0)
        bounds[some] = tango_lowers(lost[some], won[some], n[some], level) if some.any() else -1.0
        return bounds
    low, high = np.full(len(lost), -1.0), (won - lost) / n
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        linear = -lost - won + (2 * n - won + lost) * middle
        root = np.sqrt(np.maximum(linear**2 + 8 * n * lost * middle * (1 - middle), 0.0))
        variance = n * ((root - linear) / (2 * n) + middle * (1 - middle))
        distance = won - lost - n * middle
        # the score exceeds z; where nothing varies it is infinite
        above = (variance <= 0) | (distance > z * np.sqrt(np.maximum(variance, 0.0)))
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return np.where(lost == n, -1.0, low)


def mcnemar(b: int, c: int) -> float:
    """Two-sided p value of "both are right equally often", from the pairs in which only one was right.

    Exact: twice the smaller tail of a fair coin thrown b + c times, at most 1. Without such pairs it is 1.

    Args:
        b: pairs in which only the first was right.
        c: pairs in which only the second was right.

    Raises:
        UsageError: a count is negative or no whole number.

    Source: McNemar, Psychometrika 12 (1947) 153; exact form.

    Example:
        >>> round(mcnemar(2, 10), 4)
        0.0386
    """
    from scipy.special import bdtr

    b, c, n = _pairs(b, c, b + c)
    return min(1.0, 2 * float(bdtr(min(b, c), n, 0.5))) if n else 1.0


def _pairs(b: int, c: int, n: int) -> tuple[int, int, int]:
    if b < 0 or c < 0:
        raise UsageError(f"{b} and {c} pairs with one right answer: a count cannot be negative.")
    b, _ = as_counts(b, n)
    both, n = as_counts(b + c, n)
    return b, both - b, n


def _score(difference: float, b: int, c: int, n: int) -> float:
    """Standardised distance of the observed difference from a supposed one between -1 and the observed."""
    # Most likely share of "only the champion right" under the supposed difference: the larger root of a quadratic.
    linear = -b - c + (2 * n - c + b) * difference
    constant = -b * difference * (1 - difference)
    root = math.sqrt(max(linear * linear - 8 * n * constant, 0.0))
    champion_only = (root - linear) / (4 * n)
    variance = n * (2 * champion_only + difference * (1 - difference))
    return (c - b - n * difference) / math.sqrt(variance) if variance > 0 else math.inf
