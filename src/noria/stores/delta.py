"""One Delta table by delta-rs: open, create, commit optimistically, tell its commits."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, NamedTuple, TypeVar

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties, QueryBuilder, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError

from noria.errors import OutsideError, StateError

T = TypeVar("T")

# Delta forgets history by itself, without any vacuum: at each checkpoint it deletes log entries older than 30 days.
# Indexed columns would copy the first characters of texts into the log, where an erasure would have to find them.
_KEEP = {
    "delta.logRetentionDuration": "interval 36500 days",
    "delta.deletedFileRetentionDuration": "interval 36500 days",
    "delta.enableExpiredLogCleanup": "false",
    "delta.dataSkippingNumIndexedCols": "0",
}
_TRIES = 50


class Commit(NamedTuple):
    """A commit of a table; `facts` is what `commit` was given, empty for a commit of another program."""

    version: int
    time_ms: int
    operation: str
    facts: Mapping[str, object]


def open_table(path: Path) -> DeltaTable | None:
    """The table at its latest version; None where there is none.

    Raises:
        StateError: its log is damaged.
    """
    try:
        return DeltaTable(path)
    except TableNotFoundError:
        return None
    except DeltaError as error:
        raise StateError(
            f"the table {path} cannot be opened ({_first_line(error)}); restore it from a backup."
        ) from error


def create_table(path: Path, schema: pa.Schema) -> DeltaTable:
    """An empty table that keeps its history for ever; the present one where somebody else was faster."""
    try:
        # Without retries, or two that create at once would both succeed, the second as version 1 over the first.
        once = CommitProperties(max_commit_retries=0)
        return DeltaTable.create(path, schema=schema, mode="error", configuration=_KEEP, commit_properties=once)
    except DeltaError:
        table = open_table(path)
        if table is None:
            raise
        return table


def read_rows(path: Path, table: DeltaTable | int) -> pa.Table:
    """The rows of an opened table, or of a version of the table at `path`, in no order.

    Raises:
        StateError: log or files of the version are damaged or gone.
    """
    version = table if isinstance(table, int) else table.version()
    try:
        opened = DeltaTable(path, version=table) if isinstance(table, int) else table
        # Not `to_pyarrow_table`: threads of Arrow's dataset scan outlive it and now and then abort the process at its
        # exit (apache/arrow issue 39862).
        reader = QueryBuilder().register("rows", opened).execute("SELECT * FROM rows")
        return pa.table(reader.read_all()).cast(pa.schema(opened.schema()))
    except Exception as error:  # DataFusion raises plain `Exception` for files that are damaged or gone
        raise StateError(
            f"version {version} of the table {path} cannot be read ({_first_line(error)}); restore it from a backup."
        ) from error


def commit(
    table: DeltaTable, data: pa.Table, *, mode: Literal["append", "overwrite"], facts: Mapping[str, object]
) -> None:
    """Adds one version to the table *as it was read*.

    Args:
        table: what was read; must not be older than the newest version.
        data: the rows to add, or all rows.
        mode: add to the rows that are there, or put new ones in their place.
        facts: kept with the commit as JSON, in the place that Spark and Databricks show; `version` must be in them.

    Raises:
        CommitFailedError: somebody else has committed since; nothing was changed.
    """
    write_deltalake(
        # Not the path: a write by path is blind to what came in since the rows were read.
        table,
        data,
        mode=mode,
        # A table made before a field came to be takes the new column on; old rows have nothing there.
        schema_mode="merge",
        # With even one retry delta-rs would rebase an append onto rows not seen here: keys twice, wrong sha256.
        commit_properties=CommitProperties(
            custom_metadata={"userMetadata": json.dumps(facts, sort_keys=True)}, max_commit_retries=0
        ),
        post_commithook_properties=PostCommitHookProperties(cleanup_expired_logs=False),
    )


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


def commits(table: DeltaTable, limit: int | None = None) -> list[Commit]:
    """The newest commits of a table, newest first; all for `limit` None.

    delta-rs reads the newest commits of the *log* and numbers them down from the version of the *object*: when somebody
    has committed in between, every number is wrong. Our commits carry their version, which sets the numbers right.
    """
    entries = table.history(limit)
    facts = [_facts_of(entry) for entry in entries]
    shift = next((int(str(f["version"])) - e["version"] for e, f in zip(entries, facts, strict=True) if f), 0)
    return [
        Commit(e["version"] + shift, int(e.get("timestamp", 0)), str(e.get("operation", "")), f)
        for e, f in zip(entries, facts, strict=True)
    ]


def _facts_of(entry: Mapping[str, object]) -> dict[str, object]:
    try:
        facts = json.loads(str(entry.get("userMetadata", "")))
    except ValueError:
        return {}
    return facts if isinstance(facts, dict) and {"version", "rows", "sha256"} <= facts.keys() else {}


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
