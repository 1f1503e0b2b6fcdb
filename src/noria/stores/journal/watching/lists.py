"""Pages of queries, newest first: by keyset, so that the thousandth page costs what the first one does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, and_, or_, select

from noria.records import FOREVER_MS, Prediction
from noria.stores.journal.schema import PREDICTIONS
from noria.stores.journal.traffic import prediction_from


@dataclass(frozen=True, slots=True)
class QueryFilter:
    """Which queries to list; "" and None = any. Times are half-open. `before`: time and id that the list goes on from.

    `words`: part of the text, whatever its case.
    """

    since_ms: int = 0
    until_ms: int = FOREVER_MS
    account: str | None = None
    intent: str = ""
    channel: str = ""
    language: str = ""
    release: str = ""
    decision: str = ""
    words: str = ""
    before: tuple[int, str] | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of queries; `more`: time and id to go on from, None at the end."""

    rows: Sequence[Prediction]
    more: tuple[int, str] | None


def list_queries(connection: Connection, which: QueryFilter, limit: int) -> Listed:
    """At most `limit` queries that fit, newest first."""
    at, key = PREDICTIONS.c.time_ms, PREDICTIONS.c.prediction_id
    query = select(PREDICTIONS).where(at >= which.since_ms, at < which.until_ms)
    if which.account is not None:
        query = query.where(PREDICTIONS.c.account == which.account)
    for name in ("intent", "channel", "language", "release", "decision"):
        if wanted := getattr(which, name):
            query = query.where(PREDICTIONS.c[name] == wanted)
    if which.words:
        query = query.where(PREDICTIONS.c.text.icontains(which.words, autoescape=True))
    if which.before is not None:
        time_ms, last = which.before
        query = query.where(or_(at < time_ms, and_(at == time_ms, key < last)), at <= time_ms)
    rows = connection.execute(query.order_by(at.desc(), key.desc()).limit(limit + 1)).mappings().all()
    shown = [prediction_from(row) for row in rows[:limit]]
    more = (shown[-1].query.time_ms, shown[-1].prediction_id) if len(rows) > limit else None
    return Listed(shown, more)
