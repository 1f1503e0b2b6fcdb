"""What the raw table knows of keys, and what incoming rows are to that: new, changed, unchanged or stale."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from noria.build.cleaning.columns import Columns
from noria.build.cleaning.narrow import pieces
from noria.errors import NotFound
from noria.records import DataVersion
from noria.stores.lake import Lake

NEVER_MS = -(2**62)
_BOOKS = ("_updated_ms", "_fingerprint", "_load", "_deleted")

Ints = npt.NDArray[np.int64]
U64 = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Known:
    """The newest row of all keys, or of some; about 40 bytes each. Shapes (n,), in order of the keys' hashes.

    version: that of the raw table; number 0 = there is none yet. high, low: 128 bits of a hash of the key. ids: the
    keys themselves, where not all were read.
    """

    version: DataVersion
    high: U64
    low: U64
    updated_ms: Ints
    fingerprint: Ints
    load: Ints
    deleted: npt.NDArray[np.bool_]
    ids: pa.Array | None = None

    def __len__(self) -> int:
        return len(self.high)

    @property
    def alive(self) -> int:
        return len(self) - int(self.deleted.sum())

    def places(self, hashes: U64) -> Ints:
        """Where each key is, -1 for one that is not known. `hashes`: of `hashed`."""
        found = np.full(len(hashes), -1, np.int64)
        at = np.searchsorted(self.high, hashes[:, 0])
        waiting = np.arange(len(hashes))
        while len(waiting):
            waiting = waiting[at[waiting] < len(self)]
            waiting = waiting[self.high[at[waiting]] == hashes[waiting, 0]]
            hit = self.low[at[waiting]] == hashes[waiting, 1]
            found[waiting[hit]] = at[waiting[hit]]
            waiting = waiting[~hit]
            at[waiting] += 1
        return found

    def with_rows(self, rows: pa.Table, key: str, version: DataVersion) -> Known:
        """As it is after rows, each key once, became the newest."""
        fresh = _known(version, hashed(rows[key]), [_numbers(rows[n]) for n in _BOOKS], None)
        at = self.places(np.stack([fresh.high, fresh.low], axis=1))
        stays = np.ones(len(self), bool)
        stays[at[at >= 0]] = False
        kept = [column[stays] for column in self.columns()]
        merged = [np.concatenate(pair) for pair in zip(kept, fresh.columns(), strict=True)]
        order = np.argsort(merged[0], kind="stable")
        return Known(version, *(column[order] for column in merged))

    def columns(self) -> tuple[Any, ...]:
        """Hashes and what is known, one array each."""
        return self.high, self.low, self.updated_ms, self.fingerprint, self.load, self.deleted


def hashed(ids: pa.Array | pa.ChunkedArray) -> U64:
    """128 bits of BLAKE2b of each key, shape (n, 2)."""
    cells = pc.cast(ids, pa.binary()).to_pylist()
    digests = b"".join([hashlib.blake2b(cell, digest_size=16).digest() for cell in cells])
    return np.frombuffer(digests, "<u8").reshape(-1, 2)


def raw_version(lake: Lake, name: str) -> DataVersion:
    """The latest version of a feed's raw table; number 0 = there is none yet."""
    try:
        return lake.resolve("raw", name)
    except NotFound:
        return DataVersion("raw", name, 0, 0, "")


def read_known(
    lake: Lake, version: DataVersion, columns: Columns, *, ids: pa.Array | None = None, after: int | None = None
) -> Known:
    """What a version of the raw table knows; reads narrow columns, batch by batch.

    Args:
        lake: where the table is.
        version: of the raw table.
        columns: of its rows.
        ids: only of these keys.
        after: only of keys with rows that came after this version.
    """
    key = columns.key
    hashes, kept, books = [np.zeros((0, 2), np.uint64)], [pa.array([], pa.string())], [_no_books()]
    for rows in _scan(lake, version, [key, *_BOOKS], f"_load > {after}" if after else ""):
        named = pc.cast(rows[key], pa.string())
        if ids is not None:
            hit = pc.is_in(named, value_set=ids)
            rows, named = rows.filter(hit), named.filter(hit)  # noqa: PLW2901 - the rows that count
        hashes.append(hashed(named))
        books.append([_numbers(rows[n]) for n in _BOOKS])
        if ids is not None or after is not None:
            kept += named.chunks
    together = [np.concatenate(column) for column in zip(*books, strict=True)]
    some = pa.concat_arrays(kept) if ids is not None or after is not None else None
    return _known(version, np.concatenate(hashes), together, some)


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
    if not len(known):
        counts = {"new": len(once), "changed": 0, "unchanged": 0, "stale": 0}
        return once, {**counts, "repeated": len(rows) - len(once)}
    at = known.places(hashed(once[key]))
    there = at >= 0
    place = np.maximum(at, 0)
    gone = there & known.deleted[place]
    same = there & ~gone & (known.fingerprint[place] == _numbers(once["_fingerprint"]))
    stale = there & ~same & (_updated(once) < known.updated_ms[place])
    fresh = ~same & ~stale
    counts = {
        "new": int((fresh & (~there | gone)).sum()), "changed": int((fresh & there & ~gone).sum()),
        "unchanged": int(same.sum()), "stale": int(stale.sum()), "repeated": len(rows) - len(once),
    }  # fmt: skip
    return once.filter(pa.array(fresh)), counts


def _known(version: DataVersion, hashes: U64, books: list[Ints], ids: pa.Array | None) -> Known:
    """Of several rows of a key that of the newest load."""
    updated, fingerprint, load, deleted = books
    high, low = hashes[:, 0], hashes[:, 1]
    order = np.lexsort((fingerprint, load, low, high))
    high, low = high[order], low[order]
    last = np.append((high[1:] != high[:-1]) | (low[1:] != low[:-1]), True)[: len(order)]
    at = order[last]
    made = Known(version, high[last], low[last], updated[at], fingerprint[at], load[at], deleted[at].astype(bool))
    return made if ids is None else replace(made, ids=ids.take(pa.array(at)))


def _scan(lake: Lake, version: DataVersion, columns: list[str], where: str) -> Iterator[pa.Table]:
    if version.version:
        _, batches = lake.scan_table("raw", version.name, version.version, columns=columns, where=where)
        yield from (pa.Table.from_batches([batch]) for batch in pieces(batches))


def _no_books() -> list[Ints]:
    return [np.zeros(0, np.int64) for _ in _BOOKS]


def _updated(rows: pa.Table) -> Ints:
    return _numbers(pc.fill_null(rows["_updated_ms"], NEVER_MS))


def _numbers(values: pa.ChunkedArray) -> Ints:
    if values.type == pa.bool_():
        return np.asarray(pc.cast(values, pa.int8()).to_numpy(), np.int64)
    return np.asarray(pc.fill_null(values, NEVER_MS).to_numpy(), np.int64)
