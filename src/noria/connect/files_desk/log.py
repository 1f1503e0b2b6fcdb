"""A file of JSON lines to which whole lines are added, and of each id the last line counts."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from noria.errors import OutsideError

Row = dict[str, Any]


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keeps other writers of the folder out."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / ".lock").open("w", encoding="ascii") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
    except OSError as error:
        raise OutsideError(f"the help desk's folder {folder} cannot be used: {error}.", retry_helps=False) from error


def add(path: Path, row: Mapping[str, Any]) -> None:
    """Adds a line, on disk when this returns; the caller holds the lock. Half a line of a crash is cut off first."""
    line = json.dumps(row, ensure_ascii=False, sort_keys=True).encode() + b"\n"
    new = not path.exists()
    with path.open("ab+") as handle:
        handle.seek(0)
        known = handle.read()
        whole = known.rfind(b"\n") + 1
        if whole < len(known):
            handle.truncate(whole)
        handle.write(line)
        handle.flush()
        os.fsync(handle.fileno())
    if new:
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def changed(path: Path, cursor: str) -> tuple[list[Row], str]:
    """The lines that were added since a cursor, and the next cursor; all of them where the file was edited.

    A cursor is the length of what was read, and its hash.

    Raises:
        OutsideError: a line is not a JSON object with an id.
    """
    data = _whole_lines(path)
    length, _, digest = cursor.partition(":")
    start = int(length) if length.isdigit() else 0
    if start > len(data) or digest != _digest(data[:start]):
        start = 0
    first = data[:start].count(b"\n") + 1
    rows = [_row(path, number, line) for number, line in enumerate(data[start:].splitlines(), first) if line.strip()]
    return rows, f"{len(data)}:{_digest(data)}"


def standing(path: Path) -> dict[str, Row]:
    """Id → its last line, in order of their first."""
    return {row["id"]: row for row in changed(path, "")[0]}


def _whole_lines(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise OutsideError(f"{path} cannot be read: {error}.", retry_helps=False) from error
    return data[: data.rfind(b"\n") + 1]


def _row(path: Path, number: int, line: bytes) -> Row:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise OutsideError(f"{path}, line {number} is no JSON: {error}. Correct it.", retry_helps=False) from None
    if not isinstance(row, dict) or not row.get("id"):
        raise OutsideError(f"{path}, line {number} is no object with an id. Correct it.", retry_helps=False)
    return row | {"id": str(row["id"])}


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
