"""The intent model against scikit-learn's LinearSVC, its probabilities and its temperature."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.svm import LinearSVC
from tests.agent.made_up import examples

from noria.agent import Recipe
from noria.agent.heads.intent import ABSENT, NgramSvm, Raw, TrainingSet, fit_temperature, train
from noria.agent.heads.ngrams import Ngrams

ROWS = [e for e in examples() if e.id.split("-")[0] in {"book_room", "door_badge", "printer_jam"}]
CLASSES = ("book_room", "door_badge", "printer_jam")


def training(rows, classes, *, reject=()):
    texts = tuple(r.text for r in rows) + tuple(reject)
    targets = tuple(classes.index(r.intent) for r in rows) + (len(classes),) * len(reject)
    return TrainingSet(texts, targets, tuple(classes), bool(reject))


@pytest.mark.parametrize("balance", ["balanced", "none"])
@pytest.mark.parametrize("classes", [CLASSES, CLASSES[:2]])
def test_logits_equal_those_of_a_linear_svc(classes, balance):
    rows = [r for r in ROWS if r.intent in classes][5:]
    recipe = Recipe(class_balance=balance, seed=3)
    model = train(training(rows, classes), recipe)
    texts = [r.text for r in rows]
    dense = np.zeros((len(texts), model.ngrams.size))
    for i, text in enumerate(texts):
        vector = model.ngrams.vector(text)
        dense[i, vector.ids] = vector.weights
    weight = "balanced" if balance == "balanced" else None
    svc = LinearSVC(C=0.5, class_weight=weight, random_state=3).fit(dense, [r.intent for r in rows])
    expected = svc.decision_function(dense)
    if len(classes) == 2:
        expected = np.column_stack((-expected, expected))
    assert np.abs(np.array([model.measure(t).logits for t in texts]) - expected).max() < 1e-3


def test_a_column_that_rejects_is_learnt_beside_the_classes_but_is_none_of_them():
    model = train(training(ROWS, CLASSES, reject=("cook the rice", "a bag of onions", "cook onions")), Recipe())
    assert model.classes == CLASSES
    assert model.evidence_names == ("top_logit", "margin", "known", "reject")
    assert model.measure("cook the onions").reject > model.measure(ROWS[0].text).reject
    assert len(model.read("cook the onions").probabilities) == 3
    assert "onions" not in model.ngrams.words  # foreign words stay foreign


def test_a_class_without_rows_says_no():
    model = train(training(ROWS, (*CLASSES, "zebra")), Recipe())
    assert model.measure("anything at all").logits[3] == ABSENT
    assert model.measure(ROWS[0].text).reject is None


def test_rare_classes_weigh_as_much_as_frequent_ones_when_balanced():
    rows = [r for r in ROWS if r.intent != "door_badge"] + [r for r in ROWS if r.intent == "door_badge"][:2]
    text = "the entrance card is jammed"
    balanced, plain = (train(training(rows, CLASSES), Recipe(class_balance=b)) for b in ("balanced", "none"))
    assert balanced.measure(text).logits[1] > plain.measure(text).logits[1]


@given(st.lists(st.floats(-3, 3, width=32), min_size=2, max_size=6), st.floats(0.1, 60))
def test_a_reading_holds_probabilities_that_sum_to_one_and_their_exact_log_odds(logits, temperature):
    count = len(logits)
    model = NgramSvm(
        Ngrams.learn([], Recipe()),
        np.zeros((0, count), np.float32),
        np.zeros(count, np.float32),
        "abcdef"[:count],
        temperature,
    )
    reading = model.reading(Raw(np.array(logits), None, 1.0, blank=False))
    assert reading.probabilities.sum() == pytest.approx(1)
    assert reading.top == int(np.argmax(logits))
    top = reading.probabilities[reading.top]
    if top < 1 - 1e-9:
        assert reading.logit == pytest.approx(math.log(top / (1 - top)), abs=1e-4)
    ordered = sorted(logits)
    assert reading.evidence == (ordered[-1], ordered[-1] - ordered[-2], 1.0)


def test_log_odds_stay_exact_where_the_probability_rounds_to_one():
    model = NgramSvm(
        Ngrams.learn([], Recipe()), np.zeros((0, 2), np.float32), np.zeros(2, np.float32), ("a", "b"), temperature=30.0
    )
    reading = model.reading(Raw(np.array([2.0, -1.0]), None, 1.0, blank=False))
    assert reading.probabilities[0] == 1.0
    assert reading.logit == pytest.approx(90)


def test_the_temperature_is_the_one_that_made_the_rows():
    """Rows drawn with temperature 4 give about 4; without rows it is 1; rows without an error do not give infinity."""
    dice = np.random.default_rng(7)
    logits = dice.normal(0, 0.6, (4000, 5))
    chance = np.exp(4 * logits) / np.exp(4 * logits).sum(axis=1, keepdims=True)
    targets = [int(dice.choice(5, p=row)) for row in chance]
    raws = [Raw(row, None, 1.0, blank=False) for row in logits]
    assert fit_temperature(raws, targets) == pytest.approx(4, rel=0.1)
    assert fit_temperature([], []) == 1.0
    assert fit_temperature(raws[:50], [int(r.logits.argmax()) for r in raws[:50]]) < 99
