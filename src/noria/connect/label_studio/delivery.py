"""Brings tasks to Label Studio once each. Its import call makes doubles, so we ask before it and look after it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from noria.connect.label_studio.client import GoneError, LabelStudioClient
from noria.connect.label_studio.memory import Project, keep
from noria.connect.label_studio.project import Exchange, lots
from noria.connect.label_studio.rows import to_row
from noria.errors import NotFound
from noria.ports.pre_labels import pre_label
from noria.records import LabelTask
from noria.stores.journal import Journal

Row = dict[str, Any]
_FIELDS = "id,data,overlap,total_annotations"


def deliver(client: LabelStudioClient, journal: Journal, exchange: Exchange, project: Project) -> int:
    """Sends what waits in the outbox and returns how many tasks were not there yet.

    Each lot leaves the outbox, on disk, only after Label Studio was seen to have it.

    Raises:
        OutsideError: the server failed; what it did not take stays in the outbox.
    """
    new = 0
    for lot in lots(exchange.memory.outbox):
        tasks = []
        for task_id in lot:
            try:
                tasks.append(journal.task(task_id))
            except NotFound:
                exchange.warnings.append(f"task {task_id!r} waited for Label Studio and is not in the journal.")
        made = _send(client, exchange, project, tasks)
        new += made
        project = replace(project, expected=project.expected + made)
        memory = exchange.memory.with_project(project)
        exchange.memory = replace(memory, outbox=memory.outbox[len(lot) :])
        keep(journal, exchange.memory)
    return new


def rows_of(client: LabelStudioClient, projects: Sequence[Project], task_ids: Sequence[str]) -> dict[str, list[Row]]:
    """Task id → its rows on Label Studio (several where there are doubles), lowest number first."""
    found = defaultdict(list)
    for project in projects:
        for row in client.tasks_named(project.id, task_ids, include=_FIELDS):
            found[str(row["data"]["task_id"])].append(row)
    return found


def drop_doubles(client: LabelStudioClient, rows: Sequence[Row]) -> int:
    """Of rows of one task keeps one and those with answers, deletes the rest; returns how many it deleted.

    Whoever looks at the same doubles at the same time keeps the same one: the lowest with answers, else the lowest.
    """
    answered = [row for row in rows if row.get("total_annotations")]
    spare = [row for row in rows if row not in (answered or rows[:1])]
    for row in spare:
        try:
            client.call("DELETE", f"/api/tasks/{row['id']}/")
        except GoneError:
            continue
    return len(spare)


def _send(client: LabelStudioClient, exchange: Exchange, project: Project, tasks: Sequence[LabelTask]) -> int:
    """Sends one lot; returns how many were new."""
    if not tasks:
        return 0
    by_id = {task.task_id: task for task in tasks}
    projects = exchange.memory.projects
    there = rows_of(client, projects, list(by_id))
    missing = [task for task_id, task in by_id.items() if task_id not in there]
    if missing:
        shown = client.call("GET", f"/api/projects/{project.id}/").get("model_version")
        path = f"/api/projects/{project.id}/import"
        client.call("POST", path, params={"return_task_ids": "true"}, body=[_row(task, shown) for task in missing])
        there = rows_of(client, projects, list(by_id))
    for task_id, rows in there.items():
        if len(rows) > 1:
            drop_doubles(client, rows)
        wanted = by_id[task_id].annotators
        if rows[0]["overlap"] != wanted:
            client.call("PATCH", f"/api/tasks/{rows[0]['id']}/", body={"overlap": wanted})
    return len(missing)


def _row(task: LabelTask, shown: str | None) -> Row:
    """A task for the import; its pre-label under the model version that the project shows."""
    row = to_row(task)
    if shown and task.show_prediction:
        row["predictions"] = [pre_label(task, shown)]
    return row
