"""Files by name below one root: a folder on a disk, or a prefix of an S3 bucket. Lake and blobs are kept in them."""

from __future__ import annotations

from pathlib import Path

from noria.stores.objects.local import LocalObjects
from noria.stores.objects.protocol import Entry, Objects

__all__ = ["Entry", "LocalObjects", "Objects", "open_objects"]


def open_objects(root: str | Path) -> Objects:
    """The files below a root: `s3://bucket/prefix`, else a path, made at the first write.

    Raises:
        UsageError: another scheme, no bucket, credentials within the address, or boto3 is missing.
        OutsideError: the bucket cannot be used, or it ignores conditional writes.
    """
    if "://" in str(root):
        from noria.stores.objects.s3 import S3Objects

        return S3Objects(str(root))
    return LocalObjects(root)
