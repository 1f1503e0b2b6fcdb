"""What quality to expect before labels come: calibrated confidence, averaged. An estimate, never a truth."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from noria.errors import UsageError
from noria.stats.intervals import Floats, as_numbers, two_sided


@dataclass(frozen=True, slots=True)
class Expected:
    """The share of right answers to expect, with an interval that assumes that what is right has not changed.

    A change of concept (the same query now wants another answer) is outside it: compare with labels as they come.
    """

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class Calibration:
    """How often the agent is right at a confidence: straight lines between `confidence` and `right` (k,), both rising.

    n_labels: labels it rests on. error: standard error of the mean of its guesses, from the labels alone.
    """

    confidence: tuple[float, ...]
    right: tuple[float, ...]
    n_labels: int
    error: float

    def __call__(self, confidence: npt.ArrayLike) -> Floats:
        out: Floats = np.interp(np.asarray(confidence, dtype=np.float64), self.confidence, self.right)
        return out

    def expect(self, confidence: npt.ArrayLike, level: float = 0.95) -> Expected:
        """The expected share of right answers of predictions (n,) without labels; NaN and 0 to 1 for none."""
        chance = self(as_numbers("confidence", confidence, 0, 1))
        n, z = len(chance), two_sided(level)
        if n == 0:
            return Expected(math.nan, 0.0, 1.0, 0)
        value = float(chance.mean())
        half = z * math.hypot(self.error, math.sqrt(float(chance @ (1 - chance))) / n)
        return Expected(value, max(0.0, value - half), min(1.0, value + half), n)


def calibrate(confidence: npt.ArrayLike, right: npt.ArrayLike, weight: npt.ArrayLike = 1.0) -> Calibration:
    """A calibration from labels: the isotonic fit of right on the confidence of the top class.

    Args:
        confidence: (n,) of labelled predictions, 0 to 1.
        right: (n,) whether they were right, 0 or 1.
        weight: one over the chance of each to be labelled, or any multiple; one for all or (n,).

    Raises:
        UsageError: no labels, or numbers outside their limits.

    Source: top-1 confidence-based performance estimation; Zadrozny, Elkan, KDD 2002 (isotonic calibration).

    Example:
        >>> fit = calibrate([0.2, 0.2, 0.6, 0.6, 0.9, 0.9], [0, 0, 1, 0, 1, 1])
        >>> fit([0.2, 0.6, 0.9]).tolist(), fit.expect([0.6] * 100).value
        ([0.0, 0.5, 1.0], 0.5)
    """
    from scipy.optimize import isotonic_regression

    x, y = as_numbers("confidence", confidence, 0, 1), as_numbers("right", right, 0, 1)
    w = as_numbers("weight", np.broadcast_to(np.asarray(weight, dtype=np.float64), x.shape), 0, math.inf)
    if len(x) == 0 or len(y) != len(x) or not w.sum() > 0:
        raise UsageError(f"{len(x)} confidences and {len(y)} outcomes: a calibration takes as many of both, and some.")
    place, where = np.unique(x, return_inverse=True)
    mass = np.bincount(where, weights=w)
    kept = mass > 0
    level = np.bincount(where, weights=w * y)[kept] / mass[kept]
    fit = isotonic_regression(level, weights=mass[kept]).x
    left = y - np.interp(x, place[kept], fit)
    # What is left is too small by the levels that were fitted to it.
    free = math.sqrt(len(x) / max(len(x) - len(np.unique(fit)), 1))
    error = free * math.sqrt(float((w**2) @ left**2)) / float(w.sum())
    return Calibration(tuple(place[kept].tolist()), tuple(np.clip(fit, 0, 1).tolist()), len(x), error)
