"""One run of a feed: read, stage, clean, check, publish, and leave a receipt."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, replace

from noria.build.engine.spool import EmbeddedEngine, Engine
from noria.build.extract.known import Known, raw_version, read_known
from noria.build.extract.staging import Staged, Stager
from noria.build.pipeline.feed import Feed
from noria.build.pipeline.publishing import Published, Publisher
from noria.build.pipeline.receipts import FeedReceipt, Latest, keep, latest, receipts
from noria.build.pipeline.splits import give_sides
from noria.errors import DataError, StateError
from noria.ports.source import Source
from noria.records import DAY_MS, DataVersion
from noria.stores.lake import Lake

_TRIES = 20
_ANEW_SHARE = 0.3  # above this share of new rows everything anew is cheaper


def run_feed(
    lake: Lake,
    feed: Feed,
    source: Source | None,
    *,
    time_ms: int,
    code: Mapping[str, str] | None = None,
    engine: Engine | None = None,
    full: bool = False,
    rebuild: bool = False,
) -> FeedReceipt:
    """Brings a feed's tables up to date; safe to run twice, by two at once, and after a crash.

    Args:
        lake: where the tables are.
        feed: what to run.
        source: where rows come from; None = only clean what is staged.
        time_ms: now.
        code: facts on the code, for the lineage.
        engine: where the row functions run; None = in this process.
        full: read everything and find what was deleted.
        rebuild: make clean and quarantine anew from the raw table, whatever changed.

    Returns:
        The receipt; a broken contract is one with the status "refused", and nothing published.

    Raises:
        OutsideError: the source failed; what was read is staged. StateError: other runs were always faster.
    """
    columns, contract = feed.columns, feed.contract
    found = latest(lake, feed.name)
    last = found[1]
    due = full or _refresh_due(lake, feed, time_ms)
    stager = Stager(lake, feed.name, columns, time_ms, feed.mask_raw, contract.max_deleted_share)
    refused: DataError | None = None
    raw = raw_version(lake, feed.name)
    staged = Staged(raw)
    if source is not None:
        try:
            since = stager.cursor(raw.version, last.cursor if last else None, last.staged if last else 0)
            staged = stager.stage(source, raw, since, full=due and last is not None)
        except DataError as error:
            refused, staged = error, Staged(raw_version(lake, feed.name))
    draft = FeedReceipt(
        0, time_ms, "", staged.complete, source.describe() if source else "staged rows",
        {k: staged.counts[k] for k in sorted(staged.counts)}, setup=setup_of(feed), code=dict(code or {}),
        cursor=staged.cursor or (last.cursor if last else None),
        staged=staged.version.version if staged.cursor else last.staged if last else 0,
    )  # fmt: skip
    publisher = Publisher(lake, feed, engine or EmbeddedEngine(), time_ms, code or {})
    for attempt in range(_TRIES):
        # Files of the last published versions can be gone, where a vacuum came after a run had died over them.
        anew = rebuild or attempt >= _TRIES // 2
        try:
            found = latest(lake, feed.name, found)
            return _publish(publisher, draft, found, staged, rebuild=anew, refused=refused)
        except StateError:
            staged.version = raw_version(lake, feed.name)
    raise StateError(f"feed {feed.name}: other runs were always faster; run again when they have ended.")


def setup_of(feed: Feed) -> str:
    """A fingerprint of what the clean tables follow from, beside the raw rows."""
    facts = {"columns": asdict(feed.columns), "rules": asdict(feed.rules)}
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def _publish(
    publisher: Publisher, draft: FeedReceipt, found: Latest, staged: Staged, *, rebuild: bool, refused: DataError | None
) -> FeedReceipt:
    """Cleans what the last receipt does not know yet, and appends the new receipt."""
    lake, feed = publisher.lake, publisher.feed
    version, last = found
    run = replace(draft, run=(last.run if last else 0) + 1)
    if last is not None:
        run = replace(
            run, raw=last.raw, clean=last.clean, quarantine=last.quarantine, reasons=last.reasons, splits=last.splits
        )
    if refused is not None:
        return _told(lake, feed, replace(run, status="refused", message=str(refused)), version)
    mark = last.raw.version if last and last.raw else 0
    anew = rebuild or last is None or not mark or last.setup != draft.setup
    if not anew and staged.version.version == mark:
        return _told(lake, feed, replace(run, status="unchanged"), version)
    try:
        known, made = _made(publisher, staged, None if anew else last, mark)
        sided = give_sides(lake, feed, made.clean, run.time_ms)
    except DataError as error:
        # the setup stays that of the tables in force, so that the next run builds them anew where it must
        setup = last.setup if last else ""
        return _told(lake, feed, replace(run, status="refused", message=str(error), setup=setup), version)
    run = replace(
        run, status="published", raw=known.version, clean=made.clean, quarantine=made.quarantine,
        reasons=dict(sorted(made.reasons.items())), rules=dict(made.rules), splits=sided.version,
        counts={**run.counts, **sided.counts},
    )  # fmt: skip
    return _told(lake, feed, run, version)


def _made(publisher: Publisher, staged: Staged, last: FeedReceipt | None, mark: int) -> tuple[Known, Published]:
    """What is new brought in over the last receipt; everything anew where there is none, or where that is cheaper."""
    lake, feed, raw, known = publisher.lake, publisher.feed, staged.version, staged.known
    if last is not None:
        news = read_known(lake, raw, feed.columns, after=mark)
        n_old = sum(version.rows for version in (last.clean, last.quarantine) if version)
        if len(news) <= _ANEW_SHARE * (n_old + len(news)):
            return news, publisher.update(news, last)
    if known is None or known.version != raw:
        known = read_known(lake, raw, feed.columns)
    return known, publisher.rebuild(known)


def _told(lake: Lake, feed: Feed, run: FeedReceipt, version: DataVersion) -> FeedReceipt:
    rows = {
        "clean_rows": run.clean.rows if run.clean else 0,
        "quarantine_rows": run.quarantine.rows if run.quarantine else 0,
    }
    run = replace(run, counts={**run.counts, **rows})
    keep(lake, feed.name, run, expect=version)
    return run


def _refresh_due(lake: Lake, feed: Feed, time_ms: int) -> bool:
    """Whether the last complete reading is too long ago."""
    if not feed.full_refresh_days:
        return False
    complete = [r.time_ms for r in receipts(lake, feed.name) if r.full and r.status != "refused"]
    return bool(complete) and time_ms - complete[-1] >= feed.full_refresh_days * DAY_MS
