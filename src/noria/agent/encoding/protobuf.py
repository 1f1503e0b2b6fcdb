"""Writes an ONNX model as bytes: the few protobuf messages that a graph needs, in a fixed order.

The package `onnx` would do it too, but it is 9 MB to install, and the order of its bytes is not promised.
Source of the field numbers: onnx.proto of ONNX 1.17 (IR version 10).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

Attribute = int | float | str
IR_VERSION = 10
OPSET = 17
RUNTIME = "com.microsoft"
"""Domain of the fused operators that onnxruntime adds to ONNX."""

_TYPES = {"float32": 1, "uint8": 2, "int8": 3, "int32": 6, "int64": 7}


def model(
    nodes: Sequence[bytes],
    constants: Mapping[str, npt.NDArray[np.generic]],
    *,
    inputs: Mapping[str, tuple[str, Sequence[int | str]]],
    outputs: Mapping[str, tuple[str, Sequence[int | str]]],
    name: str,
    facts: Mapping[str, str],
) -> bytes:
    """A whole model.

    Args:
        nodes: from `node`, in an order in which each uses only what stands before it.
        constants: name → array; kept little-endian.
        inputs, outputs: name → (element type, shape); a text in a shape names a size that varies.
        name: of the graph.
        facts: kept beside it (`metadata_props`), in order of key.
    """
    graph = b"".join(_field(1, n) for n in nodes) + _text(2, name)
    graph += b"".join(_field(5, _tensor(key, constants[key])) for key in constants)
    graph += b"".join(_field(11, _value(key, *told)) for key, told in inputs.items())
    graph += b"".join(_field(12, _value(key, *told)) for key, told in outputs.items())
    opsets = [_text(1, "") + _number(2, OPSET), _text(1, RUNTIME) + _number(2, 1)]
    return (
        _number(1, IR_VERSION)
        + _text(2, "noria")
        + _field(7, graph)
        + b"".join(_field(8, o) for o in opsets)
        + b"".join(_field(14, _text(1, key) + _text(2, facts[key])) for key in sorted(facts))
    )


def node(
    kind: str, inputs: Sequence[str], outputs: Sequence[str], domain: str = "", **attributes: Attribute | Sequence[int]
) -> bytes:
    """An operation: what it is, the names it reads and the names it makes; `domain` "" is ONNX itself."""
    told = b"".join(_text(1, i) for i in inputs) + b"".join(_text(2, o) for o in outputs)
    told += _text(3, outputs[0]) + _text(4, kind)
    told += b"".join(_field(5, _attribute(key, value)) for key, value in sorted(attributes.items()))
    return told + (_text(7, domain) if domain else b"")


def _attribute(name: str, value: Attribute | Sequence[int]) -> bytes:
    if isinstance(value, int):
        return _text(1, name) + _number(3, value) + _number(20, 2)
    if isinstance(value, float):
        return _text(1, name) + b"\x15" + struct.pack("<f", value) + _number(20, 1)
    if isinstance(value, str):
        return _text(1, name) + _text(4, value) + _number(20, 3)
    return _text(1, name) + b"".join(_number(8, v) for v in value) + _number(20, 7)


def _tensor(name: str, array: npt.NDArray[np.generic]) -> bytes:
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    shape = b"".join(_number(1, size) for size in array.shape)
    return shape + _number(2, _TYPES[array.dtype.name]) + _text(8, name) + _field(9, little.tobytes())


def _value(name: str, kind: str, shape: Sequence[int | str]) -> bytes:
    sizes = b"".join(_field(1, _text(2, size) if isinstance(size, str) else _number(1, size)) for size in shape)
    return _text(1, name) + _field(2, _field(1, _number(1, _TYPES[kind]) + _field(2, sizes)))


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1  # as protobuf writes what is negative
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _field(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _text(field: int, value: str) -> bytes:
    return _field(field, value.encode())
