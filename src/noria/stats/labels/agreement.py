"""Krippendorff's alpha for nominal answers, with a bootstrap interval."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
_BLOCK = 200


@dataclass(frozen=True, slots=True)
class Agreement:
    """Alpha with its interval: 1 = all agree, 0 = no better than chance, below = worse. `units`: with two answers."""

    alpha: float
    low: float
    high: float
    units: int


def krippendorff_alpha(answers: Sequence[Sequence[Hashable]]) -> float:
    """Agreement beyond chance of any number of people on nominal answers, units with one answer left out.

    Args:
        answers: for each unit the answers that it got, in any order; missing ones are simply not there.

    Returns:
        Alpha, at most 1. NaN where no unit has two answers; 1 where all answers are the same.

    Example:
        >>> round(krippendorff_alpha([["a", "a"], ["a", "b"], ["b", "b"], ["b", "b"], ["a"]]), 3)
        0.533

    Source: Krippendorff, Computing Krippendorff's Alpha-Reliability, 2011, section E.
    """
    counts, apart = _counted(answers)
    return float(_alpha(np.ones((1, len(counts))), counts, apart)[0])


def krippendorff_interval(
    answers: Sequence[Sequence[Hashable]], *, seed: int, repeats: int = 1000, confidence: float = 0.95
) -> Agreement:
    """Alpha with a percentile bootstrap interval: whole units are drawn again, so that answers to one stay together.

    The interval is NaN where fewer than two units have two answers.

    Example:
        >>> krippendorff_interval([["a", "a"]] * 30 + [["b", "b"]] * 30, seed=1)
        Agreement(alpha=1.0, low=1.0, high=1.0, units=60)
    """
    counts, apart = _counted(answers)
    alpha = float(_alpha(np.ones((1, len(counts))), counts, apart)[0])
    if len(counts) < 2:
        return Agreement(alpha, math.nan, math.nan, len(counts))
    rng = np.random.Generator(np.random.PCG64(seed))
    even = np.full(len(counts), 1 / len(counts))
    parts = [min(_BLOCK, repeats - start) for start in range(0, repeats, _BLOCK)]
    drawn = np.concatenate(
        [_alpha(rng.multinomial(len(counts), even, size=part).astype(float), counts, apart) for part in parts]
    )
    tail = (1 - confidence) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return Agreement(alpha, float(low), float(high), len(counts))


def _counted(answers: Sequence[Sequence[Hashable]]) -> tuple[Floats, Floats]:
    """How often each answer was given to each unit (units, answers), and each unit's disagreeing pairs, scaled."""
    pairable = [unit for unit in answers if len(unit) > 1]
    place: dict[Hashable, int] = {}
    for unit in pairable:
        for answer in unit:
            place.setdefault(answer, len(place))
    counts = np.zeros((len(pairable), len(place)))
    for row, unit in enumerate(pairable):
        for answer in unit:
            counts[row, place[answer]] += 1
    size = counts.sum(axis=1)
    apart = (size**2 - (counts**2).sum(axis=1)) / np.maximum(size - 1, 1)
    return counts, apart


def _alpha(weights: Floats, counts: Floats, apart: Floats) -> Floats:
    """Alpha of each draw: `weights` (draws, units) says how often each unit is in it."""
    totals = weights @ counts
    every = totals.sum(axis=1)
    by_chance = every**2 - (totals**2).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        alpha = 1 - (every - 1) * (weights @ apart) / by_chance
    alpha = np.where(by_chance == 0, 1.0, alpha)
    return np.where(every == 0, math.nan, alpha)
