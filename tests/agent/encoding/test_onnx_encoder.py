"""The encoder in onnxruntime, on a tiny model: same bits in any company, any text, parts and fingerprints."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.agent.encoding.made_up_bert import BERT, WIDTH, encoder, tokenizer, weights

from noria.agent.encoding import EncoderSettings, OnnxEncoder, build_onnx
from noria.errors import StateError, UsageError

MADE_UP = encoder()
ODD = ["", " ", "\x00", "\ud800", "🙂🙂", "日本語", "[CLS] [PAD]", "printer " * 10_000, " " * 100_000, "p" * 50_000]


@given(st.lists(st.text(max_size=60) | st.sampled_from(["how do i reset my password ?", *ODD[:7]]), max_size=6))
def test_a_text_has_the_same_bits_alone_and_in_company(texts):
    together = MADE_UP.encode(texts, "query")
    assert together.shape == (len(texts), 3 * WIDTH)
    assert together.dtype == np.float32
    for text, row in zip(texts, together, strict=True):
        assert np.array_equal(MADE_UP.encode([text], "query")[0], row)


@pytest.mark.parametrize("text", ODD, ids=lambda t: ascii(t[:8]))
def test_any_text_has_a_vector(text):
    row = MADE_UP.encode([text], "passage")[0]
    assert np.allclose(np.linalg.norm(row.reshape(3, WIDTH), axis=1), 1, atol=1e-5)


def test_threads_get_what_one_alone_gets():
    texts = [f"printer {'password ' * n}" for n in range(40)]
    alone = MADE_UP.encode(texts, "query")
    with ThreadPoolExecutor(4) as pool:
        rows = list(pool.map(lambda text: MADE_UP.encode([text], "query")[0], texts))
    assert np.array_equal(np.stack(rows), alone)


def short(tokens: int, **told) -> OnnxEncoder:
    model = build_onnx(weights(), BERT, "m")
    return OnnxEncoder(model, tokenizer(), settings=EncoderSettings(max_tokens=tokens, **told))


def test_a_long_text_is_cut_at_the_given_number_of_tokens():
    cut = short(6)
    long = cut.encode(["how do i reset my password ?"], "query")
    assert np.array_equal(long, cut.encode(["how do i reset"], "query")[:1])
    assert not np.array_equal(long, MADE_UP.encode(["how do i reset my password ?"], "query"))


def test_a_word_behind_a_desert_of_spaces_still_counts():
    far = "printer" + " " * 50_000 + "password"
    assert np.array_equal(MADE_UP.encode([far], "query"), MADE_UP.encode(["printer password"], "query"))


def test_a_prefix_goes_before_texts_of_its_kind_only():
    told = short(64, query_prefix="how ")
    assert np.array_equal(told.encode(["printer"], "query"), MADE_UP.encode(["how printer"], "query"))
    assert np.array_equal(told.encode(["printer"], "passage"), MADE_UP.encode(["printer"], "passage"))


def test_parts_give_the_same_encoder_back():
    parts = MADE_UP.parts()
    again = OnnxEncoder.from_parts(parts)
    assert (again.spec, again.fingerprint, again.content) == (MADE_UP.spec, MADE_UP.fingerprint, MADE_UP.content)
    assert again.parts() == parts
    assert np.array_equal(again.encode(["my vpn"], "query"), MADE_UP.encode(["my vpn"], "query"))


def test_the_first_columns_are_the_usual_vector():
    assert (MADE_UP.dim, MADE_UP.sentence_dim) == (3 * WIDTH, WIDTH)


def test_a_fingerprint_tells_what_can_change_a_vector():
    ways = [
        MADE_UP,
        encoder(seed=1),
        short(6),
        short(128, query_prefix="query: "),
        OnnxEncoder(build_onnx(weights(), BERT, "m"), tokenizer().replace(b"vpn", b"vpm")),
    ]
    assert len({way.fingerprint for way in ways}) == len(ways)
    assert encoder().fingerprint == MADE_UP.fingerprint
    assert MADE_UP.content != MADE_UP.fingerprint


def test_a_fingerprint_tells_the_version_of_the_runtime(monkeypatch):
    monkeypatch.setattr("onnxruntime.__version__", "0.0.1")
    other = encoder()
    assert other.fingerprint != MADE_UP.fingerprint
    assert other.content == MADE_UP.content


@pytest.mark.parametrize(
    ("name", "content"),
    [("encoder.onnx", b"junk"), ("tokenizer.json", b"{}"), ("encoder.json", b"[]"), ("encoder.json", b"\xff")],
)
def test_damaged_parts_are_refused(name, content):
    with pytest.raises(StateError, match="encoder"):
        OnnxEncoder.from_parts(MADE_UP.parts() | {name: content})


def test_missing_parts_are_refused():
    parts = MADE_UP.parts()
    del parts["tokenizer.json"]
    with pytest.raises(StateError, match=r"tokenizer\.json"):
        OnnxEncoder.from_parts(parts)


def test_a_length_that_leaves_no_room_for_a_word_is_refused():
    with pytest.raises(UsageError, match="max_tokens = 2"):
        EncoderSettings(max_tokens=2)
