"""From new raw rows to a published pair of clean and quarantine tables: everything anew, or only what changed."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from noria.build.cleaning.groups import NARROW, affected, decide
from noria.build.cleaning.rules import DUPLICATE_REASONS
from noria.build.engine.spool import Engine, Spool
from noria.build.extract.known import Known
from noria.build.pipeline.feed import Feed
from noria.build.pipeline.receipts import FeedReceipt
from noria.errors import NotFound
from noria.records import DataVersion
from noria.stores.lake import Lake

_VERDICT = ("reason", "detail", "near_of")
_DECIDED = (*NARROW, "detail", "near_of")


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
        """Both tables anew from all that the raw table holds."""
        with tempfile.TemporaryDirectory(prefix="noria-ingest-") as folder:
            spool = self.engine.prepare(self._raw(known, 0), self.feed.cleaner, Path(folder))
            verdicts = decide(spool.narrow, self.feed.rules)
            reasons = _counts(verdicts["reason"])
            self._check_shares(len(verdicts), reasons)
            self._check_unique(spool.batches(), verdicts, None, [])
            clean = self._write("clean", _parted(spool, verdicts, kept=True), known, mode="replace")
            aside = self._write("quarantine", _parted(spool, verdicts, kept=False), known, mode="replace")
            return Published(clean, aside, reasons, spool.rules)

    def update(self, known: Known, last: FeedReceipt) -> Published:
        """Only the rows that came, went or are touched by those: the same tables that `rebuild` would make."""
        mark = last.raw.version if last.raw else 0
        with tempfile.TemporaryDirectory(prefix="noria-ingest-") as folder:
            spool = self.engine.prepare(self._raw(known, mark), self.feed.cleaner, Path(folder))
            self._put_back(last)
            fresh = spool.narrow
            held = {kind: self._state(kind, version) for kind, version in _pair(last)}
            old = pa.concat_tables([held["clean"], held["quarantine"]])
            gone = known.ids.filter(pa.array(known.deleted & (known.load > mark)))
            moved = pc.is_in(old["id"], value_set=pa.concat_arrays([gone, *fresh["id"].chunks])).to_numpy()
            verdicts, changes = self._decide(old, moved, fresh)
            before = old.filter(pa.array(moved))
            reasons = Counter(last.reasons)
            reasons.subtract(_counts(before["reason"]))
            reasons.subtract(_counts(changes["was"]))
            reasons.update(_counts(changes["reason"]))
            reasons.update(_counts(verdicts["reason"]))
            reasons = Counter({k: n for k, n in reasons.items() if n > 0})
            self._check_shares(len(old) - len(before) + len(fresh), reasons)
            touched = self._rows_of(last, changes)
            leaves = pa.concat_arrays([before["id"].combine_chunks(), changes["id"].combine_chunks()])
            self._check_unique(spool.batches(), verdicts, last.clean, [leaves, *[b["id"] for b in touched[True]]])
            versions = {
                kind: self._merge(kind, version, [*_parted(spool, verdicts, kept=kind == "clean"),
                                                  *touched[kind == "clean"]], leaves, held[kind]["id"], known)
                for kind, version in _pair(last)
            }  # fmt: skip
            return Published(versions["clean"], versions["quarantine"], reasons, spool.rules)

    def _decide(self, old: pa.Table, moved: npt.NDArray[np.bool_], fresh: pa.Table) -> tuple[pa.Table, pa.Table]:
        """Verdicts on the fresh rows, in their order; and what changes for rows that did not move themselves.

        `changes`: id, was (the reason so far), then the new verdict.
        """
        # what a group said of a row is decided anew; what the row alone said stays
        alone = pc.if_else(pc.is_valid(old["content"]), pa.scalar(None, pa.string()), old["reason"])
        plain = old.select(NARROW).set_column(NARROW.index("reason"), "reason", alone)
        rows = pa.concat_tables([plain, fresh])
        is_fresh = np.arange(len(rows)) >= len(old)
        touched, around = affected(rows, np.concatenate([moved, np.ones(len(fresh), bool)]))
        present = ~np.concatenate([moved, np.zeros(len(fresh), bool)])
        looked = np.flatnonzero((around | is_fresh) & present)
        said = decide(rows.take(pa.array(looked)), self.feed.rules)
        verdicts = said.filter(pa.array(is_fresh[looked]))
        look = touched[looked] & ~is_fresh[looked]
        before = old.take(pa.array(looked[look]))
        after = said.filter(pa.array(look))
        # detail follows from the reason and from who came first
        differs = np.zeros(len(before), bool)
        for column in _VERDICT:
            was, now = pc.fill_null(before[column], ""), pc.fill_null(after[column], "")
            if column == "detail":
                was, now = (pc.if_else(pc.is_valid(before["content"]), v, "") for v in (was, now))
            if column == "reason":
                now = pc.if_else(pc.is_valid(before["content"]), now, was)
            differs |= pc.not_equal(was, now).to_numpy()
        keep = pa.array(differs)
        named = {"id": before["id"].filter(keep), "was": before["reason"].filter(keep)}
        return verdicts, pa.table({**named, **{c: after[c].filter(keep) for c in _VERDICT}})

    def _rows_of(self, last: FeedReceipt, changes: pa.Table) -> dict[bool, list[pa.RecordBatch]]:
        """The whole rows of `changes` with their new verdict, by whether they are kept now."""
        found: dict[bool, list[pa.RecordBatch]] = {True: [], False: []}
        if not len(changes):
            return found
        ids = changes["id"].combine_chunks()
        for kind, version in _pair(last):
            if version is None:
                continue
            for batch in self._batches(kind, version):
                at = pc.index_in(batch["id"], value_set=ids)
                hit = pc.is_valid(at)
                if not pc.any(hit).as_py():
                    continue
                rows, verdict = batch.filter(hit), changes.take(at.filter(hit)).combine_chunks()
                rows = _with(rows.select(self.feed.cleaner.schema.names), verdict.to_batches()[0], self._schema)
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
        plain = not known.deleted.any() and known.version.rows == len(known.ids)
        try:
            _, batches = self.lake.scan_table(
                "raw", self.feed.name, known.version.version, columns=schema.names, where=where
            )
        except NotFound:
            return
        for batch in batches:
            rows = batch.cast(schema)
            if not plain:
                at = known.places(rows[key])
                loads = np.asarray(rows["_load"].to_numpy(zero_copy_only=False))
                rows = rows.filter(pa.array((known.load[at] == loads) & ~known.deleted[at]))
            if rows.num_rows:
                yield rows

    def _state(self, kind: str, version: DataVersion | None) -> pa.Table:
        schema = pa.schema([self._schema.field(c) for c in _DECIDED])
        if version is None:
            return schema.empty_table()
        _, batches = self.lake.scan_table(kind, self.feed.name, version.version, columns=list(_DECIDED))
        return pa.Table.from_batches([b.cast(schema) for b in batches], schema)

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
        self, kind: str, version: DataVersion | None, batches: list[pa.RecordBatch], leaves: pa.Array,
        there: pa.ChunkedArray, known: Known,
    ) -> DataVersion | None:  # fmt: skip
        """Upserts rows, and takes out those that left for the other table or altogether."""
        comes = pa.concat_arrays([b["id"] for b in batches]) if batches else pa.array([], pa.string())
        away = leaves.filter(pc.and_(pc.is_in(leaves, value_set=there), pc.invert(pc.is_in(leaves, value_set=comes))))
        if not batches and not len(away):
            return version
        if version is None and not batches:
            return None
        expect = self._now(kind)
        rows = pa.RecordBatchReader.from_batches(self._schema, batches)
        return self._store(kind, rows, "merge", self._note(known), expect, pa.table({"id": away}), (known.version,))

    def _write(self, kind: str, batches: Iterator[pa.RecordBatch], known: Known, *, mode: str) -> DataVersion | None:
        expect = self._now(kind)
        first = next(batches, None)
        if first is None and not expect.version:
            return None
        rows = pa.RecordBatchReader.from_batches(self._schema, _again(first, batches))
        return self._store(kind, rows, mode, self._note(known), expect, None, (known.version,))

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
        self, fresh: Iterable[pa.RecordBatch], verdicts: pa.Table, clean: DataVersion | None, leaves: list[pa.Array]
    ) -> None:
        columns = self.feed.contract.unique
        if not columns:
            return
        values: dict[str, list[pa.Array]] = {c: [] for c in columns}
        at = 0
        for batch in fresh:
            kept = pc.is_null(verdicts["reason"].slice(at, batch.num_rows).combine_chunks())
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


def _parted(spool: Spool, verdicts: pa.Table, *, kept: bool) -> Iterator[pa.RecordBatch]:
    """The spooled rows that stay, or that are set aside, with their verdicts."""
    at = 0
    for batch in spool.batches():
        verdict = verdicts.slice(at, batch.num_rows).combine_chunks()
        at += batch.num_rows
        keep = pc.equal(pc.is_null(verdict["reason"]), kept).combine_chunks()
        if pc.any(keep).as_py():
            schema = batch.schema.append(pa.field("near_of", pa.string()))
            yield _with(batch, verdict.to_batches()[0], schema).filter(keep)


def _with(rows: pa.RecordBatch, verdict: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    detail = pc.if_else(pc.is_valid(rows["content"]), verdict["detail"], rows["detail"])
    made = {"near_of": verdict["near_of"], "reason": verdict["reason"], "detail": detail}
    return pa.RecordBatch.from_arrays([made[n] if n in made else rows[n] for n in schema.names], schema=schema)


def _counts(reasons: pa.ChunkedArray) -> dict[str, int]:
    return {v["values"]: v["counts"] for v in reasons.drop_null().value_counts().to_pylist()}


def _again(first: pa.RecordBatch | None, rest: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    if first is not None:
        yield first
        yield from rest
