"""Predictions and feedback in the journal: functions on an open connection; `Journal` puts transactions around them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Dialect, Table, exists, func, or_, select

from noria.errors import NotFound
from noria.records import DAY_MS, DECISIONS, FEEDBACK_KINDS, Answer, Feedback, Prediction, Query, Ranked
from noria.records.sessions import OwnFeedback
from noria.stores.journal.codec import (
    Row,
    Stored,
    check_one_of,
    check_texts,
    dumps,
    dumps_figures,
    dumps_names,
    figure,
    number,
    plain,
    restored,
    restored_figures,
)
from noria.stores.journal.engine import check_known, fetch, insert_new, put_telling
from noria.stores.journal.loop import touch
from noria.stores.journal.schema import FEEDBACK, PREDICTIONS

_EPOCH = date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True)
class Which:
    """Which of a span's predictions are read: a busy journal holds more than a room needs or memory takes.

    `rejected`: those handed over or out of scope. `told`: those with feedback. `latest`: the last ones, so many.
    """

    rejected: bool = False
    told: bool = False
    latest: int | None = None


EVERY = Which()


def put_predictions(connection: Connection, predictions: Sequence[Prediction]) -> int:
    """Adds predictions, returns how many were new; the same prediction sent again is no fault.

    Raises:
        UsageError: an id is known with other content, or a text cannot be stored.
    """
    touch(connection, (prediction.query.time_ms for prediction in predictions))
    new = put_encoded(connection, PREDICTIONS, [_encoded(prediction) for prediction in predictions])
    if new < len(predictions):
        rows = [_prediction_row(prediction) for prediction in predictions]
        check_known(connection, PREDICTIONS, rows, what="prediction", same=PREDICTIONS.columns.keys())
    return new


def put_encoded(connection: Connection, into: Table, rows: Sequence[tuple[Any, ...]]) -> int:
    """`put` of rows whose values the driver takes as they are, in order of the columns; returns how many were new.

    What SQLAlchemy does for each value of each row is left out; whoever calls it looks at the rows that were known.
    """
    if not rows:
        return 0
    statement, names = _encoded_insert(connection.dialect, into)
    given: list[Any] = list(rows) if names is None else [dict(zip(names, row, strict=True)) for row in rows]
    return connection.exec_driver_sql(statement, given, execution_options={"preserve_rowcount": True}).rowcount


def put_feedback(connection: Connection, feedback: Sequence[Feedback | OwnFeedback]) -> set[str]:
    """Adds feedback events, returns the ids that were new. An event sent again may carry another time: the first stays.

    Raises:
        NotFound: a prediction is unknown, or not one of the account and session that the event is held to.
        UsageError: an event id is known for another prediction, kind or value.
    """
    told = [one if isinstance(one, OwnFeedback) else OwnFeedback(one, "", None) for one in feedback]
    rows = [_feedback_row(own.event) for own in told]
    known = known_predictions(connection, list(dict.fromkeys(own.event.prediction_id for own in told)))
    for own, given in zip(told, feedback, strict=True):
        whose = known.get(own.event.prediction_id)
        # another account's prediction is as unknown as one that never was
        if whose is None or (own is given and (own.account, own.session or whose[1]) != whose[:2]):
            raise _unknown(own.event.prediction_id)
    touch(connection, (time_ms for _, _, time_ms in known.values()))
    return put_telling(connection, FEEDBACK, rows, what="feedback event", same=("prediction_id", "kind", "value"))


def known_predictions(connection: Connection, prediction_ids: Sequence[str]) -> dict[str, tuple[str, str, int]]:
    """Those of `prediction_ids` that the journal holds → their account, session and query time."""
    columns = PREDICTIONS.c.prediction_id, PREDICTIONS.c.account, PREDICTIONS.c.session, PREDICTIONS.c.time_ms
    known: dict[str, tuple[str, str, int]] = {}
    for start in range(0, len(prediction_ids), 500):
        query = select(*columns).where(columns[0].in_(prediction_ids[start : start + 500]))
        known.update({name: (account, session, at) for name, account, session, at in connection.execute(query)})
    return known


def get_prediction(connection: Connection, prediction_id: str) -> Prediction:
    """One prediction by id, or NotFound."""
    for row in fetch(connection, PREDICTIONS, PREDICTIONS.c.prediction_id, [prediction_id]):
        return prediction_from(row)
    raise _unknown(prediction_id)


def list_predictions(
    connection: Connection, since_ms: int, until_ms: int, account: str | None, which: Which
) -> list[Prediction]:
    """Predictions with since_ms <= query time < until_ms, of one account or all, in order of time, id."""
    columns = PREDICTIONS.c
    order = columns.time_ms, columns.prediction_id
    query = select(PREDICTIONS).where(columns.time_ms >= since_ms, columns.time_ms < until_ms)
    if account is not None:
        query = query.where(columns.account == account)
    if which.rejected:
        query = query.where(or_(columns.decision == "handoff", ~columns.in_scope))
    if which.told:
        query = query.where(exists().where(FEEDBACK.c.prediction_id == columns.prediction_id))
    if which.latest is None:
        return [prediction_from(row) for row in connection.execute(query.order_by(*order)).mappings()]
    query = query.order_by(*(column.desc() for column in order)).limit(which.latest)
    return [prediction_from(row) for row in connection.execute(query).mappings()][::-1]


def list_predictions_of(connection: Connection, prediction_ids: Sequence[str]) -> list[Prediction]:
    """Those of `prediction_ids` that are known, in order of time, id."""
    found = [
        prediction_from(row) for row in fetch(connection, PREDICTIONS, PREDICTIONS.c.prediction_id, prediction_ids)
    ]
    return sorted(found, key=lambda prediction: (prediction.query.time_ms, prediction.prediction_id))


def count_predictions(connection: Connection, since_ms: int, until_ms: int) -> int:
    """How many predictions have since_ms <= query time < until_ms."""
    at = PREDICTIONS.c.time_ms
    return connection.execute(select(func.count()).where(at >= since_ms, at < until_ms)).scalar_one()


def list_feedback(connection: Connection, since_ms: int, until_ms: int) -> list[Feedback]:
    """Feedback with since_ms <= event time < until_ms, in order of time, id."""
    at = FEEDBACK.c.time_ms
    query = select(FEEDBACK).where(at >= since_ms, at < until_ms).order_by(at, FEEDBACK.c.event_id)
    return [Feedback(**row) for row in connection.execute(query).mappings()]


def list_feedback_of(connection: Connection, prediction_id: str) -> list[Feedback]:
    """The events about one prediction, in order of time, id; empty also when there is no such prediction."""
    rows = fetch(connection, FEEDBACK, FEEDBACK.c.prediction_id, [prediction_id])
    return sorted((Feedback(**row) for row in rows), key=lambda event: (event.time_ms, event.event_id))


def count_by_day(connection: Connection) -> dict[str, int]:
    """UTC day ("YYYY-MM-DD") → predictions, in order of day; days without predictions are left out."""
    day = (PREDICTIONS.c.time_ms // DAY_MS).label("day")
    query = select(day, func.count()).group_by(day).order_by(day)
    return {date.fromordinal(_EPOCH + int(days)).isoformat(): count for days, count in connection.execute(query)}


def list_accounts(connection: Connection, since_ms: int) -> list[str]:
    """Accounts with predictions since a time, the busiest first."""
    query = select(PREDICTIONS.c.account).where(PREDICTIONS.c.time_ms >= since_ms).group_by(PREDICTIONS.c.account)
    return list(connection.execute(query.order_by(func.count().desc(), PREDICTIONS.c.account)).scalars())


@lru_cache(maxsize=32)
def _encoded_insert(dialect: Dialect, into: Table) -> tuple[str, tuple[str, ...] | None]:
    """The text of `insert_new` for a driver, and its parameters' names; None where they go by place."""
    names = tuple(into.columns.keys())
    compiled = insert_new(dialect, into).compile(dialect=dialect, column_keys=list(names))
    assert not compiled.positional or tuple(compiled.positiontup or ()) == names  # noqa: S101 - order of the columns
    return str(compiled), None if compiled.positional else names


def _unknown(prediction_id: str) -> NotFound:
    return NotFound("prediction", prediction_id, next_step="Use the prediction_id that came with the answer.")


def _prediction_row(prediction: Prediction) -> Row:
    query, answer = prediction.query, prediction.answer
    what = f"prediction {prediction.prediction_id!r}"
    row = {
        "prediction_id": prediction.prediction_id,
        "time_ms": query.time_ms,
        "account": query.account,
        "query_id": query.query_id,
        "session": query.session,
        "text": query.text,
        "channel": query.channel,
        "language": query.language,
        "decision": check_one_of(f"the decision of {what}", answer.decision, DECISIONS),
        "intent": answer.intent,
        "intent_confidence": figure(answer.intent_confidence),
        "scope_score": figure(answer.scope_score),
        "in_scope": bool(answer.in_scope),
        "articles": [[ranked.article_id, plain(ranked.score)] for ranked in answer.articles],
        "choices": list(answer.choices),
        "scores": plain(answer.scores),
        "thresholds": plain(answer.thresholds),
        "release": prediction.release,
        "latency_ms": figure(prediction.latency_ms),
        "missing": list(prediction.missing),
    }
    return check_texts(what, row)


def _encoded(prediction: Prediction) -> tuple[object, ...]:
    """What `_prediction_row` says, in order of the columns and as drivers take it: this is where serving spends time.

    Raises:
        UsageError: as `_prediction_row`, which is asked wherever something is odd.
    """
    query, answer = prediction.query, prediction.answer
    texts = (
        prediction.prediction_id, query.account, query.query_id, query.session, query.text, query.channel,
        query.language, answer.decision, answer.intent, prediction.release,
    )  # fmt: skip
    together = "".join(texts)
    if answer.decision not in DECISIONS or not together.isascii() or "\0" in together:
        _prediction_row(prediction)
    return (
        texts[0], query.time_ms, *texts[1:9], figure(answer.intent_confidence), figure(answer.scope_score),
        bool(answer.in_scope), _encoded_articles(answer.articles), dumps_names(answer.choices),
        dumps_figures(answer.scores), dumps_figures(answer.thresholds), texts[9], figure(prediction.latency_ms),
        dumps_names(prediction.missing),
    )  # fmt: skip


def _encoded_articles(articles: Sequence[Ranked]) -> str:
    return dumps([[ranked.article_id, plain(ranked.score)] for ranked in articles]) if articles else "[]"


def prediction_from(row: Stored) -> Prediction:
    """The prediction that a row holds."""
    return Prediction(
        prediction_id=row["prediction_id"],
        query=Query(
            query_id=row["query_id"],
            account=row["account"],
            session=row["session"],
            text=row["text"],
            time_ms=row["time_ms"],
            channel=row["channel"],
            language=row["language"],
        ),
        answer=Answer(
            decision=row["decision"],
            intent=row["intent"],
            intent_confidence=number(row["intent_confidence"]),
            scope_score=number(row["scope_score"]),
            in_scope=row["in_scope"],
            articles=tuple([Ranked(article_id, restored(score)) for article_id, score in row["articles"]]),
            choices=tuple(row["choices"]),
            scores=restored_figures(row["scores"]),
            thresholds=restored_figures(row["thresholds"]),
        ),
        release=row["release"],
        latency_ms=number(row["latency_ms"]),
        missing=tuple(row["missing"]),
    )


def _feedback_row(event: Feedback) -> Row:
    what = f"feedback event {event.event_id!r}"
    row = {
        "event_id": event.event_id,
        "prediction_id": event.prediction_id,
        "kind": check_one_of(f"the kind of {what}", event.kind, FEEDBACK_KINDS),
        "time_ms": event.time_ms,
        "value": event.value,
    }
    return check_texts(what, row)
