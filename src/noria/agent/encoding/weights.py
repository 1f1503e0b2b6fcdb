"""The weights inside a model that `graph` built, by the names of the official file: where fine-tuning starts."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from noria.agent.encoding.graph import Bert
from noria.agent.protocols import Floats32
from noria.errors import StateError

_DTYPES = {1: "<f4", 3: "i1", 7: "<i8"}


def weights_of(model: bytes) -> tuple[dict[str, Floats32], Bert]:
    """Weights of a model made by `build_onnx`, and its shape with the last layer alone pooled; int8 is turned back.

    Raises:
        StateError: the model was not made by it.
    """
    constants, heads = _read(model)
    try:
        return _named(constants), Bert(heads=heads, pooled=(_layers(constants),))
    except (KeyError, ValueError) as error:
        raise StateError(f"the encoder's model was not built by Noria, so it cannot be fine-tuned: {error}.") from error


def _named(constants: dict[str, Floats32]) -> dict[str, Floats32]:
    def whole(name: str) -> Floats32:
        """(out, in), as torch keeps it."""
        return np.ascontiguousarray((constants[f"{name}.weight"] * constants[f"{name}.scale"]).T)

    kinds = np.zeros((2, constants["positions"].shape[1]), np.float32)  # added to the positions when it was built
    found = {
        "embeddings.word_embeddings.weight": constants["words"] * constants["words.scale"],
        "embeddings.position_embeddings.weight": constants["positions"],
        "embeddings.token_type_embeddings.weight": kinds,
        "embeddings.LayerNorm.weight": constants["e.gamma"],
        "embeddings.LayerNorm.bias": constants["e.beta"],
    }
    for number in range(1, _layers(constants) + 1):
        here, there = f"l{number}", f"encoder.layer.{number - 1}"
        parts = [f"{there}.attention.self.{part}" for part in ("query", "key", "value")]
        for part, weight, bias in zip(
            parts, np.split(whole(f"{here}.qkv"), 3), np.split(constants[f"{here}.qkv.bias"], 3), strict=True
        ):
            found |= {f"{part}.weight": weight, f"{part}.bias": bias}
        for part, name in (("mixed", "attention.output"), ("wide", "intermediate"), ("narrow", "output")):
            found[f"{there}.{name}.dense.weight"] = whole(f"{here}.{part}")
            found[f"{there}.{name}.dense.bias"] = constants[f"{here}.{part}.bias"]
        for part, name in (("attended", "attention.output"), ("out", "output")):
            found[f"{there}.{name}.LayerNorm.weight"] = constants[f"{here}.{part}.gamma"]
            found[f"{there}.{name}.LayerNorm.bias"] = constants[f"{here}.{part}.beta"]
    return found


def _layers(constants: dict[str, Floats32]) -> int:
    return sum(name.endswith(".out.gamma") for name in constants)


def _read(model: bytes) -> tuple[dict[str, Floats32], int]:
    """The constants of the graph as float32, and its attention heads (0 = it has none that we know)."""
    constants: dict[str, Floats32] = {}
    heads = 0
    try:
        graph = next(_bytes(value) for field, value in _fields(memoryview(model)) if field == 7)
        for field, value in _fields(graph):
            if field == 5:
                name, array = _tensor(_bytes(value))
                constants[name] = array
            elif field == 1 and not heads:
                heads = _heads(_bytes(value))
    except (StopIteration, IndexError, KeyError, TypeError, ValueError) as error:
        raise StateError(f"the encoder's model cannot be read: {type(error).__name__} {error}.") from error
    return constants, heads


def _tensor(told: memoryview) -> tuple[str, Floats32]:
    shape: list[int] = []
    kind, name, content = 0, "", memoryview(b"")
    for field, value in _fields(told):
        if field == 1:
            shape.append(_number(value))
        elif field == 2:
            kind = _number(value)
        elif field == 8:
            name = bytes(_bytes(value)).decode()
        elif field == 9:
            content = _bytes(value)
    read = np.frombuffer(bytes(content), np.dtype(_DTYPES[kind]))
    return name, np.asarray(read.reshape(shape), np.float32)


def _heads(operation: memoryview) -> int:
    attributes = [_bytes(value) for field, value in _fields(operation) if field == 5]
    for told in attributes:
        fields = dict(_fields(told))
        if bytes(_bytes(fields[1])) == b"num_heads":
            return _number(fields[3])
    return 0


def _bytes(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise TypeError("a number where a message was expected")
    return value


def _number(value: int | memoryview) -> int:
    if not isinstance(value, int):
        raise TypeError("a message where a number was expected")
    return value


def _fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """(field number, value) of a protobuf message, in order."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        if key & 7 == 0:
            number, at = _varint(data, at)
            yield key >> 3, number
        else:
            size, at = _varint(data, at) if key & 7 == 2 else ({1: 8, 5: 4}[key & 7], at)
            yield key >> 3, data[at : at + size]
            at += size


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
