"""Which rows are learnt and which calibrate."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.agent.made_up import examples

from noria.agent import Recipe, calibration
from noria.agent.calibration import Course, Vectors, divide, measure
from noria.records import IRRELEVANT, OOS, Example

ROWS = list(examples())


def with_validation(rows, every):
    return [replace(r, split="val" if i % every == 0 else "train") for i, r in enumerate(rows)]


def test_enough_validation_rows_are_kept_from_learning():
    rows = with_validation(ROWS, 2)
    division = divide(rows, Recipe())
    assert {r.split for r in division.learn + division.foreign} == {"train"}
    assert {r.split for r in division.check + division.foreign_check} == {"val"}
    assert {r.intent for r in division.foreign + division.foreign_check} == {OOS, IRRELEVANT}


def test_too_few_validation_rows_are_learnt_too():
    division = divide(with_validation(ROWS, 20), Recipe())
    assert division.check == division.foreign_check == ()
    assert len(division.learn) + len(division.foreign) == len(ROWS)


def test_a_validation_row_of_an_intent_that_has_no_other_rows_is_learnt():
    rows = [replace(r, split="val" if r.intent == "slow_laptop" else r.split) for r in with_validation(ROWS, 2)]
    division = divide(rows, Recipe())
    assert sum(r.intent == "slow_laptop" for r in division.learn) == 27
    assert division.check


@pytest.mark.parametrize(
    ("validation", "below", "rounds", "folds", "learns_reject"),
    [
        (False, 2000, 3, 3, True),  # few rows: each is held out once
        (True, 2000, 3, 3, True),  # beside validation rows too
        (True, 0, 0, 5, True),  # many rows and validation rows: nothing is held out
        (False, 0, 5, 5, True),  # a fifth would show too little
    ],
)
def test_how_much_is_held_out(validation, below, rounds, folds, learns_reject):
    rows = with_validation(ROWS, 2) if validation else ROWS
    division = divide(rows, Recipe(crossfit_below=below))
    assert (division.rounds, division.learns_reject) == (rounds, learns_reject)
    assert set(division.folds.values()) == set(range(folds))


def test_of_many_rows_a_fifth_is_held_out():
    many = [replace(r, id=f"{r.id}-{n}") for r in ROWS for n in range(3)]
    division = divide(many, Recipe(crossfit_below=100))
    held = sum(fold == 0 for fold in division.folds.values())
    assert division.rounds == 1
    assert held == pytest.approx(len(many) / 5, rel=0.1)
    assert division.learns_reject
    assert not divide([r for r in many if r.intent != OOS], Recipe(crossfit_below=100)).learns_reject


def test_few_foreign_rows_are_not_learnt():
    few = [r for r in ROWS if r.intent not in (OOS, IRRELEVANT)] + [r for r in ROWS if r.intent == OOS][:19]
    assert not divide(few, Recipe()).learns_reject
    assert divide(few, Recipe(min_oos_rows=19)).learns_reject


@given(st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 9), min_size=1))
def test_rows_of_an_intent_are_spread_evenly_over_the_folds(sizes):
    rows = [Example(f"{intent}{n}", "text", intent) for intent, size in sizes.items() for n in range(size)]
    folds = divide(rows, Recipe()).folds
    for intent, size in sizes.items():
        counts = Counter(folds[r] for r in rows if r.intent == intent)
        assert max(counts.values()) - (min(counts.values()) if size >= 3 else 1) <= 1


class Recorder:
    """Stands in for a fitted model: tells for each text whether it had learnt it."""

    def __init__(self, rows):
        self.learnt = set(rows.texts)

    foreign = None

    def with_foreign(self, foreign):
        assert foreign is None
        return self

    def measure(self, text, vector, *, own=False):
        assert vector is None
        return text, text in self.learnt


@pytest.mark.parametrize(("validation", "below"), [(False, 2000), (True, 2000), (True, 0), (False, 0)])
@pytest.mark.parametrize("foreign", [48, 10])
def test_no_row_is_measured_by_a_model_that_learnt_it(validation, below, foreign, monkeypatch):
    monkeypatch.setattr(calibration, "train", lambda lesson, members, recipe, table, memory: Recorder(lesson))
    rows = [r for r in ROWS if r.intent not in (OOS, IRRELEVANT)]
    rows += [r for r in ROWS if r.intent in (OOS, IRRELEVANT)][:foreign]
    rows = with_validation(rows, 2) if validation else rows
    recipe = Recipe(crossfit_below=below)
    division = divide(rows, recipe)
    classes = sorted({r.intent for r in division.learn})
    course = Course((), tuple(classes), Vectors(None, []), ("ngrams",), recipe)
    final = course.train(division.learn, division.foreign, learns_reject=division.learns_reject)
    measured = measure(division, course, final)
    assert not any(learnt for _, learnt in measured.inside + measured.outside)
    truth = {r.text: r.intent for r in rows}
    assert [classes[n] for n in measured.targets] == [truth[text] for text, _ in measured.inside]
    seen = [text for text, _ in measured.inside + measured.outside]
    assert len(seen) == len(set(seen))
    if division.rounds:
        assert len(seen) == len(rows)
