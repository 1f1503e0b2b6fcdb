"""Agents with an encoder: learning, answering, packing, and what happens without it."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.agent.made_up import ARTICLES, examples
from tests.agent.test_agent import ODD
from tests.agent.toy_encoder import ToyEncoder

from noria.agent import Recipe, fit, pack, unpack
from noria.errors import NotFound, StateError
from noria.records import SMALL_TALK

ROWS = list(examples())
SOME = [r for i, r in enumerate(ROWS) if i % 3 == 0]
TEXTS = [r.text for r in ROWS[::7]] + [*ODD, "slow laptop " * 5_000, "मेरा पासवर्ड", "كلمة المرور", "🤷‍♀️🖨️"]
LINEUPS = ("default", "fast")
# with so few rows every part is tried as on many: all layers, main axes
RECIPE = {"all_layers_from": 40, "neighbour_axes": 20, "table_axes": 30}


@cache
def agent(lineup):
    return fit(ROWS, ARTICLES, Recipe(lineup=lineup, **RECIPE), ToyEncoder())


def test_the_members_of_a_line_up():
    assert list(agent("default").intent_model.members) == ["ngrams", "dense", "neighbours"]
    assert list(agent("fast").intent_model.members) == ["ngrams", "dense"]
    assert agent("default").encoder is not None
    assert agent("fast").encoder is None


def test_words_that_no_row_has_are_understood_by_what_they_mean():
    """No row says `xerox`; the encoder knows that it is a printer."""
    text = "the xerox please"
    assert agent("default").answer(text).intent == "printer_jam"
    assert agent("default").answer(text).scope_score > agent("default").answer("the dragon please").scope_score
    assert fit(ROWS, (), Recipe(lineup="ngrams")).answer(text).intent != "printer_jam"


def test_without_an_encoder_it_is_n_grams_alone_and_says_so():
    alone, chosen = fit(SOME, ARTICLES, Recipe()), fit(SOME, ARTICLES, Recipe(lineup="ngrams"))
    assert list(alone.intent_model.members) == list(chosen.intent_model.members) == ["ngrams"]
    assert "no sentence encoder" in alone.warnings[0]
    assert chosen.warnings == ()
    assert unpack(pack(alone)).warnings == alone.warnings


@pytest.mark.parametrize("lineup", LINEUPS)
@settings(max_examples=4, deadline=None)
@given(dice=st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_no_bit(lineup, dice: random.Random):
    recipe = Recipe(lineup=lineup, **RECIPE)
    shuffled = dice.sample(SOME, len(SOME))
    assert pack(fit(shuffled, ARTICLES, recipe, ToyEncoder())) == pack(fit(SOME, ARTICLES, recipe, ToyEncoder()))


@pytest.mark.parametrize("lineup", LINEUPS)
def test_every_text_gets_a_decision_and_probabilities_that_sum_to_one(lineup):
    model = agent(lineup)
    for text in TEXTS:
        answer = model.answer(text)
        assert answer.decision in {"answer", "clarify", "handoff"}
        assert 0 <= answer.intent_confidence <= 1
        assert 0 < answer.scores["scope_p"] <= 1
        vector = model.encoder.encode([text], "query")[0] if model.encoder else None
        assert model.intent_model.read(text, vector).probabilities.sum() == pytest.approx(1)


@pytest.mark.parametrize("lineup", LINEUPS)
def test_an_unpacked_agent_answers_the_same_and_packs_the_same(lineup):
    files = pack(agent(lineup))
    other = unpack(files, ToyEncoder())
    assert [other.answer(t, "birch") for t in TEXTS] == [agent(lineup).answer(t, "birch") for t in TEXTS]
    assert pack(other) == files


_FIT_ELSEWHERE = """
import hashlib, json
from dataclasses import replace
from tests.agent.made_up import ARTICLES, examples
from tests.agent.toy_encoder import ToyEncoder
from noria.agent import Recipe, fit, pack, unpack
told = {}
texts = [r.text for r in examples()] + ["", "xerox", "slow laptop " * 5_000]
for lineup, below in (("default", 2000), ("fast", 2000), ("default", 0)):  # the last listens to foreign rows
    recipe = Recipe(lineup=lineup, all_layers_from=40, neighbour_axes=20, table_axes=30, crossfit_below=below,
                    min_oos_rows=5)
    rows = list(examples())[::3]
    if not below:
        foreign = ("oos", "irrelevant")
        split = {r: "val" if i % 2 and r.intent not in foreign else "train" for i, r in enumerate(examples())}
        rows = [replace(r, split=its) for r, its in split.items()]
    agent = fit(rows, ARTICLES, recipe, ToyEncoder())
    assert (agent.intent_model.foreign is None) == bool(below)
    files = pack(agent)
    answers = unpack(files, ToyEncoder()).answer_all(texts, ["birch"] * len(texts))
    told[f"{lineup} {below}"] = hashlib.sha256(repr((sorted(files.items()), answers)).encode()).hexdigest()
print(json.dumps(told))
"""


@pytest.mark.slow
def test_one_or_many_threads_give_the_same_bundle_and_answers_in_another_process(pytestconfig):
    def told(threads):
        env = {
            "OMP_NUM_THREADS": threads,
            "OPENBLAS_NUM_THREADS": threads,
            "PYTHONHASHSEED": threads,
            "PYTHONPATH": ".",
        }
        done = subprocess.run(
            [sys.executable, "-c", _FIT_ELSEWHERE],
            cwd=pytestconfig.rootpath,
            env=env,
            capture_output=True,
            text=True,
            check=True,
        )
        return json.loads(done.stdout)

    assert told("1") == told("4")


def test_a_bundle_needs_the_encoder_it_was_made_with():
    files = pack(agent("default"))
    manifest = json.loads(files["manifest.json"])
    assert manifest["encoder"] == {"spec": "toy", "fingerprint": "f" * 64, "dim": 96}
    with pytest.raises(StateError, match=r"needs the encoder 'toy'.*noria encoder add toy"):
        unpack(files)
    with pytest.raises(StateError, match=r"fingerprint ffffffffffff; this one has eeeeeeeeeeee.*Train the agent again"):
        unpack(files, ToyEncoder("e" * 64))

    def missing(spec):
        raise NotFound("encoder", spec)

    with pytest.raises(StateError, match=r"which is not here: .*toy"):
        unpack(files, missing)
    asked = []
    assert unpack(files, lambda spec: asked.append(spec) or ToyEncoder()).answer("hi").decision == "answer"
    assert asked == ["toy"]
    unpack(pack(agent("fast")), missing)  # needs none, so none is asked for


def test_the_licence_of_the_encoder_is_told():
    encoder = ToyEncoder()
    encoder.spec = "minilm"
    for lineup, said in (("default", "needed beside it"), ("fast", "distilled from it")):
        files = pack(fit(SOME, (), Recipe(lineup=lineup, **RECIPE), encoder))
        (licence,) = json.loads(files["manifest.json"])["licences"]
        assert "Apache-2.0" in licence
        assert said in licence


def test_a_text_is_encoded_once_for_all_that_a_fit_needs():
    encoder = ToyEncoder()
    fit(SOME, (), Recipe(), encoder)
    assert encoder.asked <= len({r.text for r in SOME}) + len({r.intent for r in SOME})


def test_small_talk_is_told_from_requests_by_every_line_up():
    for lineup in LINEUPS:
        answer = agent(lineup).answer("good morning")
        assert (answer.intent, answer.in_scope, answer.decision) == (SMALL_TALK, False, "answer")
