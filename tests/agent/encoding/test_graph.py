"""The builder: what it builds computes what the NumPy reference computes, within what int8 costs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnxruntime import InferenceSession
from tests.agent.encoding import numpy_bert
from tests.agent.encoding.made_up_bert import BERT, POSITIONS, SPECIAL, WIDTH, WORDS, weights

from noria.agent.encoding import Bert, build_onnx
from noria.agent.encoding.graph import quantise_rows
from noria.errors import StateError


def run(model: bytes, ids) -> np.ndarray:
    session = InferenceSession(model, providers=["CPUExecutionProvider"])
    return session.run(None, {"ids": np.array(ids, np.int64)})[0]


@pytest.mark.parametrize("tokens", [2, 3, 17, POSITIONS])
def test_the_built_model_is_the_reference_within_what_int8_costs(tokens):
    ids = np.random.default_rng(tokens).integers(0, len(SPECIAL + WORDS), tokens)
    made = run(build_onnx(weights(), BERT, "m"), ids)
    wanted = numpy_bert.vector(weights(), ids, heads=4, pooled=BERT.pooled)
    for start in range(0, 3 * WIDTH, WIDTH):
        assert made[start : start + WIDTH] @ wanted[start : start + WIDTH] > 0.995


def test_blocks_stand_in_the_order_asked_for_and_have_length_one():
    ids = [2, 5, 6, 3]
    whole = run(build_onnx(weights(), BERT, "m"), ids).reshape(3, WIDTH)
    assert np.allclose(np.linalg.norm(whole, axis=1), 1, atol=1e-6)
    last = run(build_onnx(weights(), Bert(heads=4, pooled=(3,)), "m"), ids)
    assert np.array_equal(last, whole[0])
    assert not np.allclose(whole[0], whole[1], atol=0.05)


def test_equal_weights_give_equal_bytes_whatever_their_order_and_prefix():
    model = build_onnx(weights(), BERT, "m")
    assert build_onnx(dict(reversed(weights().items())), BERT, "m") == model
    assert build_onnx(weights(prefix="bert."), BERT, "m") == model
    assert build_onnx(weights(seed=1), BERT, "m") != model


def test_what_is_no_bert_is_refused_by_name():
    incomplete = weights()
    del incomplete["encoder.layer.1.output.dense.bias"]
    with pytest.raises(StateError, match=r"encoder.layer.1.output.dense.bias"):
        build_onnx(incomplete, BERT, "m")
    with pytest.raises(StateError, match=r"\(6,\) of m cannot be pooled: it has 3"):
        build_onnx(weights(), Bert(heads=4, pooled=(6,)), "m")


@given(st.lists(st.lists(st.floats(-1e6, 1e6, width=32), min_size=3, max_size=3), min_size=1, max_size=5))
def test_a_quantised_row_is_within_half_a_step_of_the_row(rows):
    matrix = np.array(rows, np.float32)
    quantised, scale = quantise_rows(matrix)
    assert quantised.min() >= -127
    error = np.abs(quantised * scale[:, None].astype(np.float64) - matrix)
    assert np.all(error <= scale[:, None] * 0.5001 + 1e-30)
