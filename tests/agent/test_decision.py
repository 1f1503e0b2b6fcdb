"""Answer, clarify or hand over."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.agent import Recipe
from noria.agent.decision import ThresholdDecider, fit_choice
from noria.agent.protocols import Decided, Reading
from noria.records import SMALL_TALK

CLASSES = ("lock", "mail", "print", SMALL_TALK)
DECIDER = ThresholdDecider(CLASSES, 0.0, 0.2, Recipe(answer_at=0.5, max_choices=3))


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
        (decide([0.45, 0.35, 0.19, 0.01]), Decided("clarify", in_scope=True, choices=("lock", "mail"))),
        (decide([0.9, 0.06, 0.04, 0]), Decided("clarify", in_scope=True, choices=("lock", "mail"))),
        (decide([0.3, 0.25, 0.25, 0.15]), Decided("clarify", in_scope=True, choices=("lock", "mail", "print"))),
        (decide([0.1, 0.3, 0.35, 0.25]), Decided("clarify", in_scope=True, choices=("print", "mail"))),
        (decide([0.2, 0.1, 0.1, 0.6]), Decided("handoff", in_scope=False)),
    ],
)
def test_the_gate_comes_first_then_confidence_then_the_choices(told, decided):
    assert told == decided


def test_more_choices_than_allowed_are_none():
    many = ThresholdDecider([f"i{n}" for n in range(6)], 0.0, 0.1, Recipe(max_choices=3))
    flat = Reading(np.full(6, 1 / 6), 0, 0.0, 1.0, blank=False, evidence=())
    assert many.decide(flat, 1.0, 0.1) == Decided("handoff", in_scope=True)


@given(st.lists(st.floats(0.001, 1), min_size=4, max_size=4), st.floats(-1, 1), st.floats(0, 1))
def test_choices_are_all_intents_that_are_likely_enough_two_at_least_and_never_small_talk(raw, scope_score, confidence):
    chance = np.array(raw) / sum(raw)
    decided = decide(chance, scope_score, confidence)
    assert (decided.decision == "clarify") == bool(decided.choices)
    assert SMALL_TALK not in decided.choices
    if decided.choices:
        held = [chance[CLASSES.index(c)] for c in decided.choices]
        assert held == sorted(held, reverse=True)
        likely = {c for c, p in zip(CLASSES, chance, strict=True) if p >= 0.2 and c != SMALL_TALK}
        assert likely <= set(decided.choices)
        assert 2 <= len(held) <= 3
        assert len(held) == max(2, len(likely))


def test_the_thresholds_are_told():
    assert DECIDER.thresholds == {"scope": 0.0, "answer": 0.5, "choice": 0.2}


def test_a_set_of_choices_misses_the_right_intent_in_the_promised_share_of_fresh_queries():
    """The mean over many draws of calibration rows, as the guarantee is one over both."""
    dice = np.random.default_rng(5)
    missed = [(dice.beta(5, 1, 300) < fit_choice(dice.beta(5, 1, 150).tolist(), 0.05)).mean() for _ in range(400)]
    assert 0.04 < np.mean(missed) <= 0.05 + 3 * np.std(missed) / 20


def test_without_rows_enough_for_the_share_every_intent_stays_a_choice():
    assert fit_choice([0.9, 0.8], 0.02) == 0.0
