"""ONNX models of somebody else's making: inputs as BERT exports have them, and each way of pooling."""

from __future__ import annotations

import numpy as np
import pytest
from tests.agent.encoding.made_up_bert import SPECIAL, WORDS, tokenizer

from noria.agent.encoding import EncoderSettings, OnnxEncoder
from noria.agent.encoding.protobuf import model, node
from noria.errors import StateError, UsageError

TABLE = np.random.default_rng(0).normal(size=(len(SPECIAL + WORDS), 8)).astype(np.float32)
IDS = [2, len(SPECIAL) + WORDS.index("my"), len(SPECIAL) + WORDS.index("vpn"), 3]


def foreign(*, inputs=("input_ids", "attention_mask", "token_type_ids"), output="last_hidden_state", positions=None):
    """A model that looks token vectors up; `positions`: it fails for longer texts."""
    nodes = [node("Gather", ["table", "input_ids"], ["looked"], axis=0)]
    constants = {"table": TABLE}
    if positions is not None:
        constants["places"] = np.zeros((1, positions, 8), np.float32)
        constants |= {"zero": np.zeros(1, np.int64), "one": np.ones(1, np.int64)}
        nodes += [
            node("Shape", ["input_ids"], ["shape"]),
            node("Gather", ["shape", "one"], ["tokens"], axis=0),
            node("Slice", ["places", "zero", "tokens", "one"], ["some"]),
            node("Add", ["looked", "some"], [output]),
        ]
    elif output == "sentence_embedding":
        nodes.append(node("ReduceMean", ["looked"], [output], axes=[1], keepdims=0))
    else:
        nodes.append(node("Identity", ["looked"], [output]))
    shape = [1, 8] if output == "sentence_embedding" else [1, "n", 8]
    return model(
        nodes,
        constants,
        inputs={name: ("int64", [1, "n"]) for name in inputs},
        outputs={output: ("float32", shape)},
        name="foreign",
        facts={},
    )


def unit(row):
    return row / np.linalg.norm(row)


@pytest.mark.parametrize(
    ("pooling", "output", "wanted"),
    [
        ("mean", "last_hidden_state", TABLE[IDS].mean(axis=0)),
        ("mean", "token_embeddings", TABLE[IDS].mean(axis=0)),
        ("first", "last_hidden_state", TABLE[IDS[0]]),
        ("inside", "sentence_embedding", TABLE[IDS].mean(axis=0)),
    ],
)
def test_a_vector_is_pooled_as_told_and_made_of_unit_length(pooling, output, wanted):
    encoder = OnnxEncoder(foreign(output=output), tokenizer(), settings=EncoderSettings(pooling=pooling))
    assert (encoder.dim, encoder.sentence_dim) == (8, 8)
    assert np.allclose(encoder.encode(["my vpn"], "query")[0], unit(wanted), atol=1e-6)


def test_inputs_that_a_model_does_not_have_are_not_given():
    encoder = OnnxEncoder(foreign(inputs=["input_ids"]), tokenizer(), settings=EncoderSettings(pooling="mean"))
    assert np.allclose(encoder.encode(["my vpn"], "query")[0], unit(TABLE[IDS].mean(axis=0)), atol=1e-6)


def test_a_model_that_wants_something_else_is_refused():
    with pytest.raises(StateError, match="pixels"):
        OnnxEncoder(foreign(inputs=["input_ids", "pixels"]), tokenizer(), settings=EncoderSettings(pooling="mean"))


def test_a_model_without_the_output_that_the_pooling_needs_is_refused():
    with pytest.raises(StateError, match="no output for the pooling 'inside'"):
        OnnxEncoder(foreign(), tokenizer())
    with pytest.raises(StateError, match="no output for the pooling 'mean'"):
        OnnxEncoder(foreign(output="sentence_embedding"), tokenizer(), settings=EncoderSettings(pooling="mean"))


def test_a_model_that_cannot_take_the_longest_text_is_refused_when_it_is_opened():
    settings = EncoderSettings(pooling="mean", max_tokens=40)
    with pytest.raises(StateError, match="cannot encode a text of 40 tokens"):
        OnnxEncoder(foreign(positions=16), tokenizer(), settings=settings)
    OnnxEncoder(foreign(positions=40), tokenizer(), settings=settings)


@pytest.mark.parametrize("told", [{"poling": "mean"}, {"pooling": "max"}, {"max_tokens": "many"}, {"max_tokens": 1}])
def test_a_setting_that_is_unknown_or_wrong_is_refused(told):
    with pytest.raises(UsageError):
        OnnxEncoder.from_files(foreign(), tokenizer(), told, "onnx:/x")
