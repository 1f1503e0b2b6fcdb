"""Brings answers back: what changed since a time, checked; what was deleted or taken back, withdrawn."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from noria.connect.label_studio.answers import moment_us, read_annotation
from noria.connect.label_studio.client import LabelStudioClient
from noria.connect.label_studio.delivery import drop_doubles
from noria.connect.label_studio.memory import Fault, Project
from noria.connect.label_studio.project import Exchange, task_of
from noria.records import Label, standing
from noria.stores.journal import Journal

OVERLAP_MS = 300_000
SWEEP_MS = 86_400_000
_PASSES = 5

Row = dict[str, Any]


@dataclass(slots=True)
class Gathered:
    """Labels of tasks that changed, withdrawals, faults, and the tasks that were looked at."""

    labels: list[Label] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    tasks: set[str] = field(default_factory=set)
    strangers: int = 0


def changed_rows(client: LabelStudioClient, project: Project, since_ms: int) -> list[Row]:
    """Tasks with answers that changed since a time, five minutes of overlap included.

    People go on labelling while pages are read, and a row that moves pushes another across the edge of a page: as long
    as a walk of several pages meets a row newer than its start, it is walked again.
    """
    since = dt.datetime.fromtimestamp(max(0, since_ms - OVERLAP_MS) / 1000, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    found: dict[int, Row] = {}
    for _ in range(_PASSES):
        client.version()  # for the server's clock
        started_ms, seen = client.now_ms, 0
        newest_ms = 0
        filters = [("updated_at", "greater", "Datetime", since)]
        for row in client.tasks(project.id, filters, order="tasks:updated_at", fields="all"):
            found[row["id"]] = row
            seen, newest_ms = seen + 1, max(newest_ms, moment_us(row["updated_at"]) // 1000)
        if seen <= 100 or newest_ms < started_ms:
            break
    return list(found.values())


def read_rows(journal: Journal, project: Project, rows: Iterable[Row], names: Mapping[int, str]) -> Gathered:
    """What the annotations of rows say: labels, faults, and withdrawals of what the journal has and they do not."""
    gathered = Gathered()
    live: dict[str, list[Label]] = defaultdict(list)
    changed_ms: dict[str, int] = {}
    for row in rows:
        task = task_of(journal, row)
        if task is None:
            gathered.strangers += 1
            continue
        gathered.tasks.add(task.task_id)
        changed_ms[task.task_id] = max(changed_ms.get(task.task_id, 0), moment_us(row["updated_at"]) // 1000)
        for annotation in row["annotations"]:
            if annotation["was_cancelled"]:
                continue
            said = read_annotation(
                annotation,
                task,
                row_id=row["id"],
                label_id=f"{prefix(project)}{annotation['id']}-{moment_us(annotation['updated_at'])}",
                annotator=_annotator(annotation.get("completed_by"), names),
            )
            if isinstance(said, Label):
                live[task.task_id].append(said)
            else:
                gathered.faults.append(said)
    gathered.labels = [label for labels in live.values() for label in labels]
    for label in _standing_here(journal, project, sorted(gathered.tasks)):
        gathered.labels += _corrections(label, live[label.task_id], changed_ms[label.task_id])
    return gathered


def sweep_is_due(client: LabelStudioClient, exchange: Exchange) -> bool:
    """Whether the last full look is a day ago."""
    return client.now_ms - exchange.memory.swept_ms > SWEEP_MS


def sweep(
    client: LabelStudioClient, journal: Journal, exchange: Exchange, project: Project, *, due: bool
) -> list[Label]:
    """Looks whether tasks were deleted or doubled, where their number says so or it is due; returns what is withdrawn.

    A withdrawal that was lost on the way to the journal comes again with the next one that is due.
    """
    total = client.page(project.id, [], size=1, include="id")[1]
    if total == project.expected and not due:
        return []
    there: dict[str, list[Row]] = defaultdict(list)
    for row in client.tasks(project.id, [], size=1000, include="id,data,total_annotations"):
        there[str(row["data"].get("task_id"))].append(row)
    doubles = sum(drop_doubles(client, rows) for rows in there.values() if len(rows) > 1)
    if doubles:
        exchange.warnings.append(f"{doubles} tasks were twice on Label Studio; those without answers are deleted.")
    gone = [
        _withdrawn(label, client.now_ms)
        for label in _standing_here(journal, project, None)
        if label.task_id not in there
    ]
    left = sum(map(len, there.values())) - doubles
    if left < project.expected:
        exchange.warnings.append(
            f"{project.expected - left} tasks were deleted on Label Studio; {len(gone)} labels are withdrawn with them."
        )
    faults = tuple(fault for fault in exchange.memory.faults if fault.task_id in there)
    memory = exchange.memory.with_project(replace(project, expected=left))
    exchange.memory = replace(memory, faults=faults, swept_ms=client.now_ms)
    return gone


def prefix(project: Project) -> str:
    """What the ids of labels from this project begin with."""
    return f"ls-{project.mark}-"


def _standing_here(journal: Journal, project: Project, task_ids: Sequence[str] | None) -> list[Label]:
    """The labels of this project that count in the journal: of some tasks, or of all."""
    known = journal.labels(0) if task_ids is None else journal.labels_of(task_ids)
    return [label for label in standing(known) if label.label_id.startswith(prefix(project))]


def _corrections(known: Label, live: Sequence[Label], changed_ms: int) -> list[Label]:
    """What must be said besides the live labels so that an annotator's latest word is what Label Studio has now."""
    own = [label for label in live if label.annotator == known.annotator]
    if not own:
        return [_withdrawn(known, changed_ms)]
    latest = max(own, key=lambda label: (label.time_ms, label.label_id))
    if known.label_id.startswith(latest.label_id) or latest.time_ms > known.time_ms:
        return []
    # the annotator's newer answer was deleted and an older one is still there: it is the latest word again
    again = f"{latest.label_id}-again-{known.label_id.rsplit('-', 1)[-1]}"
    return [replace(latest, label_id=again, time_ms=max(changed_ms, known.time_ms + 1))]


def _withdrawn(label: Label, time_ms: int) -> Label:
    return replace(
        label, label_id=f"{label.label_id}-withdrawn", time_ms=max(time_ms, label.time_ms + 1), withdrawn=True
    )


def annotator_names(users: Sequence[Mapping[str, Any]]) -> dict[int, str]:
    """Number of a user → name: the user name, or the address; a name taken by an earlier user gets the number."""
    names: dict[int, str] = {}
    for user in sorted(users, key=lambda user: int(user["id"])):
        name = str(user.get("username") or user.get("email") or f"user {user['id']}")
        names[int(user["id"])] = f"{name} ({user['id']})" if name in names.values() else name
    return names


def _annotator(completed_by: object, names: Mapping[int, str]) -> str:
    number = completed_by.get("id") if isinstance(completed_by, Mapping) else completed_by
    return names.get(int(number), f"user {number}") if isinstance(number, int | str) else "nobody"
