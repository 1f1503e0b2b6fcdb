"""Receipts: one row per run in the lake, and the point at which a run becomes visible as a whole.

The clean and the quarantine table are two tables; a run is published by the receipt that names both versions. A run
that died between the two left versions that no receipt names, and the next one puts them back.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, TypeAlias

import pyarrow as pa

from noria.errors import NotFound
from noria.records import DataVersion
from noria.stores.lake import Lake

_SCHEMA = pa.schema(
    [
        pa.field("run", pa.int64()), pa.field("time_ms", pa.int64()), pa.field("status", pa.string()),
        pa.field("full", pa.bool_()), pa.field("source", pa.string()), pa.field("counts", pa.string()),
        pa.field("reasons", pa.string()), pa.field("rules", pa.string()), pa.field("raw", pa.string()),
        pa.field("clean", pa.string()), pa.field("quarantine", pa.string()), pa.field("message", pa.string()),
        pa.field("setup", pa.string()), pa.field("code", pa.string()),
        pa.field("cursor", pa.string()), pa.field("staged", pa.int64()), pa.field("splits", pa.string()),
    ]
)  # fmt: skip

_VERSIONS = ("raw", "clean", "quarantine", "splits")
_AS_JSON = ("counts", "reasons", "rules", "code", *_VERSIONS)


@dataclass(frozen=True, slots=True)
class FeedReceipt:
    """What a run did.

    Args:
        run: number of the run, from 1.
        time_ms: when (UTC milliseconds).
        status: "published", "unchanged" (nothing new), or "refused" by the contract: then `message` says why.
        full: whether everything was read.
        source: what was read.
        counts: read = new + changed + unchanged + stale + repeated; deleted; rows of the clean and quarantine table.
        reasons: why rows are in the quarantine table → how many.
        rules: text rule → rows that it changed in this run.
        raw, clean, quarantine: the versions that are in force; None = there is no such table yet.
        message: what the contract said.
        setup: fingerprint of columns, rules and contract; another one means a rebuild.
        code: which code ran.
        cursor: up to where the source was read when the raw table was at version `staged`.
        splits: the version of the table of sides; None = the feed has no split.
    """

    run: int
    time_ms: int
    status: str
    full: bool
    source: str
    counts: Mapping[str, int]
    reasons: Mapping[str, int] = field(default_factory=dict)
    rules: Mapping[str, int] = field(default_factory=dict)
    raw: DataVersion | None = None
    clean: DataVersion | None = None
    quarantine: DataVersion | None = None
    message: str = ""
    setup: str = ""
    code: Mapping[str, str] = field(default_factory=dict)
    cursor: str | None = None
    staged: int = 0
    splits: DataVersion | None = None


Latest: TypeAlias = tuple[DataVersion, FeedReceipt | None]


def receipts(lake: Lake, name: str) -> list[FeedReceipt]:
    """All receipts of a feed, oldest first."""
    return [_receipt(row) for row in _read(lake, name)[1].to_pylist()]


def _read(lake: Lake, name: str) -> tuple[DataVersion, pa.Table]:
    try:
        version, table = lake.read_table("receipts", name)
    except NotFound:
        return DataVersion("receipts", name, 0, 0, ""), _SCHEMA.empty_table()
    if "splits" not in table.column_names:  # of a table made before there were sides
        table = table.append_column("splits", pa.nulls(len(table), pa.string()))
    return version, table.sort_by("run")


def latest(lake: Lake, name: str, before: Latest | None = None) -> Latest:
    """The receipts table's version, and the newest receipt; `before`: what was read earlier, read again if need be."""
    if before is not None and before[0].version:
        now = lake.resolve("receipts", name)
        if now == before[0]:
            return before
    version, found = _read(lake, name)
    return version, _receipt(found.slice(len(found) - 1).to_pylist()[0]) if len(found) else None


def keep(lake: Lake, name: str, receipt: FeedReceipt, *, expect: DataVersion) -> None:
    """Appends a receipt: from now on its versions are in force.

    Raises:
        StateError: another run has published since `expect` was read.
    """
    row = asdict(receipt)
    for column in _AS_JSON:
        row[column] = json.dumps(row[column], sort_keys=True)
    lake.write_table(
        "receipts", name, pa.Table.from_pylist([row], schema=_SCHEMA), mode="append", note={},
        time_ms=receipt.time_ms, expect=expect,
    )  # fmt: skip


def _receipt(row: Mapping[str, Any]) -> FeedReceipt:
    read = {c: json.loads(row[c] or "null") for c in _AS_JSON}
    versions = {c: DataVersion(**read[c]) if read[c] else None for c in _VERSIONS}
    return FeedReceipt(**{**row, **read, **versions})
