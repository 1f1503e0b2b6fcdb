"""The line-up with a fine-tuned encoder: a real fine-tuning of a tiny encoder, and what needs no torch."""

from __future__ import annotations

import dataclasses
import importlib
import os
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from tests.agent.encoding.made_up_bert import encoder
from tests.agent.made_up import examples
from tests.agent.test_agent import ODD
from tests.agent.test_remembered import Watched
from tests.agent.toy_encoder import ToyEncoder

from noria.agent import Recipe, fit, pack, refit, unpack
from noria.agent.encoding import CachedEncoder
from noria.agent.heads import remembered
from noria.agent.heads.intent import Lesson, training_set
from noria.agent.heads.ngrams import Ngrams
from noria.agent.members import TunedEncoder, finetuning
from noria.agent.members.finetuning import tune
from noria.agent.protocols import Query
from noria.errors import StateError
from noria.records import Example

WORDS = {
    "password": ("reset my password", "how do i reset my password", "my password is broken", "password reset ?"),
    "printer": ("the printer is broken", "my printer", "is the printer broken ?", "the printers"),
    "vpn": ("vpn is broken", "how do i vpn", "the vpn", "do i vpn ?"),
}
ROWS = [Example(f"{c}-{i}-{n}", t, c) for c, ts in WORDS.items() for i, t in enumerate(ts) for n in range(2)]
TEXTS = [r.text for r in ROWS] + [*ODD, "printer vpn", "my broken pass", "reset printer " * 5_000]


TORCH = Path(__file__).resolve().parents[2] / ".real" / "torch"
"""Where `make real` puts it, beside the environment; its modules come after all others."""


@pytest.fixture
def needs_torch(monkeypatch):
    if find_spec("torch") is None:
        monkeypatch.setattr(sys, "path", [*sys.path, str(TORCH)])
        importlib.invalidate_caches()
    if find_spec("torch") is None:
        if os.environ.get("NORIA_REQUIRE_TORCH"):
            pytest.fail("torch is not installed (NORIA_REQUIRE_TORCH is set)", pytrace=False)
        pytest.skip("torch is not installed: make real, or pip install 'noria[accurate]'")


@cache
def accurate():
    return fit(ROWS, (), Recipe(lineup="accurate", tuning_epochs=60, calibration_folds=2), encoder())


def made_by_hand(seed=0):
    """A member as fine-tuning would leave it."""
    dice = np.random.default_rng(seed)
    own = encoder(seed)
    return TunedEncoder(own, dice.normal(size=(own.dim, 3)).astype(np.float32), np.zeros(3, np.float32), tuple(WORDS))


def asked(text):
    return Query(text, Ngrams.learn(["my printer"], Recipe()).vector(text), None)


def test_the_line_up_hears_a_fine_tuned_encoder_beside_the_others(needs_torch):
    agent = accurate()
    assert list(agent.intent_model.members) == ["ngrams", "dense", "neighbours", "tuned"]
    assert agent.warnings == ()
    assert "tuned_energy" in agent.intent_model.evidence_names
    assert [agent.answer(r.text).intent for r in ROWS] == [r.intent for r in ROWS]


def test_fine_tuning_moves_the_vectors_towards_the_intents(needs_torch):
    """Of the fine-tuned encoder alone, rows of an intent lie nearer together and those of others farther apart."""
    tuned = accurate().intent_model.members["tuned"].encoder

    def gap(by):
        vectors = by.encode([r.text for r in ROWS], "query")[:, : tuned.dim]
        same = np.array([[a.intent == b.intent for a in ROWS] for b in ROWS])
        cosines = vectors @ vectors.T
        return cosines[same].mean() - cosines[~same].mean()

    assert gap(tuned) > 1.2 * gap(encoder())


def test_the_same_rows_and_seed_give_the_same_bytes_and_another_seed_others(needs_torch):
    parts, head = encoder().parts(), (np.zeros((32, 2), np.float32), np.zeros(2, np.float32))

    def made(seed):
        texts, targets = ["my printer", "reset my password", "the vpn"], [0, 1, 0]
        return tune(parts, texts, targets, head, importance=[1, 1], epochs=2, seed=seed)

    assert made(1).model == made(1).model
    assert made(1).model != made(2).model


def test_the_head_starts_where_the_regression_ended_and_the_first_forward_pass_is_the_encoder(needs_torch):
    """What torch computes before any step are the vectors that the ONNX file gives, within what int8 costs."""
    import torch

    from noria.agent.encoding.weights import weights_of

    found, bert = weights_of(encoder().parts()["encoder.onnx"])
    model = finetuning._Bert({k: torch.tensor(v) for k, v in found.items()}, bert)
    rows = [encoder()._ids(text).tolist() for text in TEXTS[:8]]
    with pytest.MonkeyPatch.context() as patch, torch.no_grad():
        patch.setattr(finetuning, "DROPOUT", 0.0)
        ours = model.upper(model.lower(rows)).numpy()
    theirs = encoder().encode(TEXTS[:8], "query")[:, :32]
    assert (ours * theirs).sum(axis=1).min() > 0.999


def test_a_bundle_answers_the_same_and_serves_without_torch(needs_torch, monkeypatch):
    files = pack(accurate())
    monkeypatch.setitem(__import__("sys").modules, "torch", None)  # an import of it would fail
    again = unpack(files, encoder())
    assert again.answer_all(TEXTS) == accurate().answer_all(TEXTS)
    assert pack(again) == files


def test_it_learns_a_new_intent_at_once(needs_torch):
    new = [Example(f"pass-{i}", text, "pass") for i, text in enumerate(("pass", "my pass", "the pass ?", "do i pass"))]
    made = refit(accurate(), ROWS, new)
    assert made.answer("the pass").intent == "pass"
    assert made.answer("reset my password").intent == "password"


def test_it_reads_no_setting_that_its_key_leaves_out(needs_torch):
    own, texts, classes = encoder(), tuple(r.text for r in ROWS), tuple(WORDS)
    lesson = Lesson(
        texts, tuple(classes.index(r.intent) for r in ROWS), classes, learns_reject=False,
        vectors=own.encode(texts, "query"), sentence_dim=own.sentence_dim, encoder_files=own.parts(),
    )  # fmt: skip
    watched = Watched(Recipe(tuning_epochs=1))
    rows = training_set(lesson, Ngrams.learn(list(texts), Recipe()))
    made = TunedEncoder.train(rows, watched)
    TunedEncoder.load(made.stored(), classes, watched)
    assert watched.read <= set(remembered.READS["tuned"])
    other = encoder(1).parts()
    keys = {
        remembered.member_key("tuned", dataclasses.replace(rows, encoder_files=f), Recipe())
        for f in (own.parts(), other)
    }
    assert len(keys) == 2


def test_without_torch_it_is_the_default_line_up_and_says_so(monkeypatch):
    monkeypatch.setattr(finetuning, "find_spec", lambda name: None)
    made = fit(ROWS, (), Recipe(lineup="accurate"), encoder())
    assert list(made.intent_model.members) == ["ngrams", "dense", "neighbours"]
    assert "torch is not installed (pip install 'noria[accurate]'); so it is 'default'" in made.warnings[0]
    assert unpack(pack(made), encoder()).warnings == made.warnings


def test_an_encoder_that_noria_did_not_build_is_not_fine_tuned_and_that_is_said():
    made = fit(list(examples())[::4], (), Recipe(lineup="accurate"), ToyEncoder())
    assert "Noria did not build the encoder 'toy' itself" in made.warnings[0]
    assert "tuned" not in made.intent_model.members


def test_fine_tuning_without_torch_names_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    with pytest.raises(StateError, match=r"pip install 'noria\[accurate\]'"):
        tune(encoder().parts(), ["a"], [0], (np.zeros((32, 1)), np.zeros(1)), importance=[1], epochs=1, seed=0)


def test_the_encoder_behind_a_memory_is_the_one_that_is_tuned(tmp_path):
    from noria.stores.vectors import VectorCache

    cached = CachedEncoder(encoder(), VectorCache(tmp_path / "vectors.db"))
    assert finetuning.what_tuning_lacks(cached) in {"", "torch is not installed (pip install 'noria[accurate]')"}


def test_a_member_survives_storing_and_tells_its_energy():
    member = made_by_hand()
    again = TunedEncoder.load(member.stored(), tuple(WORDS), Recipe())
    for text in TEXTS:
        logits = member.logits(asked(text))
        assert (again.logits(asked(text)) == logits).all()
        assert member.evidence(asked(text), logits) == pytest.approx((np.log(np.exp(logits).sum()),))


def test_a_head_for_another_encoder_is_refused():
    with pytest.raises(ValueError, match="96 columns"):
        TunedEncoder(encoder(), np.zeros((5, 3), np.float32), np.zeros(3, np.float32), tuple(WORDS))
