"""Intervals for a share and for the difference of two shares, from counts; and what this room asks of its input."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from noria.errors import UsageError
from noria.records import Rate

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Difference:
    """The difference of two shares (-1 to 1) with its interval; `value` is NaN where one of them has no trials."""

    value: float
    low: float
    high: float


def wilson(k: int, n: int, level: float = 0.95) -> Rate:
    """The share k of n with Wilson's score interval: close to `level` on average, never outside 0 to 1.

    Args:
        k: successes, 0 to n.
        n: trials. For n = 0 nothing is known: value NaN, low 0, high 1.
        level: two-sided confidence.

    Raises:
        UsageError: a count is negative, no whole number, or k > n; level is not between 0 and 1.

    Source: Wilson, JASA 22 (1927) 209.

    Example:
        >>> rate = wilson(40, 50)
        >>> rate.value, round(rate.low, 3), round(rate.high, 3)
        (0.8, 0.67, 0.888)
    """
    k, n = as_counts(k, n)
    z = two_sided(level)
    if n == 0:
        return Rate(math.nan, 0.0, 1.0, 0, 0)
    low, high = score_bounds(k / n, n, z)
    return Rate(k / n, low, high, k, n)


def clopper_pearson(k: int, n: int, level: float = 0.95) -> Rate:
    """The share k of n with the exact interval: covers with at least `level`, hence wider than Wilson's.

    Args:
        k: successes, 0 to n.
        n: trials. For n = 0 nothing is known: value NaN, low 0, high 1.
        level: two-sided confidence.

    Raises:
        UsageError: a count is negative, no whole number, or k > n; level is not between 0 and 1.

    Source: Clopper, Pearson, Biometrika 26 (1934) 404.

    Example:
        >>> rate = clopper_pearson(0, 50)
        >>> rate.low, round(rate.high, 3)
        (0.0, 0.071)
    """
    from scipy.special import betaincinv

    k, n = as_counts(k, n)
    tail = (1 - check_level(level)) / 2
    if n == 0:
        return Rate(math.nan, 0.0, 1.0, 0, 0)
    low = 0.0 if k == 0 else float(betaincinv(k, n - k + 1, tail))
    high = 1.0 if k == n else float(betaincinv(k + 1, n - k, 1 - tail))
    return Rate(k / n, low, high, k, n)


def newcombe(k1: int, n1: int, k2: int, n2: int, level: float = 0.95) -> Difference:
    """The difference k1/n1 - k2/n2 of two independent shares, by Newcombe's hybrid of Wilson intervals.

    For answers to the same queries (pairs) use `tango_lower`, which is much sharper.

    Args:
        k1: successes of the first, 0 to n1.
        n1: its trials. Where n1 or n2 is 0 nothing is known: value NaN, low -1, high 1.
        k2: successes of the second, 0 to n2.
        n2: its trials.
        level: two-sided confidence.

    Raises:
        UsageError: a count is negative, no whole number, or k > n; level is not between 0 and 1.

    Source: Newcombe, Statistics in Medicine 17 (1998) 873, method 10.

    Example:
        >>> d = newcombe(56, 70, 48, 80)
        >>> round(d.value, 4), round(d.low, 4), round(d.high, 4)
        (0.2, 0.0524, 0.3339)
    """
    first, second = wilson(k1, n1, level), wilson(k2, n2, level)
    if 0 in {first.n, second.n}:
        return Difference(math.nan, -1.0, 1.0)
    value = first.value - second.value
    below = math.hypot(first.value - first.low, second.high - second.value)
    above = math.hypot(first.high - first.value, second.value - second.low)
    return Difference(value, max(-1.0, value - below), min(1.0, value + above))


def score_bounds(share: float, n: float, z: float) -> tuple[float, float]:
    """Both ends of Wilson's interval for a share of n > 0 trials, where n may be an effective, broken number.

    Example:
        >>> tuple(round(end, 3) for end in score_bounds(1.0, 12.5, 1.96))
        (0.765, 1.0)
    """
    widening = z * z / n
    centre = (share + widening / 2) / (1 + widening)
    half = z * math.sqrt(share * (1 - share) / n + widening / (4 * n)) / (1 + widening)
    # Rounding must not push an end past the point: for no success the lower end is 0, not 1e-18.
    low = 0.0 if share == 0 else min(share, max(0.0, centre - half))
    high = 1.0 if share == 1 else max(share, min(1.0, centre + half))
    return low, high


# --- What this room asks of its input -------------------------------------------------------------------------------


def one_sided(level: float) -> float:
    """The standard normal quantile of a one-sided confidence above one half.

    Raises:
        UsageError: level is not above 0.5 and below 1.

    Example:
        >>> round(one_sided(0.95), 4)
        1.6449
    """
    if check_level(level) <= 0.5:
        raise UsageError(f"a one-sided level of {level} bounds nothing; give one above 0.5, such as 0.95.")
    return NormalDist().inv_cdf(level)


def two_sided(level: float) -> float:
    """The standard normal quantile that leaves (1 - level) / 2 on each side.

    Raises:
        UsageError: level is not between 0 and 1.

    Example:
        >>> round(two_sided(0.95), 4)
        1.96
    """
    return NormalDist().inv_cdf((1 + check_level(level)) / 2)


def check_level(level: float) -> float:
    """The confidence level as it is.

    Raises:
        UsageError: it is not between 0 and 1.

    Example:
        >>> check_level(0.95)
        0.95
    """
    if not 0 < level < 1:
        raise UsageError(f"a confidence level of {level} makes no sense; give one between 0 and 1, such as 0.95.")
    return level


def as_counts(k: int, n: int) -> tuple[int, int]:
    """Successes and trials as plain whole numbers.

    Raises:
        UsageError: a count is negative or no whole number, or k > n.

    Example:
        >>> as_counts(3, 4)
        (3, 4)
    """
    if not (k == k // 1 and n == n // 1 and 0 <= k <= n < math.inf):
        raise UsageError(f"{k} successes of {n} trials: both must be whole numbers with 0 <= successes <= trials.")
    return int(k), int(n)


def as_numbers(name: str, values: npt.ArrayLike, low: float = -math.inf, high: float = math.inf) -> Floats:
    """Values as an array (n,) of floats from `low` to `high`; infinite ones pass where the limits let them.

    Raises:
        UsageError: it has another shape, or a value is NaN or outside the limits.

    Example:
        >>> as_numbers("confidence", [0, 1, 0.5], 0, 1)
        array([0. , 1. , 0.5])
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise UsageError(f"{name} has the shape {array.shape}; give one value for each row, shape (n,).")
    wrong = np.flatnonzero(~((array >= low) & (array <= high)))
    if len(wrong):
        raise UsageError(f"{name}[{wrong[0]}] is {array[wrong[0]]}; every value must lie between {low} and {high}.")
    return array


def as_flags(name: str, values: npt.ArrayLike) -> Flags:
    """Truth values as an array (n,) of bool; 0 and 1 are taken for False and True.

    Raises:
        UsageError: it has another shape or other values.

    Example:
        >>> as_flags("right", [1, 0])
        array([ True, False])
    """
    array = np.asarray(values)
    if array.dtype == np.bool_ and array.ndim == 1:
        return array
    numbers = as_numbers(name, array, 0, 1)
    if not np.isin(numbers, (0, 1)).all():
        raise UsageError(f"{name} holds values between 0 and 1; give truth values, or 0 and 1.")
    return numbers.astype(np.bool_)


def same_length(**arrays: npt.NDArray[np.generic]) -> int:
    """The common length of arrays, given by name.

    Raises:
        UsageError: they differ in length.

    Example:
        >>> same_length(score=np.zeros(3), positive=np.ones(3))
        3
    """
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise UsageError(f"arrays of different length ({told}); each row needs a value in each of them.")
    return next(iter(lengths.values()))
