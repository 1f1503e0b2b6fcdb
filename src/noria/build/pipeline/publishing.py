"""From new raw rows to a published pair of clean and quarantine tables: everything anew, or only what changed."""

from __future__ import annotations

import itertools
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from noria.build.cleaning.groups import Verdicts, decide
from noria.build.cleaning.narrow import NARROW, Narrow, pieces
from noria.build.cleaning.rules import DUPLICATE_REASONS
from noria.build.engine.spool import Engine, Spool
from noria.build.extract.known import Known, hashed
from noria.build.pipeline.feed import Feed
from noria.build.pipeline.held import Held
from noria.build.pipeline.receipts import FeedReceipt
from noria.errors import NotFound
from noria.records import DataVersion
from noria.stores.lake import Lake

_BATCH_ROWS = 8_192


@dataclass(frozen=True, slots=True)
class Published:
    """The versions written, and what is in them."""

    clean: DataVersion | None
    quarantine: DataVersion | None
    reasons: Mapping[str, int]
    rules: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Publisher:
    """Writes the clean and the quarantine table of a feed."""

    lake: Lake
    feed: Feed
    engine: Engine
    time_ms: int
    code: Mapping[str, str]

    def rebuild(self, known: Known) -> Published:
        """Both tables anew from all that the raw table holds; `known`: of all keys."""
        with tempfile.TemporaryDirectory(prefix="noria-ingest-") as folder:
            spool = self.engine.prepare(self._raw(known, 0), self.feed.cleaner, Path(folder))
            verdicts = decide(spool.narrow, self.feed.rules)
            reasons = Counter(verdicts.words.counts(verdicts.reason))
            self._check_shares(len(verdicts), reasons)
            self._check_unique(spool.batches(), verdicts, None, [])
            clean = self._write("clean", _parted(spool, verdicts, kept=True), known)
            aside = self._write("quarantine", _parted(spool, verdicts, kept=False), known)
            return Published(clean, aside, reasons, spool.rules)

    def update(self, known: Known, last: FeedReceipt) -> Published:
        """Only the rows that came, went or are touched by those: the same tables that `rebuild` would make.

        Args:
            known: of the keys of which rows came after the last receipt.
            last: the receipt in force.
        """
        mark = last.raw.version if last.raw else 0
        with tempfile.TemporaryDirectory(prefix="noria-ingest-") as folder:
            spool = self.engine.prepare(self._raw(known, mark), self.feed.cleaner, Path(folder))
            self._put_back(last)
            gone = known.ids.filter(pa.array(known.deleted)) if known.ids is not None else pa.array([], pa.string())
            held = self._held(last, spool, gone, Path(folder))
            fresh, changes = held.decided(self.feed.rules)
            reasons = Counter(last.reasons)
            reasons.subtract(held.counts(held.moved))
            reasons.subtract(changes.was)
            for verdicts in (fresh, changes.verdicts):
                reasons.update(verdicts.words.counts(verdicts.reason))
            reasons = Counter({k: n for k, n in reasons.items() if n > 0})
            self._check_shares(held.n_old - int(held.moved.sum()) + len(fresh), reasons)
            touched = self._rows_of(last, changes.verdicts)
            leaves = held.ids_of(np.concatenate([np.flatnonzero(held.moved), changes.verdicts.rows]))
            self._check_unique(spool.batches(), fresh, last.clean, [leaves, *[b["id"] for b in touched[True]]])
            versions = {}
            for kind, version in _pair(last):
                kept = kind == "clean"
                comes = [fresh.ids.take(pa.array(fresh.rows[(fresh.reason < 0) == kept]))]
                comes += [b["id"] for b in touched[kept]]
                away = held.leaving(kept, changes.verdicts.rows, pa.concat_arrays(comes))
                batches = itertools.chain(_parted(spool, fresh, kept=kept), touched[kept])
                versions[kind] = self._merge(kind, version, batches, sum(map(len, comes)), away, known)
            return Published(versions["clean"], versions["quarantine"], reasons, spool.rules)

    def _held(self, last: FeedReceipt, spool: Spool, gone: pa.Array, folder: Path) -> Held:
        """What decides of the rows of both tables, and of the fresh ones."""
        rows, numbers = Narrow(folder / "held", verdicts=True), [0]
        schema = pa.schema([self._schema.field(c) for c in (*NARROW, "detail", "near_of")])
        for kind, version in _pair(last):
            if version is not None:
                _, batches = self.lake.scan_table(kind, self.feed.name, version.version, columns=schema.names)
                for batch in pieces(batches):
                    rows.add(batch.cast(schema))
            numbers.append(rows.added)
        for batch in spool.batches():
            rows.add(batch.append_column("near_of", pa.nulls(batch.num_rows, pa.string())))
        return Held(rows.close(), numbers[1], numbers[2], pa.concat_arrays([gone, spool.narrow.ids]))

    def _rows_of(self, last: FeedReceipt, verdicts: Verdicts) -> dict[bool, list[pa.RecordBatch]]:
        """The whole rows of changed verdicts with those, by whether they are kept now."""
        found: dict[bool, list[pa.RecordBatch]] = {True: [], False: []}
        if not len(verdicts):
            return found
        ids = verdicts.ids.take(pa.array(verdicts.rows))
        for kind, version in _pair(last):
            if version is None:
                continue
            for batch in self.lake.pick_rows(kind, self.feed.name, version.version, "id", ids):
                at = pc.index_in(batch["id"], value_set=ids).to_numpy()
                rows = batch.select(self.feed.cleaner.schema.names).cast(self.feed.cleaner.schema)
                rows = _with(rows, verdicts.take(at.astype(np.int64)).batch(), self._schema)
                for kept in (True, False):
                    part = rows.filter(pc.equal(pc.is_null(rows["reason"]), kept))
                    found[kept] += [part] if part.num_rows else []
        return found

    @property
    def _schema(self) -> pa.Schema:
        return self.feed.cleaner.schema.append(pa.field("near_of", pa.string()))

    def _raw(self, known: Known, mark: int) -> Iterator[pa.RecordBatch]:
        """The newest living rows of the raw table that were loaded after version `mark`."""
        schema, key = self.feed.columns.raw_schema, self.feed.columns.key
        where = f"_load > {mark}" if mark else ""
        plain = not known.deleted.any() and known.version.rows == len(known)
        try:
            _, batches = self.lake.scan_table(
                "raw", self.feed.name, known.version.version, columns=schema.names, where=where
            )
        except NotFound:
            return
        for batch in batches:
            rows = batch.cast(schema)
            if not plain:
                at = known.places(hashed(rows[key]))
                loads = np.asarray(rows["_load"].to_numpy(zero_copy_only=False))
                rows = rows.filter(pa.array((known.load[at] == loads) & ~known.deleted[at]))
            # Small batches: the row functions hold several states of each text.
            yield from (rows.slice(start, _BATCH_ROWS) for start in range(0, rows.num_rows, _BATCH_ROWS))

    def _batches(self, kind: str, version: DataVersion) -> Iterator[pa.RecordBatch]:
        _, batches = self.lake.scan_table(kind, self.feed.name, version.version, columns=self._schema.names)
        return (b.cast(self._schema) for b in batches)

    def _put_back(self, last: FeedReceipt) -> None:
        """Takes back versions that a run wrote and died before its receipt."""
        for kind, version in _pair(last):
            try:
                now = self.lake.resolve(kind, self.feed.name)
            except NotFound:
                continue
            if version is not None and (now.rows, now.sha256) != (version.rows, version.sha256):
                rows = self._batches(kind, version)
            elif version is None and now.rows:
                rows = iter(())
            else:
                continue
            self._store(
                kind, pa.RecordBatchReader.from_batches(self._schema, rows), "replace", {"why": "put back"}, now
            )

    def _merge(
        self, kind: str, version: DataVersion | None, batches: Iterator[pa.RecordBatch], n_rows: int, away: pa.Array,
        known: Known,
    ) -> DataVersion | None:  # fmt: skip
        """Upserts rows, and takes out those that left for the other table or altogether."""
        if not n_rows and not len(away):
            return version
        if version is None and not n_rows:
            return None
        rows = pa.RecordBatchReader.from_batches(self._schema, batches)
        expect = self._now(kind)
        return self._store(kind, rows, "merge", self._note(known), expect, pa.table({"id": away}), (known.version,))

    def _write(self, kind: str, batches: Iterator[pa.RecordBatch], known: Known) -> DataVersion | None:
        expect = self._now(kind)
        first = next(batches, None)
        if first is None and not expect.version:
            return None
        rows = pa.RecordBatchReader.from_batches(self._schema, _again(first, batches))
        return self._store(kind, rows, "replace", self._note(known), expect, None, (known.version,))

    def _store(
        self, kind: str, rows: pa.RecordBatchReader, mode: str, note: Mapping[str, str], expect: DataVersion,
        deletes: pa.Table | None = None, inputs: tuple[DataVersion, ...] = (),
    ) -> DataVersion:  # fmt: skip
        where, contract = f"{kind}/{self.feed.name}", self.feed.contract
        check = (lambda batch: contract.check(batch, where)) if kind == "clean" else None
        return self.lake.write_table(
            kind, self.feed.name, rows, mode=mode, keys=("id",), note=note, time_ms=self.time_ms,  # type: ignore[arg-type]
            expect=expect, deletes=deletes, inputs=inputs, code=self.code, check=check,
        ).version  # fmt: skip

    def _now(self, kind: str) -> DataVersion:
        try:
            return self.lake.resolve(kind, self.feed.name)
        except NotFound:
            return DataVersion(kind, self.feed.name, 0, 0, "")

    def _note(self, known: Known) -> dict[str, str]:
        return {"feed": self.feed.name, "raw": str(known.version.version)}

    def _check_shares(self, rows: int, reasons: Mapping[str, int]) -> None:
        faulty = sum(n for reason, n in reasons.items() if reason not in DUPLICATE_REASONS)
        self.feed.contract.check_shares(rows - sum(reasons.values()), faulty, f"clean/{self.feed.name}")

    def _check_unique(
        self, fresh: Iterable[pa.RecordBatch], verdicts: Verdicts, clean: DataVersion | None, leaves: list[pa.Array]
    ) -> None:
        columns = self.feed.contract.unique
        if not columns:
            return
        values: dict[str, list[pa.Array]] = {c: [] for c in columns}
        at = 0
        for batch in fresh:
            kept = pa.array(verdicts.reason[at : at + batch.num_rows] < 0)
            at += batch.num_rows
            for column in columns:
                values[column].append(batch[column].filter(kept))
        gone = pa.concat_arrays(leaves) if leaves else pa.array([], pa.string())
        for batch in self._batches("clean", clean) if clean else ():
            stays = pc.invert(pc.is_in(batch["id"], value_set=gone))
            for column in columns:
                values[column].append(batch[column].filter(stays))
        self.feed.contract.check_unique(values, f"clean/{self.feed.name}")


def _pair(last: FeedReceipt) -> tuple[tuple[str, DataVersion | None], tuple[str, DataVersion | None]]:
    return ("clean", last.clean), ("quarantine", last.quarantine)


def _parted(spool: Spool, verdicts: Verdicts, *, kept: bool) -> Iterator[pa.RecordBatch]:
    """The spooled rows that stay, or that are set aside, with their verdicts."""
    at = 0
    for batch in spool.batches():
        keep = (verdicts.reason[at : at + batch.num_rows] < 0) == kept
        if keep.any():
            schema = batch.schema.append(pa.field("near_of", pa.string()))
            yield _with(batch, verdicts.batch(at, batch.num_rows), schema).filter(pa.array(keep))
        at += batch.num_rows


def _with(rows: pa.RecordBatch, verdict: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    detail = pc.if_else(pc.is_valid(rows["content"]), verdict["detail"], rows["detail"])
    made = {"near_of": verdict["near_of"], "reason": verdict["reason"], "detail": detail}
    return pa.RecordBatch.from_arrays([made[n] if n in made else rows[n] for n in schema.names], schema=schema)


def _again(first: pa.RecordBatch | None, rest: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    if first is not None:
        yield first
        yield from rest
