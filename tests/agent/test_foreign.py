"""Rows that are out of scope, listened to where they are too few to be learnt."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.agent.made_up import examples
from tests.agent.toy_encoder import ToyEncoder

from noria.agent import Recipe, fit, pack, refit, unpack
from noria.agent.calibration import Vectors, divide, listened_to
from noria.agent.heads.foreign import NAME, ForeignRows
from noria.records import IRRELEVANT, OOS, Example

INSIDE = [r for r in examples() if r.intent not in (OOS, IRRELEVANT)]
OUTSIDE = [r for r in examples() if r.intent in (OOS, IRRELEVANT)]
# as on many rows: validation rows calibrate, nothing is held out; the foreign rows are all training rows
RECIPE = Recipe(crossfit_below=0, all_layers_from=40, neighbour_axes=20)
ROWS = [replace(r, split="val" if i % 2 else "train") for i, r in enumerate(INSIDE)]


@cache
def agent(foreign=24):
    rows = [replace(r, split="train") for r in OUTSIDE[:: len(OUTSIDE) // foreign]]
    return fit([*ROWS, *rows], (), RECIPE, ToyEncoder())


def test_they_are_evidence_where_they_are_not_learnt_and_only_there():
    assert NAME in agent().intent_model.evidence_names
    assert agent().facts["learnt_oos_rows"] == 0
    none = fit(ROWS, (), RECIPE, ToyEncoder())
    assert none.intent_model.foreign is None
    learnt = fit(
        [*ROWS, *(replace(r, split=("train", "val")[i % 2]) for i, r in enumerate(OUTSIDE))], (), RECIPE, ToyEncoder()
    )
    assert learnt.intent_model.foreign is None
    assert "reject_dense" in learnt.intent_model.evidence_names
    few = [replace(r, split="train") for r in OUTSIDE[:19]]
    assert fit([*ROWS, *few], (), RECIPE, ToyEncoder()).intent_model.foreign is None
    assert (
        fit([*ROWS, *few, replace(OUTSIDE[30], split="train")], (), RECIPE).intent_model.foreign is None
    )  # no vectors


def test_what_was_asked_for_in_vain_is_farther_out_of_scope_than_before():
    without = fit(ROWS, (), RECIPE, ToyEncoder())
    asked = [r.text for r in OUTSIDE[:: len(OUTSIDE) // 24]]
    ours = [r.text for r in INSIDE]

    def gap(by):
        scores = [np.array([a.scope_score for a in by.answer_all(texts)]) for texts in (ours, asked)]
        return (scores[0].mean() - scores[1].mean()) / scores[0].std()

    assert gap(agent()) > gap(without)


def test_a_labelled_row_is_judged_by_the_others():
    """Otherwise every labelled row would be nearest to itself, and the gate and the confidence would trust that."""
    vectors = np.random.default_rng(1).normal(1, 0.3, (30, 96)).astype(np.float32)
    rows = ForeignRows.learn(vectors, 0.05)
    for i in range(0, len(vectors), 5):
        expected = ForeignRows.learn(np.delete(vectors, i, axis=0), 0.05).distance(vectors[i])
        assert rows.distance(vectors[i], own=True) == pytest.approx(expected, abs=1e-4)
        assert rows.distance(vectors[i]) <= rows.distance(vectors[i], own=True)


@settings(max_examples=30)
@given(st.lists(st.integers(0, 47), min_size=1, max_size=20, unique=True), st.integers(0, 100))
def test_the_distance_is_the_formula(places, which):
    vectors = ToyEncoder().encode([r.text for r in OUTSIDE], "query")
    text = ToyEncoder().encode([INSIDE[which].text], "query")[0]
    unit = vectors[places] / np.linalg.norm(vectors[places], axis=1, keepdims=True)
    cosines = unit.astype(float) @ (text / np.linalg.norm(text)).astype(float)
    expected = -np.log(np.exp((cosines - 1) / 0.05).sum() + 1e-12)
    assert ForeignRows.learn(vectors[places], 0.05).distance(text) == pytest.approx(expected, abs=1e-4)


def test_of_very_many_rows_some_stand_for_all():
    vectors = np.random.default_rng(0).normal(size=(5000, 4)).astype(np.float32)
    assert len(ForeignRows.learn(vectors, 0.05).points) == 1000


def test_they_survive_packing_and_a_refit():
    texts = [r.text for r in examples()[::9]]
    again = unpack(pack(agent()), ToyEncoder())
    assert again.answer_all(texts) == agent().answer_all(texts)
    assert pack(again) == pack(agent())
    new = [Example(f"lift-{i}", text, "lift") for i, text in enumerate(("the lift is stuck", "lift out of order"))]
    assert refit(agent(), ROWS, new).intent_model.foreign is agent().intent_model.foreign


def test_all_labelled_rows_are_points_whatever_their_split():
    rows = [*ROWS, *(replace(r, split="val" if i % 4 == 0 else "train") for i, r in enumerate(OUTSIDE[:30]))]
    division = divide(rows, RECIPE)
    assert not division.learns_reject
    found = listened_to(division, Vectors(ToyEncoder(), [r.text for r in rows]), RECIPE)
    assert found is not None
    assert len(found.points) == 30
