"""The door to encoders, the command `noria encoder`, and the real MiniLM against vectors of sentence-transformers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save
from tests.agent.encoding import made_up_bert
from tests.app.noria_process import noria, noria_json
from tests.connect.encoder_contract import TEXTS, keeps_the_contract

from noria.agent.encoding import OnnxEncoder
from noria.app import wiring
from noria.connect import encoder_sources
from noria.connect.encoder_sources import MINILM, OFFICIAL, TOKENIZER, WEIGHTS
from noria.errors import NotFound, StateError, UsageError

VECTORS = Path(made_up_bert.__file__).parent / "minilm_vectors.json"


@pytest.fixture
def own_cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("NORIA_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def shelved(own_cache) -> OnnxEncoder:
    """A tiny encoder by the name of minilm."""
    encoder = OnnxEncoder.from_bert(save(made_up_bert.weights()), made_up_bert.tokenizer(), made_up_bert.BERT, "minilm")
    wiring.encoder_shelf().put("minilm", encoder.parts(), {"build": "1", "model": "m", "licence": "l", "source": "s"})
    return encoder


# --- The door -------------------------------------------------------------------------------------------------------


def test_an_encoder_of_the_shelf_is_found_by_its_name(shelved):
    found = wiring.load_encoder("minilm")
    assert found.fingerprint == shelved.fingerprint
    assert np.array_equal(found.encode(TEXTS, "query"), shelved.encode(TEXTS, "query"))


def test_a_folder_with_an_onnx_model_is_an_encoder(shelved):
    keeps_the_contract(wiring.load_encoder(f"onnx:{wiring.encoder_shelf().folder('minilm')}"))


def test_the_memory_changes_no_bit(shelved, own_cache):
    cached = wiring.with_cache(shelved)
    keeps_the_contract(cached)
    assert np.array_equal(cached.encode(TEXTS, "query"), shelved.encode(TEXTS, "query"))
    assert (own_cache / "vectors.db").is_file()


def test_the_cache_is_where_the_user_keeps_caches(monkeypatch, tmp_path):
    monkeypatch.delenv("NORIA_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert wiring.user_cache() == tmp_path / "noria"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert wiring.user_cache() == Path.home() / ".cache" / "noria"


def test_an_encoder_is_opened_once_in_a_process(shelved):
    assert wiring.load_encoder("minilm") is wiring.load_encoder("minilm")


def test_none_is_no_encoder(own_cache):
    assert wiring.load_encoder("none") is None
    assert wiring.encoder_or_warning("none") == (None, "")


def test_what_cannot_be_had_is_told_and_never_silent(own_cache):
    for spec in ("minilm", "openai:http://127.0.0.1:9/v1#m"):
        encoder, warning = wiring.encoder_or_warning(spec)
        assert encoder is None
        assert "n-grams alone" in warning
        assert spec in warning


@pytest.mark.parametrize("spec", ["onnx:/nowhere", "st:/nowhere", "ftp:/x", "openai:nonsense"])
def test_a_spec_that_can_name_nothing_is_an_error(own_cache, spec):
    with pytest.raises(UsageError):
        wiring.encoder_or_warning(spec)


def test_sentence_transformers_is_asked_for_by_name_where_it_is_missing(own_cache, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "sentence_transformers", None)
    with pytest.raises(StateError, match="pip install sentence-transformers"):
        wiring.load_encoder(f"st:{tmp_path}")


# --- Adding ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def tiny_official(tmp_path, monkeypatch):
    """A folder with the official files of a tiny `minilm`."""
    import dataclasses
    import hashlib

    files = {WEIGHTS: save(made_up_bert.weights()), TOKENIZER: made_up_bert.tokenizer()}
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    monkeypatch.setitem(OFFICIAL, "minilm", dataclasses.replace(MINILM, sha256=sums))
    monkeypatch.setattr("noria.agent.encoding.Bert", lambda: made_up_bert.BERT)
    monkeypatch.setattr(encoder_sources, "fetch", lambda official, tell: (files, "hub"))
    folder = tmp_path / "official"
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def test_an_encoder_is_built_once_and_again_when_it_is_damaged(own_cache, tiny_official):
    facts, made = wiring.add_encoder("minilm", None, print)
    assert (made, facts["source"]) == (True, "hub")
    assert wiring.add_encoder("minilm", None, print)[1] is False
    built = wiring.load_encoder("minilm").fingerprint
    (wiring.encoder_shelf().folder("minilm") / "encoder.onnx").write_bytes(b"spoilt")
    assert wiring.add_encoder("minilm", None, print)[1] is True
    assert wiring.load_encoder("minilm").fingerprint == built


def test_a_given_file_is_built_from_whatever_is_there(own_cache, tiny_official):
    wiring.add_encoder("minilm", None, print)
    facts, made = wiring.add_encoder("minilm", tiny_official, print)
    assert (made, facts["source"]) == (True, "file")


def test_an_unknown_encoder_cannot_be_added(own_cache):
    with pytest.raises(NotFound, match="minilm"):
        wiring.add_encoder("minilmm", None, print)


# --- The command ----------------------------------------------------------------------------------------------------


def test_the_command_lists_shows_and_removes(shelved):
    assert "minilm" in noria("encoder", "list")
    shown = noria_json("encoder", "show", "minilm")
    assert (shown["fingerprint"], shown["dim"]) == (shelved.fingerprint, shelved.dim)
    assert noria_json("encoder", "remove", "minilm") == {"name": "minilm", "removed": True}
    assert noria_json("encoder", "list") == []
    assert "noria encoder add minilm" in noria("encoder", "show", "minilm", code=2)


def test_the_command_refuses_a_file_that_is_not_the_official_one(own_cache, tmp_path):
    (tmp_path / WEIGHTS).write_bytes(b"other")
    (tmp_path / TOKENIZER).write_bytes(b"other")
    assert MINILM.sha256[WEIGHTS] in noria("encoder", "add", "minilm", "--from", tmp_path, code=2)


# --- The real one ---------------------------------------------------------------------------------------------------


def test_minilm_is_near_what_sentence_transformers_computes(minilm):
    """Cosine to the float32 vectors of the original: int8 costs less than 1.5 percent on average."""
    told = json.loads(VECTORS.read_text(encoding="utf-8"))
    wanted = np.array(told["vectors"]) / 10_000
    cosines = (minilm.encode(told["texts"], "query")[:, : minilm.sentence_dim] * wanted).sum(axis=1)
    assert cosines.mean() > 0.985
    assert cosines.min() > 0.96


def test_minilm_keeps_the_contract(minilm):
    keeps_the_contract(minilm)
    assert (minilm.dim, minilm.sentence_dim) == (1152, 384)
