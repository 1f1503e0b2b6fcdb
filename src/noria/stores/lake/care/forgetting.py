"""Takes the rows of older versions away for good, pinned ones too: what an erasure asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from noria.records import DataVersion
from noria.stores.lake.merging import present_files
from noria.stores.lake.tables import Tables


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was removed: files, bytes, and the pins of older versions (kind, name, version, why …)."""

    files: int
    size: int
    pins: tuple[Mapping[str, object], ...]


def older_pins(lake: Tables, now: DataVersion) -> tuple[Mapping[str, object], ...]:
    """The pins that keep versions of a table before `now` from a vacuum."""
    held = [p for p in lake.pins() if (p["kind"], p["name"]) == (now.kind, now.name)]
    return tuple(p for p in held if int(str(p["version"])) < now.version)


def forget_before(lake: Tables, now: DataVersion) -> Forgotten:
    """Removes every data file that versions before `now` have and the latest has not, and the pins of those versions.

    Files that no commit names are left alone: a run that goes on beside this one is not disturbed. The history stays,
    so what these versions were can be told; their rows are gone.

    Raises:
        NotFound: no such table. OutsideError: disk or store refuse.
    """
    place = lake.place(now.kind, now.name)
    latest = lake.opened(now.kind, now.name)
    needed = {unquote(file.name) for file in present_files(latest, place.folder)}
    named: dict[str, int] = {}
    for version in range(1, latest.version() + 1):
        for action in place.log(version):
            if "add" in action:
                named[unquote(action["add"]["path"])] = int(action["add"]["size"])
    pins = older_pins(lake, now)
    for pin in pins:
        lake.unpin(now.kind, now.name, int(str(pin["version"])))
    gone = {name: size for name, size in named.items() if name not in needed}
    gone = {name: size for name, size in gone.items() if lake.objects.exists(f"{place.folder}/{name}")}
    for name in gone:
        lake.objects.remove(f"{place.folder}/{name}")
    return Forgotten(len(gone), sum(gone.values()), pins)
