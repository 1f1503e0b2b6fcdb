"""The quality of all predictions from a labelled few that were drawn with known, unequal probabilities."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from noria.errors import UsageError
from noria.stats.intervals import Floats, as_numbers, same_length, score_bounds, two_sided

# With fewer of the rarer outcome the bell curve is too narrow.
_FEW = 30
# How many labels of the rarer outcome the guesses are worth when the variance is estimated.
_TRUST = 10


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean (0 to 1) over all predictions of a window, with its interval.

    n: labels it rests on; for n = 0 the value is NaN, low 0, high 1. n_effective: equally weighted labels that would
    weigh as evenly, (sum of weights)² / sum of squared weights.
    """

    value: float
    low: float
    high: float
    n: int
    n_effective: float


def hajek(y: npt.ArrayLike, pi: npt.ArrayLike, level: float = 0.95) -> Estimate:
    """The mean over all predictions from labels alone: each weighs by one over its inclusion probability.

    Linearised interval for independent draws. With 0/1 outcomes and fewer than 30 of the rarer one it is Wilson's on
    the effective number of labels instead, since ten right answers of ten do not prove 100 %.

    Args:
        y: outcomes (n,) of the labelled, 0 to 1.
        pi: probability (n,) with which each of them was drawn, above 0 to 1. All 1 = everything is labelled.
        level: two-sided confidence.

    Raises:
        UsageError: different lengths, or values outside their limits.

    Source: Särndal, Swensson, Wretman, Model Assisted Survey Sampling (1992) 5.7; few outcomes: Korn, Graubard, Survey
    Methodology 24 (1998) 193, with Wilson's interval.

    Example:
        >>> estimate = hajek([1] * 60 + [0] * 40, [0.1] * 60 + [0.4] * 40)
        >>> round(estimate.value, 3), round(estimate.low, 3), round(estimate.high, 3), estimate.n
        (0.857, 0.816, 0.899, 100)
    """
    outcomes, chance, z = as_numbers("y", y, 0, 1), _chances(pi), two_sided(level)
    n = same_length(y=outcomes, pi=chance)
    if n == 0:
        return Estimate(math.nan, 0.0, 1.0, 0, 0.0)
    weights = 1 / chance
    total = weights.sum()
    value, n_effective = float(weights @ outcomes / total), float(total**2 / (weights @ weights))
    if _few(outcomes) and (chance < 1).any():
        low, high = score_bounds(min(max(value, 0.0), 1.0), n_effective, z)
        return Estimate(value, low, high, n, n_effective)
    error = math.sqrt(float(((1 - chance) * (weights * (outcomes - value)) ** 2).sum())) / float(total)
    return _estimate(value, z * error, n, n_effective)


def active_mean(
    f: npt.ArrayLike, pi: npt.ArrayLike, labelled: npt.ArrayLike, y: npt.ArrayLike, level: float = 0.95
) -> Estimate:
    """The mean over all predictions from a guess for each of them, corrected by the labelled: difference estimator.

    Right on average whatever the guesses are; the better they are, the narrower. Guesses must come from other labels
    than these (cross-fit). The interval rests on the bell curve: with fewer than 30 of the rarer outcome take `hajek`.

    Args:
        f: guess (N,) of the outcome of every prediction, 0 to 1.
        pi: probability (N,) with which each was drawn, independently of the others, above 0 to 1.
        labelled: which were drawn: positions (n,), each once, or truth values (N,).
        y: outcomes (n,) of those, in the same order, 0 to 1.
        level: two-sided confidence.

    Returns:
        Value and interval cut to 0 to 1. For n = 1 the interval is 0 to 1.

    Raises:
        UsageError: different lengths, values outside their limits, positions that are not there or come twice.

    Source: Zrnic, Candès, arXiv 2403.03208 (active inference); Särndal et al. (1992) 6.3.

    Example:
        >>> f, pi = [0.9] * 600 + [0.5] * 400, [0.1] * 600 + [0.25] * 400
        >>> labelled = list(range(0, 600, 10)) + list(range(600, 1000, 4))
        >>> y = [1] * 56 + [0] * 4 + [1] * 55 + [0] * 45
        >>> estimate = active_mean(f, pi, labelled, y)
        >>> round(estimate.value, 3), round(estimate.low, 3), round(estimate.high, 3), estimate.n
        (0.78, 0.73, 0.83, 160)
    """
    guesses, chance, outcomes = as_numbers("f", f, 0, 1), _chances(pi), as_numbers("y", y, 0, 1)
    size, z = same_length(f=guesses, pi=chance), two_sided(level)
    drawn = _positions(labelled, size)
    n = same_length(labelled=drawn, y=outcomes)
    if n == 0:
        return Estimate(math.nan, 0.0, 1.0, 0, 0.0)
    chance = chance[drawn]
    errors = (outcomes - guesses[drawn]) / chance
    value = float(guesses.mean() + errors.sum() / size)
    spread = math.sqrt(float(((1 - chance) * errors**2).sum())) / size if n > 1 else math.inf
    n_effective = float((1 / chance).sum() ** 2 / (1 / chance**2).sum())
    return _estimate(value, z * spread, n, n_effective)


def active_ratio(
    top: npt.ArrayLike,
    bottom: npt.ArrayLike,
    labelled: npt.ArrayLike,
    y_top: npt.ArrayLike,
    y_bottom: npt.ArrayLike,
    pi: npt.ArrayLike,
    level: float = 0.95,
) -> Estimate:
    """A share among those it is about, such as right answers ÷ queries in scope: ratio of two difference estimates.

    Guesses for all predictions, corrected by the labelled, each weighing one over its chance; weights count relative to
    their sum, so that tasks nobody answered yet do not pull it down. The linearised variance is drawn towards what the
    guesses say it should be, as if from ten more of the rarer outcome (a few labels that all agree are no certainty);
    the interval is Wilson's at that variance, with Student's quantile.

    Args:
        top: guess (N,) that a prediction counts and succeeds, 0 to 1, from other labels than its own (`cross_fit`).
        bottom: guess (N,) that it counts, 0 to 1; all 1 for a plain share.
        labelled: which were drawn: positions (n,), each once, or truth values (N,).
        y_top: whether it counted and succeeded (n,), 0 or 1.
        y_bottom: whether it counted (n,), 0 or 1, never below `y_top`.
        pi: inclusion probability (n,) of the labelled, above 0 to 1, independent draws.
        level: two-sided confidence.

    Returns:
        `n`: labels that count. `n_effective`: how many equally weighted, plain labels would give as narrow an interval.
        Value NaN and interval 0 to 1 where fewer than two labels count.

    Raises:
        UsageError: different lengths, values outside their limits, y_top above y_bottom.

    Source: Särndal et al. (1992) 5.6, 6.3 (ratio, difference); arXiv 2403.03208; Korn, Graubard (1998) for the interval
    at an effective number.

    Example:
        >>> top, bottom = [0.8] * 600 + [0.3] * 400, [1.0] * 600 + [0.8] * 400
        >>> y_top, y_bottom = [1] * 50 + [0] * 10 + [1] * 30 + [0] * 70, [1] * 60 + [1] * 75 + [0] * 25
        >>> estimate = active_ratio(top, bottom, list(range(0, 600, 10)) + list(range(600, 1000, 4)), y_top, y_bottom,
        ...     [0.1] * 60 + [0.25] * 100)
        >>> round(estimate.value, 3), round(estimate.low, 3), round(estimate.high, 3), estimate.n
        (0.689, 0.615, 0.754, 135)
    """
    f_top, f_bottom = as_numbers("top", top, 0, 1), as_numbers("bottom", bottom, 0, 1)
    won, counted, chance = as_numbers("y_top", y_top, 0, 1), as_numbers("y_bottom", y_bottom, 0, 1), _chances(pi)
    drawn = _positions(labelled, same_length(top=f_top, bottom=f_bottom))
    same_length(labelled=drawn, y_top=won, y_bottom=counted, pi=chance)
    if (won > counted).any():
        raise UsageError("y_top is above y_bottom: what succeeds must count.")
    n = int(counted.sum())
    weights = 1 / chance
    total = float(weights.sum())
    t, b = f_top[drawn], f_bottom[drawn]
    below = float(f_bottom.mean() + weights @ (counted - b) / total) if n else 0.0
    if n < 2 or below <= 0:
        return Estimate(math.nan, 0.0, 1.0, n, 0.0)
    value = min(max(float(f_top.mean() + weights @ (won - t) / total) / below, 0.0), 1.0)
    error = (won - t) - value * (counted - b)
    error -= weights @ error / total
    # What the error of one prediction varies by, if the guesses are right: it wins, counts without winning, or neither.
    t, b = np.minimum(t, b), np.maximum(t, b)
    expected = t * (1 - value) ** 2 + (b - t) * value**2 - (t - value * b) ** 2
    rarer = min(float(won.sum()), n - float(won.sum()))
    squares = (rarer * error**2 * len(won) / (len(won) - 1) + _TRUST * expected) / (rarer + _TRUST)
    parts = (1 - chance) * weights**2 * squares
    # Satterthwaite: a variance that rests on a few large errors is itself uncertain.
    degrees = 2 * float(parts.sum()) ** 2 / max(float(parts @ parts), 1e-300)
    return _wilson_at(value, float(parts.sum()) / (total * below) ** 2, n, degrees, level)


def _wilson_at(value: float, variance: float, n: int, degrees: float, level: float) -> Estimate:
    """Wilson's interval for a share of n labels that count, estimated with a variance of so many degrees of freedom."""
    if variance <= 0:
        return Estimate(value, value, value, n, math.inf)
    inside = min(max(value, 2 / (n + 4)), 1 - 2 / (n + 4))
    n_effective = inside * (1 - inside) / variance
    low, high = score_bounds(value, n_effective, student(level, max(degrees, 3.0)))
    return Estimate(value, low, high, n, n_effective)


def student(level: float, degrees: float) -> float:
    """Student's two-sided quantile, by Cornish and Fisher's expansion: within 0.1 % from 8 degrees of freedom on.

    Source: Abramowitz, Stegun 26.7.5.

    Example:
        >>> round(student(0.95, 20), 3), round(student(0.95, 1e9), 3)
        (2.086, 1.96)
    """
    z = two_sided(level)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / degrees + second / degrees**2 + third / degrees**3


def _estimate(value: float, half: float, n: int, n_effective: float) -> Estimate:
    value, low, high = (min(max(v, 0.0), 1.0) for v in (value, value - half, value + half))
    return Estimate(value, low, high, n, n_effective)


def _few(outcomes: Floats) -> bool:
    """Whether these are 0/1 outcomes, too few of one kind for the bell curve."""
    ones, zeros = int((outcomes == 1).sum()), int((outcomes == 0).sum())
    return ones + zeros == len(outcomes) and min(ones, zeros) < _FEW


def _chances(pi: npt.ArrayLike) -> Floats:
    chances = as_numbers("pi", pi, 0, 1)
    if (chances == 0).any():
        raise UsageError(
            f"pi[{int(np.argmin(chances))}] is 0: what can never be drawn cannot be corrected for; give all a floor."
        )
    return chances


def _positions(labelled: npt.ArrayLike, size: int) -> npt.NDArray[np.intp]:
    array = np.asarray(labelled)
    if array.dtype == np.bool_:
        if array.shape != (size,):
            raise UsageError(f"truth values of shape {array.shape} for {size} predictions; give one for each.")
        return np.flatnonzero(array)
    if array.ndim != 1 or (array.size and not np.issubdtype(array.dtype, np.integer)):
        raise UsageError(f"labelled has the shape {array.shape} of {array.dtype}; give positions (n,) or truth values.")
    positions = array.astype(np.intp)
    if ((positions < 0) | (positions >= size)).any() or len(np.unique(positions)) < len(positions):
        raise UsageError(f"labelled must name each position at most once, from 0 to {size - 1}.")
    return positions
