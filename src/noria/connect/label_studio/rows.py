"""Tasks in Label Studio's shape: what people read, what they choose from, and the agent's answer as a pre-label."""

from __future__ import annotations

from typing import Any

from noria.ports.pre_labels import pre_label
from noria.records import NO_ARTICLE, LabelTask

HIDDEN = "(not shown for this task)"


def to_row(task: LabelTask) -> dict[str, Any]:
    """A task as the import call takes it. `data.task_id` is our key: Label Studio itself knows no idempotence."""
    data = {
        "query": task.text,
        "answer": _answer(task),
        "intents": [{"value": name} for name in task.scope],
        # in order of name: the agent's own order would give its opinion away where that is not to be shown
        "articles": [{"value": name} for name in (*sorted(set(task.article_ids)), NO_ARTICLE)],
        "task_id": task.task_id,
        "prediction_id": task.prediction_id,
        "account": task.account,
        "release": task.release,
        "created_ms": str(task.created_ms),
        "shown": "yes" if task.show_prediction else "no",
    }
    row: dict[str, Any] = {"data": data}
    if task.show_prediction:
        row["predictions"] = [pre_label(task, task.release)]
    return row


def _answer(task: LabelTask) -> str:
    if not task.show_prediction:
        return HIDDEN
    if task.decision == "answer":
        shown = ", ".join(task.article_ids)
        return f"Answered: {task.predicted_intent}" + (f" ({shown})" if shown else "")
    return {"clarify": "Asked back", "handoff": "Handed over to a person"}[task.decision]
