"""A BERT-like sentence encoder as one ONNX file: int8 weights, several pooled layers, no torch.

For one text at a time, so there is no batch, no padding and no mask, and a text gets the same bits in any company:
dynamic quantisation takes its scale over everything that is in the tensor.

ids (n,) → token + position vectors → layers → mean over tokens of some layers, of unit length → vector (blocks · d,)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from noria.agent.encoding.protobuf import RUNTIME, Attribute, model, node
from noria.agent.protocols import Floats32
from noria.errors import StateError

BUILD = 1
"""Raised whenever equal weights give another file than before, so that what was built earlier is built anew."""
QUANTISATION = "int8 weights by output channel, uint8 activations by text"

Weights = Mapping[str, npt.NDArray[np.generic]]
Int8 = npt.NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class Bert:
    """What the weights do not tell by their shape.

    `heads`: attention heads. `epsilon`: of the layer normalisations. `pooled`: which layers are pooled, 1 = the first;
    the blocks of the vector stand in this order, so the last layer goes first to make the first block the usual vector.
    """

    heads: int = 12
    epsilon: float = 1e-12
    pooled: tuple[int, ...] = (6, 4, 3)


def build_onnx(weights: Weights, bert: Bert, name: str) -> bytes:
    """The ONNX file of a BERT's weights (as named by the official safetensors file); equal input, equal bytes.

    Raises:
        StateError: the weights are not those of a BERT, or have fewer layers than are to be pooled.
    """
    try:
        return _Builder({key.removeprefix("bert."): value for key, value in weights.items()}, bert).build(name)
    except KeyError as error:
        raise StateError(f"the weights of {name} are not those of a BERT encoder: {error} is missing.") from error


def quantise_rows(matrix: Floats32) -> tuple[Int8, Floats32]:
    """(int8, scale) with `matrix ≈ int8 · scale[:, None]`, symmetric, one scale for each row; a row of zeros has 1."""
    top = np.abs(matrix).max(axis=1)
    step = (top / 127).astype(np.float32)
    scale = np.where(step > 0, step, np.float32(1))  # the smallest numbers there are have no 127th part
    return np.clip(np.rint(matrix / scale[:, None]), -127, 127).astype(np.int8), scale


class _Builder:
    """Collects operations and constants; each method adds some and returns the name of what they make."""

    def __init__(self, weights: Weights, bert: Bert) -> None:
        self.weights, self.bert = weights, bert
        self.nodes: list[bytes] = []
        self.constants: dict[str, npt.NDArray[np.generic]] = {}
        self.width = int(self.take("embeddings.word_embeddings.weight").shape[1])

    def build(self, name: str) -> bytes:
        layers = len({k.split(".")[2] for k in self.weights if k.startswith("encoder.layer.")})
        if not self.bert.pooled or max(self.bert.pooled) > layers or min(self.bert.pooled) < 1:
            raise StateError(f"layers {self.bert.pooled} of {name} cannot be pooled: it has {layers}.")
        x = self.embeddings()
        pooled = {}
        for number in range(1, max(self.bert.pooled) + 1):
            x = self.layer(x, number)
            if number in self.bert.pooled:
                pooled[number] = self.pool(x, number)
        self.add("Concat", [pooled[number] for number in self.bert.pooled], "vector", axis=0)
        return model(
            self.nodes,
            self.constants,
            inputs={"ids": ("int64", ["tokens"])},
            outputs={"vector": ("float32", [self.width * len(self.bert.pooled)])},
            name=name,
            facts={
                "noria.blocks": str(len(self.bert.pooled)),
                "noria.positions": str(self.constants["positions"].shape[0]),
                "noria.pooling": f"mean of layers {', '.join(map(str, self.bert.pooled))}, each of unit length",
                "noria.quantisation": QUANTISATION,
            },
        )

    def embeddings(self) -> str:
        table, scale = quantise_rows(self.take("embeddings.word_embeddings.weight"))
        kinds = self.take("embeddings.token_type_embeddings.weight")
        self.keep("words", table)
        self.keep("words.scale", scale[:, None])
        # Every token is of the first kind, so its vector is added to the positions once and for all.
        self.keep("positions", self.take("embeddings.position_embeddings.weight") + kinds[0])
        self.keep("zero", np.zeros(1, np.int64))
        self.add("Gather", ["words", "ids"], "e.int8", axis=0)
        self.add("Gather", ["words.scale", "ids"], "e.scale", axis=0)
        self.add("Cast", ["e.int8"], "e.float", to=1)
        self.add("Mul", ["e.float", "e.scale"], "e.words")
        self.add("Shape", ["ids"], "e.tokens")
        self.add("Slice", ["positions", "zero", "e.tokens"], "e.positions")
        self.add("Add", ["e.words", "e.positions"], "e.sum")
        gamma, beta = self.norm("embeddings.LayerNorm", "e")
        return self.add(
            "LayerNormalization", ["e.sum", gamma, beta], "e.out", axis=-1, epsilon=float(self.bert.epsilon)
        )

    def layer(self, x: str, number: int) -> str:
        name, here = f"encoder.layer.{number - 1}", f"l{number}"
        parts = [f"{name}.attention.self.{part}" for part in ("query", "key", "value")]
        qkv = self.linear(x, parts, f"{here}.qkv")
        heads = [f"{here}.q", f"{here}.k", f"{here}.v"]
        self.keep("axis0", np.zeros(1, np.int64))
        self.add("Unsqueeze", [qkv, "axis0"], f"{here}.qkv3")
        self.nodes.append(node("Split", [f"{here}.qkv3"], heads, axis=-1))
        self.add("MultiHeadAttention", heads, f"{here}.heads3", RUNTIME, num_heads=self.bert.heads)
        self.add("Squeeze", [f"{here}.heads3", "axis0"], f"{here}.heads")
        mixed = self.linear(f"{here}.heads", [f"{name}.attention.output.dense"], f"{here}.mixed")
        x = self.add_and_norm(mixed, x, f"{name}.attention.output.LayerNorm", f"{here}.attended")
        wide = self.linear(x, [f"{name}.intermediate.dense"], f"{here}.wide", bias=False)
        bias = self.keep(f"{here}.wide.bias", self.take(f"{name}.intermediate.dense.bias"))
        bent = self.add("BiasGelu", [wide, bias], f"{here}.bent", RUNTIME)
        narrow = self.linear(bent, [f"{name}.output.dense"], f"{here}.narrow")
        return self.add_and_norm(narrow, x, f"{name}.output.LayerNorm", f"{here}.out")

    def linear(self, x: str, parts: Sequence[str], out: str, *, bias: bool = True) -> str:
        """`x @ W + b` with int8 weights; several matrices that read the same x become one."""
        matrix, scale = quantise_rows(np.concatenate([self.take(f"{part}.weight") for part in parts]))
        # torch keeps (out, in); the operator wants (in, out)
        inputs = [x, self.keep(f"{out}.weight", np.ascontiguousarray(matrix.T)), self.keep(f"{out}.scale", scale), ""]
        if bias:
            told = np.concatenate([self.take(f"{part}.bias") for part in parts])
            inputs.append(self.keep(f"{out}.bias", told))
        return self.add("DynamicQuantizeMatMul", inputs[: 5 if bias else 3], out, RUNTIME)

    def add_and_norm(self, x: str, skip: str, norm: str, out: str) -> str:
        inputs = [x, skip, *self.norm(norm, out)]
        return self.add("SkipLayerNormalization", inputs, out, RUNTIME, epsilon=float(self.bert.epsilon))

    def norm(self, norm: str, out: str) -> tuple[str, str]:
        gamma, beta = (self.take(f"{norm}.{part}") for part in ("weight", "bias"))
        return self.keep(f"{out}.gamma", gamma), self.keep(f"{out}.beta", beta)

    def pool(self, x: str, number: int) -> str:
        mean = self.add("ReduceMean", [x], f"p{number}.mean", axes=[0], keepdims=0)
        return self.add("LpNormalization", [mean], f"p{number}", axis=0, p=2)

    def add(
        self, kind: str, inputs: Sequence[str], out: str, domain: str = "", **attributes: Attribute | Sequence[int]
    ) -> str:
        self.nodes.append(node(kind, inputs, [out], domain, **attributes))
        return out

    def keep(self, name: str, array: npt.NDArray[np.generic]) -> str:
        self.constants[name] = array
        return name

    def take(self, name: str) -> Floats32:
        return self.weights[name].astype(np.float32)
