"""Logistic regression on a handful of figures, with weights and soft targets; small enough to be exactly repeatable."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from noria.agent.protocols import Floats


@dataclass(frozen=True, slots=True)
class Linear:
    """`intercept + Σ coefficients · figures`."""

    intercept: float
    coefficients: tuple[float, ...]

    def __call__(self, figures: Sequence[float]) -> float:
        return self.intercept + sum(c * x for c, x in zip(self.coefficients, figures, strict=True))

    def told(self) -> dict[str, object]:
        """As a mapping of its fields, for `linear_of`."""
        return {"intercept": self.intercept, "coefficients": list(self.coefficients)}


def linear_of(told: Mapping[str, Any]) -> Linear:
    """The one that was told as a mapping of its fields."""
    return Linear(float(told["intercept"]), tuple(float(c) for c in told["coefficients"]))


def sigmoid(x: float) -> float:
    """1 / (1 + e^-x), without overflow."""
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def standard(figures: Floats) -> tuple[Floats, Floats]:
    """Mean and standard deviation of each column of (n, figures); a constant column has deviation 1."""
    mean, deviation = figures.mean(axis=0), figures.std(axis=0)
    return mean, np.where(deviation > 1e-9, deviation, 1.0)


def fit_logistic(figures: Floats, targets: Floats, weights: Floats, *, ridge: float = 1.0, steps: int = 50) -> Linear:
    """The log-odds of `targets` as a linear function of figures, by Newton's method.

    Args:
        figures: (n, k).
        targets: (n,) 0 to 1.
        weights: (n,) how much each row counts; their sum is the number of rows that the ridge is held against.
        ridge: penalty on squared coefficients of standardised figures, in rows.
        steps: at most so many.

    Targets are drawn a little towards the middle (Platt 1999), so that rows of one kind alone give a cautious constant.
    """
    mean, deviation = standard(figures)
    design = np.column_stack((np.ones(len(figures)), (figures - mean) / deviation))
    up, down = float((weights * targets).sum()), float((weights * (1 - targets)).sum())
    high, low = (up + 1) / (up + 2), 1 / (down + 2)
    soft = low + targets * (high - low)
    penalty = np.diag([0.0] + [ridge] * figures.shape[1])

    def loss(beta: Floats) -> float:
        odds = np.einsum("ni,i->n", design, beta)
        return float((weights * (np.logaddexp(0, odds) - soft * odds)).sum() + beta @ penalty @ beta / 2)

    beta = np.zeros(design.shape[1])
    for _ in range(steps):
        # einsum, not BLAS: the same bits however many threads the machine has
        chance = 1 / (1 + np.exp(-np.clip(np.einsum("ni,i->n", design, beta), -500, 500)))
        slope = np.einsum("ni,n->i", design, weights * (chance - soft)) + penalty @ beta
        bend = np.einsum("ni,n,nj->ij", design, weights * chance * (1 - chance), design) + penalty
        step = np.linalg.solve(bend + 1e-9 * np.eye(len(beta)), slope)
        before = loss(beta)
        while loss(beta - step) > before and np.abs(step).max() > 1e-9:
            step = step / 2
        beta = beta - step
        if np.abs(step).max() < 1e-9:
            break
    coefficients = beta[1:] / deviation
    return Linear(float(beta[0] - coefficients @ mean), tuple(float(c) for c in coefficients))
