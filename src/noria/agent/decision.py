"""Answer, ask back, or hand over to a person."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

from noria.agent.protocols import Decided, Floats, Reading
from noria.agent.recipe import Recipe
from noria.records import SMALL_TALK


class ThresholdDecider:
    """A Decider: the scope gate first, then confidence, then whether few intents are all that it can be.

    Args:
        classes: of the intent model.
        scope_threshold: scores below are out of scope.
        choice: least probability of an intent to be among the choices; see `fit_choice`.
        recipe: `answer_at`, `max_choices`.
    """

    def __init__(self, classes: Sequence[str], scope_threshold: float, choice: float, recipe: Recipe) -> None:
        self._classes, self._max_choices = tuple(classes), recipe.max_choices
        self._scope, self._answer, self._choice = scope_threshold, recipe.answer_at, choice
        self._thresholds = MappingProxyType({"scope": self._scope, "answer": self._answer, "choice": self._choice})

    @property
    def thresholds(self) -> Mapping[str, float]:
        return self._thresholds

    def decide(self, reading: Reading, scope_score: float, confidence: float) -> Decided:
        """The decision on a text; small talk is answered, but is not in scope."""
        if reading.blank or scope_score < self._scope:
            return Decided("handoff", in_scope=False)
        small_talk = self._classes[reading.top] == SMALL_TALK
        if confidence >= self._answer:
            return Decided("answer", in_scope=not small_talk)
        choices = self._choices(reading.probabilities)
        if choices:
            return Decided("clarify", in_scope=not small_talk, choices=choices)
        return Decided("handoff", in_scope=not small_talk)

    def _choices(self, probabilities: Floats) -> tuple[str, ...]:
        """The intents that are likely enough, two at least, best first; none where they are too many to ask about."""
        if self._classes[int(probabilities.argmax())] == SMALL_TALK:
            return ()
        chosen: list[str] = []
        for i in np.argsort(-probabilities, kind="stable"):
            if len(chosen) > 1 and probabilities[i] < self._choice:
                break
            if self._classes[i] == SMALL_TALK:
                continue
            chosen.append(self._classes[i])
            if len(chosen) > self._max_choices:
                return ()
        return tuple(chosen) if len(chosen) > 1 else ()


def fit_choice(right: Sequence[float], miss: float) -> float:
    """The least probability of a choice with which a set of choices misses the right intent at most that often.

    Split conformal (Vovk et al. 2005): it holds for queries that are exchangeable with the calibration rows.

    Args:
        right: (n,) probability of the right intent of each calibration row in scope.
        miss: share of in-scope queries.
    """
    rank = math.floor(miss * (len(right) + 1))
    return sorted(right)[rank - 1] if rank else 0.0
