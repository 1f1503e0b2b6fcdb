"""One Delta table by delta-rs: open, create, commit optimistically, tell its commits."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeVar

import pyarrow as pa
from deltalake import (
    CommitProperties,
    DeltaTable,
    PostCommitHookProperties,
    QueryBuilder,
    Schema,
    Transaction,
    write_deltalake,
)
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from deltalake.transaction import RemoveAction

from noria.errors import NoriaError, NotFound, OutsideError, StateError
from noria.stores.lake.digest import conform
from noria.stores.lake.staging import DataFile
from noria.stores.objects import Objects

T = TypeVar("T")

# Delta forgets history by itself, without any vacuum: at each checkpoint it deletes log entries older than 30 days.
# Indexed columns would copy the first characters of texts into the log, where an erasure would have to find them.
# Opening a table reads the commits since the last checkpoint, and a table of daily increments is opened often.
_KEEP = {
    "delta.logRetentionDuration": "interval 36500 days",
    "delta.deletedFileRetentionDuration": "interval 36500 days",
    "delta.enableExpiredLogCleanup": "false",
    "delta.dataSkippingNumIndexedCols": "0",
    "delta.checkpointInterval": "20",
}
_HOOKS = PostCommitHookProperties(cleanup_expired_logs=False)
_TRIES = 50
_OUT_OF_REACH = ("Generic S3 error", "error sending request", "HTTP error", "timed out", "Server returned")
_FULL = ("No space left", "os error 28", "File too large", "os error 27")

KEYS = "noria.keys"
"""Property of a table: the columns that name a row, as a JSON list."""


class Commit(NamedTuple):
    """A commit of a table; `facts` is what `commit` was given, empty for a commit of another program."""

    version: int
    time_ms: int
    operation: str
    facts: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a table is: a folder of the lake."""

    objects: Objects
    folder: str

    @property
    def uri(self) -> str:
        return f"{self.objects.uri}/{self.folder}"

    def open(self, version: int | None = None) -> DeltaTable | None:
        """The table at a version, or at its latest; None where there is none.

        Raises:
            StateError: its log is damaged, or the version is gone. OutsideError: the store does not answer.
        """
        try:
            return DeltaTable(self.uri, version=version, storage_options=self.objects.options())
        except TableNotFoundError:
            return None
        except (DeltaError, OSError) as error:
            raise told(error, f"the table {self.uri} cannot be opened") from error

    def at(self, version: int) -> DeltaTable:
        """The table at a version.

        Raises:
            StateError: there is no table, its log is damaged, or the version is gone.
        """
        table = self.open(version)
        if table is None:
            raise StateError(f"there is no table {self.uri}.")
        return table

    def log(self, version: int) -> list[dict[str, Any]]:
        """The actions of a version as Delta's log has them.

        Raises:
            FileNotFoundError: this part of the log is gone. StateError: it is damaged.
        """
        name = f"{self.folder}/_delta_log/{version:020}.json"
        lines = self.objects.read(name).splitlines()
        try:
            return [json.loads(line) for line in lines if line.strip()]
        except ValueError:
            raise StateError(f"{self.objects.uri}/{name} is damaged; restore it from a backup.") from None

    def commit(self, version: int) -> Commit:
        """The commit that made a version; where its part of the log is gone, one of which nothing is known.

        Not delta-rs' `history`: it numbers the commits of the log by the version of an object that may be older, reads
        more than was asked for, and no other thread runs while it waits for the store.
        """
        try:
            infos = [action["commitInfo"] for action in self.log(version) if "commitInfo" in action]
        except FileNotFoundError:
            infos = []
        info = infos[0] if infos else {}
        return Commit(version, int(info.get("timestamp", 0)), str(info.get("operation", "")), _facts_of(info))

    def commits(self, latest: int) -> Iterator[Commit]:
        """The commits that made the versions, from one version back to the first."""
        return (self.commit(version) for version in range(latest, 0, -1))

    def create(self, schema: pa.Schema, keys: Sequence[str] = ()) -> DeltaTable:
        """An empty table that keeps its history for ever; the present one where somebody else was faster."""
        own = {KEYS: json.dumps(list(keys))} if keys else {}
        try:
            # Without retries, or two that create at once would both succeed, the second as version 1 over the first.
            return DeltaTable.create(
                self.uri,
                schema=schema,
                mode="error",
                configuration=_KEEP | own,
                storage_options=self.objects.options(),
                commit_properties=CommitProperties(max_commit_retries=0),
                raise_if_key_not_exists=False,
            )
        except (DeltaError, OSError) as error:
            table = self.open()
            if table is None:
                raise told(error, f"the table {self.uri} cannot be made") from error
            return table


def read_batches(
    place: Place, table: DeltaTable | int, columns: Sequence[str] | None = None, where: str = ""
) -> Iterator[pa.RecordBatch]:
    """The rows of an opened table, or of a version of the table at a place, batch by batch, in no order.

    Args:
        place: of the table.
        table: opened, or a version.
        columns: which; None = all.
        where: a condition in SQL (DataFusion's), "" = all rows.

    Raises:
        NotFound: no such column. StateError: log or files of the version are damaged or gone.
        OutsideError: the store does not answer.
    """
    version = table if isinstance(table, int) else table.version()
    what = f"version {version} of the table {place.uri} cannot be read"
    try:
        opened = place.at(table) if isinstance(table, int) else table
        wanted = chosen(pa.schema(opened.schema()), columns, place.folder)
        names = ", ".join('"' + name.replace('"', '""') + '"' for name in wanted.names)
        # Not `to_pyarrow_table`: threads of Arrow's dataset scan outlive it and now and then abort the process at its
        # exit (apache/arrow issue 39862).
        sql = f"SELECT {names} FROM rows" + (f" WHERE {where}" if where else "")
        for batch in QueryBuilder().register("rows", opened).execute(sql):
            yield conform(pa.record_batch(batch), wanted, place.folder)
    except (NoriaError, GeneratorExit):
        raise
    except Exception as error:  # DataFusion raises plain `Exception` for files that are damaged or gone
        raise told(error, what) from error


def read_rows(place: Place, table: DeltaTable | int, columns: Sequence[str] | None = None) -> pa.Table:
    """The same as one table in memory."""
    batches = list(read_batches(place, table, columns))
    if batches:
        return pa.Table.from_batches(batches)
    opened = place.at(table) if isinstance(table, int) else table
    return chosen(pa.schema(opened.schema()), columns, place.folder).empty_table()


def commit_files(
    table: DeltaTable, schema: pa.Schema, *, added: Sequence[DataFile], removed: Mapping[str, int],
    facts: Mapping[str, Any], once: str | None,
) -> None:  # fmt: skip
    """Puts data files that are written already in, and takes others out, as one version over what was read.

    Args:
        table: what was read; must not be older than the newest version.
        schema: of the table.
        added: files in the table's folder.
        removed: files of the opened version, with their bytes.
        facts: see `commit`.
        once: id of the write, found by `transaction_version` from then on.

    Raises:
        CommitFailedError: somebody else has committed since, or the answer of the store got lost; see the facts of the
            newest commits before trying again.
    """
    time_ms = int(facts["time_ms"])
    actions: list[Any] = [file.added(time_ms) for file in added]
    actions += [RemoveAction(name, True, time_ms, size=size) for name, size in removed.items()]
    table.create_write_transaction(
        actions,
        "append",
        schema,
        [],
        commit_properties=_once(facts, [Transaction(once, 1)] if once else None),
        post_commithook_properties=_HOOKS,
    )


def add_columns(table: DeltaTable, fields: Sequence[pa.Field], facts: Mapping[str, Any]) -> None:
    """A version with further columns, null in every row; the rows and so their hash stay what they were."""
    table.alter.add_columns(
        Schema.from_arrow(pa.schema(fields)).fields,
        commit_properties=_once(facts),
        post_commithook_properties=_HOOKS,
    )


def commit(
    table: DeltaTable, data: pa.Table, *, mode: Literal["append", "overwrite"], facts: Mapping[str, object]
) -> None:
    """Adds one version to the table *as it was read*: adds to the rows that are there, or puts new ones in their place.

    `facts`: kept as JSON in the place that Spark and Databricks show; `version` must be in them.

    Raises:
        CommitFailedError: somebody else has committed since; nothing was changed.
    """
    try:
        write_deltalake(
            # Not the path: a write by path is blind to what came in since the rows were read.
            table,
            data,
            mode=mode,
            # A table made before a field came to be takes the new column on; old rows have nothing there.
            schema_mode="merge",
            commit_properties=_once(facts),
            post_commithook_properties=_HOOKS,
        )
    except CommitFailedError:
        raise
    except (DeltaError, OSError) as error:
        raise told(error, f"the table {table.table_uri} cannot be written") from error


def transaction(change: Callable[[], T], what: str) -> T:
    """Does `change` (open, read, `commit`), and does it again when somebody else was faster.

    Raises:
        OutsideError: somebody was always faster; trying again helps.
    """
    for attempt in range(_TRIES):
        try:
            return change()
        except CommitFailedError:
            # Doubling without chance is enough: of those who collide, one always gets through.
            time.sleep(min(1.0, 0.01 * 2**attempt))
    raise OutsideError(f"{what}: {_TRIES} tries, and somebody was always faster; try again later.", retry_helps=True)


def chosen(schema: pa.Schema, columns: Sequence[str] | None, where: str) -> pa.Schema:
    """The schema of some columns, None = all. Raises NotFound for one that is not there."""
    for column in columns or ():
        if column not in schema.names:
            raise NotFound(f"column of {where}", column, schema.names)
    return schema if columns is None else pa.schema([schema.field(name) for name in columns])


def _once(facts: Mapping[str, object], transactions: list[Transaction] | None = None) -> CommitProperties:
    # With even one retry delta-rs would rebase an append onto rows not seen here: keys twice, wrong sha256.
    return CommitProperties({"userMetadata": json.dumps(facts, sort_keys=True)}, 0, transactions)


def _facts_of(info: Mapping[str, object]) -> dict[str, object]:
    try:
        facts = json.loads(str(info.get("userMetadata", "")))
    except ValueError:
        return {}
    return facts if isinstance(facts, dict) and {"version", "rows", "sha256"} <= facts.keys() else {}


def told(error: Exception, what: str) -> NoriaError:
    """What an error of delta-rs means: the store does not answer, or what lies there is damaged or gone."""
    line = (str(error).splitlines() or [type(error).__name__])[0]
    gone = re.search(r"not found|\b404\b", str(error))  # not a 404 within a port or a name
    if not gone and any(sign in str(error) for sign in _OUT_OF_REACH):
        return OutsideError(f"{what}: the store does not answer ({line}); try again.", retry_helps=True)
    if any(sign in str(error) for sign in _FULL):
        return OutsideError(f"{what}: the disk refuses ({line}); free space and try again.", retry_helps=False)
    return StateError(
        f"{what} ({line}); a version that no pin holds goes with 'noria lake vacuum', else restore it from a backup."
    )
