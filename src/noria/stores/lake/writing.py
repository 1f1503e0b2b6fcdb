"""Writes rows of any schema as one new version of a table: staged, compared by key, committed once."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError, DeltaError

from noria.errors import DataError, OutsideError, Problem, StateError, UsageError
from noria.records import DataVersion
from noria.stores.lake.delta import KEYS, Place, add_columns, commit_files, told, transaction
from noria.stores.lake.digest import NOTHING, Lanes, as_hex, from_hex, total
from noria.stores.lake.incoming import Incoming, Rows, Staged, stage
from noria.stores.lake.merging import Changes, Present, check_keys, compare, crowd, present_files, shown_key
from noria.stores.lake.staging import DataFile, FileWriter, Mask, copy_rows, discard


@dataclass(frozen=True, slots=True)
class Written:
    """A version that now holds the rows of a write, and what the write changed, in rows."""

    version: DataVersion
    new: int
    changed: int
    deleted: int
    unchanged: int


@dataclass(frozen=True, slots=True)
class TableChange:
    """How rows are written; see `Lake.write_table`."""

    mode: Literal["append", "replace", "merge"]
    note: Mapping[str, str]
    time_ms: int
    keys: tuple[str, ...] = ()
    deletes: pa.Table | None = None
    full: bool = False
    expect: DataVersion | None = None
    inputs: tuple[DataVersion, ...] = ()
    code: Mapping[str, str] = field(default_factory=dict)
    once: str | None = None
    check: Callable[[pa.RecordBatch], None] | None = None


class TableWriter:
    """One write to one table.

    Args:
        place: of the table.
        kind: its kind, for messages and versions.
        name: its name.
        facts_of: count and hash of a version of the table.
    """

    def __init__(self, place: Place, kind: str, name: str, facts_of: Callable[[int], DataVersion]) -> None:
        self._place, self._kind, self._name, self._facts_of = place, kind, name, facts_of
        self._where = f"{kind}/{name}"
        self._token = uuid.uuid4().hex
        self._hoped: Written | None = None  # set while nobody knows whether a commit came through
        self._spare: list[DataFile] = []
        self.table: DeltaTable | None = None
        """The table as it is after a write of ours; not touched any more."""

    def write(self, rows: Rows, change: TableChange) -> Written:
        """See `Lake.write_table`."""
        table = self._place.open()
        if table is not None and (done := self._done_before(table, change)):
            return done
        keys = _agreed_keys(table, change, self._where)
        known = pa.schema(table.schema()) if table is not None else None
        staged = stage(
            rows, self._place, known=known, keys=keys, deletes=change.deletes, full=change.full,
            anew=change.mode == "replace", check=change.check,
        )  # fmt: skip
        try:
            _check_some(table, staged, self._where)
            if staged.incoming is not None:
                check_keys(staged.incoming.keys, staged.incoming.gone, keys, self._where)
            check_keys(staged.twice, staged.twice[:0], keys, self._where)
            opened = [table] if table is not None else []  # once: whoever was faster makes the first try fail
            return transaction(lambda: self._attempt(opened, staged, keys, change), self._where)
        except BaseException:
            # Where a commit may have come through although its answer got lost, the files are left to the vacuum.
            if self._hoped is None:
                discard(self._place.objects, self._place.folder, [*staged.files, *self._spare])
            raise

    def _attempt(self, opened: list[DeltaTable], staged: Staged, keys: Sequence[str], change: TableChange) -> Written:
        table = opened.pop() if opened else self._place.open() or self._place.create(staged.schema, keys)
        if landed := self._landed():
            return landed
        if done := self._done_before(table, change):
            discard(self._place.objects, self._place.folder, staged.files)
            return done
        before = table.version()
        if change.expect is not None and change.expect.version != before:
            raise StateError(
                f"{self._kind} {self._name} is at version {before}, not {change.expect.version}; read it again."
            )
        held = self._facts_of(before) if before else DataVersion(self._kind, self._name, 0, 0, as_hex(NOTHING))
        table = self._fitting(table, staged.schema, keys, held, change)
        present = present_files(table, self._where)
        if change.mode == "replace":
            return self._replace(table, staged, held, present, change)
        if staged.incoming is not None:
            return self._merge(table, staged, staged.incoming, keys, held, present, change)
        made = self._made(table, held.rows + staged.rows, from_hex(held.sha256) + staged.sum)
        return self._publish(table, staged.files, {}, present, Written(made, staged.rows, 0, 0, 0), change)

    def _replace(
        self, table: DeltaTable, staged: Staged, held: DataVersion, present: Sequence[Present], change: TableChange
    ) -> Written:
        if (held.rows, held.sha256) == (staged.rows, as_hex(staged.sum)) and held.version > 0:
            discard(self._place.objects, self._place.folder, staged.files)
            return Written(self._made(table, held.rows, staged.sum, later=0), 0, 0, 0, held.rows)
        made = self._made(table, staged.rows, staged.sum)
        none: dict[str, Mask | None] = {file.name: np.zeros(0, bool) for file in present}
        return self._publish(table, staged.files, none, present, Written(made, staged.rows, 0, held.rows, 0), change)

    def _merge(
        self, table: DeltaTable, staged: Staged, new: Incoming, keys: Sequence[str], held: DataVersion,
        present: Sequence[Present], change: TableChange,
    ) -> Written:  # fmt: skip
        objects, folder = self._place.objects, self._place.folder
        try:
            changes = compare(objects, folder, present, pa.schema(table.schema()), keys, new)
        except (FileNotFoundError, pa.ArrowInvalid) as error:
            raise told(error, f"version {table.version()} of the table {self._place.uri} cannot be read") from error
        if change.mode == "append" and changes.changed.any():
            raise _clash(new, changes, keys, self._where)
        fresh, n_changed = ~changes.same, int(changes.changed.sum())
        counts = (int(fresh.sum()) - n_changed, n_changed, changes.deleted, int(changes.same.sum()))
        rows = held.rows + counts[0] - changes.deleted
        if not any(counts[:3]) and held.version > 0:
            discard(objects, folder, staged.files)
            return Written(self._made(table, rows, from_hex(held.sha256), later=0), *counts)
        made = self._made(table, rows, from_hex(held.sha256) - changes.removed + total(new.lanes[fresh]))
        masks: dict[str, Mask | None] = dict(changes.masks)
        added = staged.files if fresh.all() else self._only(staged, fresh)
        return self._publish(table, added, masks, present, Written(made, *counts), change)

    def _publish(
        self, table: DeltaTable, added: Sequence[DataFile], masks: Mapping[str, Mask | None],
        present: Sequence[Present], result: Written, change: TableChange,
    ) -> Written:  # fmt: skip
        """One commit: `added` in, the files of `masks` out, their rows that stay written anew."""
        schema = pa.schema(table.schema())
        together: dict[str, Mask | None] = dict.fromkeys(crowd(present, masks))
        try:
            rewritten = self._rewritten(schema, {**masks, **together})
        except OutsideError:
            if not together:
                raise
            # a full disk may have room for what is new, though not for writing small files together
            together, rewritten = {}, self._rewritten(schema, masks)
        masks = {**masks, **together}
        self._spare = [*self._spare, *rewritten]
        removed = {file.name: file.size for file in present if file.name in masks}
        self._hoped = result
        try:
            commit_files(
                table, schema, added=[*added, *rewritten], removed=removed,
                facts=self._facts(result, change), once=change.once,
            )  # fmt: skip
        except CommitFailedError:
            raise
        except (DeltaError, OSError) as error:
            raise told(error, f"the table {self._place.uri} cannot be written") from error
        self._hoped, self._spare, self.table = None, [], table
        return result

    def _rewritten(self, schema: pa.Schema, masks: Mapping[str, Mask | None]) -> list[DataFile]:
        """The rows that stay of some files, in files of their own."""
        objects, folder = self._place.objects, self._place.folder
        rewriter = FileWriter(objects, folder, schema)
        for batch in copy_rows(objects, folder, schema, masks):
            rewriter.add(batch)
        return list(rewriter.close())

    def _only(self, staged: Staged, fresh: Mask) -> list[DataFile]:
        """The staged rows that are new or changed, in files of their own."""
        masks, start = {}, 0
        for file in staged.files:
            masks[file.name] = fresh[start : start + file.rows]
            start += file.rows
        objects, folder = self._place.objects, self._place.folder
        writer = FileWriter(objects, folder, staged.schema)
        for batch in copy_rows(objects, folder, staged.schema, masks):
            writer.add(batch)
        made = list(writer.close())
        self._spare = [*self._spare, *made]
        return made

    def _fitting(
        self, table: DeltaTable, schema: pa.Schema, keys: Sequence[str], held: DataVersion, change: TableChange
    ) -> DeltaTable:
        """The table with the columns of the staged rows; the version that adds them holds the rows that were there."""
        have = pa.schema(table.schema())
        other = [f.name for f in schema if f.name in have.names and have.field(f.name).type != f.type]
        if other or _agreed_keys(table, change, self._where) != tuple(keys):
            raise StateError(f"the table {self._where} was made by somebody else meanwhile, and differs; write again.")
        missing = [field for field in schema if field.name not in have.names]
        if not missing:
            return table
        made = self._made(table, held.rows, from_hex(held.sha256))
        facts = self._facts(Written(made, 0, 0, 0, held.rows), change) | {"operation": "columns", "write": ""}
        try:
            add_columns(table, missing, facts)
        except CommitFailedError:
            raise
        except (DeltaError, OSError) as error:
            raise told(error, f"the table {self._place.uri} cannot be written") from error
        return self._place.open() or table

    def _facts(self, result: Written, change: TableChange) -> dict[str, Any]:
        counts = {"new": result.new, "changed": result.changed, "deleted": result.deleted, "same": result.unchanged}
        return {
            "version": result.version.version,
            "rows": result.version.rows,
            "sha256": result.version.sha256,
            "operation": change.mode,
            "note": dict(change.note),
            "time_ms": change.time_ms,
            "counts": counts,
            "inputs": [asdict(version) for version in change.inputs],
            "code": dict(change.code),
            "once": change.once,
            "write": self._token,
        }

    def _made(self, table: DeltaTable, rows: int, summed: Lanes, *, later: int = 1) -> DataVersion:
        return DataVersion(self._kind, self._name, table.version() + later, rows, as_hex(summed))

    def _landed(self) -> Written | None:
        """The result of our last try, where its commit came through although the answer said otherwise or got lost."""
        hoped, spare = self._hoped, self._spare
        # Our try was for one version: if that is not ours, somebody else was faster.
        if hoped is not None and self._place.commit(hoped.version.version).facts.get("write") == self._token:
            return hoped
        self._hoped, self._spare = None, []
        discard(self._place.objects, self._place.folder, spare)
        return None

    def _done_before(self, table: DeltaTable, change: TableChange) -> Written | None:
        """The result of an earlier write with the same `once`."""
        if change.once is None or table.transaction_version(change.once) is None:
            return None
        made = next(
            c.facts
            for c in self._place.commits(table.version())
            if c.facts.get("once") == change.once and c.facts["write"]
        )
        version = DataVersion(self._kind, self._name, *(made[key] for key in ("version", "rows", "sha256")))  # type: ignore[arg-type]
        counts: Mapping[str, int] = made["counts"]  # type: ignore[assignment]
        return Written(version, counts["new"], counts["changed"], counts["deleted"], counts["same"])


def _check_some(table: DeltaTable | None, staged: Staged, where: str) -> None:
    if table is None and not staged.rows:
        raise DataError([Problem(where, None, None, "there are no rows to make a table of.")])


def _agreed_keys(table: DeltaTable | None, change: TableChange, where: str) -> tuple[str, ...]:
    """The key columns of the table, which a write may name again but not change."""
    kept = table.metadata().configuration.get(KEYS) if table is not None else None
    keys = tuple(json.loads(kept)) if kept else change.keys
    if change.keys and change.keys != keys:
        told_keys = ", ".join(keys) if keys else "none"
        raise UsageError(f"the table {where} has the keys {told_keys}, not {', '.join(change.keys)}.")
    if change.mode == "merge" and not keys:
        raise UsageError(f"a merge into {where} needs keys: the columns that name a row.")
    if change.mode != "merge" and (change.full or change.deletes is not None):
        raise UsageError("rows are deleted by mode 'merge' only.")
    return keys


def _clash(new: Incoming, changes: Changes, keys: Sequence[str], where: str) -> DataError:
    rows = np.flatnonzero(changes.changed)[:10]
    problems = [
        Problem(
            where,
            int(row) + 1,
            ", ".join(keys),
            f"the key {shown_key(new.keys[int(row)])} exists with different content.",
        )
        for row in rows
    ]
    return DataError(problems, "Nothing was written. To let the new rows win, use mode 'merge'.")
