"""Erasure: the rows of a person leave a feed's tables; what still holds them is told, and can be taken away."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from noria.build.extract.conforming import pseudonym
from noria.build.extract.known import raw_version
from noria.build.pipeline.feed import Feed
from noria.build.pipeline.receipts import FeedReceipt, latest
from noria.build.pipeline.run import run_feed
from noria.build.pipeline.splits import forget_sides
from noria.errors import StateError, UsageError
from noria.records import DataVersion
from noria.stores.lake import Lake
from noria.stores.lake.care import forget_before, older_pins

_TRIES = 20


@dataclass(frozen=True, slots=True)
class ErasedRows:
    """What an erasure did to a feed.

    rows: of the raw table that left, and by how many the clean table and the quarantine shrank. now: the versions in
    force. pinned: pins of older versions, which still hold the rows unless they were purged. purged: files removed.
    """

    feed: str
    rows: Mapping[str, int]
    now: tuple[DataVersion, ...]
    pinned: tuple[Mapping[str, object], ...]
    purged: int
    warnings: tuple[str, ...]


def erase_person(
    lake: Lake, feed: Feed, person: str, *, time_ms: int, code: Mapping[str, str] | None = None, purge: bool = False
) -> ErasedRows:
    """Takes every row that names a person out of the raw table, and makes the clean tables anew without them.

    A row is a person's where one of the columns of type `person` names them in any of its versions; then all its
    versions go. Older versions of the tables keep the rows until a vacuum takes them, pinned ones for ever, unless
    `purge` removes their files and pins now.

    Args:
        lake: where the tables are.
        feed: whose.
        person: as the source names them; tables hold the pseudonym.
        time_ms: now.
        code: facts on the code, for the lineage.
        purge: also remove the files of all older versions, and their pins.

    Raises:
        UsageError: the feed has no column of type person. StateError: other runs were always faster.
    """
    persons = [c for c, kind in feed.columns.types.items() if kind == "person" and c != feed.columns.key]
    if not persons:
        raise UsageError(f"feed {feed.name} has no column of type person, so nobody's rows can be told from others.")
    coded = pseudonym(person, feed.name)
    _, before = latest(lake, feed.name)
    n_raw, ids = _out_of_raw(lake, feed, persons, coded, time_ms)
    receipt, n_sides = before, 0
    if n_raw:
        n_sides = forget_sides(lake, feed, ids, time_ms)
        receipt = run_feed(lake, feed, None, time_ms=time_ms, code=code, rebuild=True)
    rows = {"raw": n_raw, **({"splits": n_sides} if feed.split else {})}
    for kind in ("clean", "quarantine"):
        rows[kind] = _rows(before, kind) - _rows(receipt, kind)
    made = (receipt.clean, receipt.quarantine, receipt.splits) if receipt else ()
    now = tuple(v for v in (raw_version(lake, feed.name), *made) if v is not None and v.version)
    pinned = tuple(pin for version in now for pin in older_pins(lake, version))
    purged = sum(forget_before(lake, version).files for version in now) if purge else 0
    return ErasedRows(feed.name, rows, now, pinned, purged, tuple(_warnings(feed, n_raw, receipt, pinned, purge=purge)))


def _out_of_raw(lake: Lake, feed: Feed, persons: list[str], coded: str, time_ms: int) -> tuple[int, pa.Array]:
    """How many rows left the raw table, and their keys."""
    key, schema = feed.columns.key, feed.columns.raw_schema
    for _ in range(_TRIES):
        version = raw_version(lake, feed.name)
        ids = _ids(lake, version, key, persons, coded)
        if not len(ids):
            return 0, ids

        def rest(version: DataVersion = version, ids: pa.Array = ids) -> Iterator[pa.RecordBatch]:
            _, batches = lake.scan_table("raw", feed.name, version.version, columns=schema.names)
            for batch in batches:
                yield batch.cast(schema).filter(pc.invert(pc.is_in(batch[key], value_set=ids)))

        note = {"erasure": f"{len(ids)} keys of one person", "not_repeatable_up_to": version.ref}
        try:
            rows = pa.RecordBatchReader.from_batches(schema, rest())
            written = lake.write_table(
                "raw", feed.name, rows, mode="replace", note=note, time_ms=time_ms, expect=version
            )
        except StateError:
            continue
        return version.rows - written.version.rows, ids
    raise StateError(f"raw {feed.name}: other runs were always faster; run again when they have ended.")


def _ids(lake: Lake, version: DataVersion, key: str, persons: list[str], coded: str) -> pa.Array:
    found = [pa.array([], pa.string())]
    if version.version:
        _, batches = lake.scan_table("raw", version.name, version.version, columns=[key, *persons])
        for batch in batches:
            for column in persons:
                hit = pc.fill_null(pc.equal(batch[column], coded), False)
                found.append(batch[key].filter(hit).cast(pa.string()))
    return pa.concat_arrays(found).unique()


def _rows(receipt: FeedReceipt | None, kind: str) -> int:
    version = getattr(receipt, kind) if receipt else None
    return version.rows if version else 0


def _warnings(
    feed: Feed, n_raw: int, receipt: FeedReceipt | None, pinned: tuple[Mapping[str, object], ...], *, purge: bool
) -> Iterator[str]:
    if not n_raw:
        return
    if receipt is not None and receipt.status == "refused":
        yield (
            f"The clean tables of {feed.name} were not made anew, since the contract was broken: they still hold the "
            f"rows. {receipt.message}"
        )
    yield f"The source of {feed.name} may still have the rows: erase them there, or a full reading brings them back."
    if pinned and not purge:
        told = ", ".join(f"{p['kind']} {p['name']}@{p['version']} ({p['why']})" for p in pinned)
        yield f"Pinned versions still hold the rows: {told}. --purge removes them; what used them cannot be repeated."
    if not purge:
        yield "Other older versions keep the rows until 'noria lake vacuum --yes' takes them, seven days from now."
    yield "Backups and copies keep what they hold; texts of other rows that mention the person are not found."
