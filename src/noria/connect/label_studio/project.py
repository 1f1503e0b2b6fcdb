"""The project on Label Studio, kept in step: found or made, its questions put back, its model version that of now."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar
from xml.etree import ElementTree as ET

from noria.connect.label_studio.client import GoneError, LabelStudioClient, RefusedError
from noria.connect.label_studio.memory import Memory, Project
from noria.errors import NotFound
from noria.ports.pre_labels import pre_label
from noria.records import LabelTask
from noria.stores.journal import Journal

T = TypeVar("T")

LOT = 100


@dataclass(slots=True)
class Exchange:
    """One exchange with the server: what is remembered, and what a person should be told of it."""

    memory: Memory
    warnings: list[str] = field(default_factory=list)


def in_step(client: LabelStudioClient, journal: Journal, exchange: Exchange, title: str, config: str) -> Project:
    """The project that takes new tasks, as it should be. Refused changes of questions lead to a new project.

    Raises:
        OutsideError: the server does not answer or refuses.
    """
    drop_vanished(client, journal, exchange)
    known = exchange.memory.projects
    raw = client.call("GET", f"/api/projects/{known[-1].id}/") if known else _found(client, title)
    sha = hashlib.sha256(config.encode()).hexdigest()
    if raw is not None and not _same(raw["label_config"], config):
        raw = _put_back(client, raw, config, exchange, by_hand=not known or known[-1].config_sha == sha)
    if raw is None:
        raw = _made(client, title, config, len(known))
    project = next((p for p in known if p.id == raw["id"]), None) or Project(int(raw["id"]), mark_of(raw), sha)
    project = replace(project, config_sha=sha)
    exchange.memory = exchange.memory.with_project(project)
    live = journal.current_release()
    if live is not None and raw.get("model_version") != live.release:
        _show_release(client, journal, project, live.release)
    return project


def drop_vanished(client: LabelStudioClient, journal: Journal, exchange: Exchange) -> None:
    """Forgets projects that are not there any more; their labels stay, their open tasks are to be sent again.

    A project that is gone as a whole is an accident (a wrong address, a lost database) sooner than a judgement, so that
    nothing is withdrawn.
    """
    for project in exchange.memory.projects:
        try:
            if mark_of(client.call("GET", f"/api/projects/{project.id}/")) == project.mark:
                continue
        except GoneError:
            pass
        waiting = [task.task_id for task in journal.open_tasks(1_000_000)]
        memory = exchange.memory
        exchange.memory = replace(
            memory,
            projects=tuple(p for p in memory.projects if p != project),
            outbox=tuple(dict.fromkeys((*memory.outbox, *waiting))),
            faults=(),
        )
        exchange.warnings.append(
            f"project {project.id} is not on Label Studio any more: its labels are kept, {len(waiting)} open tasks go "
            "to a new project. If it was not deleted on purpose, look at the address and at the server's database."
        )


def mark_of(raw: Mapping[str, Any]) -> str:
    """A short name of this very project: of when it was made, which a server set up anew does not repeat."""
    return hashlib.sha256(f"{raw['id']} {raw['created_at']}".encode()).hexdigest()[:8]


def _found(client: LabelStudioClient, title: str) -> dict[str, Any] | None:
    """Ours by its title: a crash may have come between making it and remembering it."""
    said = client.call("GET", "/api/projects/", params={"title": title, "page_size": 100})
    ours = [raw for raw in said["results"] if raw["title"] == title]
    return client.call("GET", f"/api/projects/{ours[0]['id']}/") if ours else None


def _made(client: LabelStudioClient, title: str, config: str, before: int) -> dict[str, Any]:
    body = {
        "title": f"{title} {before + 1}" if before else title,
        "description": "Made and kept in step by Noria: changes of its questions are put back.",
        "label_config": config,
        "show_collab_predictions": True,
    }
    made: dict[str, Any] = client.call("POST", "/api/projects/", body=body)
    return made


def _put_back(
    client: LabelStudioClient, raw: Mapping[str, Any], config: str, exchange: Exchange, *, by_hand: bool
) -> dict[str, Any] | None:
    """The project with our questions; None where it must be another project."""
    try:
        put: dict[str, Any] = client.call("PATCH", f"/api/projects/{raw['id']}/", body={"label_config": config})
    except RefusedError as error:
        if not by_hand:
            return None
        exchange.warnings.append(
            f"the questions of project {raw['id']} were edited on Label Studio and cannot be put back: {error} "
            "Answers that the edited questions allow and ours do not are listed as faults."
        )
        return dict(raw)
    if by_hand:
        exchange.warnings.append(
            f"the questions of project {raw['id']} were edited on Label Studio; they have been put back."
        )
    return put


def _same(one: str, other: str) -> bool:
    try:
        return ET.canonicalize(one, strip_text=True) == ET.canonicalize(other, strip_text=True)
    except ET.ParseError:
        return False


def _show_release(client: LabelStudioClient, journal: Journal, project: Project, release: str) -> None:
    """Shows pre-labels under the live release: Label Studio shows those of one model version only.

    What a labeller is asked about is the answer that was given then: open tasks get it again under the new name.
    """
    wanted: list[tuple[str, str, str, Any]] = [
        ("completed_at", "empty", "Datetime", "true"),
        ("data.shown", "equal", "String", "yes"),
        ("predictions_model_versions", "not_contains", "List", [release]),
    ]
    again = []
    for row in list(client.tasks(project.id, wanted, include="id,data")):
        task = task_of(journal, row)
        if task is not None:
            again.append({"task": row["id"], **pre_label(task, release)})
    for lot in lots(again):
        client.call("POST", f"/api/projects/{project.id}/import/predictions", body=lot)
    client.call("PATCH", f"/api/projects/{project.id}/", body={"model_version": release})


def task_of(journal: Journal, row: Mapping[str, Any]) -> LabelTask | None:
    """The task that a row of Label Studio stands for; None for one that is not Noria's."""
    try:
        return journal.task(str(row["data"].get("task_id", "")))
    except NotFound:
        return None


def lots(items: Sequence[T]) -> list[Sequence[T]]:
    """Cut into lots that fit a call."""
    return [items[start : start + LOT] for start in range(0, len(items), LOT)]
