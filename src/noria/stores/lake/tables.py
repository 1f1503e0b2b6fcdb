"""Versioned tables of any schema at `<root>/<kind>/<name>`: find, read, write, tell their versions, pin them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from noria.errors import NotFound, StateError, UsageError
from noria.records import DataVersion
from noria.stores.lake.delta import Commit, Place, read_batches, read_rows
from noria.stores.lake.digest import NOTHING, as_hex, digests, total
from noria.stores.lake.incoming import Rows
from noria.stores.lake.kinds import KINDS
from noria.stores.lake.merging import scan_files
from noria.stores.lake.writing import TableChange, TableWriter, Written
from noria.stores.objects import LocalObjects, open_objects

_OPEN = 16
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


class Tables:
    """Tables with versions that stay readable. Any number of processes may read and write at the same time.

    Version 0 of a table is its empty creation, since MLflow's dataset source cannot name version 0; data are from
    version 1 on, one version per write.

    Args:
        root: a folder, made at the first write, or `s3://bucket/prefix`.
    """

    def __init__(self, root: str | Path) -> None:
        self.objects = open_objects(root)
        self._seen: dict[tuple[str, str], int] = {}
        self._open: dict[tuple[str, str, int], DeltaTable] = {}

    def read_table(
        self, kind: str, name: str, version: int | None = None, *, columns: Sequence[str] | None = None
    ) -> tuple[DataVersion, pa.Table]:
        """The rows of a version (None = the latest) in memory, in no order.

        Raises:
            NotFound: no such table. UsageError: no such version or column. StateError: its files are damaged or gone.
        """
        made, table = self._opened_at(kind, name, version)
        return made, read_rows(self.place(kind, name), table, columns)

    def scan_table(
        self, kind: str, name: str, version: int | None = None, *, columns: Sequence[str] | None = None, where: str = ""
    ) -> tuple[DataVersion, Iterator[pa.RecordBatch]]:
        """The same batch by batch: memory does not grow with the table.

        `where`: a condition in SQL (DataFusion's), "" = all rows.
        """
        made, table = self._opened_at(kind, name, version)
        place = self.place(kind, name)
        if where or not isinstance(self.objects, LocalObjects):
            return made, read_batches(place, table, columns, where)
        return made, scan_files(place, table, columns)

    def pick_rows(self, kind: str, name: str, version: int, column: str, values: pa.Array) -> Iterator[pa.RecordBatch]:
        """The rows of a version whose value of a column is among some, without decoding most of the others.

        Raises:
            NotFound: no such table. UsageError: no such version. StateError: its files are damaged or gone.
        """
        _, table = self._opened_at(kind, name, version)
        yield from scan_files(self.place(kind, name), table, among=(column, values))

    def write_table(
        self,
        kind: str,
        name: str,
        rows: Rows,
        *,
        mode: Literal["append", "replace", "merge"],
        note: Mapping[str, str],
        time_ms: int,
        keys: Sequence[str] = (),
        deletes: pa.Table | None = None,
        full: bool = False,
        expect: DataVersion | None = None,
        inputs: Sequence[DataVersion] = (),
        code: Mapping[str, str] | None = None,
        once: str | None = None,
        check: Callable[[pa.RecordBatch], None] | None = None,
    ) -> Written:
        """Writes rows of any schema as one new version of a table, all or none; made where it is missing.

        The columns of the table are those it has and those that the rows bring; a missing one is null. Where nothing
        is new, changed or deleted there is no new version.

        Args:
            kind: folder of the lake, such as "raw"; not one of the kinds of records.
            name: lower-case letters, digits, `_` and `-`; at most 64. The kind likewise.
            rows: read once, batch by batch; an error while they are read writes nothing.
            mode: "append" adds rows (with keys: a known key with equal content changes nothing, with other content it
                is an error), "merge" adds or changes rows by key, "replace" makes the rows the whole content.
            note: kept with the version: where the rows come from, why.
            time_ms: UTC milliseconds, kept with the version.
            keys: columns that name a row, kept with the table; a later write may leave them out.
            deletes: keys of rows that go ("merge").
            full: the rows are the whole state, so that a key which is not among them goes ("merge").
            expect: write only if this is still the latest version.
            inputs: the versions that the rows were made from.
            code: facts on the code that made them.
            once: id of this write; a write with an id that the table knows changes nothing and returns the first
                one's result.
            check: called with each batch as it came; what it raises stops the write.

        Raises:
            UsageError: kind, name or keys are not allowed.
            DataError: a key is empty, comes twice or (append) has other content; a column does not fit the table.
            StateError: the table has moved on from `expect`, or its files are damaged.
            OutsideError: disk or store refuse, or too many others wrote at the same time.
        """
        if kind in KINDS:
            raise UsageError(f"{kind} are records, written by a door of their own; name another kind.")
        for word in (kind, name):
            check_name(word)
        change = TableChange(
            mode, note, time_ms, tuple(keys), deletes, full, expect, tuple(inputs), code or {}, once, check
        )  # fmt: skip
        writer = TableWriter(self.place(kind, name), kind, name, lambda version: self._facts(kind, name, version))
        written = writer.write(rows, change)
        if writer.table is not None:
            with suppress(DeltaError, OSError):  # only a read less
                writer.table.update_incremental()
                self._keep_open(kind, name, writer.table)
        return written

    def resolve(self, kind: str, ref: str) -> DataVersion:
        """What `NAME` (its latest version) or `NAME@VERSION` means; reads no rows.

        Raises:
            NotFound: no such table. UsageError: no such version, or not of that form.
        """
        name, at, number = ref.partition("@")
        if at and not (number.isascii() and number.isdecimal()):
            raise UsageError(f"{ref!r} is no reference to data: write NAME or NAME@VERSION, e.g. {name or 'bank'}@3.")
        latest = self._latest(kind, name)
        return self._facts(kind, name, _in_range(latest, kind, name, int(number) if at else None))

    def tables(self) -> list[DataVersion]:
        """The latest version of each table, in order of kind and name."""
        kinds = [kind for kind in self.objects.folders("") if _NAME.fullmatch(kind)]
        return [self.resolve(kind, name) for kind in kinds for name in self.names(kind)]

    def names(self, kind: str) -> list[str]:
        """The tables of a kind that hold data; one without version 1 was left by a crash between creation and write."""
        return [n for n in self.objects.folders(kind) if self.objects.exists(f"{kind}/{n}/_delta_log/{1:020}.json")]

    def history(self, kind: str, name: str) -> list[Mapping[str, object]]:
        """The versions of a table, newest first.

        Each has version, time_ms, rows, sha256, note, operation ("append", "replace", "merge", "columns"). A version
        that another program made has no rows, sha256 and note (None, None, {}) and that program's word for the
        operation.
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
            for made in self.commits(kind, name)
        ]

    def commits(self, kind: str, name: str) -> list[Commit]:
        """The commits of a table that made its versions, newest first, each with all its facts."""
        return list(self.place(kind, name).commits(self.opened(kind, name).version()))

    def verify(self, data: DataVersion) -> bool:
        """Reads the rows of a version again and says whether they are what `data` says: same count, same sha256."""
        return self.read_again(data) == data

    def read_again(self, data: DataVersion) -> DataVersion:
        """What the rows of a version are now: count and sha256 by reading them, not by what its commit says."""
        version = _in_range(self._latest(data.kind, data.name), data.kind, data.name, data.version)
        return self._computed(data.kind, data.name, version)

    def pin(self, data: DataVersion, why: str) -> None:
        """Marks a version as needed, so that no vacuum removes it; pinning twice for one reason is once.

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
        path = f"_pins/{data.kind}.{data.name}.{data.version}.{reason}.json"
        self.objects.write(path, json.dumps(pin, sort_keys=True, indent=1).encode() + b"\n")

    def unpin(self, kind: str, name: str, version: int) -> None:
        """Takes every pin off a version: only an erasure does that; whatever used it cannot be repeated exactly."""
        for path in self.objects.names("_pins"):
            if path.startswith(f"_pins/{kind}.{name}.{version}."):
                self.objects.remove(path)

    def pins(self) -> list[Mapping[str, object]]:
        """All pins (kind, name, version, rows, sha256, why) in order of kind, name, version, why."""
        files = [path for path in self.objects.names("_pins") if path.endswith(".json")]
        pins: list[Mapping[str, object]] = [json.loads(self.objects.read(path)) for path in files]
        return sorted(pins, key=lambda p: (str(p["kind"]), str(p["name"]), int(str(p["version"])), str(p["why"])))

    def place(self, kind: str, name: str) -> Place:
        """Where a table is or would be."""
        return Place(self.objects, f"{kind}/{name}")

    def opened(self, kind: str, name: str) -> DeltaTable:
        """The table at its latest version.

        Raises:
            NotFound: there is none.
        """
        table = self.place(kind, name).open() if _NAME.fullmatch(name) and _NAME.fullmatch(kind) else None
        if table is None or table.version() == 0:
            known = self.names(kind) if _NAME.fullmatch(kind) else []
            raise NotFound(f"{kind} table", name, known, "'noria data list' shows all tables.")
        return table

    def _opened_at(self, kind: str, name: str, version: int | None) -> tuple[DataVersion, DeltaTable]:
        """A version, and the table as it was then. Opening takes milliseconds, so the last versions stay open."""
        number = _in_range(self._latest(kind, name), kind, name, version)
        table = self._open.get((kind, name, number))
        if table is None:
            table = self.place(kind, name).at(number)
            self._keep_open(kind, name, table)
        return self._facts(kind, name, number), table

    def _keep_open(self, kind: str, name: str, table: DeltaTable) -> None:
        self._open[kind, name, table.version()] = table  # read from now on, and never written to
        for key in list(self._open)[:-_OPEN]:
            self._open.pop(key, None)

    def _latest(self, kind: str, name: str) -> int:
        """The latest version. Once a version was seen only the files of the commits after it are looked for."""
        version = self._seen.get((kind, name), 0)
        log = f"{kind}/{name}/_delta_log"
        if not version or not self.objects.exists(f"{log}/{version:020}.json"):
            version = self.opened(kind, name).version()
        while self.objects.exists(f"{log}/{version + 1:020}.json"):
            version += 1
        self._seen[kind, name] = version
        return version

    def _facts(self, kind: str, name: str, version: int) -> DataVersion:
        """Count and hash of a version: from its commit, or from its rows where another program made it."""
        if facts := self.place(kind, name).commit(version).facts:
            return DataVersion(kind, name, version, int(str(facts["rows"])), str(facts["sha256"]))
        return self._computed(kind, name, version)

    def _computed(self, kind: str, name: str, version: int) -> DataVersion:
        if kind in KINDS:
            rows = KINDS[kind].from_arrow(read_rows(self.place(kind, name), version))
            return DataVersion(kind, name, version, len(rows), KINDS[kind].sha256(rows))
        count, summed = 0, NOTHING
        for batch in read_batches(self.place(kind, name), version):
            count, summed = count + batch.num_rows, summed + total(digests(batch))
        return DataVersion(kind, name, version, count, as_hex(summed))


def check_name(name: str) -> None:
    """Makes sure that a word can name a table or a kind.

    Raises:
        UsageError: it cannot.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot name a table: use 1 to 64 lower-case letters, digits, '_' and '-', "
            "the first a letter or digit."
        )


def _in_range(latest: int, kind: str, name: str, version: int | None) -> int:
    if version is None:
        return latest
    if not 1 <= version <= latest:
        have = "only version 1" if latest == 1 else f"versions 1 to {latest}"
        raise UsageError(f"{kind} {name} has no version {version}; it has {have}.")
    return version
