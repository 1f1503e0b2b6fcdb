"""What the loop records of itself: turns, findings, and the small state of rooms. Functions on an open connection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select

from noria.records import Finding, TurnReceipt
from noria.stores.journal.codec import check_texts, figure, number, plain, receipt_from, receipt_json, restored
from noria.stores.journal.engine import put, replace_row
from noria.stores.journal.schema import FINDINGS, STATE, TURNS


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
    rows = [
        check_texts(
            f"finding {finding.finding_id!r}",
            {
                "finding_id": finding.finding_id,
                "metric": finding.metric,
                "raised_ms": finding.raised_ms,
                "inception_ms": finding.inception_ms,
                "inception_low_ms": finding.inception_low_ms,
                "inception_high_ms": finding.inception_high_ms,
                "before": figure(finding.before),
                "after": figure(finding.after),
                "sentence": finding.sentence,
            },
        )
        for finding in findings
    ]
    return put(connection, FINDINGS, rows, what="finding", same=("metric",))


def list_findings(connection: Connection) -> list[Finding]:
    """Every finding, in order of the time it was raised, id."""
    query = select(FINDINGS).order_by(FINDINGS.c.raised_ms, FINDINGS.c.finding_id)
    return [
        Finding(**{**row, "before": number(row["before"]), "after": number(row["after"])})
        for row in connection.execute(query).mappings()
    ]


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
