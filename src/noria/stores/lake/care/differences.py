"""What changed between two versions of a table: rows added, removed, changed, and labels that moved."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from noria.errors import StateError, UsageError
from noria.records import DataVersion
from noria.stores.lake.delta import KEYS, read_batches
from noria.stores.lake.digest import digests, keys_of
from noria.stores.lake.kinds import KINDS
from noria.stores.lake.merging import present_files
from noria.stores.lake.staging import read_file
from noria.stores.lake.tables import Tables


@dataclass(frozen=True, slots=True)
class TableDiff:
    """How a table got from one version to another.

    added, removed, changed: rows; without keys a changed row is one removed and one added. shown: for each of the three
    the first keys, in order. moves: (label before, label after) → rows, of the rows that both versions have.
    """

    old: DataVersion
    new: DataVersion
    added: int
    removed: int
    changed: int
    shown: Mapping[str, tuple[str, ...]]
    moves: Mapping[tuple[str, str], int]


def diff(
    lake: Tables, kind: str, name: str, old: int, new: int, *, label: str | None = None, at_most: int = 10
) -> TableDiff:
    """Compares two versions row by row; files that both have are not read.

    Args:
        lake: where the table is.
        kind: of the table.
        name: of the table.
        old: a version.
        new: a version.
        label: the column whose moves are counted; None = "intent" where there is one.
        at_most: keys that are shown.

    Raises:
        NotFound, UsageError: no such table, version or column. StateError: files are damaged or gone.
    """
    before, after = lake.resolve(kind, f"{name}@{old}"), lake.resolve(kind, f"{name}@{new}")
    place = lake.place(kind, name)
    schema = pa.schema(place.at(new).schema())
    if label is not None and label not in schema.names:
        raise UsageError(f"{kind} {name} has no column {label!r}; it has {', '.join(schema.names)}.")
    column = label or ("intent" if "intent" in schema.names else None)
    keys = _keys(lake, kind, name)
    common = _common(lake, kind, name, old, new)
    left, right = (_told(lake, kind, name, version, common, keys, column) for version in (old, new))
    if not keys:
        counts = Counter(right.column("row").to_pylist())
        counts.subtract(left.column("row").to_pylist())
        added, removed = sum(n for n in counts.values() if n > 0), -sum(n for n in counts.values() if n < 0)
        return TableDiff(before, after, added, removed, 0, {}, {})
    at = pc.index_in(right.column("key").combine_chunks(), value_set=left.column("key").combine_chunks())
    both = right.filter(at.is_valid())
    was = left.take(at.drop_null())
    changed = pc.not_equal(both.column("row"), was.column("row"))
    gone = pc.invert(pc.is_in(left.column("key"), value_set=right.column("key").combine_chunks()))
    rows = {"added": right.filter(at.is_null()), "removed": left.filter(gone), "changed": both.filter(changed)}
    moves: Counter[tuple[str, str]] = Counter()
    if column is not None:
        moved = zip(was.column("label").to_pylist(), both.column("label").to_pylist(), strict=True)
        moves.update((str(a), str(b)) for a, b in moved if a != b)
    shown = {what: _shown(part, at_most) for what, part in rows.items()}
    counts_of = {what: part.num_rows for what, part in rows.items()}
    return TableDiff(before, after, **counts_of, shown=shown, moves=dict(moves.most_common()))


def _keys(lake: Tables, kind: str, name: str) -> tuple[str, ...]:
    if kind in KINDS:
        return (KINDS[kind].key,)
    kept = lake.opened(kind, name).metadata().configuration.get(KEYS)
    return tuple(json.loads(kept)) if kept else ()


def _common(lake: Tables, kind: str, name: str, old: int, new: int) -> set[str] | None:
    """Names of data files that both versions have; None where another program's layout must be read as a whole."""
    place = lake.place(kind, name)
    try:
        first, second = ({file.name for file in present_files(place.at(v), place.folder)} for v in (old, new))
    except StateError:
        return None
    return first & second


def _told(
    lake: Tables, kind: str, name: str, version: int, common: set[str] | None, keys: Sequence[str], label: str | None
) -> pa.Table:
    """Of each row that may differ: key, hash and label."""
    parts = [
        {
            "key": keys_of(batch, keys) if keys else pa.nulls(batch.num_rows, pa.binary()),
            "row": pa.array([lanes.tobytes() for lanes in digests(batch)], pa.binary()),
            "label": batch.column(label).cast(pa.string()) if label in batch.schema.names else _none(batch),
        }
        for batch in _batches(lake, kind, name, version, common)
    ]
    schema = pa.schema({"key": pa.binary(), "row": pa.binary(), "label": pa.string()})
    return pa.Table.from_batches([pa.record_batch(part, schema=schema) for part in parts], schema)


def _batches(lake: Tables, kind: str, name: str, version: int, common: set[str] | None) -> Iterator[pa.RecordBatch]:
    place = lake.place(kind, name)
    if common is None:
        yield from read_batches(place, version)
        return
    table = place.at(version)
    for file in present_files(table, place.folder):
        if file.name not in common:
            try:
                yield from read_file(lake.objects, place.folder, file.name, pa.schema(table.schema()))
            except (FileNotFoundError, pa.ArrowInvalid) as error:
                raise StateError(
                    f"version {version} of the table {place.uri} cannot be read ({error}); a version that no pin "
                    "holds goes with 'noria lake vacuum', else restore it from a backup."
                ) from error


def _none(batch: pa.RecordBatch) -> pa.Array:
    return pa.nulls(batch.num_rows, pa.string())


def _shown(rows: pa.Table, at_most: int) -> tuple[str, ...]:
    keys = rows.column("key").combine_chunks()
    first = pc.array_sort_indices(keys)[:at_most]
    return tuple(key.decode("utf-8", errors="replace") for key in keys.take(first).to_pylist())
