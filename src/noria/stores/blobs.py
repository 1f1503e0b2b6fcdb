"""Content-addressed folders of small files: `<root>/<sha256>/<name>`. A model bundle is one of them."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import threading
from collections.abc import Mapping
from pathlib import Path

from noria.errors import OutsideError, StateError, UsageError

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_ADDRESS = re.compile(r"[0-9a-f]{64}")


class Blobs:
    """Folders of files that are found by what they hold, and so cannot change unnoticed.

    Args:
        root: the folder of the store; made at the first `put`.
    """

    def __init__(self, root: str | Path) -> None:
        self._root = Path(root)

    def put(self, files: Mapping[str, bytes]) -> str:
        """Keeps the files; once it returns they survive a crash. Keeping the same files again changes nothing.

        Args:
            files: name → content; names are plain file names (letters, digits, `.`, `_`, `-`), without folders.

        Returns:
            The address: hex sha256 over the sorted list of (name, sha256 of the file).

        Raises:
            UsageError: there are no files, or a name is not a plain file name.
            StateError: the files are kept already, but damaged.
            OutsideError: the disk refuses.
        """
        for name in files:
            if not _NAME.fullmatch(name):
                raise UsageError(f"{name!r} cannot be a file of a bundle: use letters, digits, '.', '_' and '-' only.")
        if not files:
            raise UsageError("a bundle needs at least one file.")
        sha256 = address_of(files)
        home = self._root / sha256
        if home.exists():
            self.get(sha256)
            return sha256
        # One writer per name: two processes or threads that put the same files must not mix their parts.
        part = self._root / f".part-{sha256[:16]}-{os.getpid()}-{threading.get_ident()}"
        try:
            self._write(part, home, files)
        except OSError as error:
            why = error.strerror or str(error)
            raise OutsideError(f"the bundle cannot be written to {self._root}: {why}.", retry_helps=False) from error
        finally:
            shutil.rmtree(part, ignore_errors=True)
        self.get(sha256)
        return sha256

    def has(self, sha256: str) -> bool:
        """Whether something is kept at an address; it is verified only when it is read."""
        return (self._root / sha256).is_dir()

    def get(self, sha256: str) -> dict[str, bytes]:
        """The files at an address, verified: every name and every byte.

        Raises:
            UsageError: this is no address.
            StateError: nothing is kept there, or it is not what was put.
        """
        if not _ADDRESS.fullmatch(sha256):
            raise UsageError(f"{sha256!r} is no address of a bundle: 64 hexadecimal digits are wanted.")
        home = self._root / sha256
        try:
            files = {path.name: path.read_bytes() for path in sorted(home.iterdir())}
        except FileNotFoundError:
            raise StateError(
                f"the bundle {sha256} is missing from {self._root}; restore it from a backup, or train again."
            ) from None
        except OSError as error:
            raise StateError(f"the bundle {home} cannot be read: {error.strerror or error}.") from error
        if address_of(files) != sha256:
            held = ", ".join(files) or "no file"
            raise StateError(
                f"the bundle {home} was changed after it was written (it holds {held}) and is not used; "
                "remove the folder, then restore it from a backup or train again."
            )
        return files

    def _write(self, part: Path, home: Path, files: Mapping[str, bytes]) -> None:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        for name, data in files.items():
            write_synced(part / name, data)
        # Without these two the rename could be on disk before what it names.
        _sync_folder(part)
        try:
            part.rename(home)
        except OSError:
            if not home.exists():
                raise
            return  # somebody else put the same files in the meantime
        _sync_folder(self._root)


def write_file(path: Path, data: bytes) -> None:
    """Writes a file whole or not at all, also through a crash; the folder is made where it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.part")
    try:
        write_synced(part, data)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    _sync_folder(path.parent)


def address_of(files: Mapping[str, bytes]) -> str:
    """Where a store keeps these files: hex sha256 over the sorted list of (name, sha256 of the file)."""
    listing = [[name, hashlib.sha256(files[name]).hexdigest()] for name in sorted(files)]
    return hashlib.sha256(json.dumps(listing, separators=(",", ":")).encode()).hexdigest()


def write_synced(path: Path, data: bytes) -> None:
    """Writes a file and waits until it is on disk."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
