"""A help desk as a source: its tickets, conversations or articles as raw rows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pyarrow as pa

from noria.ports.help_desk import HelpDesk, Row, Stream
from noria.ports.source import Page

_TIMES = {"created_ms": "created_at", "updated_ms": "updated_at"}


class HelpDeskSource:
    """A stream of an account's desk, with the columns of the port (`noria.ports.help_desk`) but for the markup.

    Times are ISO 8601 texts, `created_at` and `updated_at`, as feeds want them.

    What changed comes by the desk's cursor. A full reading takes everything that exists, so that the reader notices
    what was deleted; rows that a desk itself marks as deleted are left out.

    Args:
        desk: of the account.
        stream: which rows.
        account: whose, for what is said of it.
    """

    def __init__(self, desk: HelpDesk, stream: Stream, account: str) -> None:
        self._desk, self._stream, self._account = desk, stream, account

    def describe(self) -> str:
        return f"help desk of {self._account}: {self._stream}"

    def pages(self, since: str | None, *, schema: pa.Schema, full: bool) -> Iterator[Page]:
        """See `noria.ports.source.Source`."""
        del schema
        for batch in self._desk.pull(self._stream, "" if full or since is None else since):
            kept = [_raw(row) for row in batch.rows if not row.get("deleted")]
            gone = len(batch.rows) - len(kept)
            yield Page(kept, cursor=batch.cursor, notes={"marked_deleted": gone} if gone else {})


def _raw(row: Row) -> dict[str, object]:
    kept = {k: v for k, v in row.items() if k != "html" and k not in _TIMES}
    return kept | {name: _iso(row[key]) for key, name in _TIMES.items() if key in row}


def _iso(time_ms: int | None) -> str | None:
    if time_ms is None:
        return None
    moment = dt.datetime.fromtimestamp(time_ms / 1000, dt.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
