"""Rates of two groups of queries that are not the same ones, and quantiles, at all times: from counts alone.

A canary answers other queries than the champion, so there are no pairs. One bets against each rate that the champion
may have: that the champion's rate is below it, and that the canary's is above it by the difference in question.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from noria.errors import UsageError
from noria.stats.intervals import Floats, as_counts, as_numbers

STAKES = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.2, 0.35, 0.55, 0.8, 0.95)
"""Parts of the wealth that are staked, mixed in equal parts; the small ones are for rates close to 0 or 1."""
_HALVINGS = 34


@dataclass(frozen=True, slots=True)
class RateDifference:
    """A difference of two rates (-1 to 1), NaN where one has no trials, with bounds that hold at all times together."""

    value: float
    lower: float
    upper: float


def anytime_rate(k: int, n: int, alpha: float) -> tuple[float, float]:
    """Lower and upper bound of a rate of k in n, each of which is ever wrong with a chance of at most alpha.

    Args:
        k: successes, 0 to n.
        n: trials; for 0 the bounds are 0 and 1.
        alpha: chance of each bound to be ever wrong, between 0 and 1.

    Raises:
        UsageError: not whole numbers with 0 <= k <= n, or alpha is outside its limits.

    Source: Waudby-Smith, Ramdas, JRSS B 86 (2024) 1 (betting), with a finite mixture of stakes.

    Example:
        >>> tuple(round(bound, 4) for bound in anytime_rate(20, 1000, 0.025))
        (0.0082, 0.0387)
    """
    k, n = as_counts(k, n)
    limit = _limit(alpha)

    def lower(k: int) -> float:
        return _largest(lambda m: float(_log_above(k, n, m)[0]) >= limit, 0.0, 1.0)

    return lower(k), 1 - lower(n - k)


def anytime_rates(k1: int, n1: int, k0: int, n0: int, alpha: float) -> RateDifference:
    """The difference k1/n1 - k0/n0 of two groups; each bound is ever wrong with a chance of at most alpha.

    For answers to the same queries take `anytime_paired`, which is sharper. The outcomes must come one by one, of
    either group in any order; those of one session are not (take the session for the unit).

    Args:
        k1: successes of the challenger's group, 0 to n1.
        n1: its trials.
        k0: successes of the champion's group, 0 to n0.
        n0: its trials.
        alpha: chance of each bound to be ever wrong, between 0 and 1.

    Raises:
        UsageError: counts are no whole numbers or contradict each other, or alpha is outside its limits.

    Source: product of two betting processes, the smallest over the nuisance rate; cf. Turner, Grünwald,
        Statistics & Probability Letters 198 (2023) 109835.

    Example:
        >>> rates = anytime_rates(40, 500, 60, 5000, 0.05)
        >>> round(rates.value, 3), round(rates.lower, 3), round(rates.upper, 3)
        (0.068, 0.032, 0.122)
    """
    (k1, n1), (k0, n0) = as_counts(k1, n1), as_counts(k0, n0)
    limit = _limit(alpha)
    value = k1 / n1 - k0 / n0 if n1 and n0 else math.nan
    return RateDifference(value, _lower(k1, n1, k0, n0, limit), -_lower(k0, n0, k1, n1, limit))


def anytime_quantile(values: npt.ArrayLike, q: float, alpha: float) -> tuple[float, float]:
    """Lower and upper bound of a quantile, each of which is ever wrong with a chance of at most alpha.

    Args:
        values: draws (n,), in any order. Where they are too few a bound is infinite.
        q: which quantile, between 0 and 1; 0.95 for the value that one of twenty exceeds.
        alpha: chance of each bound to be ever wrong, between 0 and 1.

    Raises:
        UsageError: a value is NaN, or q or alpha is outside its limits.

    Source: the order statistics whose ranks `anytime_rate`'s bets do not refute; cf. Howard, Ramdas, Bernoulli 28
        (2022) 1704.

    Example:
        >>> anytime_quantile(range(1000), 0.95, 0.05)
        (925.0, 970.0)
        >>> anytime_quantile([1.0], 0.95, 0.05)
        (-inf, inf)
    """
    falling = np.sort(as_numbers("values", values))[::-1]
    limit, n = _limit(alpha), len(falling)
    if not 0 < q < 1:
        raise UsageError(f"a quantile of {q}; give one between 0 and 1, such as 0.95.")
    ranks = np.arange(n + 1)
    many = np.flatnonzero(_log_above(ranks, n, 1 - q) >= limit)
    few = np.flatnonzero(_log_above(n - ranks, n, q) >= limit)
    lower = float(falling[many[0] - 1]) if len(many) else -math.inf
    upper = float(falling[few[-1]]) if len(few) and few[-1] < n else math.inf
    return lower, upper


def _limit(alpha: float) -> float:
    if not 0 < alpha < 1:
        raise UsageError(f"a chance of {alpha} of a wrong bound; give one between 0 and 1, such as 0.05.")
    return -math.log(alpha)


def _log_above(k: npt.ArrayLike, n: int, rate: npt.ArrayLike) -> Floats:
    """Log wealth (r,) of bets that the rate of k in n is above a rate; many k or many rates (r,)."""
    stakes, wins = np.asarray(STAKES)[:, None], np.atleast_1d(np.asarray(k, dtype=np.float64))
    with np.errstate(divide="ignore", invalid="ignore"):
        won = np.where(wins > 0, wins * np.log((1 - stakes) + stakes / np.atleast_1d(rate)), 0.0)
    wealth: Floats = np.logaddexp.reduce(won + (n - wins) * np.log1p(-stakes), axis=0) - math.log(len(STAKES))
    return wealth


def _lower(k1: int, n1: int, k0: int, n0: int, limit: float) -> float:
    """The largest difference that is refuted for every rate that the second group may have."""
    if not n1 or not n0:
        return -1.0
    grid = _grid(k0, n0)
    # In a cell of rates, the first wealth is least at its upper end, the second at its lower end: their product is less
    # than any in between, so that the grid costs sharpness but no validity.
    below = _log_above(n0 - k0, n0, 1 - grid[:-1])

    def refuted(difference: float) -> bool:
        upper = np.minimum(grid[1:] + difference, 1.0)
        possible = upper >= 0
        if not possible.any():
            return True
        above = _log_above(k1, n1, np.maximum(upper[possible], 0.0))
        return bool((above + below[possible]).min() >= limit)

    return _largest(refuted, -1.0, 1.0)


def _grid(k: int, n: int) -> Floats:
    """Rates from 0 to 1, close together where k in n makes them likely, and near the ends."""
    fine = np.geomspace(1e-7, 0.5, 80)
    near = k / n + np.linspace(-8, 8, 200) * math.sqrt(max(k * (n - k) / n, 1.0)) / n
    points = np.concatenate([[0.0, 1.0], np.linspace(0, 1, 101), fine, 1 - fine, near])
    return np.unique(points[(points >= 0) & (points <= 1)])


def _largest(refuted: Callable[[float], bool], low: float, high: float) -> float:
    """The largest value that is refuted, by halving; `low` where none is."""
    if not refuted(low):
        return low
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if refuted(middle):
            low = middle
        else:
            high = middle
    return low
