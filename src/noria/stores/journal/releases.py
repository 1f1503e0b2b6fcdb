"""Releases and the append-only ledger with its hash chain: functions on an open connection."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Text, cast, insert, select

from noria.errors import NotFound, StateError, UsageError
from noria.records import Candidate, LedgerEntry, LedgerKind, Release
from noria.stores.journal.codec import (
    Plain,
    Row,
    Stored,
    candidate_from,
    candidate_json,
    check_one_of,
    check_texts,
    dumps,
    plain,
    restored,
)
from noria.stores.journal.engine import lock_ledger
from noria.stores.journal.schema import LEDGER, RELEASES

FIRST_HASH = "0" * 64
"""`previous_hash` of the first entry."""
_KINDS: tuple[LedgerKind, ...] = ("release", "hold", "refuse", "rollback")
_LIVE = ("release", "rollback")
_HASHED = ("seq", "time_ms", "kind", "release", "tag", "evidence", "previous_hash")


def entry_hash(row: Stored) -> str:
    """sha256 (hex) over the canonical JSON of an entry: seq, time_ms, kind, release, tag, evidence, previous_hash."""
    covered: Plain = {name: row[name] for name in _HASHED}
    return hashlib.sha256(dumps(covered).encode()).hexdigest()


def append(
    connection: Connection,
    *,
    kind: LedgerKind,
    time_ms: int,
    release: str | None,
    candidate: Candidate,
    evidence: Mapping[str, Any],
) -> LedgerEntry:
    """Appends one entry and, for kind "release", the release; the caller's transaction makes that one step.

    Raises:
        UsageError: no release named for "release" or "rollback"; the name of a new release is taken; a rollback to
            the release that is live, unless it takes back a challenger's share (evidence "stage").
        NotFound: a rollback to a release that never was.
    """
    lock_ledger(connection)
    check_one_of("the kind of a ledger entry", kind, _KINDS)
    _check_release(connection, kind, release, of_a_stage="stage" in evidence)
    last = connection.execute(select(LEDGER.c.seq, LEDGER.c.hash).order_by(LEDGER.c.seq.desc()).limit(1)).first()
    row: Row = {
        "seq": 1 if last is None else last.seq + 1,
        "time_ms": int(time_ms),
        "kind": kind,
        "release": release,
        "tag": candidate.tag,
        "evidence": plain(evidence),
        "previous_hash": FIRST_HASH if last is None else last.hash,
    }
    check_texts("ledger entry", row)
    row["hash"] = entry_hash(row)
    connection.execute(insert(LEDGER).values(row))
    if kind == "release":
        value = candidate_json(candidate)
        connection.execute(
            insert(RELEASES).values(release=release, seq=row["seq"], since_ms=row["time_ms"], candidate=value)
        )
    return _entry(row)


def find_current(connection: Connection) -> Release | None:
    """The release that is live, since when it last went live; None before the first."""
    query = (
        select(RELEASES.c.release, RELEASES.c.candidate, LEDGER.c.time_ms)
        .join(RELEASES, RELEASES.c.release == LEDGER.c.release)
        .where(LEDGER.c.kind.in_(_LIVE))
        .order_by(LEDGER.c.seq.desc())
    )
    found: Release | None = None
    for row in connection.execute(query):
        if found is not None and row.release != found.release:
            break
        # a challenger's share that was taken back names the release that was live all along
        found = Release(row.release, candidate_from(row.candidate), row.time_ms)
    return found


def list_releases(connection: Connection) -> list[Release]:
    """Every release in order of its ledger entry, with the time when it first went live."""
    rows = connection.execute(select(RELEASES).order_by(RELEASES.c.seq))
    return [Release(row.release, candidate_from(row.candidate), row.since_ms) for row in rows]


def get_release(connection: Connection, name: str) -> Release:
    """One release by name, or NotFound with the nearest names."""
    row = connection.execute(select(RELEASES).where(RELEASES.c.release == name)).first()
    if row is None:
        raise _unknown(connection, name)
    return Release(row.release, candidate_from(row.candidate), row.since_ms)


def list_ledger(connection: Connection) -> list[LedgerEntry]:
    """Every entry, oldest first."""
    return [_entry(row) for row in connection.execute(select(LEDGER).order_by(LEDGER.c.seq)).mappings()]


def verify(connection: Connection) -> None:
    """Recomputes the whole chain and holds the releases against it.

    A tail that was cut off with its releases cannot be seen from inside: keep the last hash elsewhere for that.

    Raises:
        StateError: naming the first broken entry.
    """
    releases = {row.seq: row for row in connection.execute(select(RELEASES))}
    # Read as text: a tampered value may no longer be JSON.
    query = select(*(c for c in LEDGER.c if c.name != "evidence"), cast(LEDGER.c.evidence, Text).label("evidence"))
    previous = FIRST_HASH
    for seq, row in enumerate(connection.execute(query.order_by(LEDGER.c.seq)).mappings(), start=1):
        if row["seq"] != seq:
            raise _broken(row, f"entry {seq} is missing before it")
        if row["previous_hash"] != previous:
            raise _broken(row, f"it does not follow entry {seq - 1}")
        try:
            expected = entry_hash({**row, "evidence": json.loads(row["evidence"])})
        except (ValueError, TypeError):
            raise _broken(row, "its evidence is not JSON") from None
        if row["hash"] != expected:
            raise _broken(row, "its content does not match its hash")
        if row["kind"] == "release":
            made = releases.pop(seq, None)
            if made is None or (made.release, made.candidate["tag"]) != (row["release"], row["tag"]):
                raise _broken(row, f"the release {row['release']!r} that it made is missing or another one")
        previous = row["hash"]
    if releases:
        lost = min(releases)
        raise StateError(
            f"ledger entry {lost} is missing: it made release {releases[lost].release!r}. "
            "Restore the journal from a backup."
        )


def _check_release(connection: Connection, kind: LedgerKind, release: str | None, *, of_a_stage: bool) -> None:
    if kind not in _LIVE:
        return
    if not release:
        raise UsageError(f"a ledger entry of kind {kind!r} needs the name of its release.")
    known = connection.execute(select(RELEASES.c.release).where(RELEASES.c.release == release)).first()
    if kind == "release" and known is not None:
        raise UsageError(f"release {release!r} exists already; a new release needs a new name.")
    if kind == "rollback" and known is None:
        raise _unknown(connection, release)
    if kind == "rollback" and not of_a_stage:
        live = find_current(connection)
        if live is not None and live.release == release:
            raise UsageError(f"release {release!r} is live already, there is nothing to roll back to.")


def _unknown(connection: Connection, name: str) -> NotFound:
    return NotFound("release", name, connection.execute(select(RELEASES.c.release)).scalars())


def _broken(row: Stored, why: str) -> StateError:
    return StateError(
        f"ledger entry {row['seq']} ({row['kind']} of tag {row['tag']!r}) is broken: {why}. "
        "The ledger was changed from outside; restore the journal from a backup."
    )


def _entry(row: Stored) -> LedgerEntry:
    return LedgerEntry(**{**row, "evidence": restored(row["evidence"])})
