"""Proves that versions can be read and hold what they held."""

from __future__ import annotations

from dataclasses import dataclass

from noria.errors import NoriaError, OutsideError
from noria.records import DataVersion
from noria.stores.lake.tables import Tables


@dataclass(frozen=True, slots=True)
class Checked:
    """A version that was read again; `fault` is empty where it holds what it held. `why`: the pins, or "latest"."""

    version: DataVersion
    why: tuple[str, ...]
    fault: str


def verify(lake: Tables) -> list[Checked]:
    """Reads each pinned version and the latest of each table, and compares count and sha256 with what was noted.

    Raises:
        OutsideError: the store does not answer; that says nothing about the data.
    """
    wanted: dict[DataVersion, list[str]] = {}
    for pin in lake.pins():
        facts = {field: pin[field] for field in ("kind", "name", "version", "rows", "sha256")}
        wanted.setdefault(DataVersion(**facts), []).append(str(pin["why"]))  # type: ignore[arg-type]
    for latest in lake.tables():
        wanted.setdefault(latest, []).append("latest")
    return [Checked(version, tuple(why), _fault(lake, version)) for version, why in wanted.items()]


def _fault(lake: Tables, version: DataVersion) -> str:
    try:
        return "" if lake.verify(version) else "its rows are not what they were (another count or sha256)"
    except OutsideError:
        raise
    except NoriaError as error:
        return str(error)
