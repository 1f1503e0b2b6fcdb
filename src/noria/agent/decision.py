"""Answer, ask back, or hand over to a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

from noria.agent.protocols import Decided, Floats, Reading
from noria.agent.recipe import Recipe
from noria.records import SMALL_TALK


class ThresholdDecider:
    """A Decider: the scope gate first, then confidence, then whether two or three intents hold enough probability.

    Args:
        classes: of the intent model.
        scope_threshold: scores below are out of scope.
        recipe: `answer_at`, `clarify_at`, `max_choices`.
    """

    def __init__(self, classes: Sequence[str], scope_threshold: float, recipe: Recipe) -> None:
        self._classes, self._max_choices = tuple(classes), recipe.max_choices
        self._scope, self._answer, self._clarify = scope_threshold, recipe.answer_at, recipe.clarify_at
        self._thresholds = MappingProxyType(
            {"scope": self._scope, "answer": self._answer, "clarify": self._clarify},
        )

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
        """The fewest likeliest intents (two or more) that hold enough probability; none where it takes too many."""
        chosen: list[str] = []
        held = 0.0
        for i in np.argsort(-probabilities, kind="stable")[: self._max_choices + 1]:
            if self._classes[i] == SMALL_TALK:
                continue
            chosen.append(self._classes[i])
            held += float(probabilities[i])
            if len(chosen) > self._max_choices:
                return ()
            if len(chosen) > 1 and held >= self._clarify:
                return tuple(chosen)
        return ()
