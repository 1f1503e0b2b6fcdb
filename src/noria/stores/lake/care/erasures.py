"""Which versions of a table held what a person said before it was erased; experiments on them may not be repeatable."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime

from noria.records import DataVersion
from noria.stores.lake.tables import Tables


def erasure_note(rows: int, held_by: Collection[DataVersion], before: DataVersion) -> dict[str, str]:
    """The note of the version that an erasure makes.

    Args:
        rows: how many left.
        held_by: pinned versions that hold such rows.
        before: the version without the erasure.
    """
    return {
        "erasure": f"{rows} rows of one requester",
        "not_repeatable_up_to": before.ref,
        "held_by": " ".join(sorted(version.ref for version in held_by)),
    }


def pinned_versions(lake: Tables, kind: str, name: str) -> dict[DataVersion, list[str]]:
    """Versions of a table that experiments need → why, in order."""
    found: dict[DataVersion, list[str]] = {}
    for pin in lake.pins():
        if (pin["kind"], pin["name"]) == (kind, name):
            version = DataVersion(kind, name, int(str(pin["version"])), int(str(pin["rows"])), str(pin["sha256"]))
            found.setdefault(version, []).append(str(pin["why"]))
    return found


def erased_since(lake: Tables, data: DataVersion) -> str:
    """A sentence where a version holds, or held, rows that were erased since; else ""."""
    for made in lake.history(data.kind, data.name):
        note = made["note"]
        if isinstance(note, Mapping) and data.ref in str(note.get("held_by", "")).split():
            day = datetime.fromtimestamp(int(str(made["time_ms"])) / 1000, UTC).date().isoformat()
            return (
                f"{data.kind} {data.ref} held data of a requester who was erased on {day} "
                f"(version {made['version']}): a run on it can be repeated exactly only while its old rows are kept."
            )
    return ""
