"""What a write by key changes: which rows of the table are the same, changed or gone, file by file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from noria.errors import DataError, Problem, StateError
from noria.stores.lake.delta import Place, chosen, read_batches, told
from noria.stores.lake.digest import NOTHING, Lanes, digests, keys_of, total
from noria.stores.lake.incoming import Incoming
from noria.stores.lake.staging import Mask, pick_rows, read_file
from noria.stores.objects import Objects

_SMALL_ROWS = 50_000
_SMALL_BYTES = 16 << 20
_SMALL_FILES = 16


@dataclass(frozen=True, slots=True)
class Present:
    """A data file that a version holds."""

    name: str
    size: int
    rows: int | None


@dataclass(slots=True)
class Changes:
    """What a write by key means for a table.

    masks: for each touched file which of its rows stay. same, changed: for each incoming row, shape (n,).
    removed: sum of the hashes of rows that go or change. `deleted` counts those that go.
    """

    same: Mask
    changed: Mask
    masks: dict[str, Mask] = field(default_factory=dict)
    removed: Lanes = field(default_factory=NOTHING.copy)
    deleted: int = 0


def present_files(table: DeltaTable, where: str) -> list[Present]:
    """The data files of the opened version.

    Raises:
        StateError: another program laid the table out in a way that cannot be changed file by file.
    """
    told = pa.table(table.get_add_actions(flatten=True))
    mapped = table.metadata().configuration.get("delta.columnMapping.mode", "none") != "none"
    if mapped or table.metadata().partition_columns or pa.table(table.deletion_vectors()).num_rows:
        raise StateError(
            f"the table {where} has partitions, deletion vectors or mapped columns, made by another program; Noria "
            "reads it but does not change it. Copy it into a new table with mode 'replace'."
        )
    columns = (told.column(name).to_pylist() for name in ("path", "size_bytes", "num_records"))
    return [Present(*values) for values in zip(*columns, strict=True)]


def scan_files(
    place: Place, table: DeltaTable, columns: Sequence[str] | None = None, among: tuple[str, pa.Array] | None = None
) -> Iterator[pa.RecordBatch]:
    """The rows of an opened table file by file: in larger batches and with less work than by a query.

    Args:
        place: of the table.
        table: opened.
        columns: which; None = all.
        among: a column and values: only rows with one of those; most others are not even decoded.

    Raises:
        NotFound: no such column. StateError: files are damaged or gone.
    """
    schema = pa.schema(table.schema())
    wanted = None if columns is None else list(chosen(schema, columns, place.folder).names)
    try:
        files = present_files(table, place.folder)
    except StateError:  # another program's layout, which only a query understands
        for batch in read_batches(place, table, columns):
            yield batch if among is None else batch.filter(pc.is_in(batch[among[0]], value_set=among[1]))
        return
    try:
        for file in files:
            if among is None:
                yield from read_file(place.objects, place.folder, file.name, schema, wanted)
            else:
                yield from pick_rows(place.objects, place.folder, file.name, schema, *among)
    except (FileNotFoundError, pa.ArrowInvalid) as error:
        raise told(error, f"version {table.version()} of the table {place.uri} cannot be read") from error


def check_keys(keys: pa.Array, gone: pa.Array, names: Sequence[str], where: str) -> None:
    """Makes sure that keys are whole, come once, and are not deleted in the same write.

    Raises:
        DataError: they are not; the first rows are named.
    """
    shown = ", ".join(names)
    if keys.null_count:
        rows = np.flatnonzero(np.asarray(keys.is_null()))[:10]
        raise DataError([Problem(where, int(r) + 1, shown, "the key is empty.") for r in rows], "Nothing was written.")
    counts = pc.value_counts(pa.chunked_array([keys, gone]) if len(gone) else keys)
    twice = counts.field("values").filter(pc.greater(counts.field("counts"), 1))
    if len(twice):
        problems = [
            Problem(where, pc.index(keys, key).as_py() + 1, shown, f"the key {shown_key(key)} comes twice.")
            for key in twice[:10]
        ]
        raise DataError(problems, f"Nothing was written: {len(twice)} keys come more than once.")


def compare(
    objects: Objects, folder: str, files: Sequence[Present], schema: pa.Schema, names: Sequence[str], new: Incoming
) -> Changes:
    """Goes through the key columns of every file, and through the rows of those where a key is met."""
    changes = Changes(np.zeros(len(new.keys), bool), np.zeros(len(new.keys), bool))
    known = pa.chunked_array([new.keys, new.gone]).combine_chunks() if len(new.gone) else new.keys
    for file in files:
        parts = [keys_of(b, names) for b in read_file(objects, folder, file.name, schema, names)]
        if not parts:
            continue
        met = pc.index_in(pa.chunked_array(parts).combine_chunks(), value_set=known)
        if met.null_count < len(met) or new.full:
            at: npt.NDArray[np.int64] = met.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
            _compare_file(objects, folder, file, schema, new, at, changes)
    return changes


def _compare_file(
    objects: Objects, folder: str, file: Present, schema: pa.Schema, new: Incoming,
    at: npt.NDArray[np.int64], changes: Changes,
) -> None:  # fmt: skip
    """`at`: for each row of the file its place among the incoming keys, -1 for none, from n on for a key that goes."""
    keep = np.ones(len(at), bool)
    start = 0
    for batch in read_file(objects, folder, file.name, schema):
        places = at[start : start + batch.num_rows]
        wanted = np.flatnonzero((places >= 0) | new.full)
        lanes = digests(batch.take(pa.array(wanted)))
        places = places[wanted]
        comes = (places >= 0) & (places < len(new.keys))
        same = comes.copy()
        same[comes] = (lanes[comes] == new.lanes[places[comes]]).all(axis=1)
        changes.same[places[same]] = True
        changes.changed[places[comes & ~same]] = True
        changes.deleted += int((~comes).sum())
        changes.removed = changes.removed + total(lanes[~same])
        keep[start + wanted[~same]] = False
        start += batch.num_rows
    if not keep.all():
        changes.masks[file.name] = keep


def crowd(files: Sequence[Present], masks: Mapping[str, Mask | None]) -> list[str]:
    """The small files, once there are many: they are written together, so that years of days stay quick to read.

    A file that is larger than four times all smaller ones together waits for them, so that a row is not written anew
    with every handful of days.
    """
    small = [f for f in files if (f.rows or _SMALL_ROWS) < _SMALL_ROWS and f.size < _SMALL_BYTES]
    if len(small) < _SMALL_FILES:
        return []
    small.sort(key=lambda f: f.size)
    while len(small) > 2 and small[-1].size > 4 * sum(f.size for f in small[:-1]):
        small.pop()
    return [f.name for f in small if f.name not in masks]


def shown_key(key: pa.Scalar) -> str:
    """A key for messages."""
    return repr(bytes(key.as_py())[:80].decode("utf-8", errors="replace"))
