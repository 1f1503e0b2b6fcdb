"""Reads annotations. The server checks nothing: whatever the questions do not allow makes a fault, not a label."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from noria.connect.label_studio.memory import Fault
from noria.ports.questions import AnswerProblem, BadAnswer, read_answers, without_hidden
from noria.records import Label, LabelTask


def read_annotation(
    annotation: Mapping[str, Any], task: LabelTask, *, row_id: int, label_id: str, annotator: str
) -> Label | Fault:
    """An annotation of a task as a label, or as a fault that names what is wrong with it.

    Args:
        annotation: as the API gives it.
        task: the task as Noria drew it; its scope and articles are what could be chosen.
        row_id: number of the task on Label Studio.
        label_id: the id that the label gets.
        annotator: who gave it.
    """
    try:
        judged = read_answers(task, without_hidden(_said(annotation.get("result"), task.task_id)))
    except BadAnswer as error:
        kinds = tuple(dict.fromkeys(problem.kind for problem in error.problems))
        return Fault(int(annotation["id"]), row_id, task.task_id, annotator, kinds, str(error))
    return Label(
        label_id=label_id,
        task_id=task.task_id,
        prediction_id=task.prediction_id,
        annotator=annotator,
        relevance=judged.relevance,
        intent=judged.intent,
        article_ids=judged.article_ids,
        helpful=judged.helpful,
        time_ms=moment_us(str(annotation["updated_at"])) // 1000,
        note=judged.note,
    )


def moment_us(stamp: str) -> int:
    """An ISO 8601 time in UTC microseconds, exact."""
    since = dt.datetime.fromisoformat(stamp) - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    return since // dt.timedelta(microseconds=1)


def _said(result: object, task_id: str) -> dict[str, list[str]]:
    """Question → values; a result of another shape is an answer to no question of ours."""
    said: dict[str, list[str]] = {}
    for item in result if isinstance(result, list) else [result]:
        name = str(item.get("from_name")) if isinstance(item, Mapping) else repr(item)
        value = item.get("value") if isinstance(item, Mapping) else None
        given = value.get("choices", value.get("text")) if isinstance(value, Mapping) else None
        given = [given] if isinstance(given, str) else given
        if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
            problem = AnswerProblem("unknown_question", name, f"the answer to {name!r} cannot be read.")
            raise BadAnswer(task_id, [problem])
        said.setdefault(name, []).extend(given)
    return said
