"""The rows of a feed's two tables and the fresh ones, and what the fresh ones change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from noria.build.cleaning.groups import Verdicts, affected, decide
from noria.build.cleaning.narrow import Bools, Ints, Narrow
from noria.build.cleaning.rules import Rules


@dataclass(frozen=True, slots=True)
class Changes:
    """Rows that did not move themselves but get another verdict; `was`: the reasons they had, with counts."""

    verdicts: Verdicts
    was: Mapping[str, int]


class Held:
    """Rows in one order: those of the clean table, those in quarantine, the fresh ones.

    Args:
        rows: all of them.
        n_clean: how many are of the clean table.
        n_old: how many are of both tables.
        moving: ids of rows that come or go.
    """

    def __init__(self, rows: Narrow, n_clean: int, n_old: int, moving: pa.Array) -> None:
        self._rows, self._n_clean, self.n_old = rows, n_clean, n_old
        self.moved = np.zeros(len(rows), bool)
        """Old rows that go, or that a fresh one replaces."""
        found = pc.is_in(rows.ids.slice(0, n_old), value_set=moving)
        self.moved[:n_old] = found.to_numpy(zero_copy_only=False)

    def counts(self, which: Bools | Ints) -> dict[str, int]:
        """The reasons that rows had."""
        return self._rows.reasons.counts(self._rows.reason[which])

    def ids_of(self, at: Ints) -> pa.Array:
        """The ids of rows."""
        return self._rows.ids.take(pa.array(at))

    def leaving(self, clean: bool, changed: Ints, comes: pa.Array) -> pa.Array:  # noqa: FBT001 - which of two tables
        """Ids of the rows that leave one of the tables: moved or changed, and not coming in again."""
        at = np.concatenate([np.flatnonzero(self.moved), changed])
        ids = self.ids_of(at[(at < self._n_clean) == clean])
        return ids.filter(pc.invert(pc.is_in(ids, value_set=comes)))

    def decided(self, rules: Rules) -> tuple[Verdicts, Changes]:
        """Verdicts on the fresh rows, in their order; and those that change for rows which did not move."""
        rows = self._rows
        fresh = np.arange(len(rows)) >= self.n_old
        touched, around = affected(rows, self.moved | fresh)
        looked = np.flatnonzero((around | fresh) & ~self.moved)
        said = decide(rows, rules, looked)
        old = said.take(np.flatnonzero(touched[looked] & ~fresh[looked]))
        differs = self._differs(old)
        changed = old.take(np.flatnonzero(differs))
        return said.take(np.flatnonzero(fresh[looked])), Changes(changed, self.counts(changed.rows))

    def _differs(self, said: Verdicts) -> Bools:
        """Where the verdict is another than before; what is said of a row alone cannot change."""
        rows, now = self._rows, said.batch()
        at = pa.array(said.rows)
        differs: Bools = rows.reason[said.rows] != said.reason
        for column, was in (("detail", rows.detail), ("near_of", rows.near_of)):
            one, other = pc.fill_null(was.take(at), ""), pc.fill_null(now[column], "")
            differs = differs | pc.not_equal(one, other).to_numpy(zero_copy_only=False)
        return np.asarray(differs & rows.judged[said.rows], bool)
