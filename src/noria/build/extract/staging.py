"""Reads a source into the raw table: append only, so that nothing read is lost and a run that broke goes on.

Each commit of the raw table carries the cursor up to which it has read; rows and cursor cannot part.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from noria.build.cleaning.columns import MORE, Columns
from noria.build.cleaning.rows import mask_raw, shown
from noria.build.extract.conforming import broken_rows, conform, with_fingerprint
from noria.build.extract.known import Known, hashed, raw_version, read_known, sort_out
from noria.errors import DataError, Problem, StateError
from noria.ports.source import Page, Source
from noria.records import DataVersion
from noria.stores.lake import Lake

_FLUSH_ROWS = 200_000
_TRIES = 20

U64 = npt.NDArray[np.uint64]


@dataclass
class Staged:
    """What a reading brought: the version of the raw table as it is now, and counts."""

    version: DataVersion
    known: Known | None = None
    """Of all keys, where everything was read."""
    counts: Counter[str] = field(default_factory=Counter)
    complete: bool = False
    """Whether everything that exists was read."""
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Stager:
    """Stages one feed.

    Args:
        lake: where the raw table is.
        name: of the feed.
        columns: of its rows.
        time_ms: now.
        masked: whether personal data is taken out of texts first.
        max_deleted_share: more deletions than this share of the rows are not believed.
    """

    lake: Lake
    name: str
    columns: Columns
    time_ms: int
    masked: bool
    max_deleted_share: float

    def cursor(self, version: int, told: str | None, at: int) -> str | None:
        """Where the last reading ended.

        Args:
            version: of the raw table now.
            told: what the last run said at its end; a reading without news leaves no commit.
            at: version of the raw table then; a newer one was left by a run that did not end, and knows better.
        """
        if told and at == version:
            return told
        commits = self.lake.place("raw", self.name).commits(version)
        notes = (made.facts.get("note") for made in commits)
        return next((str(n["cursor"]) for n in notes if isinstance(n, Mapping) and n.get("cursor")), None)

    def stage(self, source: Source, version: DataVersion, since: str | None, *, full: bool) -> Staged:
        """Reads what is new since a cursor, or everything.

        Args:
            source: what is read.
            version: of the raw table now.
            since: cursor.
            full: everything, whatever the cursor.

        Raises:
            DataError: a full reading misses more rows than is believed; nothing is deleted then.
            OutsideError: the source failed; what was read so far is kept, and the next run goes on from there.
        """
        staged = Staged(version)
        complete = full or since is None
        if complete:
            self._look_again(staged)
        bury = bool(staged.known)
        seen: list[U64] = []
        held: list[pa.Table] = []
        cursor = since
        for page in source.pages(None if complete else since, schema=self.columns.read_schema, full=full):
            rows, keys = self._rows(page, staged.counts)
            cursor = page.cursor or cursor
            if rows is not None:
                held.append(rows)
            if bury:
                seen += [hashed(part) for part in [*keys, *([rows[self.columns.key]] if rows is not None else [])]]
            if sum(map(len, held)) >= _FLUSH_ROWS:
                self._keep(staged, held, source, None if full else cursor)
                held = []
        self._keep(staged, held, source, cursor)
        if bury:
            self._bury(staged, np.concatenate(seen or [np.zeros((0, 2), np.uint64)]), source, cursor)
        staged.complete, staged.cursor = complete, cursor
        return staged

    def _rows(self, page: Page, counts: Counter[str]) -> tuple[pa.Table | None, list[pa.Array]]:
        """The rows for the raw table, and the keys of those that did not fit: they are no reason to bury their row."""
        counts.update(page.notes)
        table, misfits, misfit_keys = conform(page, self.columns, self.name)
        keys = [pa.array(misfit_keys, pa.string())] if misfit_keys else []
        broken = [*page.broken, *misfits]
        counts["read"] += len(table) + len(broken)
        counts["broken"] += len(broken)
        parts = [self._shaped(table)] if len(table) else []
        if self.masked:
            parts = [mask_raw(part, self.columns) for part in parts]
        if broken:
            parts.append(self._shaped(broken_rows(broken, self.columns, shown)))
            counts["repeated"] += len(broken) - len(parts[-1])
        if not parts:
            return None, keys
        counts["undeclared"] += sum(len(p) - p[MORE].null_count for p in parts)
        whole = with_fingerprint(pa.concat_tables(parts).drop_columns(["_fingerprint"]), self.columns)
        return whole.select(self.columns.raw_schema.names), keys

    def _shaped(self, table: pa.Table) -> pa.Table:
        """The columns of the raw table, absent ones without a value."""
        schema = self.columns.raw_schema
        absent = {f.name: pa.nulls(len(table), f.type) for f in schema if f.name not in table.column_names}
        columns = {f.name: absent.get(f.name, table[f.name] if f.name not in absent else None) for f in schema}
        columns["_deleted"] = pa.array(np.zeros(len(table), bool))
        return pa.table(columns, schema=schema)

    def _keep(self, staged: Staged, held: list[pa.Table], source: Source, cursor: str | None) -> None:
        """Appends what tells something new; again over the newer table where another run was faster."""
        if not held:
            return
        rows = pa.concat_tables(held)
        for _ in range(_TRIES):
            known = staged.known
            if known is None:
                ids = rows[self.columns.key].combine_chunks()
                known = read_known(self.lake, staged.version, self.columns, ids=ids)
            fresh, counts = sort_out(known, rows, self.columns.key)
            try:
                self._append(staged, fresh, source, cursor)
            except StateError:
                self._look_again(staged)
                continue
            staged.counts.update(counts)
            return
        raise StateError(f"raw {self.name}: other runs were always faster; run again when they have ended.")

    def _look_again(self, staged: Staged) -> None:
        staged.version = raw_version(self.lake, self.name)
        staged.known = read_known(self.lake, staged.version, self.columns)

    def _append(self, staged: Staged, rows: pa.Table, source: Source, cursor: str | None) -> None:
        if not len(rows):
            return
        before = staged.version
        load = pa.array(np.full(len(rows), before.version + 1))
        rows = rows.set_column(rows.schema.get_field_index("_load"), "_load", load)
        written = self.lake.write_table(
            "raw", self.name, rows, mode="append", time_ms=self.time_ms, expect=before,
            note={"source": source.describe(), **({"cursor": cursor} if cursor else {})},
        )  # fmt: skip
        staged.version = written.version
        if staged.known is not None:
            staged.known = staged.known.with_rows(rows, self.columns.key, written.version)

    def _bury(self, staged: Staged, seen: U64, source: Source, cursor: str | None) -> None:
        """A tombstone for each key that a full reading did not meet."""
        for _ in range(_TRIES):
            known = staged.known
            assert known is not None  # noqa: S101 - everything was read
            missing = ~known.deleted.copy()
            at = known.places(seen)
            missing[at[at >= 0]] = False
            n = int(missing.sum())
            if not n:
                return
            if n > self.max_deleted_share * known.alive:
                message = (
                    f"a full reading of {source.describe()} misses {n} of {known.alive} rows, more than the share of "
                    f"{self.max_deleted_share:.0%} that one run may delete."
                )
                raise DataError(
                    [Problem(f"raw/{self.name}", None, None, message)],
                    "Nothing was deleted. If they are gone indeed, raise max_deleted_share for one run.",
                )
            rows = self._shaped(pa.table({self.columns.key: self._ids(known, missing)}))
            rows = rows.set_column(rows.schema.get_field_index("_deleted"), "_deleted", pa.array(np.ones(n, bool)))
            rows = with_fingerprint(rows.drop_columns(["_fingerprint"]), self.columns)
            try:
                self._append(staged, rows.select(self.columns.raw_schema.names), source, cursor)
            except StateError:
                self._look_again(staged)
                continue
            staged.counts["deleted"] += n
            return

    def _ids(self, known: Known, which: npt.NDArray[np.bool_]) -> pa.Array:
        """The keys of some known rows, which are kept as hashes only."""
        found = [pa.array([], pa.string())]
        _, batches = self.lake.scan_table("raw", self.name, known.version.version, columns=[self.columns.key])
        for batch in batches:
            ids = batch[self.columns.key]
            found.append(ids.filter(pa.array(which[known.places(hashed(ids))])).cast(pa.string()))
        return pa.concat_arrays(found).unique()
