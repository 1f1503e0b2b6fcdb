"""The lake: versioned Delta tables of records and of any schema, on a disk or an object store, and pins."""

from __future__ import annotations

from noria.stores.lake.lake import Lake
from noria.stores.lake.writing import Written

__all__ = ["Lake", "Written"]
