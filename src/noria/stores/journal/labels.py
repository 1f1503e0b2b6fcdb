"""Label tasks, labels and what they come to in the journal: functions on an open connection."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from sqlalchemy import Connection, Select, and_, delete, exists, func, not_, or_, select, update

from noria.errors import NotFound, UsageError
from noria.records import (
    DECISIONS,
    PURPOSES,
    RELEVANCES,
    SETTLED_STATUSES,
    Judged,
    Label,
    LabelTask,
    Settled,
    SettledStatus,
    standing,
)
from noria.stores.journal.codec import Row, Stored, check_one_of, check_texts, figure, number
from noria.stores.journal.engine import fetch, put, replace_row
from noria.stores.journal.loop import touch
from noria.stores.journal.schema import LABELS, SETTLED, TASKS

Settle = Callable[[LabelTask, Sequence[Label]], Settled | None]
"""Makes of a task and all of its labels what they come to; None where no label counts."""

_FIGURES = ("confidence", "scope_score", "expected_right")
_CHUNK = 500


def put_tasks(connection: Connection, tasks: Sequence[LabelTask]) -> int:
    """Adds tasks, returns how many were new; of a known task id the first draw stays.

    Raises:
        UsageError: a task id is known for another prediction, the inclusion probability is not in (0, 1], or nobody is
            asked.
    """
    rows = [_task_row(task) for task in tasks]
    return put(connection, TASKS, rows, what="label task", same=("prediction_id",))


def put_labels(connection: Connection, labels: Sequence[Label]) -> int:
    """Adds labels, returns how many were new; their tasks are to be settled anew, and closed when all have answered.

    Of a label sent again the first time stays.

    Raises:
        NotFound: a task is unknown.
        UsageError: a label is about another prediction than its task, or its id is known with other content.
    """
    rows = [_label_row(label) for label in labels]
    tasks = {row["task_id"]: row for row in _locked(connection, (label.task_id for label in labels))}
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
    if new:
        given = _labels_of(connection, tasks)
        for task_id, row in sorted(tasks.items()):
            status = "labelled" if _answered(row["annotators"], standing(given[task_id])) else "open"
            change = update(TASKS).where(TASKS.c.task_id == task_id)
            connection.execute(change.values(status=status, unsettled=True))
    return new


def settle(connection: Connection, how: Settle, limit: int) -> list[Settled | None]:
    """Settles at most `limit` tasks that labels came in for, and keeps the outcome; empty when none is left.

    The tasks are locked meanwhile, so that a label that comes in at the same moment is either seen or settled next.
    """
    waiting = select(TASKS.c.task_id).where(TASKS.c.unsettled).order_by(TASKS.c.task_id).limit(limit)
    tasks = _locked(connection, connection.execute(waiting).scalars())
    given = _labels_of(connection, (row["task_id"] for row in tasks))
    made = []
    for row in tasks:
        outcome = how(_task(row), given[row["task_id"]])
        if outcome is None:
            connection.execute(delete(SETTLED).where(SETTLED.c.task_id == row["task_id"]))
        else:
            replace_row(connection, SETTLED, _settled_row(outcome))
        made.append(outcome)
    touch(connection, (row["query_time_ms"] for row in tasks))
    done = update(TASKS).where(TASKS.c.task_id.in_([row["task_id"] for row in tasks]))
    connection.execute(done.values(unsettled=False))
    return made


def list_open_tasks(connection: Connection, limit: int, annotator: str | None) -> list[LabelTask]:
    """At most `limit` tasks that lack answers, in order of creation time, id; see `Journal.open_tasks`."""
    query = select(TASKS).where(TASKS.c.status == "open").order_by(TASKS.c.created_ms, TASKS.c.task_id).limit(limit)
    if annotator is not None:
        mine, back = LABELS.alias("mine"), LABELS.alias("back")
        taken_back = exists().where(
            back.c.task_id == mine.c.task_id,
            back.c.annotator == annotator,
            back.c.withdrawn,
            not_(back.c.adjudication),
            or_(
                back.c.time_ms > mine.c.time_ms,
                and_(back.c.time_ms == mine.c.time_ms, back.c.label_id > mine.c.label_id),
            ),
        )
        mine_counts = and_(
            mine.c.annotator == annotator, not_(mine.c.withdrawn), not_(mine.c.adjudication), not_(taken_back)
        )
        query = query.where(~exists().where(mine.c.task_id == TASKS.c.task_id, mine_counts))
    return [_task(row) for row in connection.execute(query).mappings()]


def get_task(connection: Connection, task_id: str) -> LabelTask:
    """One task by id, labelled or not; or NotFound."""
    for row in fetch(connection, TASKS, TASKS.c.task_id, [task_id]):
        return _task(row)
    raise _unknown(task_id)


def list_tasks(connection: Connection, since_ms: int, until_ms: int) -> list[LabelTask]:
    """Every task with since_ms <= query time < until_ms, in order of query time, task id."""
    at = TASKS.c.query_time_ms
    query = select(TASKS).where(at >= since_ms, at < until_ms).order_by(at, TASKS.c.task_id)
    return [_task(row) for row in connection.execute(query).mappings()]


def list_labels(connection: Connection, since_ms: int, until_ms: int | None) -> list[Label]:
    """Labels made at or after `since_ms` and before `until_ms` (None = no end), in order of time, id."""
    query = select(LABELS).where(LABELS.c.time_ms >= since_ms).order_by(LABELS.c.time_ms, LABELS.c.label_id)
    if until_ms is not None:
        query = query.where(LABELS.c.time_ms < until_ms)
    return [_label(row) for row in connection.execute(query).mappings()]


def list_labels_of(connection: Connection, task_ids: Iterable[str]) -> list[Label]:
    """Every label of some tasks, withdrawn and replaced ones too, in order of time, id."""
    return sorted(
        (label for labels in _labels_of(connection, task_ids).values() for label in labels),
        key=lambda label: (label.time_ms, label.label_id),
    )


def list_settled(connection: Connection, status: SettledStatus, since_ms: int, until_ms: int) -> list[Judged]:
    """Each task of that status with since_ms <= query time < until_ms, in order of query time, task id."""
    at = TASKS.c.query_time_ms
    chosen = [SETTLED.c.status == status, at >= since_ms, at < until_ms]
    joined = TASKS.join(SETTLED, SETTLED.c.task_id == TASKS.c.task_id)
    query: Select[tuple[object, ...]] = select(SETTLED).select_from(joined).where(*chosen)
    settled = {row["task_id"]: _settled(row) for row in connection.execute(query).mappings()}
    tasks = select(TASKS).select_from(joined).where(*chosen).order_by(at, TASKS.c.task_id)
    return [Judged(_task(row), settled[row["task_id"]]) for row in connection.execute(tasks).mappings()]


def count_tasks(connection: Connection) -> dict[str, int]:
    """`open` and `labelled` tasks; `oldest_open_ms`, the creation time of the oldest open one, only if there is one."""
    query = select(TASKS.c.status, func.count(), func.min(TASKS.c.created_ms)).group_by(TASKS.c.status)
    by_status = {status: (count, oldest) for status, count, oldest in connection.execute(query)}
    counts = {status: by_status.get(status, (0, 0))[0] for status in ("open", "labelled")}
    if counts["open"]:
        counts["oldest_open_ms"] = by_status["open"][1]
    return counts


def _locked(connection: Connection, task_ids: Iterable[str]) -> list[Stored]:
    """The rows of tasks in order of id, kept from others until the end of the transaction (SQLite has one writer)."""
    wanted = sorted(set(task_ids))
    found: list[Stored] = []
    for start in range(0, len(wanted), _CHUNK):
        part = TASKS.c.task_id.in_(wanted[start : start + _CHUNK])
        query = select(TASKS).where(part).order_by(TASKS.c.task_id).with_for_update()
        found += connection.execute(query).mappings()
    return found


def _labels_of(connection: Connection, task_ids: Iterable[str]) -> dict[str, list[Label]]:
    by_task: dict[str, list[Label]] = defaultdict(list)
    for row in fetch(connection, LABELS, LABELS.c.task_id, task_ids):
        by_task[row["task_id"]].append(_label(row))
    return by_task


def _answered(asked: int, counting: Sequence[Label]) -> bool:
    people = {label.annotator for label in counting if not label.adjudication}
    return len(people) >= asked or any(label.adjudication for label in counting)


def _unknown(task_id: str) -> NotFound:
    return NotFound("label task", task_id, next_step="Labels can be given to tasks that were sent to the desk.")


def _task_row(task: LabelTask) -> Row:
    what = f"label task {task.task_id!r}"
    if not 0 < task.inclusion_probability <= 1:
        raise UsageError(f"{what}: the inclusion probability is {task.inclusion_probability}, it must be in (0, 1].")
    if task.annotators < 1:
        raise UsageError(f"{what}: {task.annotators} annotators are asked, it must be 1 or more.")
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
        "purpose": check_one_of(f"the purpose of {what}", task.purpose, PURPOSES),
        "annotators": int(task.annotators),
        "scope_version": task.scope_version,
    }
    return check_texts(what, row | {name: figure(getattr(task, name)) for name in _FIGURES})


def _task(row: Stored) -> LabelTask:
    fields = {name: value for name, value in row.items() if name not in ("status", "unsettled")}
    lists = {"article_ids": tuple(row["article_ids"]), "scope": tuple(row["scope"])}
    return LabelTask(**fields | lists | {"seed": int(row["seed"])} | {name: number(row[name]) for name in _FIGURES})


def _label_row(label: Label) -> Row:
    what = f"label {label.label_id!r}"
    row = {
        "label_id": label.label_id,
        "task_id": label.task_id,
        "prediction_id": label.prediction_id,
        "annotator": label.annotator,
        "relevance": check_one_of(f"the relevance of {what}", label.relevance, RELEVANCES),
        "intent": label.intent,
        "article_ids": list(label.article_ids),
        "helpful": label.helpful,
        "time_ms": label.time_ms,
        "note": label.note,
        "withdrawn": bool(label.withdrawn),
        "adjudication": bool(label.adjudication),
    }
    return check_texts(what, row)


def _label(row: Stored) -> Label:
    return Label(**{**row, "article_ids": tuple(row["article_ids"])})


def _settled_row(settled: Settled) -> Row:
    what = f"settled label of {settled.task_id!r}"
    row = {
        "task_id": settled.task_id,
        "prediction_id": settled.prediction_id,
        "status": check_one_of(f"the status of the {what}", settled.status, SETTLED_STATUSES),
        "relevance": check_one_of(f"the relevance of the {what}", settled.relevance, RELEVANCES),
        "intent": settled.intent,
        "article_ids": list(settled.article_ids),
        "helpful": settled.helpful,
        "label_ids": list(settled.label_ids),
        "annotators": list(settled.annotators),
        "agreement": figure(settled.agreement),
        "adjudicated_by": settled.adjudicated_by,
        "time_ms": settled.time_ms,
    }
    return check_texts(f"the {what}", row)


def _settled(row: Stored) -> Settled:
    lists = {name: tuple(row[name]) for name in ("article_ids", "label_ids", "annotators")}
    return Settled(**{**row, **lists, "agreement": number(row["agreement"])})
