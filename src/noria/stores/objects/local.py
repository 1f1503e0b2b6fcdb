"""Files below a folder of a disk."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from noria.errors import OutsideError


class LocalObjects:
    """See `noria.stores.objects.Objects`.

    Args:
        root: made at the first write.
    """

    def __init__(self, root: str | Path) -> None:
        self._root = Path(root)
        self.uri = str(root)

    def read(self, name: str) -> bytes:
        with self._told(name):
            return (self._root / name).read_bytes()

    def source(self, name: str) -> Path:
        return self._root / name

    def write(self, name: str, data: bytes | memoryview) -> None:
        with self._told(name):
            write_file(self._root / name, data)

    def create(self, name: str, data: bytes) -> bool:
        path = self._root / name
        part = _part(path)
        with self._told(name):
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                write_synced(part, data)
                os.link(part, path)  # unlike a rename it never takes the place of another
            except FileExistsError:
                return False
            finally:
                part.unlink(missing_ok=True)
            sync_folder(path.parent)
        return True

    def exists(self, name: str) -> bool:
        return (self._root / name).is_file()

    def names(self, folder: str) -> list[str]:
        base = self._root / folder
        found = (Path(at) / name for at, _, names in os.walk(base) for name in names if not name.endswith(".part"))
        return sorted(path.relative_to(self._root).as_posix() for path in found)

    def folders(self, folder: str) -> list[str]:
        try:
            return sorted(entry.name for entry in (self._root / folder).iterdir() if entry.is_dir())
        except FileNotFoundError:
            return []

    def remove(self, name: str) -> None:
        with self._told(name):
            (self._root / name).unlink(missing_ok=True)

    def options(self) -> dict[str, str]:
        return {}

    @contextmanager
    def _told(self, name: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise
        except OSError as error:
            why = error.strerror or str(error)
            raise OutsideError(f"the disk refuses {self._root / name}: {why}.", retry_helps=False) from error


def write_file(path: Path, data: bytes | memoryview) -> None:
    """Writes a file whole or not at all, also through a crash; the folder is made where it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = _part(path)
    try:
        write_synced(part, data)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    sync_folder(path.parent)


def write_synced(path: Path, data: bytes | memoryview) -> None:
    """Writes a file and waits until it is on disk."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """Waits until the names in a folder are on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _part(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.part")
