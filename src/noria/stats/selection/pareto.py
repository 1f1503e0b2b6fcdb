"""Which of many are not beaten in everything, and how firm a choice by weights is."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from noria.errors import UsageError
from noria.stats.intervals import Floats


def pareto_front(goodness: npt.ArrayLike) -> list[int]:
    """Places of the rows that no other row beats: as good in every column and better in one. In rising order.

    Args:
        goodness: (n, objectives), more is better; rows with NaN are on no front.

    Example:
        >>> pareto_front([[1, 2], [2, 1], [1, 1], [2, 1]])
        [0, 1, 3]
    """
    values = np.asarray(goodness, dtype=np.float64)
    if values.ndim != 2:
        raise UsageError(f"goodness has the shape {values.shape}; give (runs, objectives).")
    candidates = np.flatnonzero(~np.isnan(values).any(axis=1))
    # The best sum first: whatever beats a row comes before it.
    order = candidates[np.lexsort(tuple(-values[candidates].T[::-1]))]
    front: list[int] = []
    kept = np.empty((0, values.shape[1]))
    for i in order.tolist():
        beaten = (kept >= values[i]).all(axis=1) & (kept > values[i]).any(axis=1)
        if not beaten.any():
            front.append(i)
            kept = np.vstack([kept, values[i]])
    return sorted(front)


def wins(scaled: npt.ArrayLike, weights: npt.ArrayLike, *, spread: float, draws: int, seed: int) -> Floats:
    """How often (n,) each row has the largest weighted sum when the weights are drawn around the given ones.

    Args:
        scaled: (n, objectives), 0 to 1, more is better.
        weights: (objectives,), 0 or more, one above 0.
        spread: of each weight's factor: e to the power of `spread` times a standard normal draw.
        draws: how many sets of weights.
        seed: of the draws.

    Returns:
        Shares that sum to 1; ties are split.

    Example:
        >>> wins([[1.0, 0.0], [0.0, 0.9]], [1.0, 0.1], spread=0.5, draws=500, seed=0).round(1).tolist()
        [1.0, 0.0]
    """
    values, given = np.asarray(scaled, np.float64), np.asarray(weights, np.float64)
    rng = np.random.default_rng(seed)
    drawn = given * np.exp(spread * rng.standard_normal((draws, len(given))))
    sums = values @ drawn.T
    best = sums >= sums.max(axis=0) - 1e-12
    return np.asarray((best / best.sum(axis=0)).mean(axis=1), dtype=np.float64)


def weight_range(scaled: npt.ArrayLike, weights: npt.ArrayLike, winner: int, objective: int) -> tuple[float, float]:
    """Between which factors on one weight the winner stays the winner: 1 lies inside; 0 and infinity are the ends.

    Args:
        scaled: (n, objectives), more is better.
        weights: (objectives,).
        winner: its row; it wins with the weights as given.
        objective: the column whose weight is multiplied.

    Example:
        >>> weight_range([[0.75, 0.5], [0.5, 0.75]], [2, 1], 0, 1)
        (0.0, 2.0)
    """
    values, given = np.asarray(scaled, np.float64), np.asarray(weights, np.float64)
    others = given.copy()
    others[objective] = 0
    low, high = 0.0, np.inf
    for row in range(len(values)):
        # The winner stays ahead while rest + factor * gain >= 0.
        rest = float((values[winner] - values[row]) @ others)
        gain = float(given[objective] * (values[winner, objective] - values[row, objective]))
        if gain < 0:
            high = min(high, max(rest, 0.0) / -gain)
        elif gain > 0:
            low = max(low, -rest / gain)
    return float(low), float(high)
