"""The restore drill: copies what must not be lost to another place and proves it there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from noria.errors import StateError, UsageError
from noria.stores.lake.care.verifying import Checked, verify
from noria.stores.lake.merging import present_files
from noria.stores.lake.tables import Tables
from noria.stores.objects import Objects, open_objects


@dataclass(frozen=True, slots=True)
class Drilled:
    """What was copied, and what each version was found to hold at the other place."""

    files: int
    size: int
    checked: tuple[Checked, ...]


def restore_drill(lake: Tables, target: str | Path) -> Drilled:
    """Copies log, pins and the files of every pinned and latest version into an empty place, and verifies them there.

    What is copied is a lake of its own, so the same serves as a backup; other versions are told, but not readable.

    Raises:
        UsageError: the place holds something. StateError: a file is missing. OutsideError: disk or store refuse.
    """
    place = open_objects(target)
    if place.names(""):
        raise UsageError(f"{place.uri} is not empty; a drill needs an empty place.")
    files, size = 0, 0
    for name in _needed(lake):
        try:
            data = lake.objects.read(name)
        except FileNotFoundError:
            raise StateError(f"{lake.objects.uri}/{name} is missing; 'noria lake verify' tells what it held.") from None
        place.write(name, data)
        files, size = files + 1, size + len(data)
    return Drilled(files, size, tuple(verify(Tables(target))))


def _needed(lake: Tables) -> list[str]:
    """The files in the order in which they are copied: data before the log that names them, pins last."""
    pinned = {(str(p["kind"]), str(p["name"]), int(str(p["version"]))) for p in lake.pins()}
    latest = {(at.kind, at.name, at.version) for at in lake.tables()}
    data, logs = set(), []
    for kind, name, version in sorted(pinned | latest):
        place = lake.place(kind, name)
        data |= {f"{place.folder}/{unquote(f.name)}" for f in present_files(place.at(version), place.folder)}
    for kind, name in sorted({(kind, name) for kind, name, _ in latest}):
        logs += _log(lake.objects, f"{kind}/{name}/_delta_log")
    return [*sorted(data), *logs, *(n for n in lake.objects.names("_pins") if n.endswith(".json"))]


def _log(objects: Objects, folder: str) -> list[str]:
    return [name for name in objects.names(folder) if not name.endswith((".tmp", ".part"))]
