"""How sure: the probability that the top intent is right, with out-of-scope traffic counted as wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from noria.agent.heads.logistic import Linear, fit_logistic, linear_of, sigmoid
from noria.agent.heads.scope import share_weights
from noria.agent.protocols import Reading, Stored
from noria.agent.recipe import Recipe


@dataclass(frozen=True, slots=True)
class CalibratedConfidence:
    """A ConfidenceModel: the chance to be in scope, times the chance to be right if so.

    `inside`: log-odds of "in scope" by (log-odds of the top intent, scope score), in traffic of which out-of-scope rows
    hold their expected share; None where there were none, and then the confidence is that of an in-scope query.
    `right`: log-odds of "right" by the log-odds of the top intent, among in-scope rows. Calibration within in-scope
    queries alone is wrong by as much as the share of out-of-scope traffic.
    """

    inside: Linear | None
    right: Linear

    def stored(self) -> Stored:
        return Stored({"inside": None if self.inside is None else self.inside.told(), "right": self.right.told()})

    @classmethod
    def load(cls, stored: Stored) -> CalibratedConfidence:
        """The one that was stored."""
        told = cast("Mapping[str, Any]", stored.figures)
        inside = told["inside"]
        return cls(None if inside is None else linear_of(inside), linear_of(told["right"]))

    def confidence(self, reading: Reading, scope_score: float) -> float:
        if reading.blank:
            return 0.0
        chance = sigmoid(self.right((reading.logit,)))
        return chance if self.inside is None else chance * sigmoid(self.inside((reading.logit, scope_score)))


def fit_confidence(
    readings: Sequence[Reading],
    scope_scores: Sequence[float],
    inside: Sequence[bool],
    right: Sequence[bool],
    recipe: Recipe,
) -> CalibratedConfidence:
    """The confidence from calibration rows.

    Args:
        readings: of all rows, in scope or not; at least one in scope.
        scope_scores: theirs.
        inside: whether each is in scope (or small talk).
        right: whether the top intent is right; never where not inside.
        recipe: the expected share of out-of-scope traffic.
    """
    figures = np.array([(r.logit, s) for r, s in zip(readings, scope_scores, strict=True)], np.float64)
    ours, hits = np.array(inside, bool), np.array(right, np.float64)
    of_right = fit_logistic(figures[ours, :1], hits[ours], np.ones(int(ours.sum())))
    if ours.all():
        return CalibratedConfidence(None, of_right)
    truth = ours.astype(np.float64)
    return CalibratedConfidence(fit_logistic(figures, truth, share_weights(truth, recipe.expected_oos_share)), of_right)
