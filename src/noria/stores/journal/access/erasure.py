"""Erasure: what a person said leaves the journal, what was counted stays.

Rows are not deleted but emptied: texts, notes and values become "[erased]", the requester "". Predictions, labels and
figures remain as counts of nobody, so that production quality of the past does not change.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Column, ColumnElement, Connection, and_, exists, select, update

from noria.stores.journal.access.schema import HAND_OVERS, SESSIONS
from noria.stores.journal.loop import touch
from noria.stores.journal.schema import FEEDBACK, LABELS, PREDICTIONS, TASKS

ERASED = "[erased]"


@dataclass(frozen=True, slots=True)
class Erased:
    """What was emptied; the ids are those of the person's queries, by which to follow them elsewhere."""

    sessions: int
    prediction_ids: tuple[str, ...]
    task_ids: tuple[str, ...]
    label_ids: tuple[str, ...]
    feedback: int
    hand_overs: int


def erase(connection: Connection, account: str, requester: str) -> Erased:
    """Empties all that a requester of an account said, in the transaction of `connection`."""
    own = and_(SESSIONS.c.account == account, SESSIONS.c.requester == requester)
    asked = exists().where(
        own, SESSIONS.c.account == PREDICTIONS.c.account, SESSIONS.c.session == PREDICTIONS.c.session
    )
    predictions = _ids(connection, PREDICTIONS.c.prediction_id, asked)
    of_person = select(PREDICTIONS.c.prediction_id).where(asked)
    tasks = _ids(connection, TASKS.c.task_id, TASKS.c.prediction_id.in_(of_person))
    labels = _ids(connection, LABELS.c.label_id, LABELS.c.prediction_id.in_(of_person))
    told = connection.execute(update(FEEDBACK).where(FEEDBACK.c.prediction_id.in_(of_person)).values(value=ERASED))
    connection.execute(update(LABELS).where(LABELS.c.prediction_id.in_(of_person)).values(note=ERASED))
    connection.execute(update(TASKS).where(TASKS.c.prediction_id.in_(of_person)).values(text=ERASED))
    # what their texts were like is told anew, without them
    touch(connection, connection.execute(select(PREDICTIONS.c.time_ms).where(asked)).scalars().all())
    connection.execute(update(PREDICTIONS).where(asked).values(text=ERASED, query_id=""))
    handed = connection.execute(
        update(HAND_OVERS)
        .where(HAND_OVERS.c.account == account, HAND_OVERS.c.requester == requester)
        .values(reason=ERASED, requester="")
    )
    sessions = connection.execute(update(SESSIONS).where(own).values(requester=""))
    return Erased(sessions.rowcount, predictions, tasks, labels, told.rowcount, handed.rowcount)


def _ids(connection: Connection, key: Column[str], which: ColumnElement[bool]) -> tuple[str, ...]:
    return tuple(connection.execute(select(key).where(which).order_by(key)).scalars())
