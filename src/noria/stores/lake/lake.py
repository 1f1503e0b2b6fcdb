"""The lake as rooms know it: versioned tables of records (examples, articles, streams), and of any schema."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from noria.errors import DataError, Problem, StateError
from noria.records import Article, DataVersion, Example, StreamRow
from noria.stores.lake.delta import commit, read_rows, transaction
from noria.stores.lake.kinds import ARTICLES, EXAMPLES, STREAMS, TableKind
from noria.stores.lake.tables import Tables, check_name

R = TypeVar("R")
Mode = Literal["append", "replace"]


@dataclass(frozen=True, slots=True)
class _Change:
    mode: Mode
    note: Mapping[str, str]
    time_ms: int
    expect: DataVersion | None


class Lake(Tables):
    """Tables of examples, articles and streams, beside those of any schema (see `Tables`)."""

    def examples(self, name: str, version: int | None = None) -> tuple[DataVersion, list[Example]]:
        """The rows of an examples table in order of id; `version` None = the latest.

        Raises:
            NotFound: no such table. UsageError: no such version. StateError: the files of the version are damaged.
        """
        return self._read(EXAMPLES, name, version)

    def articles(self, name: str, version: int | None = None) -> tuple[DataVersion, list[Article]]:
        """The rows of an articles table in order of article_id; see `examples`."""
        return self._read(ARTICLES, name, version)

    def stream(self, name: str, version: int | None = None) -> tuple[DataVersion, list[StreamRow]]:
        """The rows of a streams table in order of time, then id; see `examples`."""
        return self._read(STREAMS, name, version)

    def write_examples(
        self,
        name: str,
        rows: Sequence[Example],
        *,
        mode: Mode,
        note: Mapping[str, str],
        time_ms: int,
        expect: DataVersion | None = None,
    ) -> DataVersion:
        """Writes rows as one new version of a table, all or none; the table is made where it is missing.

        Args:
            name: lower-case letters, digits, `_` and `-`; at most 64.
            rows: keys must be unique.
            mode: "append" adds rows; a row that is there already with equal content changes nothing, and when nothing
                is new there is no new version. "replace" makes the rows the whole content of a new version.
            note: kept with the version: where the rows come from, why.
            time_ms: UTC milliseconds, kept with the version.
            expect: write only if this is still the latest version.

        Returns:
            The version that now holds the rows.

        Raises:
            UsageError: the name is not allowed.
            DataError: rows cannot be kept, or an appended row differs from the row with the same key.
            StateError: the table has moved on from `expect`.
            OutsideError: too many others wrote at the same time.
        """
        return self._write(EXAMPLES, name, rows, _Change(mode, note, time_ms, expect))

    def write_articles(
        self,
        name: str,
        rows: Sequence[Article],
        *,
        mode: Mode,
        note: Mapping[str, str],
        time_ms: int,
        expect: DataVersion | None = None,
    ) -> DataVersion:
        """The same as `write_examples` for an articles table."""
        return self._write(ARTICLES, name, rows, _Change(mode, note, time_ms, expect))

    def write_stream(
        self,
        name: str,
        rows: Sequence[StreamRow],
        *,
        mode: Mode,
        note: Mapping[str, str],
        time_ms: int,
        expect: DataVersion | None = None,
    ) -> DataVersion:
        """The same as `write_examples` for a streams table."""
        return self._write(STREAMS, name, rows, _Change(mode, note, time_ms, expect))

    # Inside, the same for every kind of record.

    def _read(self, kind: TableKind[R], name: str, version: int | None) -> tuple[DataVersion, list[R]]:
        made, table = self.read_table(kind.kind, name, version)
        return made, kind.from_arrow(table)

    def _write(self, kind: TableKind[R], name: str, rows: Sequence[R], change: _Change) -> DataVersion:
        where = f"{kind.kind}/{name}"
        check_name(name)
        kind.check(rows, where)
        if not rows and name not in self.names(kind.kind):
            raise DataError([Problem(where, None, None, "there are no rows to make a table of.")])
        return transaction(lambda: self._attempt(kind, name, rows, change), where)

    def _attempt(self, kind: TableKind[R], name: str, rows: Sequence[R], change: _Change) -> DataVersion:
        place = self.place(kind.kind, name)
        # Version 0 is empty: MLflow's dataset source takes a version 0 for "no version" and would read the latest.
        table = place.open() or place.create(kind.schema)
        before = table.version()
        if change.expect is not None and change.expect.version != before:
            raise StateError(f"{kind.kind} {name} is at version {before}, not {change.expect.version}; read it again.")
        after = fresh = rows
        if change.mode == "append":
            present = kind.from_arrow(read_rows(place, table))
            fresh = _fresh(kind, name, present, rows)
            if not fresh and before > 0:
                return self._facts(kind.kind, name, table, before)
            after = [*present, *fresh]
        made = DataVersion(kind.kind, name, before + 1, len(after), kind.sha256(after))
        facts = {
            "version": made.version,
            "rows": made.rows,
            "sha256": made.sha256,
            "operation": change.mode,
            "note": dict(change.note),
            "time_ms": change.time_ms,
        }
        commit(table, kind.to_arrow(fresh), mode="append" if change.mode == "append" else "overwrite", facts=facts)
        return made


def _fresh(kind: TableKind[R], name: str, present: Sequence[R], rows: Sequence[R]) -> list[R]:
    """The rows that are not there yet; DataError for those that are there with different content."""
    known = {kind.key_of(row): row for row in present}
    problems = [
        Problem(f"{kind.kind}/{name}", number, kind.key, f"the key {kind.key_of(row)!r} exists with different content.")
        for number, row in enumerate(rows, start=1)
        if known.get(kind.key_of(row), row) != row
    ]
    if problems:
        raise DataError(problems, "Nothing was written. To let the new rows win, use mode 'replace' (--update).")
    return [row for row in rows if kind.key_of(row) not in known]
