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
from noria.agent.heads.fusion import Fusion, fit_fusion, fit_temperature
from noria.agent.heads.intent import FusedIntents, Lesson, Raw
from noria.agent.heads.intent import train as train_members
from noria.agent.heads.ngrams import Ngrams
from noria.agent.members import NgramSvm
from noria.agent.members.svm import ABSENT

ROWS = [e for e in examples() if e.id.split("-")[0] in {"book_room", "door_badge", "printer_jam"}]
CLASSES = ("book_room", "door_badge", "printer_jam")


def training(rows, classes, *, reject=()):
    texts = tuple(r.text for r in rows) + tuple(reject)
    targets = tuple(classes.index(r.intent) for r in rows) + (len(classes),) * len(reject)
    return Lesson(texts, targets, tuple(classes), bool(reject))


def train(lesson, recipe):
    return train_members(lesson, ("ngrams",), recipe)


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
    assert np.abs(np.array([model.measure(t).logits[0] for t in texts]) - expected).max() < 1e-3


def test_a_column_that_rejects_is_learnt_beside_the_classes_but_is_none_of_them():
    model = train(training(ROWS, CLASSES, reject=("cook the rice", "a bag of onions", "cook onions")), Recipe())
    assert model.classes == CLASSES
    assert model.evidence_names == ("top_logit", "margin", "known", "reject_ngrams")
    assert model.measure("cook the onions").evidence[-1] > model.measure(ROWS[0].text).evidence[-1]
    assert len(model.read("cook the onions").probabilities) == 3
    assert "onions" not in model.ngrams.words  # foreign words stay foreign


def test_a_class_without_rows_says_no():
    model = train(training(ROWS, (*CLASSES, "zebra")), Recipe())
    assert model.measure("anything at all").logits[0][3] == ABSENT
    assert len(model.measure(ROWS[0].text).evidence) == 3


def test_rare_classes_weigh_as_much_as_frequent_ones_when_balanced():
    rows = [r for r in ROWS if r.intent != "door_badge"] + [r for r in ROWS if r.intent == "door_badge"][:2]
    text = "the entrance card is jammed"
    balanced, plain = (train(training(rows, CLASSES), Recipe(class_balance=b)) for b in ("balanced", "none"))
    assert balanced.measure(text).logits[0][1] > plain.measure(text).logits[0][1]


def fused(count, fusion):
    """A model with one member for each weight of the fusion; the members say nothing themselves."""
    classes = "abcdef"[:count]
    members = {
        f"m{i}": NgramSvm(np.zeros((0, count), np.float32), np.zeros(count, np.float32), classes)
        for i in range(len(fusion.weights))
    }
    return FusedIntents(Ngrams.learn([], Recipe()), members, classes, fusion, rejects=False)


@given(
    st.integers(2, 6).flatmap(
        lambda n: st.lists(st.lists(st.floats(-3, 3), min_size=n, max_size=n), min_size=3, max_size=3)
    ),
    st.tuples(st.floats(0.1, 1), st.floats(0.1, 1), st.floats(0.1, 1)),
    st.floats(0.1, 60),
)
def test_a_reading_holds_probabilities_that_sum_to_one_and_their_exact_log_odds(logits, weights, temperature):
    model = fused(len(logits[0]), Fusion(weights, (temperature, 1.0, 2.0), 1.5))
    reading = model.reading(Raw(np.array(logits), (1.0, 2.0), 1.0, blank=False))
    assert reading.probabilities.sum() == pytest.approx(1)
    top = reading.probabilities[reading.top]
    assert top == reading.probabilities.max()
    if top < 1 - 1e-9:
        assert reading.logit == pytest.approx(math.log(top / (1 - top)), abs=1e-4)
    assert (reading.evidence, reading.known, reading.blank) == ((1.0, 2.0), 1.0, False)


def test_log_odds_stay_exact_where_the_probability_rounds_to_one():
    reading = fused(2, Fusion((1.0,), (30.0,))).reading(Raw(np.array([[2.0, -1.0]]), (), 1.0, blank=False))
    assert reading.probabilities[0] == 1.0
    assert reading.logit == pytest.approx(90)


def test_the_temperature_is_the_one_that_made_the_rows():
    """Rows drawn with temperature 4 give about 4; without rows it is 1; rows without an error do not give infinity."""
    dice = np.random.default_rng(7)
    logits = dice.normal(0, 0.6, (4000, 5))
    chance = np.exp(4 * logits) / np.exp(4 * logits).sum(axis=1, keepdims=True)
    targets = [int(dice.choice(5, p=row)) for row in chance]
    assert fit_temperature(logits, targets) == pytest.approx(4, rel=0.1)
    assert fit_temperature(logits[:0], []) == 1.0
    assert fit_temperature(logits[:50], logits[:50].argmax(axis=1)) < 99


def test_weights_go_to_the_member_that_knows_and_the_mixture_beats_each():
    """Two members see the truth through noise of their own, the third guesses."""
    dice = np.random.default_rng(3)
    targets = dice.integers(0, 5, 3000)
    truth = 2.5 * np.eye(5)[targets]
    members = [
        truth + dice.normal(0, 1, truth.shape),
        truth + dice.normal(0, 1.5, truth.shape),
        dice.normal(0, 1, truth.shape),
    ]
    fusion = fit_fusion(members, targets.tolist())
    assert fusion.weights[0] > fusion.weights[1] > 0
    assert fusion.weights[2] == 0
    assert sum(fusion.weights) == pytest.approx(1)
    right = [(z.argmax(axis=1) == targets).mean() for z in (fusion(members), *members)]
    assert right[0] > max(right[1:])
    assert fusion([z[0] for z in members]) == pytest.approx(fusion(members)[0])


def test_members_without_rows_to_judge_them_by_weigh_the_same():
    assert fit_fusion([np.zeros((0, 3)), np.zeros((0, 3))], []) == Fusion((0.5, 0.5), (1.0, 1.0))
