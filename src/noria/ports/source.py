"""Where raw rows come from: files, a SQL database, the journal, a help desk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import pyarrow as pa


@dataclass(frozen=True, slots=True)
class BrokenRecord:
    """Something that could not be read as a row.

    `where`: file and line, or the like. `fault`: one word for the kind. `detail`: what is wrong. `raw`: its beginning.
    """

    where: str
    fault: str
    detail: str
    raw: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows of a source.

    Args:
        rows: mappings of column → value, or an Arrow table of exactly the schema that `pages` was asked for.
        broken: what could not be read.
        cursor: where to go on once this page is kept; None = not yet known. It must never run ahead of the rows: a
            source whose order is not its cursor's gives it with its last page only.
        notes: counts to tell, e.g. {"files_skipped": 2}.
    """

    rows: pa.Table | Sequence[Mapping[str, object]] = ()
    broken: Sequence[BrokenRecord] = ()
    cursor: str | None = None
    notes: Mapping[str, int] = field(default_factory=dict)


@runtime_checkable
class Source(Protocol):
    """What the pipeline asks of a source."""

    def describe(self) -> str:
        """What it is, for receipts and lineage; holds no secret."""
        ...

    def pages(self, since: str | None, *, schema: pa.Schema, full: bool) -> Iterator[Page]:
        """The rows that are new or changed since a cursor.

        Rows may come more than once and out of order: the reader keeps the newest of each key. The source takes care of
        its own overlap.

        Args:
            since: a cursor that a page gave; None = from the beginning.
            schema: the columns that the reader declared; see `Page.rows`.
            full: every row that exists, whatever the cursor: what does not come was deleted at the source.

        Raises:
            OutsideError: the source failed; tells whether a retry helps. UsageError: it is set up wrongly.
        """
        ...
