"""What the raw table knows of each key, and what incoming rows are to that: new, changed, unchanged or stale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from noria.build.cleaning.columns import Columns
from noria.errors import NotFound
from noria.records import DataVersion
from noria.stores.lake import Lake

NEVER_MS = -(2**62)
_BOOKS = ("_updated_ms", "_fingerprint", "_load", "_deleted")


@dataclass(frozen=True, slots=True)
class Known:
    """The newest row of each key. `version` is that of the raw table; number 0 = there is none yet."""

    version: DataVersion
    ids: pa.Array
    updated_ms: npt.NDArray[np.int64]
    fingerprint: npt.NDArray[np.int64]
    load: npt.NDArray[np.int64]
    deleted: npt.NDArray[np.bool_]

    @property
    def alive(self) -> int:
        return len(self.ids) - int(self.deleted.sum())

    def places(self, ids: pa.Array) -> npt.NDArray[np.int64]:
        """Where each id is, -1 for one that is not known."""
        if not len(self.ids):
            return np.full(len(ids), -1, np.int64)
        found = pc.index_in(ids, value_set=self.ids)
        return np.asarray(pc.fill_null(found, -1).to_numpy(zero_copy_only=False), np.int64)

    def with_rows(self, rows: pa.Table, key: str, version: DataVersion) -> Known:
        """As it is after rows, each key once, became the newest."""
        ids = rows[key].combine_chunks()
        stays = np.ones(len(self.ids), bool)
        at = self.places(ids)
        stays[at[at >= 0]] = False
        kept = self.ids.filter(pa.array(stays))
        books = [np.concatenate([old[stays], _numbers(rows[n])]) for old, n in zip(self._books(), _BOOKS, strict=True)]
        return Known(version, pa.concat_arrays([kept, ids]), books[0], books[1], books[2], books[3].astype(bool))

    def _books(self) -> tuple[Any, ...]:
        return self.updated_ms, self.fingerprint, self.load, self.deleted


def read_known(lake: Lake, name: str, columns: Columns) -> Known:
    """What the latest version of the raw table knows; narrow columns only."""
    empty = np.zeros(0, np.int64)
    try:
        version, batches = lake.scan_table("raw", name, columns=[columns.key, *_BOOKS])
    except NotFound:
        none = DataVersion("raw", name, 0, 0, "")
        return Known(none, pa.array([], pa.string()), empty, empty, empty, empty.astype(bool))
    table = pa.Table.from_batches(list(batches))
    table = newest(table, columns.key)
    books = [_numbers(table[n]) for n in _BOOKS]
    ids = pa.concat_arrays(table[columns.key].cast(pa.string()).chunks or [pa.array([], pa.string())])
    return Known(version, ids, books[0], books[1], books[2], books[3].astype(bool))


def newest(table: pa.Table, key: str) -> pa.Table:
    """The row of the newest load of each key."""
    codes = table[key].combine_chunks().dictionary_encode()
    codes = codes.combine_chunks() if isinstance(codes, pa.ChunkedArray) else codes
    if len(codes.dictionary) == len(table):
        return table
    numbers = np.asarray(codes.indices.to_numpy(zero_copy_only=False), np.int64)
    order = np.lexsort((_numbers(table["_fingerprint"]), _numbers(table["_load"]), numbers))
    last = np.append(numbers[order][1:] != numbers[order][:-1], True)
    return table.take(pa.array(np.sort(order[last])))


def sort_out(known: Known, rows: pa.Table, key: str) -> tuple[pa.Table, dict[str, int]]:
    """Incoming rows that tell something new, each key once with its newest row, and the counts.

    Of rows with one key the one that was changed last counts, of those changed at the same time the greater
    fingerprint, so that the order in which they come does not matter. A row older than the known one is stale; with
    equal fingerprint it is unchanged.
    """
    order = np.lexsort((_numbers(rows["_fingerprint"]), _updated(rows)))
    codes = rows[key].combine_chunks().dictionary_encode()
    numbers = np.asarray(codes.indices.to_numpy(zero_copy_only=False), np.int64)
    last = np.full(len(codes.dictionary), -1, np.int64)
    last[numbers[order]] = order  # of several the last in order remains
    once = rows.take(pa.array(np.sort(last)))
    at = known.places(once[key].combine_chunks())
    there = at >= 0
    place = np.maximum(at, 0)
    if not len(known.ids):
        counts = {"new": len(once), "changed": 0, "unchanged": 0, "stale": 0}
        return once, {**counts, "repeated": len(rows) - len(once)}
    gone = there & known.deleted[place]
    same = there & ~gone & (known.fingerprint[place] == _numbers(once["_fingerprint"]))
    stale = there & ~same & (_updated(once) < known.updated_ms[place])
    fresh = ~same & ~stale
    counts = {
        "new": int((fresh & (~there | gone)).sum()), "changed": int((fresh & there & ~gone).sum()),
        "unchanged": int(same.sum()), "stale": int(stale.sum()), "repeated": len(rows) - len(once),
    }  # fmt: skip
    return once.filter(pa.array(fresh)), counts


def _updated(rows: pa.Table) -> npt.NDArray[np.int64]:
    return _numbers(pc.fill_null(rows["_updated_ms"], NEVER_MS))


def _numbers(values: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    if values.type == pa.bool_():
        return np.asarray(pc.cast(values, pa.int8()).to_numpy(), np.int64)
    return np.asarray(pc.fill_null(values, NEVER_MS).to_numpy(), np.int64)
