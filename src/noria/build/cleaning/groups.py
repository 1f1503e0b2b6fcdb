"""Duplicates and label conflicts over all rows: the one step of cleaning that no row can take alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from noria.build.cleaning.near import BANDS, bands, slots
from noria.build.cleaning.rules import Rules

NARROW = ("id", "time_ms", "label", "content", "signature", "reason")
"""The columns that the decision needs; `reason` is what rows alone could tell."""

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


def decide(rows: pa.Table, rules: Rules) -> pa.Table:
    """What becomes of each row: `reason` and `detail` (null = it stays), and `near_of`.

    Earlier means by `time_ms`, then by id; a row without time comes last. Equal texts with different labels are set
    aside together; of other equal texts the earliest stays. `near_of` names the earliest row that stays, shares a band
    of the signature and is similar enough.

    Args:
        rows: `NARROW`; each id once.
        rules: what to do.
    """
    rank, by_rank = _ranks(rows)
    ids = pc.cast(rows["id"], pa.string())
    reason = np.asarray(rows["reason"].to_pylist(), dtype=object)
    detail: npt.NDArray[Any] = np.full(len(rows), None, dtype=object)
    judged = pc.is_valid(rows["content"]).to_numpy()
    first, conflict = _by_content(rows, judged, rank)
    stays = judged.copy()
    if rules.conflicts == "reject":
        _tell(reason, detail, conflict, "label_conflict", ids, by_rank, np.where(first == rank, rank, first))
        stays &= ~conflict
    if rules.exact == "reject":
        twice = stays & (first != rank)
        _tell(reason, detail, twice, "exact_duplicate", ids, by_rank, first)
        stays &= ~twice
    near = np.full(len(rows), -1, np.int64)
    if rules.near != "off":
        near = _near(rows, stays, rank, rules.near_similarity)
    if rules.near == "reject":
        _tell(reason, detail, near >= 0, "near_duplicate", ids, by_rank, near)
        near[:] = -1
    at = pa.array(np.where(near >= 0, by_rank[np.maximum(near, 0)], 0), mask=near < 0)
    return pa.table(
        {"reason": pa.array(reason, pa.string()), "detail": pa.array(detail, pa.string()), "near_of": ids.take(at)}
    )


def affected(rows: pa.Table, changed: Bools) -> tuple[Bools, Bools]:
    """Which rows a change can touch, and which must be looked at to decide about those.

    Args:
        rows: `NARROW`; the state before and after, so that an id may come twice.
        changed: rows that came or went.
    """
    content = rows["content"].combine_chunks()
    touched = changed | _same_content(content, changed)
    valid = pc.is_valid(rows["signature"]).to_numpy()
    keys = np.zeros((len(rows), BANDS), np.uint64)
    if valid.any():
        keys[valid] = bands(rows["signature"].filter(pa.array(valid)))
    touched = touched | _same_bands(keys, valid, touched)
    around = touched | _same_bands(keys, valid, touched)
    return touched, around | _same_content(content, around)


def _same_content(content: pa.Array, among: Bools) -> Bools:
    wanted = content.filter(pa.array(among)).drop_null()
    if not len(wanted):
        return np.zeros(len(content), bool)
    found = pc.is_in(content, value_set=wanted, skip_nulls=True)
    return np.asarray(found.to_numpy(zero_copy_only=False), bool)


def _same_bands(keys: npt.NDArray[np.uint64], valid: Bools, among: Bools) -> Bools:
    found = np.zeros(len(keys), bool)
    few = valid & among
    for band in range(BANDS):
        found |= np.isin(keys[:, band], np.unique(keys[few, band]), kind="sort") if few.any() else False
    return found & valid


def _ranks(rows: pa.Table) -> tuple[Ints, Ints]:
    order = pc.sort_indices(rows, sort_keys=[("time_ms", "ascending"), ("id", "ascending")])
    by_rank = order.to_numpy().astype(np.int64)
    rank = np.empty(len(rows), np.int64)
    rank[by_rank] = np.arange(len(rows))
    return rank, by_rank


def _by_content(rows: pa.Table, judged: Bools, rank: Ints) -> tuple[Ints, Bools]:
    """Rank of the earliest row with the same text, and whether such rows have different labels."""
    first, conflict = rank.copy(), np.zeros(len(rows), bool)
    if not judged.any():
        return first, conflict
    where = np.flatnonzero(judged)
    codes = _codes(rows["content"].take(pa.array(where)))
    n = int(codes.max()) + 1
    earliest = np.full(n, len(rows), np.int64)
    np.minimum.at(earliest, codes, rank[where])
    first[where] = earliest[codes]
    labels = rows["label"].take(pa.array(where))
    named = pc.is_valid(labels).to_numpy()
    if named.any():
        label = _codes(labels.filter(pa.array(named)))
        least, most = np.full(n, len(rows), np.int64), np.full(n, -1, np.int64)
        np.minimum.at(least, codes[named], label)
        np.maximum.at(most, codes[named], label)
        conflict[where] = (most > least)[codes]
    return first, conflict


def _codes(values: pa.ChunkedArray) -> Ints:
    encoded = values.combine_chunks().dictionary_encode()
    encoded = encoded.combine_chunks() if isinstance(encoded, pa.ChunkedArray) else encoded
    return np.asarray(encoded.indices.to_numpy(zero_copy_only=False), np.int64)


def _near(rows: pa.Table, stays: Bools, rank: Ints, least: float) -> Ints:
    """Rank of the earlier row that each is a near duplicate of, -1 for none."""
    near = np.full(len(rows), len(rows), np.int64)
    where = np.flatnonzero(stays & pc.is_valid(rows["signature"]).to_numpy())
    if len(where):
        where = where[np.argsort(rank[where], kind="stable")]  # earliest first
        signature = rows["signature"].take(pa.array(where)).combine_chunks()
        keys, values = bands(signature), slots(signature)
        for band in range(BANDS):
            _, first, inverse = np.unique(keys[:, band], return_index=True, return_inverse=True)
            candidate = first[inverse]
            later = np.flatnonzero(candidate < np.arange(len(where)))
            alike = (values[later] == values[candidate[later]]).mean(axis=1) >= least
            hit = later[alike]
            near[where[hit]] = np.minimum(near[where[hit]], rank[where[candidate[hit]]])
    near[near == len(rows)] = -1
    return near


def _tell(reason: Any, detail: Any, which: Bools, word: str, ids: Any, by_rank: Ints, other: Ints) -> None:
    at = np.flatnonzero(which)
    reason[at] = word
    names = ids.take(pa.array(by_rank[other[at]])).to_pylist()
    detail[at] = [f"like {name}" for name in names]
