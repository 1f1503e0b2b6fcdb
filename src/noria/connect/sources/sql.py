"""A query on any SQL database that SQLAlchemy can reach, read in order of a cursor column."""

from __future__ import annotations

import datetime as dt
import decimal
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from noria.errors import OutsideError, UsageError
from noria.ports.source import Page

_PAGE_ROWS = 5_000
_SQLITE_WRONG = ("no such table", "no such column", "syntax error")
"""What SQLite tells as an operational error although the query is wrong."""


class SqlSource:
    """The rows of a query; new and changed ones by a cursor column.

    The database does the choosing: the query becomes a part of `SELECT * FROM (query) WHERE cursor >= since`. A time
    cursor goes back by `overlap_s` seconds, since transactions commit later than their stamps say.

    Args:
        url: SQLAlchemy URL. Passwords belong into the environment or the driver's own file, not into settings.
        query: a SELECT without a semicolon.
        cursor: column of the query that grows with each change; "" = every run reads everything.
        overlap_s: seconds that a time cursor goes back; a number goes back by nothing.
        now_ms: UTC milliseconds; a row stamped later than this does not move the cursor, or all rows between would be
            missed. None = every stamp is believed.
    """

    def __init__(
        self, url: str, query: str, cursor: str = "", overlap_s: float = 300.0, *, now_ms: int | None = None
    ) -> None:
        if ";" in query:
            raise UsageError("the query holds a semicolon: write one SELECT, without the semicolon at its end.")
        self._url, self._query, self._cursor, self._overlap_s = url, query, cursor, overlap_s
        self._now_ms = now_ms

    def describe(self) -> str:
        import sqlalchemy as sa

        return f"sql {sa.make_url(self._url).render_as_string(hide_password=True)}"

    def pages(self, since: str | None, *, schema: pa.Schema, full: bool) -> Iterator[Page]:
        """See `noria.ports.source.Source`."""
        del schema
        import sqlalchemy as sa

        start = None if full or since is None or not self._cursor else self._back(json.loads(since))
        engine = sa.create_engine(self._url)
        try:
            with engine.connect().execution_options(stream_results=True, max_row_buffer=_PAGE_ROWS) as connection:
                where = sa.text(self._statement(engine.dialect, start is not None))
                result = connection.execute(where, {"since": start} if start is not None else {})
                highest: Any = json.loads(since) if since else None
                for rows in result.mappings().partitions(_PAGE_ROWS):
                    if self._cursor:
                        seen = [_stamp(v) for r in rows if (v := r[self._cursor]) is not None]
                        told = [highest, *(v for v in seen if not self._ahead(v))]
                        highest = max((v for v in told if v is not None), default=None)
                    yield Page(
                        [_row(dict(r)) for r in rows], cursor=None if full or highest is None else json.dumps(highest)
                    )
                if full and highest is not None:
                    yield Page(cursor=json.dumps(highest))
        except KeyError:
            raise UsageError(f"the query gives no column {self._cursor!r} to go by.") from None
        except sa.exc.OperationalError as error:
            if any(sign in str(error.orig) for sign in _SQLITE_WRONG):
                raise UsageError(f"{self.describe()}: {_first(error)}") from None
            raise OutsideError(f"{self.describe()}: {_first(error)}", retry_helps=True) from error
        except (sa.exc.ProgrammingError, sa.exc.ArgumentError) as error:
            raise UsageError(f"{self.describe()}: {_first(error)}") from None
        finally:
            engine.dispose()

    def _statement(self, dialect: Any, bounded: bool) -> str:  # noqa: FBT001 - private
        if not self._cursor:
            return self._query
        column = dialect.identifier_preparer.quote(self._cursor)
        where = f" WHERE {column} >= :since" if bounded else ""
        return f"SELECT * FROM ({self._query}) AS rows_of_feed{where} ORDER BY {column}"  # noqa: S608 - the user's own query

    def _back(self, since: Any) -> Any:
        """Where to start: a time goes back by the overlap, and is bound as what the column gave, text or time."""
        if not isinstance(since, list):
            return since
        kind, text = since
        moment = _moment(text)
        if moment is None:
            return text
        earlier = moment - dt.timedelta(seconds=self._overlap_s)
        if kind == "time":
            return earlier
        shown = earlier.isoformat(sep=" " if " " in text else "T")
        return shown.replace("+00:00", "Z") if text.endswith("Z") else shown

    def _ahead(self, stamp: Any) -> bool:
        """Whether a stamp lies in the future, as a skewed clock would write it."""
        moment = _moment(stamp[1]) if isinstance(stamp, list) else None
        if moment is None or self._now_ms is None:
            return False
        utc = moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment
        return utc.timestamp() * 1000 > self._now_ms


def _stamp(value: Any) -> Any:
    """A cursor as JSON: numbers as they are, texts and times with what they were."""
    if isinstance(value, str):
        return ["text", value]
    return ["time", value.isoformat()] if isinstance(value, dt.date) else _plain(value)


def _moment(text: str) -> dt.datetime | None:
    try:
        return dt.datetime.fromisoformat(text)
    except ValueError:
        return None


def _row(row: Mapping[str, Any]) -> dict[str, object]:
    return {k: _plain(v) for k, v in row.items() if v is not None}


def _plain(value: Any) -> Any:
    """What JSON knows, so that rows and cursors look alike whatever the driver gives."""
    if isinstance(value, dt.date):  # a datetime is one, too
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, bytes | memoryview):
        return bytes(value).decode("utf-8", "replace")
    return value


def _first(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error).splitlines()[0]
