"""The cheapest cut of a series into segments: exact, with pruning."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from noria.errors import UsageError
from noria.stats.intervals import Floats

Places = npt.NDArray[np.intp]
# Cost of the segments that begin at each of `starts` (m,) and end before `end`: (m,), smaller = better.
Cost = Callable[[Places, int], Floats]


def partition(cost: Cost, n: int, penalty: float, shortest: int = 1) -> tuple[int, ...]:
    """Where segments begin, the first (0) left out: least sum of costs and of one penalty for each further segment.

    It looks at every place (`jump=1`). Places that can never begin the last segment are dropped (PELT), which is exact
    where a cut never makes a segment dearer.

    Args:
        cost: of segments.
        n: observations.
        penalty: for each cut, 0 or above.
        shortest: observations that a segment has at least.

    Raises:
        UsageError: a negative penalty, or shortest below 1.

    Source: Jackson et al., IEEE Signal Processing Letters 12 (2005) 105; Killick, Fearnhead, Eckley, JASA 107 (2012).

    Example:
        >>> import numpy as np
        >>> values = np.array([0.0] * 5 + [3.0] * 5)
        >>> partition(squares(values[:, None]), 10, penalty=2.0)
        (5,)
    """
    if penalty < 0 or shortest < 1:
        raise UsageError(f"a penalty of {penalty} and segments of {shortest}: give 0 or above, and 1 or above.")
    best = np.full(n + 1, np.inf)
    best[0] = -penalty
    last = np.zeros(n + 1, dtype=np.intp)
    gone_at = np.full(n + 1, n + 1)
    starts = np.zeros(0, dtype=np.intp)
    for end in range(shortest, n + 1):
        starts = np.append(starts, end - shortest)
        starts = starts[gone_at[starts] > end]
        total = best[starts] + cost(starts, end)
        at = int(total.argmin())
        best[end], last[end] = total[at] + penalty, starts[at]
        # A place is beaten by a cut at `end` only for ends a whole segment later.
        beaten = starts[total > best[end]]
        gone_at[beaten] = np.minimum(gone_at[beaten], end + shortest)
    cuts, end = [], n if n >= shortest else 0
    while end > 0:
        end = int(last[end])
        if end > 0:
            cuts.append(end)
    return tuple(sorted(cuts))


def squares(values: Floats, weights: Floats | None = None) -> Cost:
    """Cost of a constant level: weighted sum of squared distances from a segment's mean; values (n, dimensions).

    Example:
        >>> squares(np.array([[0.0], [2.0], [5.0]]))(np.array([0, 2]), 3).round(2).tolist()
        [12.67, 0.0]
    """
    w = np.ones(len(values)) if weights is None else weights
    mass, sums = _sums(w), _sums(values * w[:, None])
    energy = _sums((values**2).sum(axis=1) * w)

    def cost(starts: Places, end: int) -> Floats:
        m = np.maximum(mass[end] - mass[starts], 1e-300)
        out: Floats = energy[end] - energy[starts] - ((sums[end] - sums[starts]) ** 2).sum(axis=1) / m
        return np.maximum(out, 0.0)

    return cost


def lines(values: Floats, weights: Floats) -> Cost:
    """Cost of a straight line: weighted sum of squared distances from each segment's own line; values (n,).

    Example:
        >>> lines(np.array([0.0, 2.0, 4.0, 9.0]), np.ones(4))(np.array([0, 2]), 4).round(2).tolist()
        [2.7, 0.0]
    """
    t = np.arange(len(values)) / max(len(values), 1)
    mass, level, energy = _sums(weights), _sums(weights * values), _sums(weights * values**2)
    time, times, product = _sums(weights * t), _sums(weights * t * t), _sums(weights * t * values)

    def cost(starts: Places, end: int) -> Floats:
        m = np.maximum(mass[end] - mass[starts], 1e-300)
        x, u = level[end] - level[starts], time[end] - time[starts]
        spread = times[end] - times[starts] - u * u / m
        slope = product[end] - product[starts] - u * x / m
        fitted = np.where(spread > 1e-12 * m, slope**2 / np.maximum(spread, 1e-300), 0.0)
        out: Floats = energy[end] - energy[starts] - x * x / m - fitted
        return np.maximum(out, 0.0)

    return cost


def rates(k: Floats, n: Floats) -> Cost:
    """Cost of constant rates: minus the log-likelihood of successes k of n, (windows, strata), in each segment.

    Example:
        >>> rates(np.array([[1.0], [1.0]]), np.array([[2.0], [2.0]]))(np.array([0]), 2).round(3).tolist()
        [2.773]
    """
    good, labels = _sums(k), _sums(n)

    def cost(starts: Places, end: int) -> Floats:
        yes, of = good[end] - good[starts], labels[end] - labels[starts]
        no = of - yes
        with np.errstate(divide="ignore", invalid="ignore"):
            gain = np.where(yes > 0, yes * np.log(yes / of), 0.0) + np.where(no > 0, no * np.log(no / of), 0.0)
        out: Floats = -gain.sum(axis=1)
        return out

    return cost


def _sums(values: Floats) -> Floats:
    return np.concatenate([np.zeros((1, *values.shape[1:])), np.cumsum(values, axis=0)])
