"""What to expect of a prediction before anybody labels it: learnt from past labels, else the agent's own word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from noria.records import Judged, Prediction
from noria.stats.design import Proxy, features, fit_proxy

Floats = npt.NDArray[np.float64]

# Labels of the rarer kind below which a fit says less than the agent does.
_RARER = 20
_SURE = 0.999


@dataclass(frozen=True, slots=True, eq=False)
class Expectation:
    """Guesses whether the predicted intent is right and whether the query is in scope. `proxy` None: nothing learnt."""

    proxy: Proxy | None = None

    def of(self, predictions: Sequence[Prediction], thumb: Mapping[str, int]) -> tuple[Floats, Floats]:
        """The probabilities (n,), strictly between 0 and 1: right, and in scope.

        Args:
            predictions: n of them.
            thumb: prediction id → what its user let on, as in `stats.design.thumbs`.
        """
        confidence = np.array([p.answer.intent_confidence for p in predictions])
        if self.proxy is None:
            # The agent's scope score has no scale of its own: without labels its confidence has to do for both.
            sure = np.clip(confidence, 1 - _SURE, _SURE)
            return sure, sure
        right, in_scope = self.proxy.expect(
            features(
                confidence,
                np.array([p.answer.scope_score for p in predictions]),
                np.array([float(thumb.get(p.prediction_id, 0)) for p in predictions]),
                np.array([p.answer.decision == "answer" for p in predictions]),
            )
        )
        return np.clip(right, 1 - _SURE, _SURE), np.clip(in_scope, 1 - _SURE, _SURE)


def learn(judged: Sequence[Judged], thumb: Mapping[str, int], min_labels: int) -> Expectation:
    """The expectation that past labels teach, each weighing one over its chance.

    Explored ones and those that were kept without the agent's figures are left out. With fewer than `min_labels`, or
    fewer than 20 of the rarer outcome, nothing is learnt.
    """
    # An agent's figures are kept since the same change that keeps its expectation, which is never 0.
    rows = [j for j in judged if j.task.purpose == "estimate" and j.task.expected_right > 0]
    right = np.array([predicted_right(j) for j in rows], dtype=np.float64)
    if len(rows) < min_labels or min(right.sum(), len(rows) - right.sum()) < _RARER:
        return Expectation()
    known = features(
        np.array([j.task.confidence for j in rows]),
        np.array([j.task.scope_score for j in rows]),
        np.array([float(thumb.get(j.task.prediction_id, 0)) for j in rows]),
        np.array([j.answered for j in rows]),
    )
    in_scope = np.array([j.label.relevance == "in_scope" for j in rows], dtype=np.float64)
    weights = np.array([1 / j.task.inclusion_probability for j in rows])
    return Expectation(fit_proxy(known, np.array([right, in_scope]), weights))


def predicted_right(judged: Judged) -> bool:
    """Whether the predicted intent was right, answered or not; of an answer with articles one must be right, too."""
    if judged.answered:
        return judged.right
    return judged.label.relevance == "in_scope" and judged.label.intent == judged.task.predicted_intent
