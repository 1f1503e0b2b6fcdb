"""The door to what watching keeps and reads: each method is one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Engine, delete, insert, select, text

from noria.errors import NotFound
from noria.records import Prediction
from noria.records.findings import (
    ALERT_STATUSES,
    SEVERITIES,
    Alert,
    Comment,
    Dimension,
    Explanation,
    Happening,
    Part,
)
from noria.stores.journal.codec import Row, Stored, check_one_of, check_texts, plain, restored
from noria.stores.journal.engine import fetch, put, reading, replace_row, writing
from noria.stores.journal.schema import FINDINGS, TOUCHED
from noria.stores.journal.traffic import count_predictions, list_predictions_of
from noria.stores.journal.watching.asking import read_only
from noria.stores.journal.watching.columns import TrafficColumns, facts_of, read_columns, sample_texts, span_of
from noria.stores.journal.watching.lists import Listed, QueryFilter, list_queries
from noria.stores.journal.watching.schema import ALERTS, COMMENTS, EXPLANATIONS

_CHUNK = 500


class WatchDoor:
    """Columns of traffic, hours that changed, explanations, alerts and comments."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def columns(self, since_ms: int, until_ms: int) -> TrafficColumns:
        """Predictions by query time, as columns, with what was said of them."""
        with reading(self._engine) as connection:
            return read_columns(connection, since_ms, until_ms)

    def count(self, since_ms: int, until_ms: int) -> int:
        """How many predictions there are by query time."""
        with reading(self._engine) as connection:
            return count_predictions(connection, since_ms, until_ms)

    def predictions_of(self, prediction_ids: Sequence[str]) -> list[Prediction]:
        """Those of `prediction_ids` that are known, in order of time, id."""
        with reading(self._engine) as connection:
            return list_predictions_of(connection, prediction_ids)

    def span(self) -> tuple[int, int] | None:
        """The first and the last query time; None without traffic."""
        with reading(self._engine) as connection:
            return span_of(connection)

    def select(self, sql: str) -> list[dict[str, Any]]:
        """The rows that a question in SQL gives; it can change nothing.

        Raises:
            UsageError: it is no question, or not one that the database understands.
        """
        with reading(self._engine) as connection, read_only(connection):
            return [dict(row) for row in connection.execute(text(sql)).mappings()]

    def texts(self, since_ms: int, until_ms: int, most: int = 2_000) -> list[str]:
        """About `most` texts of queries, spread evenly over a span."""
        with reading(self._engine) as connection:
            return sample_texts(connection, since_ms, until_ms, most)

    def facts(self, prediction_ids: Sequence[str]) -> dict[str, tuple[str, str]]:
        """Prediction → its channel and language, of those that are known."""
        with reading(self._engine) as connection:
            return facts_of(connection, prediction_ids)

    def queries(self, which: QueryFilter, limit: int) -> Listed:
        """The newest queries that fit, newest first."""
        with reading(self._engine) as connection:
            return list_queries(connection, which, limit)

    def touched(self, limit: int = 20_000) -> dict[int, list[int]]:
        """Hours (start, UTC milliseconds) in which something changed since they were `settled`, with the notes' ids."""
        query = select(TOUCHED.c.hour_ms, TOUCHED.c.touched_id).order_by(TOUCHED.c.touched_id).limit(limit)
        hours: dict[int, list[int]] = {}
        with reading(self._engine) as connection:
            for hour_ms, note in connection.execute(query):
                hours.setdefault(hour_ms, []).append(note)
        return hours

    def settled(self, notes: Sequence[int]) -> None:
        """Forgets notes of `touched`, by their ids: what came after them stays noted."""
        with writing(self._engine) as connection:
            for start in range(0, len(notes), _CHUNK):
                part = TOUCHED.c.touched_id.in_(notes[start : start + _CHUNK])
                connection.execute(delete(TOUCHED).where(part))

    def explain(self, explanations: Sequence[Explanation]) -> None:
        """Keeps explanations, each in place of the last one of its finding."""
        with writing(self._engine) as connection:
            for told in explanations:
                body = plain(asdict(told))
                row: Row = {"finding_id": told.finding_id, "time_ms": told.time_ms, "body": body}
                replace_row(connection, EXPLANATIONS, check_texts(f"explanation of {told.finding_id!r}", row))

    def explanations(self) -> dict[str, Explanation]:
        """Finding → why it came about, of those that were explained."""
        with reading(self._engine) as connection:
            rows = connection.execute(select(EXPLANATIONS)).mappings().all()
        return {row["finding_id"]: _explanation(restored(row["body"])) for row in rows}

    def explanation(self, finding_id: str) -> Explanation | None:
        """Why one finding came about; None where that was not looked at."""
        with reading(self._engine) as connection:
            rows = fetch(connection, EXPLANATIONS, EXPLANATIONS.c.finding_id, [finding_id])
        return _explanation(restored(rows[0]["body"])) if rows else None

    def keep_alerts(self, alerts: Sequence[Alert]) -> None:
        """Keeps alerts, each in place of the one of its id."""
        with writing(self._engine) as connection:
            for alert in alerts:
                replace_row(connection, ALERTS, _alert_row(alert))

    def change_alert(self, finding_id: str, **fields: Any) -> Alert:
        """Changes fields of the alert that holds a finding, e.g. its status; NotFound where there is none."""
        with writing(self._engine) as connection:
            for alert in _alerts(connection):
                if finding_id in alert.finding_ids:
                    changed = Alert(**{**{f: getattr(alert, f) for f in Alert.__slots__}, **fields})
                    replace_row(connection, ALERTS, _alert_row(changed))
                    return changed
        raise NotFound("alert of the finding", finding_id)

    def alerts(self) -> list[Alert]:
        """Every alert, in order of the time it was opened, id."""
        with reading(self._engine) as connection:
            return _alerts(connection)

    def add_comment(self, comment: Comment) -> None:
        """Adds a comment; NotFound where there is no such finding."""
        with writing(self._engine) as connection:
            known = select(FINDINGS.c.finding_id).where(FINDINGS.c.finding_id == comment.finding_id)
            if connection.execute(known).first() is None:
                raise NotFound("finding", comment.finding_id)
            row = check_texts(f"comment {comment.comment_id!r}", asdict(comment))
            put(connection, COMMENTS, [row], what="comment", same=COMMENTS.columns.keys())

    def comments(self, finding_id: str) -> list[Comment]:
        """What was written about a finding, oldest first."""
        with reading(self._engine) as connection:
            rows = fetch(connection, COMMENTS, COMMENTS.c.finding_id, [finding_id])
        return sorted((Comment(**row) for row in rows), key=lambda c: (c.time_ms, c.comment_id))

    def touch(self, hours_ms: Sequence[int]) -> None:
        """Notes hours, so that their figures are made anew."""
        with writing(self._engine) as connection:
            if hours_ms:
                connection.execute(insert(TOUCHED), [{"hour_ms": hour_ms} for hour_ms in hours_ms])


def _alerts(connection: Connection) -> list[Alert]:
    query = select(ALERTS).order_by(ALERTS.c.opened_ms, ALERTS.c.alert_id)
    return [_alert(row) for row in connection.execute(query).mappings()]


def _alert_row(alert: Alert) -> Row:
    what = f"alert {alert.alert_id!r}"
    row = {name: getattr(alert, name) for name in Alert.__slots__}
    row |= {"finding_ids": list(alert.finding_ids), "told": plain(alert.told)}
    check_one_of(f"the severity of {what}", alert.severity, SEVERITIES)
    check_one_of(f"the status of {what}", alert.status, ALERT_STATUSES)
    return check_texts(what, row)


def _alert(row: Stored) -> Alert:
    return Alert(**{**row, "finding_ids": tuple(row["finding_ids"])})


def _explanation(body: Mapping[str, Any]) -> Explanation:
    dimensions = tuple(
        Dimension(d["name"], d["mix"], d["within"], tuple(Part(**part) for part in d["parts"]))
        for d in body["dimensions"]
    )
    near = tuple(Happening(**happening) for happening in body["near"])
    lists = {"sentences": tuple(body["sentences"]), "words": tuple(body["words"])}
    return Explanation(**{**body, **lists, "dimensions": dimensions, "near": near})
