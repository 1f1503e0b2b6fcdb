"""Rows of any Arrow schema: the types that Delta keeps, and hashes that no order of rows or columns changes."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from noria.errors import DataError, Problem

Lanes = npt.NDArray[np.uint64]
"""Hashes of rows: four lanes of 64 bits; shape (n, 4), or (4,) for a sum."""

NOTHING: Lanes = np.zeros(4, np.uint64)
"""The sum over no rows."""

_SIGNED = {pa.uint8(): pa.int16(), pa.uint16(): pa.int32(), pa.uint32(): pa.int64(), pa.uint64(): pa.int64()}


def storable(schema: pa.Schema) -> pa.Schema:
    """The schema with the types that Delta has, every column nullable, in the order given."""
    return pa.schema([pa.field(field.name, _storable(field.type)) for field in schema])


def conform(batch: pa.RecordBatch, schema: pa.Schema, where: str) -> pa.RecordBatch:
    """The batch with exactly the columns of a schema; a missing one is null in every row.

    Raises:
        DataError: a column cannot be cast without loss.
    """
    present = set(batch.schema.names)
    columns = [
        _cast(batch.column(field.name), field, where) if field.name in present else pa.nulls(batch.num_rows, field.type)
        for field in schema
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def keys_of(rows: pa.RecordBatch | pa.Table, keys: Sequence[str]) -> pa.Array:
    """The key of each row as bytes, shape (n,): equal exactly where every key column is equal; null where one is."""
    columns = [_whole(rows.column(name)) for name in keys]
    if len(columns) == 1:
        return _cells(columns[0])
    return pc.binary_join_element_wise(*[_measured(_cells(column)) for column in columns], b"")


def digests(batch: pa.RecordBatch) -> Lanes:
    """The sha256 of each row, shape (n, 4).

    A row is hashed as the names and values of its columns that are not null, each with its length, in order of name.
    """
    pieces = [
        pc.binary_join_element_wise(
            f"{len(name.encode())}:{name}=".encode(), _measured(_cells(batch.column(name))), b""
        )
        for name in sorted(batch.schema.names)
    ]
    if not pieces or not batch.num_rows:
        return np.zeros((batch.num_rows, 4), np.uint64)
    rows = pc.binary_join_element_wise(*pieces, b"", null_handling="replace", null_replacement=b"").cast(pa.binary())
    _, offsets, data = rows.buffers()
    ends = np.frombuffer(offsets, np.int32)[rows.offset : rows.offset + len(rows) + 1].tolist()
    view = memoryview(data) if data is not None else memoryview(b"")
    each = (hashlib.sha256(view[a:b]).digest() for a, b in itertools.pairwise(ends))
    return np.frombuffer(b"".join(each), "<u8").reshape(-1, 4).astype(np.uint64)


def total(lanes: Lanes) -> Lanes:
    """The sum of hashes over rows, each lane modulo 2⁶⁴, shape (4,).

    A hash of a multiset that rows can be added to and taken from. It finds every accident; a forger who may choose the
    rows could make two tables of one sum.

    Source: Bellare and Micciancio (1997), A new paradigm for collision-free hashing.
    """
    summed: Lanes = lanes.sum(axis=0, dtype=np.uint64)
    return summed


def as_hex(lanes: Lanes) -> str:
    """A sum as 64 hexadecimal digits."""
    return lanes.astype("<u8").tobytes().hex()


def from_hex(text: str) -> Lanes:
    """The inverse of `as_hex`."""
    return np.frombuffer(bytes.fromhex(text), "<u8").astype(np.uint64)


def pieces_of(
    rows: pa.Table | pa.RecordBatchReader | Iterator[pa.RecordBatch], at_most: int
) -> Iterator[pa.RecordBatch]:
    """The rows in batches of at most so many."""
    batches = rows.to_batches(max_chunksize=at_most) if isinstance(rows, pa.Table) else rows
    for batch in batches:
        for start in range(0, max(batch.num_rows, 1), at_most):
            yield batch.slice(start, at_most)


def _storable(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(kind):
        return _storable(kind.value_type)
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind) or pa.types.is_null(kind):
        return pa.string()
    if pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind) or pa.types.is_fixed_size_binary(kind):
        return pa.binary()
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", "UTC" if kind.tz else None)
    if pa.types.is_date64(kind):
        return pa.date32()
    if pa.types.is_float16(kind):
        return pa.float32()
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return pa.list_(_storable(kind.value_type))
    return _SIGNED.get(kind, kind)


def _cast(column: pa.Array, field: pa.Field, where: str) -> pa.Array:
    if column.type == field.type:
        return column
    plain = column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
    words = pa.types.is_string(field.type) != (pa.types.is_string(_storable(plain.type)))
    why = "a text is no number"
    # Numbers would become texts in silence, and texts numbers: a source that changed its mind must be heard.
    if not words or plain.null_count == len(plain):
        try:
            return plain.cast(field.type, safe=True)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            why = (str(error).splitlines() or [type(error).__name__])[0]
    message = f"the table keeps {field.type}, and the rows hold {column.type} that does not fit ({why})."
    raise DataError(
        [Problem(where, None, field.name, message)],
        "Nothing was written. Cast the column where it comes from, or write another table.",
    )


def _whole(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _measured(cells: pa.Array) -> pa.Array:
    """Each value with its length before it, so that no two rows of values read alike."""
    lengths = pc.binary_length(cells).cast(pa.string()).cast(pa.binary())
    return pc.binary_join_element_wise(lengths, b":", cells, b"")


def _cells(column: pa.Array) -> pa.Array:
    """The values of a column as bytes, null where null."""
    kind = column.type
    if pa.types.is_binary(kind):
        return column
    if pa.types.is_string(kind):
        return column.cast(pa.binary())
    if pa.types.is_floating(kind):
        values = column.cast(pa.float64())
        same = pc.if_else(pc.equal(values, 0.0), 0.0, pc.if_else(pc.is_nan(values), float("nan"), values))
        return same.view(pa.int64()).cast(pa.string()).cast(pa.binary())
    if pa.types.is_timestamp(kind):
        return column.cast(pa.int64()).cast(pa.string()).cast(pa.binary())
    if pa.types.is_date(kind):
        return column.cast(pa.int32()).cast(pa.string()).cast(pa.binary())
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_decimal(kind):
        return column.cast(pa.string()).cast(pa.binary())
    return pa.array([None if v is None else _json(v) for v in column.to_pylist()], pa.binary())


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=str).encode()
