"""What the loop records of itself: turns, findings, and the small state of rooms. Functions on an open connection."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any

from sqlalchemy import Connection, RowMapping, insert, select

from noria.records import HOUR_MS, Finding, TurnReceipt
from noria.stores.journal.codec import check_texts, figure, number, plain, receipt_from, receipt_json, restored
from noria.stores.journal.engine import put, replace_row
from noria.stores.journal.schema import FINDINGS, STATE, TOUCHED, TURNS

_PLAIN_COLUMNS = [column.name for column in FINDINGS.columns if column.name != "details"]


def put_turn(connection: Connection, turn: TurnReceipt) -> None:
    """Adds a turn; the same one again is no fault, another one under its id is (UsageError)."""
    row = {
        "turn_id": turn.turn_id,
        "time_ms": turn.time_ms,
        "receipts": [receipt_json(receipt) for receipt in turn.receipts],
        "verdict": turn.verdict,
        "release": turn.release,
    }
    put(connection, TURNS, [check_texts(f"turn {turn.turn_id!r}", row)], what="turn", same=TURNS.columns.keys())


def list_turns(connection: Connection, limit: int) -> list[TurnReceipt]:
    """The latest `limit` turns, newest first (by time, id)."""
    query = select(TURNS).order_by(TURNS.c.time_ms.desc(), TURNS.c.turn_id.desc()).limit(limit)
    return [
        TurnReceipt(row.turn_id, row.time_ms, tuple(map(receipt_from, row.receipts)), row.verdict, row.release)
        for row in connection.execute(query)
    ]


def put_findings(connection: Connection, findings: Sequence[Finding]) -> int:
    """Adds findings, returns how many were new; of a known id the first stays, unless it is of another metric."""
    return put(connection, FINDINGS, [_finding_row(f) for f in findings], what="finding", same=("metric",))


def replace_findings(connection: Connection, findings: Sequence[Finding]) -> None:
    """Puts findings in place of those of the same ids."""
    for finding in findings:
        replace_row(connection, FINDINGS, _finding_row(finding))


def list_findings(connection: Connection) -> list[Finding]:
    """Every finding, in order of the time it was raised, id."""
    query = select(FINDINGS).order_by(FINDINGS.c.raised_ms, FINDINGS.c.finding_id)
    return [_finding(row) for row in connection.execute(query).mappings()]


def _finding_row(finding: Finding) -> dict[str, Any]:
    known = {field.name: getattr(finding, field.name) for field in fields(Finding)}
    row = {name: known.pop(name) for name in _PLAIN_COLUMNS}
    row |= {name: figure(row[name]) for name in ("before", "after")}
    return check_texts(f"finding {finding.finding_id!r}", row | {"details": plain(known)})


def _finding(row: RowMapping) -> Finding:
    details = restored(row["details"] or {})
    details |= {"others": tuple(details["others"])} if "others" in details else {}
    kept = {name: row[name] for name in _PLAIN_COLUMNS}
    return Finding(**{**kept, "before": number(row["before"]), "after": number(row["after"]), **details})


def touch(connection: Connection, times_ms: Iterable[int]) -> None:
    """Notes that something of the hours of these times changed, so that their figures are made anew."""
    hours = sorted({time_ms // HOUR_MS * HOUR_MS for time_ms in times_ms})
    if hours:
        connection.execute(insert(TOUCHED), [{"hour_ms": hour_ms} for hour_ms in hours])


def write_state(connection: Connection, key: str, value: Mapping[str, Any]) -> None:
    """Keeps `value` under `key`, in place of what was there."""
    row = check_texts("state", {"key": key, "value": plain(value)})
    replace_row(connection, STATE, row)


def read_state(connection: Connection, key: str) -> dict[str, Any] | None:
    """What was kept under `key` last (sequences come back as lists), or None."""
    row = connection.execute(select(STATE.c.value).where(STATE.c.key == key)).first()
    if row is None:
        return None
    kept: dict[str, Any] = restored(row.value)
    return kept
