"""How sure: the probability that the top intent is right, with out-of-scope traffic counted as wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from noria.agent.heads.logistic import Linear, fit_logistic, linear_of, sigmoid
from noria.agent.heads.scope import share_weights
from noria.agent.protocols import Reading, Stored
from noria.agent.recipe import Recipe


@dataclass(frozen=True, slots=True)
class CalibratedConfidence:
    """A ConfidenceModel: logistic on (log-odds of the top intent, scope score).

    Calibration within in-scope queries alone is wrong by as much as the share of out-of-scope traffic; so out-of-scope
    rows stand for their expected share here. Where there were none, the confidence is that of an in-scope query.
    """

    linear: Linear

    def stored(self) -> Stored:
        return Stored({"intercept": self.linear.intercept, "coefficients": list(self.linear.coefficients)})

    @classmethod
    def load(cls, stored: Stored) -> CalibratedConfidence:
        """The one that was stored."""
        return cls(linear_of(stored.figures))

    def confidence(self, reading: Reading, scope_score: float) -> float:
        return 0.0 if reading.blank else sigmoid(self.linear((reading.logit, scope_score)))


def fit_confidence(
    readings: Sequence[Reading],
    scope_scores: Sequence[float],
    inside: Sequence[bool],
    right: Sequence[bool],
    recipe: Recipe,
) -> CalibratedConfidence:
    """The confidence from calibration rows.

    Args:
        readings: of all rows, in scope or not.
        scope_scores: theirs.
        inside: whether each is in scope (or small talk).
        right: whether the top intent is right; never where not inside.
        recipe: the expected share of out-of-scope traffic.
    """
    figures = np.array([(r.logit, s) for r, s in zip(readings, scope_scores, strict=True)], np.float64)
    weights = share_weights(np.array(inside, np.float64), recipe.expected_oos_share)
    return CalibratedConfidence(fit_logistic(figures, np.array(right, np.float64), weights))
