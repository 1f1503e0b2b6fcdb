"""Counts open and labelled tasks on Label Studio, where its own mark of a finished task is only a first guess."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from noria.connect.label_studio.client import Filter, LabelStudioClient
from noria.connect.label_studio.memory import Fault, Project

_OPEN: Filter = ("completed_at", "empty", "Datetime", "true")
_DONE: Filter = ("completed_at", "empty", "Datetime", "false")
_UNTOUCHED: Filter = ("total_annotations", "less", "Number", 1)
_TOUCHED: Filter = ("total_annotations", "greater_or_equal", "Number", 1)


@dataclass(slots=True)
class Tally:
    """Tasks that lack answers, and that have all; creation times (UTC milliseconds) with the oldest open one's."""

    open: int = 0
    labelled: int = 0
    open_since_ms: list[int] = field(default_factory=list)


def tally(client: LabelStudioClient, project: Project, faults: Sequence[Fault]) -> Tally:
    """Counts a project's tasks. A task is labelled when as many people as were asked gave an answer that counts.

    Label Studio's mark can be late where two people save at once, and it counts answers that do not count: tasks with
    some answers but without the mark, and those with faults, are looked at one by one.
    """
    oldest, untouched = client.page(
        project.id, [_OPEN, _UNTOUCHED], size=1, order="tasks:data.created_ms", include="data"
    )
    marked = client.page(project.id, [_DONE], size=1, include="id")[1]
    counted = Tally(untouched, marked, [int(row["data"].get("created_ms", 0)) for row in oldest])
    close = {row["id"]: row for row in client.tasks(project.id, [_OPEN, _TOUCHED], fields="all")}
    invalid = {fault.annotation_id for fault in faults}
    doubtful = client.tasks_named(project.id, sorted({fault.task_id for fault in faults}), fields="all")
    close |= {row["id"]: row for row in doubtful if row["total_annotations"]}
    for row in close.values():
        if _lacks_answers(row, invalid):
            counted.open += 1
            counted.labelled -= bool(row["is_labeled"])
            counted.open_since_ms.append(int(row["data"].get("created_ms", 0)))
        else:
            counted.labelled += not row["is_labeled"]
    return counted


def _lacks_answers(row: dict[str, Any], invalid: set[int]) -> bool:
    people = set()
    for annotation in row["annotations"]:
        if not annotation["was_cancelled"] and annotation["id"] not in invalid:
            by = annotation["completed_by"]
            people.add(by.get("id") if isinstance(by, dict) else by)
    return len(people) < int(row["overlap"])
