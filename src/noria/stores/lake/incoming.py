"""The rows that a write brings: fitted to the table, hashed and put into files, batch by batch."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from noria.errors import DataError, Problem
from noria.stores.lake.delta import Place
from noria.stores.lake.digest import NOTHING, Lanes, conform, digests, keys_of, pieces_of, storable, total
from noria.stores.lake.staging import DataFile, FileWriter, read_file

Rows: TypeAlias = pa.Table | pa.RecordBatchReader | Iterable[pa.RecordBatch]
_BATCH_ROWS = 16_384
_NO_KEYS = pa.array([], pa.binary())


@dataclass(frozen=True, slots=True)
class Incoming:
    """What a write brings by key: of each row its key and hash, and the keys of rows that are to go.

    Shapes: keys (n,), lanes (n, 4), gone (m,). Memory: about 100 bytes a row.
    """

    keys: pa.Array
    lanes: Lanes
    gone: pa.Array
    full: bool


@dataclass(frozen=True, slots=True)
class Staged:
    """Rows that lie in files of the table which no commit names yet; `incoming` only where there are keys."""

    schema: pa.Schema
    files: list[DataFile]
    rows: int
    sum: Lanes
    incoming: Incoming | None
    twice: pa.Array
    """Keys that may come twice, of rows that become the whole table."""


def stage(
    rows: Rows,
    place: Place,
    *,
    known: pa.Schema | None,
    keys: Sequence[str],
    deletes: pa.Table | None,
    full: bool,
    anew: bool,
    check: Callable[[pa.RecordBatch], None] | None,
) -> Staged:
    """Writes rows into files of the table, all or none.

    Args:
        rows: read once.
        place: of the table.
        known: the table's columns, None where there is no table yet.
        keys: columns that name a row; empty = rows have no names.
        deletes: keys of rows that are to go.
        full: the rows are the whole state.
        anew: the rows become the whole table, so that none is compared: of keys only 8 bytes stand in memory.
        check: called with each batch as it came.

    Raises:
        DataError: a key column is missing, or a column does not fit the table.
    """
    first, batches = _schema_of(rows)
    brought = first if first is not None else (known if known is not None else pa.schema([]))
    schema = _merged(known, storable(brought))
    absent = [key for key in keys if key not in brought.names and brought.names]
    if absent:
        problems = [Problem(place.folder, None, key, "the key column is missing.") for key in absent]
        raise DataError(problems, f"Nothing was written; the rows have {', '.join(brought.names)}.")
    files = FileWriter(place.objects, place.folder, schema)
    lanes, parts, summed, count = [np.zeros((0, 4), np.uint64)], [], NOTHING, 0
    short: list[npt.NDArray[np.int64]] = []
    try:
        for piece in pieces_of(batches, _BATCH_ROWS):
            if check is not None:
                check(piece)
            batch = conform(piece, schema, place.folder)
            hashes = digests(batch)
            summed, count = summed + total(hashes), count + batch.num_rows
            if keys and anew:
                short.append(_shortened(keys_of(batch, keys)))
            elif keys:
                parts.append(keys_of(batch, keys))
                lanes.append(hashes)
            files.add(batch)
        written = files.close()
        gone = _gone(deletes, schema, keys, place)
    except BaseException:
        files.discard()
        raise
    if not keys or anew:
        return Staged(schema, written, count, summed, None, _suspects(short, written, place, schema, keys))
    together = pa.chunked_array(parts, pa.binary()).combine_chunks()
    incoming = Incoming(together, np.concatenate(lanes), gone, full)
    return Staged(schema, written, count, summed, incoming, _NO_KEYS)


def _shortened(keys: pa.Array) -> npt.NDArray[np.int64]:
    """A number for each key, alike for equal keys within this process; 0 for an empty one."""
    return np.fromiter((0 if key is None else hash(key) for key in keys.to_pylist()), np.int64, len(keys))


def _suspects(
    short: list[npt.NDArray[np.int64]], files: Sequence[DataFile], place: Place, schema: pa.Schema, keys: Sequence[str]
) -> pa.Array:
    """The keys of rows whose number is 0 or comes twice, read again from the files that were just written."""
    numbers = np.concatenate(short) if short else np.zeros(0, np.int64)
    numbers.sort()
    twice = np.append(numbers[:1][numbers[:1] == 0], numbers[1:][numbers[1:] == numbers[:-1]])
    if not len(twice):
        return _NO_KEYS
    found = []
    for file in files:
        for batch in read_file(place.objects, place.folder, file.name, schema, keys):
            cells = keys_of(batch, keys)
            found.append(cells.filter(pa.array(np.isin(_shortened(cells), twice))))
    return pa.chunked_array(found, pa.binary()).combine_chunks()


def _gone(deletes: pa.Table | None, schema: pa.Schema, keys: Sequence[str], place: Place) -> pa.Array:
    if deletes is None:
        return pa.array([], pa.binary())
    named = pa.schema([schema.field(key) for key in keys])
    parts = [keys_of(conform(batch, named, place.folder), keys) for batch in deletes.to_batches()]
    return pa.chunked_array(parts, pa.binary()).combine_chunks()


def _merged(known: pa.Schema | None, brought: pa.Schema) -> pa.Schema:
    """The columns of the table, then those that the rows bring."""
    if known is None:
        return brought
    return pa.schema([*known, *(field for field in brought if field.name not in known.names)])


def _schema_of(rows: Rows) -> tuple[pa.Schema | None, Rows]:
    """The schema of rows, where any says it, and the rows."""
    if isinstance(rows, pa.Table | pa.RecordBatchReader):
        return rows.schema, rows
    stream = iter(rows)
    first = next(stream, None)
    if first is None:
        return None, iter(())
    return first.schema, itertools.chain([first], stream)
