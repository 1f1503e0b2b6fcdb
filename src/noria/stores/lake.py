"""The lake: versioned Delta tables of examples, articles and streams at `<root>/<kind>/<name>`, and pins."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from deltalake import DeltaTable

from noria.errors import DataError, NotFound, Problem, StateError, UsageError
from noria.records import Article, DataVersion, Example, StreamRow
from noria.stores.blobs import write_file
from noria.stores.delta import commit, commits, create_table, open_table, read_rows, transaction
from noria.stores.tables import ARTICLES, EXAMPLES, KINDS, STREAMS, TableKind, kind_of

R = TypeVar("R")
Mode = Literal["append", "replace"]

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_SLACK = 8  # commits that others may add while a history is read


@dataclass(frozen=True, slots=True)
class _Change:
    mode: Mode
    note: Mapping[str, str]
    time_ms: int
    expect: DataVersion | None


class Lake:
    """Tables with versions that stay readable. Any number of processes may read and write at the same time.

    Version 0 of a table is its empty creation, since MLflow's dataset source cannot name version 0; data are from
    version 1 on, one version per write.

    Args:
        root: the folder of the lake; made at the first write.
    """

    def __init__(self, root: str | Path) -> None:
        self._root = Path(root)

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

    def resolve(self, kind: str, ref: str) -> DataVersion:
        """What `NAME` (its latest version) or `NAME@VERSION` means; reads no rows.

        Raises:
            NotFound: no such table. UsageError: no such kind or version, or not of that form.
        """
        name, at, number = ref.partition("@")
        if at and not (number.isascii() and number.isdecimal()):
            raise UsageError(f"{ref!r} is no reference to data: write NAME or NAME@VERSION, e.g. {name or 'bank'}@3.")
        table = self._open(kind, name)
        return self._facts(kind, name, table, _in_range(table, kind, name, int(number) if at else None))

    def tables(self) -> list[DataVersion]:
        """The latest version of each table, in order of kind and name."""
        return [self.resolve(kind, name) for kind in sorted(KINDS) for name in self._names(kind)]

    def history(self, kind: str, name: str) -> list[Mapping[str, object]]:
        """The versions of a table, newest first.

        Each has version, time_ms, rows, sha256, note, operation ("append", "replace"). A version that another program
        made has no rows, sha256 and note (None, None, {}) and that program's word for the operation.
        """
        return [
            {
                "version": made.version,
                "time_ms": made.facts.get("time_ms", made.time_ms),
                "rows": made.facts.get("rows"),
                "sha256": made.facts.get("sha256"),
                "note": made.facts.get("note", {}),
                "operation": made.facts.get("operation", made.operation),
            }
            for made in commits(self._open(kind, name))
            if made.version > 0
        ]

    def verify(self, data: DataVersion) -> bool:
        """Reads the rows of a version again and says whether they are what `data` says: same count, same sha256."""
        return self.read_again(data) == data

    def read_again(self, data: DataVersion) -> DataVersion:
        """What the rows of a version are now: count and sha256 by reading them, not by what its commit says."""
        version = _in_range(self._open(data.kind, data.name), data.kind, data.name, data.version)
        return self._computed(kind_of(data.kind), data.name, version)

    def pin(self, data: DataVersion, why: str) -> None:
        """Marks a version as needed, so that no retention job may remove it; pinning twice for one reason is once.

        Raises:
            NotFound, UsageError: there is no such version. StateError: the version holds something else.
        """
        if self.resolve(data.kind, data.ref) != data:
            raise StateError(f"{data.kind} {data.ref} does not hold what it is to be pinned for; look at its history.")
        pin = {
            "kind": data.kind, "name": data.name, "version": data.version,
            "rows": data.rows, "sha256": data.sha256, "why": why,
        }  # fmt: skip
        reason = hashlib.sha256(why.encode()).hexdigest()[:16]
        path = self._root / "_pins" / f"{data.kind}.{data.name}.{data.version}.{reason}.json"
        write_file(path, json.dumps(pin, sort_keys=True, indent=1).encode() + b"\n")

    def pins(self) -> list[Mapping[str, object]]:
        """All pins (kind, name, version, rows, sha256, why) in order of kind, name, version, why."""
        files = (self._root / "_pins").glob("[!.]*.json")
        pins: list[Mapping[str, object]] = [json.loads(path.read_bytes()) for path in files]
        return sorted(pins, key=lambda p: (str(p["kind"]), str(p["name"]), int(str(p["version"])), str(p["why"])))

    # Inside, the same for every kind.

    def _path(self, kind: str, name: str) -> Path:
        return self._root / kind / name

    def _names(self, kind: str) -> list[str]:
        """The tables of a kind that hold data; one without version 1 was left by a crash between creation and write."""
        logs = (self._root / kind).glob(f"*/_delta_log/{1:020}.json")
        return sorted(path.parent.parent.name for path in logs)

    def _open(self, kind: str, name: str) -> DeltaTable:
        kind_of(kind)
        table = open_table(self._path(kind, name)) if _NAME.fullmatch(name) else None
        if table is None or table.version() == 0:
            raise NotFound(f"{kind} table", name, self._names(kind), "'noria data list' shows all tables.")
        return table

    def _read(self, kind: TableKind[R], name: str, version: int | None) -> tuple[DataVersion, list[R]]:
        table = self._open(kind.kind, name)
        at = _in_range(table, kind.kind, name, version)
        return self._facts(kind.kind, name, table, at), kind.from_arrow(read_rows(self._path(kind.kind, name), at))

    def _facts(self, kind: str, name: str, table: DeltaTable, version: int) -> DataVersion:
        """Count and hash of a version: from its commit, or from its rows where another program made it."""
        for made in commits(table, table.version() - version + 1 + _SLACK):
            if made.version == version and made.facts:
                return DataVersion(kind, name, version, int(str(made.facts["rows"])), str(made.facts["sha256"]))
        return self._computed(kind_of(kind), name, version)

    def _computed(self, kind: TableKind[R], name: str, version: int) -> DataVersion:
        rows = kind.from_arrow(read_rows(self._path(kind.kind, name), version))
        return DataVersion(kind.kind, name, version, len(rows), kind.sha256(rows))

    def _write(self, kind: TableKind[R], name: str, rows: Sequence[R], change: _Change) -> DataVersion:
        where = f"{kind.kind}/{name}"
        if not _NAME.fullmatch(name):
            raise UsageError(
                f"{name!r} cannot name a table: use 1 to 64 lower-case letters, digits, '_' and '-', "
                "the first a letter or digit."
            )
        kind.check(rows, where)
        if not rows and name not in self._names(kind.kind):
            raise DataError([Problem(where, None, None, "there are no rows to make a table of.")])
        return transaction(lambda: self._attempt(kind, name, rows, change), where)

    def _attempt(self, kind: TableKind[R], name: str, rows: Sequence[R], change: _Change) -> DataVersion:
        path = self._path(kind.kind, name)
        # Version 0 is empty: MLflow's dataset source takes a version 0 for "no version" and would read the latest.
        table = open_table(path) or create_table(path, kind.schema)
        before = table.version()
        if change.expect is not None and change.expect.version != before:
            raise StateError(f"{kind.kind} {name} is at version {before}, not {change.expect.version}; read it again.")
        after = fresh = rows
        if change.mode == "append":
            present = kind.from_arrow(read_rows(path, table))
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


def _in_range(table: DeltaTable, kind: str, name: str, version: int | None) -> int:
    latest = table.version()
    if version is None:
        return latest
    if not 1 <= version <= latest:
        have = "only version 1" if latest == 1 else f"versions 1 to {latest}"
        raise UsageError(f"{kind} {name} has no version {version}; it has {have}.")
    return version


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
