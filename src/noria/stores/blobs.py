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
from noria.stores.objects import Objects, open_objects
from noria.stores.objects.local import sync_folder, write_synced

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_ADDRESS = re.compile(r"[0-9a-f]{64}")


class Blobs:
    """Folders of files that are found by what they hold, and so cannot change unnoticed.

    Args:
        root: a folder, made at the first `put`, or `s3://bucket/prefix`.
    """

    def __init__(self, root: str | Path) -> None:
        self._objects: Objects = open_objects(root)
        self._root = None if "://" in str(root) else Path(root)

    def put(self, files: Mapping[str, bytes]) -> str:
        """Keeps the files; once it returns they survive a crash. Keeping the same files again changes nothing.

        Args:
            files: name → content; names are plain file names (letters, digits, `.`, `_`, `-`), without folders.

        Returns:
            The address: hex sha256 over the sorted list of (name, sha256 of the file).

        Raises:
            UsageError: there are no files, or a name is not a plain file name.
            StateError: the files are kept already, but damaged.
            OutsideError: the disk or the store refuses.
        """
        for name in files:
            if not _NAME.fullmatch(name):
                raise UsageError(f"{name!r} cannot be a file of a bundle: use letters, digits, '.', '_' and '-' only.")
        if not files:
            raise UsageError("a bundle needs at least one file.")
        sha256 = address_of(files)
        if self._root is None:
            self._put_objects(sha256, files)
        elif not (self._root / sha256).exists():
            self._put_folder(self._root, sha256, files)
        self.get(sha256)
        return sha256

    def has(self, sha256: str) -> bool:
        """Whether something is kept at an address; it is verified only when it is read."""
        return bool(self._objects.names(sha256))

    def get(self, sha256: str) -> dict[str, bytes]:
        """The files at an address, verified: every name and every byte.

        Raises:
            UsageError: this is no address.
            StateError: nothing is kept there, or it is not what was put.
            OutsideError: the store does not answer.
        """
        if not _ADDRESS.fullmatch(sha256):
            raise UsageError(f"{sha256!r} is no address of a bundle: 64 hexadecimal digits are wanted.")
        home = f"{self._objects.uri}/{sha256}"
        try:
            files = self._files(sha256)
        except OutsideError as error:
            if error.retry_helps:
                raise
            raise StateError(f"the bundle {home} cannot be read ({error})") from error
        if not files:
            raise StateError(
                f"the bundle {sha256} is missing from {self._objects.uri}; restore it from a backup, or train again."
            )
        if address_of(files) != sha256 or (self._root is not None and self._objects.folders(sha256)):
            raise StateError(
                f"the bundle {home} was changed after it was written (it holds {', '.join(files)}) and is not used; "
                "remove the folder, then restore it from a backup or train again."
            )
        return files

    def _files(self, sha256: str) -> dict[str, bytes]:
        names = self._objects.names(sha256)
        return {name.removeprefix(f"{sha256}/"): self._objects.read(name) for name in names}

    def _put_objects(self, sha256: str, files: Mapping[str, bytes]) -> None:
        """A crash leaves a part of the files, which is no bundle yet; the next `put` adds the rest."""
        held = self._files(sha256)
        for name, data in files.items():
            if name not in held:
                self._objects.write(f"{sha256}/{name}", data)

    def _put_folder(self, root: Path, sha256: str, files: Mapping[str, bytes]) -> None:
        # One writer per name: two processes or threads that put the same files must not mix their parts.
        part = root / f".part-{sha256[:16]}-{os.getpid()}-{threading.get_ident()}"
        try:
            _write(part, root / sha256, files)
        except OSError as error:
            why = error.strerror or str(error)
            raise OutsideError(f"the bundle cannot be written to {root}: {why}.", retry_helps=False) from error
        finally:
            shutil.rmtree(part, ignore_errors=True)


def address_of(files: Mapping[str, bytes]) -> str:
    """Where a store keeps these files: hex sha256 over the sorted list of (name, sha256 of the file)."""
    listing = [[name, hashlib.sha256(files[name]).hexdigest()] for name in sorted(files)]
    return hashlib.sha256(json.dumps(listing, separators=(",", ":")).encode()).hexdigest()


def _write(part: Path, home: Path, files: Mapping[str, bytes]) -> None:
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    for name, data in files.items():
        write_synced(part / name, data)
    # Without these two the rename could be on disk before what it names.
    sync_folder(part)
    try:
        part.rename(home)
    except OSError:
        if not home.exists():
            raise
        return  # somebody else put the same files in the meantime
    sync_folder(home.parent)
