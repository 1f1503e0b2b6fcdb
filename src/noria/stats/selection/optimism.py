"""The winner's curse: the best of many measured figures is too good, and by how much."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from noria.errors import UsageError
from noria.stats.intervals import as_numbers, same_length


@dataclass(frozen=True, slots=True)
class Optimism:
    """By how much the best of `runs` measured values flatters itself.

    measured: the winner's. expected: mean surplus over its true value. likely: what is left when it is taken off.
    spread: standard deviation of the true values between runs, as far as the noise lets it be told.
    """

    runs: int
    measured: float
    expected: float
    likely: float
    spread: float


def optimism(
    values: npt.ArrayLike, errors: npt.ArrayLike, *, shared: float = 0.0, draws: int = 400, seed: int = 0
) -> Optimism:
    """How much of the largest value is luck.

    True values are taken for normal between runs (their mean and spread from the data: empirical Bayes); measured ones
    add normal noise. The surplus of the winner over its own true value is the mean over draws of such worlds.

    Args:
        values: (n,) measured, more is better.
        errors: (n,) standard error of each, above 0.
        shared: correlation of the noise between runs, 0 to below 1. Runs measured on the same rows share much of it,
            and what all share does not choose; 0 is on the safe side.
        draws: simulated worlds.
        seed: of the draws.

    Raises:
        UsageError: lengths differ, no value, or a standard error that is not above 0.

    Source: Efron, JASA 106 (2011) 1602; Smith, Winkler, Management Science 52 (2006) 311.

    Example:
        >>> found = optimism([0.80, 0.81, 0.79, 0.82], [0.01] * 4)
        >>> 0 < found.expected < 0.02
        True
    """
    measured, noise = as_numbers("values", values), as_numbers("errors", errors, 0)
    n = same_length(values=measured, errors=noise)
    if not n or not (noise > 0).all() or not 0 <= shared < 1:
        raise UsageError("optimism needs a value, standard errors above 0, and a correlation from 0 to below 1.")
    own = noise * np.sqrt(1 - shared)
    between = max(0.0, float(measured.var(ddof=1) - (own**2).mean())) if n > 1 else 0.0
    spread, centre = float(np.sqrt(between)), float(measured.mean())
    rng = np.random.default_rng(seed)
    surplus = 0.0
    for _ in range(draws):
        true = centre + spread * rng.standard_normal(n)
        seen = true + own * rng.standard_normal(n)
        best = int(seen.argmax())
        surplus += float(seen[best] - true[best])
    largest, expected = float(measured.max()), surplus / draws
    return Optimism(n, largest, expected, largest - expected, spread)
