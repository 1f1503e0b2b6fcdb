"""Removes the files of versions that nobody needs any more.

Not delta-rs' own vacuum: it adds two versions to the table, and it knows nothing of files that crashed writers left
half. What it and others would remove is kept in check by the table's properties (see `delta`).
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote

from noria.errors import StateError, UsageError
from noria.stores.lake.delta import Place
from noria.stores.lake.merging import present_files
from noria.stores.lake.tables import Tables

_HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Vacuumed:
    """What was, or by a dry run would be, removed of a table; `kept`: the pinned versions and the latest."""

    kind: str
    name: str
    kept: tuple[int, ...]
    files: tuple[str, ...]
    size: int


def vacuum(lake: Tables, *, now_ms: int, keep_hours: float = 168.0, dry_run: bool = True) -> list[Vacuumed]:
    """Removes data files that neither the latest version, a pinned one, nor one of the last hours has.

    History and log stay whole: the versions that went are still told, only their rows cannot be read.

    Args:
        lake: whose tables.
        now_ms: UTC milliseconds by the clock of the disk or the store.
        keep_hours: versions that were the latest within that time stay, and files that are younger: longer than any
            write takes, since the files of a write come before its commit.
        dry_run: only tell.

    Raises:
        UsageError: fewer hours than 0. StateError: a pinned version cannot be opened; nothing was removed.
        OutsideError: disk or store refuse.
    """
    if keep_hours < 0:
        raise UsageError(f"hours to keep cannot be fewer than 0, got {keep_hours:g}.")
    since_ms = now_ms - round(keep_hours * _HOUR_MS)
    pinned: dict[tuple[str, str], set[int]] = {}
    for pin in lake.pins():
        pinned.setdefault((str(pin["kind"]), str(pin["name"])), set()).add(int(str(pin["version"])))
    # All is looked at before anything is removed: one pin that cannot be honoured stops all.
    plans = [_plan(lake, at.kind, at.name, pinned.get((at.kind, at.name), set()), since_ms) for at in lake.tables()]
    if not dry_run:
        for plan in plans:
            for name in plan.files:
                lake.objects.remove(f"{plan.kind}/{plan.name}/{name}")
    return plans


def _plan(lake: Tables, kind: str, name: str, pinned: set[int], since_ms: int) -> Vacuumed:
    place = lake.place(kind, name)
    # Before the latest version is opened: a file that a commit adds meanwhile is not among these.
    entries = lake.objects.entries(place.folder)
    latest = lake.opened(kind, name).version()
    kept = tuple(sorted(pinned | {latest}))
    needed = {unquote(file.name) for version in kept for file in present_files(place.at(version), place.folder)}
    needed |= _lately(place, latest, since_ms)
    cut = len(place.folder) + 1
    old = [(e.name[cut:], e.size) for e in entries if e.time_ms < since_ms]
    files = [(file, size) for file, size in old if file not in needed and _is_ours(file)]
    return Vacuumed(kind, name, kept, tuple(file for file, _ in files), sum(size for _, size in files))


def _is_ours(file: str) -> bool:
    """Data files, and what a crash left of a file; nothing of the log."""
    if file.startswith("_"):
        return file.startswith("_delta_log/") and file.endswith((".tmp", ".part"))
    return file.endswith((".parquet", ".part"))


def _lately(place: Place, latest: int, since_ms: int) -> set[str]:
    """Files that were taken out by commits since then: versions that were the latest within that time have them."""
    removed: set[str] = set()
    for version in range(latest, 0, -1):
        try:
            actions = place.log(version)
        except FileNotFoundError:
            raise StateError(
                f"the log of {place.uri} lacks version {version}, so what may go cannot be told; nothing was removed."
            ) from None
        times = [int(a["commitInfo"]["timestamp"]) for a in actions if "timestamp" in a.get("commitInfo", {})]
        if times and max(times) < since_ms:
            break
        removed |= {unquote(action["remove"]["path"]) for action in actions if "remove" in action}
    return removed
