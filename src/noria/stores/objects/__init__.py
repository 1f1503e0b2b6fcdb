"""Files by name below one root: a folder on a disk, or a prefix of an S3 bucket. Lake and blobs are kept in them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Protocol


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

    def folders(self, folder: str) -> list[str]:
        """The last parts of the folders right in a folder ("" = the root), sorted."""
        ...

    def remove(self, name: str) -> None:
        """Removes a file; nothing where there is none."""
        ...

    def options(self) -> dict[str, str]:
        """What delta-rs has to be told to reach this root; never a credential."""
        ...


def open_objects(root: str | Path) -> Objects:
    """The files below a root: `s3://bucket/prefix`, else a path, made at the first write.

    Raises:
        UsageError: another scheme, no bucket, credentials within the address, or boto3 is missing.
        OutsideError: the bucket cannot be used, or it ignores conditional writes.
    """
    if "://" in str(root):
        from noria.stores.objects.s3 import S3Objects

        return S3Objects(str(root))
    from noria.stores.objects.local import LocalObjects

    return LocalObjects(root)
