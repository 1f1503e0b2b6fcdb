"""What lake and blobs ask of a place for files."""

from __future__ import annotations

import io
from pathlib import Path
from typing import NamedTuple, Protocol


class Entry(NamedTuple):
    """A file that was found: its whole name, bytes, and when it was written (UTC milliseconds)."""

    name: str
    size: int
    time_ms: int


class Objects(Protocol):
    """Files by name; a name is made of parts joined by `/`.

    Raises (every method): OutsideError where disk or store refuse; `retry_helps` says whether trying again can work.
    """

    uri: str
    """The root: a path, or `s3://bucket/prefix`."""

    def read(self, name: str) -> bytes:
        """The content of a file. Raises FileNotFoundError where there is none."""
        ...

    def source(self, name: str) -> Path | io.BytesIO:
        """A file as something that Arrow opens: its path on a disk, its content from elsewhere."""
        ...

    def write(self, name: str, data: bytes | memoryview) -> None:
        """Writes a file whole or not at all, in place of an earlier one; once it returns the file survives a crash."""
        ...

    def create(self, name: str, data: bytes) -> bool:
        """The same, but only where there is no file of that name; False where there is one."""
        ...

    def exists(self, name: str) -> bool:
        """Whether there is a file of that name."""
        ...

    def names(self, folder: str) -> list[str]:
        """The files below a folder ("" = all), each by its whole name, sorted."""
        ...

    def entries(self, folder: str) -> list[Entry]:
        """The same with size and time, and with what crashed writers left (`.part`)."""
        ...

    def folders(self, folder: str) -> list[str]:
        """The last parts of the folders right in a folder ("" = the root), sorted."""
        ...

    def remove(self, name: str) -> None:
        """Removes a file; nothing where there is none."""
        ...

    def options(self) -> dict[str, str]:
        """What delta-rs has to be told to reach this root; never a credential."""
        ...
