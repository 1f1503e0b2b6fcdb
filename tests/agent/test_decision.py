"""Answer, clarify or hand over."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.agent import Recipe
from noria.agent.decision import ThresholdDecider
from noria.agent.protocols import Decided, Reading
from noria.records import SMALL_TALK

CLASSES = ("lock", "mail", "print", SMALL_TALK)
DECIDER = ThresholdDecider(CLASSES, 0.0, Recipe(answer_at=0.5, clarify_at=0.6, max_choices=3))


def decide(probabilities, scope_score=1.0, confidence=0.1, *, blank=False):
    chance = np.array(probabilities)
    return DECIDER.decide(Reading(chance, int(chance.argmax()), 0.0, 1.0, blank, ()), scope_score, confidence)


@pytest.mark.parametrize(
    ("told", "decided"),
    [
        (decide([0.9, 0.1, 0, 0], confidence=0.5), Decided("answer", in_scope=True)),
        (decide([0.9, 0.1, 0, 0], -0.1, 0.99), Decided("handoff", in_scope=False)),
        (decide([0.9, 0.1, 0, 0], confidence=0.9, blank=True), Decided("handoff", in_scope=False)),
        (decide([0.1, 0, 0, 0.9], confidence=0.9), Decided("answer", in_scope=False)),
        (decide([0.4, 0.3, 0.2, 0.1]), Decided("clarify", in_scope=True, choices=("lock", "mail"))),
        (decide([0.3, 0.25, 0.25, 0.2]), Decided("clarify", in_scope=True, choices=("lock", "mail", "print"))),
        (decide([0.1, 0.3, 0.35, 0.25]), Decided("clarify", in_scope=True, choices=("print", "mail"))),
        (decide([0.2, 0.1, 0.1, 0.6]), Decided("handoff", in_scope=False)),
    ],
)
def test_the_gate_comes_first_then_confidence_then_the_choices(told, decided):
    assert told == decided


def test_more_choices_than_allowed_are_none():
    many = ThresholdDecider([f"i{n}" for n in range(6)], 0.0, Recipe(clarify_at=0.6, max_choices=3))
    flat = Reading(np.full(6, 1 / 6), 0, 0.0, 1.0, blank=False, evidence=())
    assert many.decide(flat, 1.0, 0.1) == Decided("handoff", in_scope=True)


@given(st.lists(st.floats(0.001, 1), min_size=4, max_size=4), st.floats(-1, 1), st.floats(0, 1))
def test_choices_are_the_likeliest_intents_that_hold_enough_and_never_small_talk(raw, scope_score, confidence):
    chance = np.array(raw) / sum(raw)
    decided = decide(chance, scope_score, confidence)
    assert (decided.decision == "clarify") == bool(decided.choices)
    assert SMALL_TALK not in decided.choices
    if decided.choices:
        held = [chance[CLASSES.index(c)] for c in decided.choices]
        assert held == sorted(held, reverse=True)
        assert sum(held) >= 0.6 - 1e-12
        assert 2 <= len(held) <= 3


def test_the_thresholds_are_told():
    assert DECIDER.thresholds == {"scope": 0.0, "answer": 0.5, "clarify": 0.6}
