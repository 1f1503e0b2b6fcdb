"""What the desk must remember between two runs, kept in the journal, and what it reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from noria.stores.journal import Journal

KEY = "label.label_studio"


@dataclass(frozen=True, slots=True)
class Fault:
    """An answer that does not count, and why; it stays on Label Studio until a person puts it right.

    `kinds`: of its problems, see `noria.ports.questions`.
    """

    annotation_id: int
    label_studio_task: int
    task_id: str
    annotator: str
    kinds: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class DeskReport:
    """How Noria and Label Studio stand, after the last exchange.

    `version`: the server's. `waiting`: tasks that Noria drew and Label Studio does not have yet. `faults`: answers that
    do not count. `warnings`: what else a person should know, one sentence each.
    """

    version: str
    project: int | None
    waiting: int
    faults: tuple[Fault, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Project:
    """A project on the server. `mark`: when it was made; a server set up anew gives the same number to another one.

    `expected`: how many tasks it should have. `config_sha`: of the config that was put there last.
    """

    id: int
    mark: str
    config_sha: str
    expected: int = 0


@dataclass(frozen=True, slots=True)
class Memory:
    """Between two runs: the projects (the last takes new tasks), tasks to deliver, faults by annotation."""

    projects: tuple[Project, ...] = ()
    outbox: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()
    swept_ms: int = 0
    told: tuple[str, ...] = ()

    def with_project(self, project: Project) -> Memory:
        """The same with a project renewed, or added at the end."""
        kept = [project if p.id == project.id and p.mark == project.mark else p for p in self.projects]
        return replace(self, projects=(*kept,) if project in kept else (*kept, project))


def read(journal: Journal) -> Memory:
    """What was kept last."""
    raw: Mapping[str, Any] = journal.get_state(KEY) or {}
    return Memory(
        projects=tuple(Project(**project) for project in raw.get("projects", ())),
        outbox=tuple(raw.get("outbox", ())),
        faults=tuple(Fault(**{**fault, "kinds": tuple(fault["kinds"])}) for fault in raw.get("faults", ())),
        swept_ms=int(raw.get("swept_ms", 0)),
        told=tuple(raw.get("told", ())),
    )


def keep(journal: Journal, memory: Memory) -> None:
    """Puts it on disk."""
    journal.set_state(
        KEY,
        {
            "projects": [{name: getattr(p, name) for name in Project.__slots__} for p in memory.projects],
            "outbox": list(memory.outbox),
            "faults": [{name: getattr(f, name) for name in Fault.__slots__} for f in memory.faults],
            "swept_ms": memory.swept_ms,
            "told": list(memory.told),
        },
    )
