"""Thresholds under a constraint, with a guarantee that holds for any distribution where the rows suffice.

"A preciseness of at least 0.9, then most coverage" is a risk (wrong among accepted) of at most 0.1. With chance
1 - delta over the drawing of the rows, the threshold that is chosen keeps it on queries like them; under drift nothing
is promised. Where the rows are too few it says how many it would take, and chooses nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from noria.errors import UsageError
from noria.stats.intervals import Floats, as_flags, as_numbers, clopper_pearson, same_length
from noria.stats.selection.certainty import binomial_p, rows_needed

Counts = npt.NDArray[np.int64]
GRID: tuple[float, ...] = tuple(round(1 - i / 200, 4) for i in range(1, 201))
"""Thresholds tried for scores from 0 to 1, highest first. Fixed before any row is seen, as the guarantee asks."""
STARTS: tuple[float, ...] = (0.95, 0.85, 0.7, 0.5, 0.3)
"""Where chains of tests begin: at the highest thresholds nearly nothing is accepted and every test would fail."""


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """A threshold that keeps its constraint with chance 1 - delta.

    name: what it is for. threshold: accepted from there on. most: the risk that is ruled out. risk, n: what the rows
    show, and of how many. bound: upper bound of the risk at 1 - delta from these rows alone. coverage: share of the
    rows that may be accepted which are. sentence: all that in words.
    """

    name: str
    threshold: float
    most: float
    delta: float
    risk: float
    bound: float
    coverage: float
    n: int
    guarantee: str
    sentence: str


@dataclass(frozen=True, slots=True)
class NotEnoughRows:
    """No threshold keeps the constraint for sure. needed: rows it would take, None where no number would do."""

    name: str
    needed: int | None
    sentence: str


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """What a threshold accepts: how many, the share right among them with its 95 % interval, the coverage."""

    threshold: float
    accepted: int
    preciseness: float
    low: float
    high: float
    coverage: float


def choose_threshold(
    name: str,
    score: npt.ArrayLike,
    right: npt.ArrayLike,
    eligible: npt.ArrayLike | None = None,
    *,
    at_least: float,
    delta: float = 0.05,
    grid: Sequence[float] = GRID,
    starts: Sequence[float] = STARTS,
) -> OperatingPoint | NotEnoughRows:
    """The threshold with most coverage whose preciseness is at least so much, by learn-then-test.

    Each chain starts at its place in the grid and goes down while the exact binomial test at delta over the number of
    chains rejects "too many are wrong"; of everything rejected the lowest threshold is taken.

    Args:
        name: for the sentences.
        score: (n,); rows at or above the threshold are accepted.
        right: whether accepting the row (n,) is right.
        eligible: rows that count for the coverage (those in scope); None = all.
        at_least: the preciseness, above 0 and below 1.
        delta: chance that the promise does not hold.
        grid: thresholds tried, highest first; fixed without a look at these rows.
        starts: thresholds at which chains begin, of the grid or beside it.

    Raises:
        UsageError: a value outside its limits, or arrays of different length.

    Source: Angelopoulos, Bates, Candès, Jordan, Lei, "Learn then test" (arXiv 2110.01052).

    Example:
        >>> import numpy as np
        >>> sure = np.linspace(0, 1, 2000)
        >>> point = choose_threshold("answer", sure, sure > 0.35, at_least=0.9)
        >>> point.threshold, round(point.risk, 3)
        (0.295, 0.078)
    """
    scores, hits = as_numbers("score", score), as_flags("right", right)
    counted = np.ones(len(scores), np.bool_) if eligible is None else as_flags("eligible", eligible)
    same_length(score=scores, right=hits, eligible=counted)
    if not (0 < at_least < 1 and 0 < delta < 1):
        raise UsageError(f"at_least = {at_least}, delta = {delta}: both must lie above 0 and below 1.")
    most, chains = 1 - at_least, len(starts)
    accepted, errors = _counts(scores, ~hits, grid)
    passed = {
        i
        for start in starts
        for i in _chain(accepted, errors, most, delta / chains, _first_at(grid, start))
    }  # fmt: skip
    if not passed:
        return _too_few(name, accepted, errors, most, delta / chains, len(scores))
    i = max(passed)
    taken = counted & (scores >= grid[i])
    coverage = float(taken.sum() / counted.sum()) if counted.any() else math.nan
    bound = clopper_pearson(int(errors[i]), int(accepted[i]), 1 - 2 * delta).high
    risk = errors[i] / accepted[i]
    said = (
        f"{name}: from {grid[i]:g} on, {100 * (1 - risk):.1f} % of {accepted[i]} accepted rows are right; with "
        f"{100 * (1 - delta):g} % certainty at least {100 * at_least:g} % of queries like them are. "
        f"Coverage {100 * coverage:.1f} %."
    )
    return OperatingPoint(
        name, grid[i], most, delta, float(risk), bound, coverage, int(accepted[i]), "learn then test", said
    )


def choose_limit(
    name: str, score: npt.ArrayLike, *, at_most: float, delta: float = 0.05
) -> OperatingPoint | NotEnoughRows:
    """The highest limit below which at most a share of queries falls, for rows that ought not to fall below.

    The r-th smallest of n scores, with the largest r for which P(Bin(n, at_most) >= r) >= 1 - delta: the risk is
    monotone, so no grid is needed, and ties only make it safer.

    Args:
        name: for the sentences.
        score: (n,) of rows that ought to be kept, such as scope scores of in-scope rows.
        at_most: share that may fall below, above 0 and below 1.
        delta: chance that the promise does not hold.

    Source: Wilks, Ann. Math. Stat. 12 (1941) 91; conformal risk control of a monotone risk: Bates et al., JACM 68
        (2021).

    Example:
        >>> import numpy as np
        >>> choose_limit("scope", np.arange(1000.0), at_most=0.04).threshold
        29.0
    """
    scores = np.sort(as_numbers("score", score))
    if not (0 < at_most < 1 and 0 < delta < 1):
        raise UsageError(f"at_most = {at_most}, delta = {delta}: both must lie above 0 and below 1.")
    n = len(scores)
    rank = 0
    while rank < n and 1 - binomial_p(rank, n, at_most) >= 1 - delta:
        rank += 1
    if rank == 0:
        needed = rows_needed(0.0, at_most, delta)
        return NotEnoughRows(
            name, needed, f"{name}: not enough rows: {n}; needs about {needed} of them to keep {100 * at_most:g} %."
        )
    threshold = float(scores[rank - 1])
    below = int((scores < threshold).sum())
    bound = clopper_pearson(below, n, 1 - 2 * delta).high
    said = (
        f"{name}: below {threshold:.4g} fall {100 * below / n:.1f} % of {n} rows; with {100 * (1 - delta):g} % "
        f"certainty at most {100 * at_most:g} % of queries like them do."
    )
    return OperatingPoint(
        name, threshold, at_most, delta, below / n, bound, 1 - below / n, n, "conformal risk control", said
    )


def curve(
    score: npt.ArrayLike, right: npt.ArrayLike, eligible: npt.ArrayLike | None = None, *, points: int = 100
) -> list[CurvePoint]:
    """Preciseness and coverage at about `points` thresholds, highest first; for people to look at, no promise.

    Args:
        score: (n,); rows at or above a threshold are accepted.
        right: whether accepting the row (n,) is right.
        eligible: rows that count for the coverage; None = all.
        points: how many at most.

    Example:
        >>> [(p.threshold, p.preciseness) for p in curve([0.2, 0.9], [False, True])]
        [(0.9, 1.0), (0.2, 0.5)]
    """
    scores, hits = as_numbers("score", score), as_flags("right", right)
    counted = np.ones(len(scores), np.bool_) if eligible is None else as_flags("eligible", eligible)
    same_length(score=scores, right=hits, eligible=counted)
    if not len(scores):
        return []
    grid = np.unique(np.quantile(scores, np.linspace(0, 1, points), method="lower"))[::-1]
    accepted, errors = _counts(scores, ~hits, grid.tolist())
    covered, _ = _counts(scores[counted], hits[counted], grid.tolist())
    total = max(int(counted.sum()), 1)
    found = []
    for i, threshold in enumerate(grid.tolist()):
        rate = clopper_pearson(int(accepted[i] - errors[i]), int(accepted[i]))
        found.append(
            CurvePoint(threshold, int(accepted[i]), rate.value, rate.low, rate.high, float(covered[i] / total))
        )
    return found


def _counts(scores: Floats, wrong: npt.NDArray[np.bool_], grid: Sequence[float]) -> tuple[Counts, Counts]:
    """Rows, and wrong rows (G,), at or above each threshold."""
    tried = np.asarray(grid, dtype=np.float64)
    every, bad = np.sort(scores), np.sort(scores[wrong])
    above = len(every) - np.searchsorted(every, tried)
    return np.asarray(above, np.int64), np.asarray(len(bad) - np.searchsorted(bad, tried), np.int64)


def _first_at(grid: Sequence[float], start: float) -> int:
    """Place of the first threshold not above the start; behind the grid where there is none."""
    return next((i for i, threshold in enumerate(grid) if threshold <= start), len(grid))


def _chain(accepted: Counts, errors: Counts, most: float, delta: float, start: int) -> list[int]:
    """Places from the start down as long as each is rejected."""
    found = []
    for i in range(start, len(accepted)):
        if binomial_p(int(errors[i]), int(accepted[i]), most) > delta:
            break
        found.append(i)
    return found


def _too_few(name: str, accepted: Counts, errors: Counts, most: float, delta: float, n: int) -> NotEnoughRows:
    """Says what it would take at the most promising threshold."""
    if not accepted.any():
        needed = rows_needed(0.0, most, delta)
        said = f"{name}: not enough rows: none can be accepted; needs at least {needed} that can."
        return NotEnoughRows(name, needed, said)
    options = []
    for taken, wrong in zip(accepted.tolist(), errors.tolist(), strict=True):
        needed = rows_needed(wrong / taken, most, delta) if taken else None
        if needed is not None:
            options.append(math.ceil(needed * n / taken))
    if not options:
        best = max((1 - e / a for a, e in zip(accepted.tolist(), errors.tolist(), strict=True) if a), default=0.0)
        said = f"{name}: no threshold is {100 * (1 - most):g} % precise; the best of {n} rows is {100 * best:.1f} %."
        return NotEnoughRows(name, None, said)
    said = f"{name}: not enough rows for {100 * (1 - most):g} % with certainty: {n}; needs about {min(options)}."
    return NotEnoughRows(name, min(options), said)
