"""Label tasks and labels in the journal: functions on an open connection."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, func, select, update

from noria.errors import NotFound, UsageError
from noria.records import DECISIONS, RELEVANCES, Judged, Label, LabelTask
from noria.stores.journal.codec import Row, Stored, check_one_of, check_texts
from noria.stores.journal.engine import fetch, put
from noria.stores.journal.schema import LABELS, TASKS


def put_tasks(connection: Connection, tasks: Sequence[LabelTask]) -> int:
    """Adds tasks, returns how many were new; of a known task id the first draw stays.

    Raises:
        UsageError: a task id is known for another prediction, or the inclusion probability is not in (0, 1].
    """
    rows = [_task_row(task) for task in tasks]
    return put(connection, TASKS, rows, what="label task", same=("prediction_id",))


def put_labels(connection: Connection, labels: Sequence[Label]) -> int:
    """Adds labels, returns how many were new, and closes their tasks. Of a label sent again the first time stays.

    Raises:
        NotFound: a task is unknown.
        UsageError: a label is about another prediction than its task, or its id is known with other content.
    """
    rows = [_label_row(label) for label in labels]
    tasks = {row["task_id"]: row for row in fetch(connection, TASKS, TASKS.c.task_id, (lab.task_id for lab in labels))}
    for label in labels:
        if label.task_id not in tasks:
            raise _unknown(label.task_id)
        asked = tasks[label.task_id]["prediction_id"]
        if label.prediction_id != asked:
            raise UsageError(
                f"label {label.label_id!r} is about prediction {label.prediction_id!r}, "
                f"but its task {label.task_id!r} asks about {asked!r}."
            )
    same = [column.name for column in LABELS.columns if column.name != "time_ms"]
    new = put(connection, LABELS, rows, what="label", same=same)
    still_open = sorted(task_id for task_id, row in tasks.items() if row["status"] == "open")
    for start in range(0, len(still_open), 500):
        part = TASKS.c.task_id.in_(still_open[start : start + 500])
        connection.execute(update(TASKS).where(part).values(status="labelled"))
    return new


def list_open_tasks(connection: Connection, limit: int) -> list[LabelTask]:
    """At most `limit` tasks without a label, in order of creation time, id."""
    query = select(TASKS).where(TASKS.c.status == "open").order_by(TASKS.c.created_ms, TASKS.c.task_id).limit(limit)
    return [_task(row) for row in connection.execute(query).mappings()]


def get_task(connection: Connection, task_id: str) -> LabelTask:
    """One task by id, labelled or not; or NotFound."""
    for row in fetch(connection, TASKS, TASKS.c.task_id, [task_id]):
        return _task(row)
    raise _unknown(task_id)


def list_labels(connection: Connection, since_ms: int, until_ms: int | None) -> list[Label]:
    """Labels made at or after `since_ms` and before `until_ms` (None = no end), in order of time, id."""
    query = select(LABELS).where(LABELS.c.time_ms >= since_ms).order_by(LABELS.c.time_ms, LABELS.c.label_id)
    if until_ms is not None:
        query = query.where(LABELS.c.time_ms < until_ms)
    return [Label(**row) for row in connection.execute(query).mappings()]


def list_judged(connection: Connection, since_ms: int, until_ms: int) -> list[Judged]:
    """Each labelled task with since_ms <= query time < until_ms beside its latest label (by time, id).

    In order of query time, task id.
    """
    at = TASKS.c.query_time_ms
    tasks = {
        row["task_id"]: _task(row)
        for row in connection.execute(
            select(TASKS)
            .where(TASKS.c.status == "labelled", at >= since_ms, at < until_ms)
            .order_by(at, TASKS.c.task_id)
        ).mappings()
    }
    labels = (
        select(LABELS)
        .join(TASKS, TASKS.c.task_id == LABELS.c.task_id)
        .where(at >= since_ms, at < until_ms)
        .order_by(LABELS.c.time_ms, LABELS.c.label_id)
    )
    latest = {row["task_id"]: row for row in connection.execute(labels).mappings()}
    return [Judged(task, Label(**latest[task_id])) for task_id, task in tasks.items() if task_id in latest]


def count_tasks(connection: Connection) -> dict[str, int]:
    """`open` and `labelled` tasks; `oldest_open_ms`, the creation time of the oldest open one, only if there is one."""
    query = select(TASKS.c.status, func.count(), func.min(TASKS.c.created_ms)).group_by(TASKS.c.status)
    by_status = {status: (count, oldest) for status, count, oldest in connection.execute(query)}
    counts = {status: by_status.get(status, (0, 0))[0] for status in ("open", "labelled")}
    if counts["open"]:
        counts["oldest_open_ms"] = by_status["open"][1]
    return counts


def _unknown(task_id: str) -> NotFound:
    return NotFound("label task", task_id, next_step="Labels can be given to tasks that were sent to the desk.")


def _task_row(task: LabelTask) -> Row:
    what = f"label task {task.task_id!r}"
    if not 0 < task.inclusion_probability <= 1:
        raise UsageError(f"{what}: the inclusion probability is {task.inclusion_probability}, it must be in (0, 1].")
    row = {
        "task_id": task.task_id,
        "prediction_id": task.prediction_id,
        "account": task.account,
        "text": task.text,
        "predicted_intent": task.predicted_intent,
        "decision": check_one_of(f"the decision of {what}", task.decision, DECISIONS),
        "article_ids": list(task.article_ids),
        "release": task.release,
        "query_time_ms": task.query_time_ms,
        "stratum": task.stratum,
        "inclusion_probability": float(task.inclusion_probability),
        "seed": str(task.seed),
        "design": task.design,
        "scope": list(task.scope),
        "created_ms": task.created_ms,
        "show_prediction": bool(task.show_prediction),
    }
    return check_texts(what, row)


def _task(row: Stored) -> LabelTask:
    fields = {name: value for name, value in row.items() if name != "status"}
    return LabelTask(
        **fields | {"article_ids": tuple(row["article_ids"]), "scope": tuple(row["scope"]), "seed": int(row["seed"])}
    )


def _label_row(label: Label) -> Row:
    what = f"label {label.label_id!r}"
    row = {
        "label_id": label.label_id,
        "task_id": label.task_id,
        "prediction_id": label.prediction_id,
        "annotator": label.annotator,
        "relevance": check_one_of(f"the relevance of {what}", label.relevance, RELEVANCES),
        "intent": label.intent,
        "article_id": label.article_id,
        "helpful": label.helpful,
        "time_ms": label.time_ms,
        "note": label.note,
    }
    return check_texts(what, row)
