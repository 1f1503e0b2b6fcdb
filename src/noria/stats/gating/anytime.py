"""Two agents on the same queries, looked at after every label: bounds and a verdict that hold at all times together.

A bound for a fixed number of pairs may be looked at once. Here a bettor stakes on "the challenger is better than m";
where that is false, the chance that the wealth ever comes to 1 / alpha is at most alpha (Ville), so that the values of
m which are not refuted are a confidence sequence: looked at daily, it covers on all days together.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from noria.errors import UsageError
from noria.stats.intervals import Floats, as_numbers

STAKES = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.7, 0.9)
"""Parts of the wealth that are staked, mixed in equal parts; large ones notice large differences soon."""
_MOST = 0.95
_HALVINGS = 40
_HOPELESS = 1e-9

AnytimeVerdict = Literal["not worse", "worse", "wait"]


@dataclass(frozen=True, slots=True)
class AnytimePaired:
    """What the pairs so far say of a challenger.

    difference: challenger - champion, by weight (NaN without pairs), with bounds that hold at all times together.
    lacking: about how many further pairs a `wait` lacks, if all goes on as it was; None where that would never do.
    """

    n: int
    difference: float
    lower: float
    upper: float
    verdict: AnytimeVerdict
    lacking: int | None


def anytime_paired(
    x: npt.ArrayLike,
    margin: float,
    alpha: float,
    *,
    alpha_worse: float | None = None,
    weight: npt.ArrayLike = 1.0,
    heaviest: float = 1.0,
) -> AnytimePaired:
    """`not worse`, `worse` or `wait`, valid however often one looks.

    `worse`: the upper bound is below 0. `not worse`: the lower bound is above -margin and the point is not below 0.
    A challenger that is worse by the margin or more is ever called `not worse` with a chance of at most alpha, one that
    is not worse at all is ever called `worse` with a chance of at most alpha_worse.

    Args:
        x: challenger - champion for each pair (n,), from -1 to 1, in the order in which they came.
        margin: the loss that must be ruled out, above 0 to below 1.
        alpha: chance of a wrong `not worse`.
        alpha_worse: chance of a wrong `worse`; None = alpha.
        weight: one for all or (n,), 0 to `heaviest`: in proportion to one over the chance with which a pair came to be
            labelled, so that the mean is that of all traffic.
        heaviest: the largest weight there can be, known beforehand.

    Raises:
        UsageError: an argument is outside its limits, or weight has another length.

    Source: Waudby-Smith, Ramdas, JRSS B 86 (2024) 1, arXiv 2010.09686 (betting); with importance weights:
        Waudby-Smith et al., arXiv 2210.10768.

    Example:
        >>> anytime_paired([0, 1, 0, 0, 0, 1] * 20, margin=0.02, alpha=0.05).verdict
        'not worse'
        >>> anytime_paired([0, -1, 0, 0, 0, 0] * 40, margin=0.02, alpha=0.05).verdict
        'worse'
        >>> early = anytime_paired([0, 0, 0, 0], margin=0.02, alpha=0.05)
        >>> early.verdict, early.lacking
        ('wait', 288)
    """
    values, weights = _pairs(x, weight, heaviest)
    if not 0 < margin < 1:
        raise UsageError(f"a margin of {margin} makes no sense; give a share above 0 and below 1, such as 0.02.")
    lower = _lower(values, weights, heaviest, alpha)
    upper = -_lower(-values, weights, heaviest, alpha if alpha_worse is None else alpha_worse)
    point = float(np.average(values, weights=weights)) if weights.sum() > 0 else math.nan
    verdict: AnytimeVerdict = "worse" if upper < 0 else "not worse" if lower > -margin and point >= 0 else "wait"
    lacking = _lacking(values, weights, heaviest, margin, alpha) if verdict == "wait" else 0
    return AnytimePaired(len(values), point, lower, upper, verdict, lacking)


def anytime_mean(
    x: npt.ArrayLike, alpha: float, *, weight: npt.ArrayLike = 1.0, heaviest: float = 1.0
) -> tuple[float, float]:
    """Lower and upper bound of the mean of x, each of which is ever wrong with a chance of at most alpha.

    Args:
        x: values (n,) from -1 to 1, in the order in which they came. Without any the bounds are -1 and 1.
        alpha: chance of each bound to be ever wrong, between 0 and 1.
        weight, heaviest: as `anytime_paired` takes them.

    Raises:
        UsageError: an argument is outside its limits, or weight has another length.

    Example:
        >>> tuple(round(bound, 3) for bound in anytime_mean([1, 0, 0, -1] * 100, 0.05))
        (-0.109, 0.111)
    """
    values, weights = _pairs(x, weight, heaviest)
    return _lower(values, weights, heaviest, alpha), -_lower(-values, weights, heaviest, alpha)


def log_wealth(x: npt.ArrayLike, mean: float, *, weight: npt.ArrayLike = 1.0, heaviest: float = 1.0) -> Floats:
    """Logarithm (n,) of the wealth after each pair of one who bets that the mean is above `mean`.

    An e-process: while the mean is at most `mean`, the chance that it ever comes to log(1 / alpha) is at most alpha.

    Args:
        x: values (n,) from -1 to 1, in the order in which they came.
        mean: what is bet against, from -1 to 1.
        weight, heaviest: as `anytime_paired` takes them.

    Raises:
        UsageError: an argument is outside its limits, or weight has another length.

    Example:
        >>> log_wealth([0, 0, 1], -0.02).round(4).tolist()
        [0.0053, 0.0106, 0.253]
    """
    values, weights = _pairs(x, weight, heaviest)
    if not -1 <= mean <= 1:
        raise UsageError(f"a mean of {mean} of values from -1 to 1.")
    return _wealth(values, weights, heaviest, mean)


def _pairs(x: npt.ArrayLike, weight: npt.ArrayLike, heaviest: float) -> tuple[Floats, Floats]:
    values, given = as_numbers("x", x, -1, 1), np.asarray(weight, dtype=np.float64)
    if not heaviest >= 1:
        raise UsageError(f"a heaviest weight of {heaviest}; give 1 or above.")
    if given.shape not in {(), values.shape}:
        raise UsageError(f"weight has the shape {given.shape}; give one for all or one for each of {len(values)}.")
    return values, as_numbers("weight", np.broadcast_to(given, values.shape), 0, heaviest)


def _wealth(values: Floats, weights: Floats, heaviest: float, mean: float) -> Floats:
    # A stake no larger than this loses less than all, whatever comes: the worst is x = -1 at the heaviest weight.
    stakes = np.minimum(np.asarray(STAKES) / heaviest, _MOST / (heaviest * max(1 + mean, _HOPELESS)))
    gains = np.cumsum(np.log1p(np.outer(weights * (values - mean), stakes)), axis=0)
    wealth: Floats = np.logaddexp.reduce(gains, axis=1) - math.log(len(STAKES))
    return wealth


def _lower(values: Floats, weights: Floats, heaviest: float, alpha: float) -> float:
    """The largest mean that the best moment so far refutes; the wealth falls with the mean at every moment."""
    if not 0 < alpha < 1:
        raise UsageError(f"a chance of {alpha} of a wrong bound; give one between 0 and 1, such as 0.05.")
    limit = -math.log(alpha)
    if not len(values) or _wealth(values, weights, heaviest, -1.0).max() < limit:
        return -1.0
    low, high = -1.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _wealth(values, weights, heaviest, middle).max() >= limit:
            low = middle
        else:
            high = middle
    return low


def _lacking(values: Floats, weights: Floats, heaviest: float, margin: float, alpha: float) -> int | None:
    """Further pairs until the margin is ruled out, at the growth of the wealth so far; without pairs, that of ties."""
    seen = weights * (values + margin) if len(values) else np.asarray([margin])
    growth = float(np.log1p(np.outer(seen, np.asarray(STAKES) / heaviest)).mean(axis=0).max())
    if growth < _HOPELESS:
        return None
    total = (math.log(len(STAKES)) - math.log(alpha)) / growth
    return max(1, math.ceil(total) - len(values))
