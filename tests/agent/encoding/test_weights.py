"""Weights read back from a built model."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.agent.encoding import numpy_bert
from tests.agent.encoding.made_up_bert import BERT, SPECIAL, WORDS, weights

from noria.agent.encoding import Bert, build_onnx
from noria.agent.encoding.weights import weights_of
from noria.errors import StateError

MODEL = build_onnx(weights(), BERT, "m")


def test_what_is_read_are_the_weights_within_what_int8_costs():
    found, bert = weights_of(MODEL)
    assert bert == Bert(heads=4, pooled=(3,))
    assert found.keys() == weights().keys()
    ids = np.random.default_rng(5).integers(0, len(SPECIAL + WORDS), 12)
    pooled = (3,)
    read, original = (numpy_bert.vector(w, ids, heads=4, pooled=pooled) for w in (found, weights()))
    assert read @ original > 0.999


def test_built_again_it_is_read_the_same():
    found, bert = weights_of(MODEL)
    again, _ = weights_of(build_onnx(found, bert, "m"))
    assert all(np.allclose(again[name], found[name], rtol=1e-5, atol=1e-6) for name in found)


@given(st.binary(max_size=60))
def test_what_noria_did_not_build_is_refused(content):
    with pytest.raises(StateError, match="encoder's model"):
        weights_of(content)


@given(st.integers(0, len(MODEL) * 3 // 4))
def test_a_part_of_a_model_is_refused(size):
    with pytest.raises(StateError, match="encoder's model"):
        weights_of(MODEL[:size])
