"""An agent with an encoder, from training to the live answer; and one that has to do without."""

from __future__ import annotations

import json

import pytest
from safetensors.numpy import save
from tests.agent.encoding import made_up_bert
from tests.app.noria_process import noria, noria_json
from tests.house import examples

from noria.agent.encoding import OnnxEncoder
from noria.app import wiring


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home with examples, and a cache of encoders of its own."""
    monkeypatch.setenv("NORIA_CACHE", str(tmp_path / "cache"))
    noria("init", tmp_path / "desk")
    rows = [{"id": e.id, "text": e.text, "intent": e.intent, "split": e.split} for e in examples()]
    file = tmp_path / "it.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    noria("data", "add", file, "--as", "examples", "--name", "it", home=tmp_path / "desk")
    return tmp_path / "desk"


@pytest.fixture
def tiny():
    """A tiny encoder by the name of minilm, put on the shelf."""
    made = OnnxEncoder.from_bert(save(made_up_bert.weights()), made_up_bert.tokenizer(), made_up_bert.BERT, "minilm")
    wiring.encoder_shelf().put("minilm", made.parts(), {"model": "made/up"})
    return made


def test_without_an_encoder_training_works_and_says_so(home):
    told = noria("train", "--data", "it", home=home)
    assert "The encoder minilm cannot be had" in told
    assert "noria encoder add minilm" in told
    assert "promote" in noria("release", "propose", home=home)
    assert noria_json("ask", "my vpn does not work", home=home)["intent"] == "vpn"


def test_who_wants_no_encoder_is_not_warned_of_one(home):
    assert noria_json("train", "--data", "it", "--set", "lineup=ngrams", home=home)["warnings"] == []


def test_with_an_encoder_it_is_used_from_training_to_the_answer(home, tiny):
    trained = noria_json("train", "--data", "it", home=home)
    assert (trained["encoder"], trained["warnings"]) == ("minilm", [])
    assert "promote" in noria("release", "propose", home=home)
    assert noria_json("ask", "my vpn does not work", home=home)["intent"] == "vpn"


def test_a_release_does_not_load_without_the_encoder_it_was_trained_with(home, tiny):
    noria("train", "--data", "it", home=home)
    noria("release", "propose", home=home)
    noria("encoder", "remove", "minilm")
    assert "noria encoder add minilm" in noria("ask", "my vpn does not work", home=home, code=4)
