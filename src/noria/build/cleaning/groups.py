"""Duplicates and label conflicts over all rows: the one step of cleaning that no row can take alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from noria.build.cleaning.narrow import Bools, Ints, Narrow, Words, like
from noria.build.cleaning.near import BANDS, SLOTS
from noria.build.cleaning.rules import Rules

Codes = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What becomes of rows. Shapes (n,).

    rows: which of all rows these are. reason: number of the word among `words`, -1 = the row stays. like: the row that
    makes it a duplicate or conflict, near: the earlier row that it nearly repeats; -1 = none.
    """

    ids: pa.Array
    words: Words
    rows: Ints
    reason: Codes
    like: Ints
    near: Ints

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, at: Ints) -> Verdicts:
        """Some of them."""
        return Verdicts(self.ids, self.words, self.rows[at], self.reason[at], self.like[at], self.near[at])

    def batch(self, start: int = 0, n: int | None = None) -> pa.RecordBatch:
        """`reason`, `detail` and `near_of` of n of them."""
        part = slice(start, None if n is None else start + n)
        near = self.near[part]
        named = self.ids.take(pa.array(np.maximum(near, 0), mask=near < 0))
        columns = [self.words.texts(self.reason[part]), like(self.ids, self.like[part]), named]
        return pa.RecordBatch.from_arrays(columns, names=["reason", "detail", "near_of"])


def decide(rows: Narrow, rules: Rules, among: Ints | None = None) -> Verdicts:
    """What becomes of each row.

    Earlier means by `time_ms`, then by id; a row without time comes last. Equal texts with different labels are set
    aside together; of other equal texts the earliest stays. `near` is the earliest row that stays, shares a band of the
    signature and is similar enough. What was said of a row without content stays.

    Args:
        rows: each id once among those that are looked at.
        rules: what to do.
        among: which rows are looked at, in order; None = all.
    """
    at = np.arange(len(rows)) if among is None else among
    by_rank = _by_rank(rows, at)
    judged = rows.judged[at]
    reason = np.where(judged, np.int32(-1), rows.reason[at])
    other = np.full(len(at), -1, np.int64)
    earliest, conflict = _by_content(rows, at, by_rank[judged[by_rank]])
    stays = judged.copy()
    if rules.conflicts == "reject":
        _tell(rows.reasons, "label_conflict", conflict, reason, other, earliest)
        stays &= ~conflict
    if rules.exact == "reject":
        twice = stays & (earliest != np.arange(len(at)))
        _tell(rows.reasons, "exact_duplicate", twice, reason, other, earliest)
        stays &= ~twice
    near = np.full(len(at), -1, np.int64)
    if rules.near != "off":
        near = _near(rows, at, by_rank[(stays & rows.signed[at])[by_rank]], rules.near_similarity)
    if rules.near == "reject":
        _tell(rows.reasons, "near_duplicate", near >= 0, reason, other, near)
        near[:] = -1
    return Verdicts(rows.ids, rows.reasons, at, reason, _rows_at(at, other), _rows_at(at, near))


def affected(rows: Narrow, changed: Bools) -> tuple[Bools, Bools]:
    """Which rows a change can touch, and which must be looked at to decide about those.

    Args:
        rows: the state before and after, so that an id may come twice.
        changed: rows that came or went.
    """
    touched = changed | rows.same_content(changed)
    touched = touched | rows.same_bands(touched)
    around = touched | rows.same_bands(touched)
    return touched, around | rows.same_content(around)


def _rows_at(at: Ints, places: Ints) -> Ints:
    return np.where(places >= 0, at[np.maximum(places, 0)], -1) if len(at) else places


def _by_rank(rows: Narrow, at: Ints) -> Ints:
    """The places of `at` in order of time, then id."""
    whole = len(at) == len(rows)
    ids = rows.ids if whole else rows.ids.take(pa.array(at))
    table = pa.table({"time": rows.time_ms[at], "id": ids})
    order = pc.sort_indices(table, sort_keys=[("time", "ascending"), ("id", "ascending")])
    return np.asarray(order.to_numpy(), np.int64)


def _firsts(new: Bools) -> Ints:
    """For each of sorted rows the place of the first of its group; `new` = a group begins."""
    return np.maximum.accumulate(np.where(new, np.arange(len(new)), 0))


def _by_content(rows: Narrow, at: Ints, judged: Ints) -> tuple[Ints, Bools]:
    """The place of the earliest row with the same text, and whether such rows have different labels.

    `judged`: places of rows with a text, the earliest first.
    """
    earliest, conflict = np.arange(len(at)), np.zeros(len(at), bool)
    if not len(judged):
        return earliest, conflict
    high, low = rows.high[at[judged]], rows.low[at[judged]]
    order = np.argsort(high, kind="stable")
    new = np.append(True, high[order][1:] != high[order][:-1])
    if (~new[1:] & (low[order][1:] != low[order][:-1])).any():  # 64 bits alike and 96 not: hardly ever
        order = np.lexsort((low, high))
        new = np.append(True, (high[order][1:] != high[order][:-1]) | (low[order][1:] != low[order][:-1]))
    placed = judged[order]
    earliest[placed] = placed[_firsts(new)]
    label = rows.label[at[placed]]
    begins = np.flatnonzero(new)
    least = np.minimum.reduceat(np.where(label < 0, np.iinfo(np.int32).max, label), begins)
    conflict[placed] = (np.maximum.reduceat(label, begins) > least)[np.cumsum(new) - 1]
    return earliest, conflict


def _near(rows: Narrow, at: Ints, stays: Ints, least: float) -> Ints:
    """The place of the earlier row that each is a near duplicate of, -1 for none; `stays`: the earliest first."""
    if not len(stays):
        return np.full(len(at), -1, np.int64)
    best = np.full(len(at), len(stays), np.int64)  # number in order of time of the best candidate so far
    own = at[stays]
    for number in range(BANDS):
        keys = rows.band(number)[own]
        order = np.argsort(keys, kind="stable")
        new = np.append(True, keys[order][1:] != keys[order][:-1])
        candidate, later = order[_firsts(new)][~new], order[~new]
        alike = _similarity(rows, own, later, candidate) >= least
        hit = stays[later[alike]]
        best[hit] = np.minimum(best[hit], candidate[alike])
    return np.where(best < len(stays), stays[np.minimum(best, len(stays) - 1)], -1)


def _similarity(rows: Narrow, own: Ints, one: Ints, other: Ints) -> npt.NDArray[np.float64]:
    """The share of equal slots of pairs, by their numbers in `own`: estimates the Jaccard similarity."""
    equal = np.zeros(len(one), np.int64)
    for number in range(BANDS if len(one) else 0):
        keys = rows.band(number)
        differ = keys[own[one]] ^ keys[own[other]]
        equal += (differ.view(np.uint16).reshape(-1, 4) == 0).sum(axis=1)
    return equal / SLOTS


def _tell(words: Words, word: str, which: Bools, reason: Codes, other: Ints, of: Ints) -> None:
    if which.any():
        reason[which] = words.code(word)
        other[which] = of[which]
