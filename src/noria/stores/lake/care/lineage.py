"""Whence a version comes: the writes that made it, their sources and code, and the versions those were made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from noria.errors import NotFound
from noria.records import DataVersion
from noria.stores.lake.tables import Tables


@dataclass(frozen=True, slots=True)
class Step:
    """A write that a version rests on.

    depth: 0 for the version asked for, 1 for what it was made from, and so on. note and code as the writer told them;
    counts: rows new, changed, deleted, same. inputs: the versions that the rows were made from.
    """

    depth: int
    version: DataVersion
    operation: str
    time_ms: int
    note: Mapping[str, str]
    code: Mapping[str, str]
    counts: Mapping[str, int]
    inputs: tuple[DataVersion, ...]


def lineage(lake: Tables, data: DataVersion) -> list[Step]:
    """Every write that the rows of a version can come from, newest first, and after them those of its inputs.

    The writes of a table go back to the last one that replaced all rows. An input of which no table is left is named
    by the step that used it, and followed no further.

    Raises:
        NotFound, UsageError: there is no such version.
    """
    steps: list[Step] = []
    seen: set[tuple[str, str]] = set()
    waiting = [(0, lake.resolve(data.kind, data.ref))]
    while waiting:
        depth, at = waiting.pop(0)
        if (at.kind, at.ref) in seen:
            continue
        seen.add((at.kind, at.ref))
        try:
            own = _own(lake, depth, at)
        except NotFound:
            if depth == 0:
                raise
            continue
        steps.extend(own)
        waiting.extend((depth + 1, made_from) for step in own for made_from in step.inputs)
    return steps


def _own(lake: Tables, depth: int, at: DataVersion) -> list[Step]:
    steps = []
    for made in lake.commits(at.kind, at.name):
        if made.version > at.version:
            continue
        facts: Mapping[str, Any] = made.facts
        version = DataVersion(at.kind, at.name, made.version, facts.get("rows", -1), facts.get("sha256", ""))
        operation = str(facts.get("operation", made.operation))
        steps.append(
            Step(
                depth,
                at if made.version == at.version else version,
                operation,
                int(facts.get("time_ms", made.time_ms)),
                facts.get("note", {}),
                facts.get("code", {}),
                facts.get("counts", {}),
                tuple(DataVersion(**values) for values in facts.get("inputs", ())),
            )
        )
        if operation == "replace":
            break
    return steps
