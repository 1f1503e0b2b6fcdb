"""The journal as a source: what people asked the agent, as raw rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pyarrow as pa

from noria.ports.source import Page
from noria.records import DAY_MS

if TYPE_CHECKING:
    from noria.stores.journal import Journal

_OVERLAP_MS = 5 * 60_000


class JournalSource:
    """The predictions of the journal: `prediction_id, time_ms, account, text, channel, language, intent, decision`.

    Args:
        journal: an opened journal.
        until_ms: read up to here (UTC milliseconds), a day at a time.
        account: only this account's; None = all.
    """

    def __init__(self, journal: Journal, until_ms: int, account: str | None = None) -> None:
        self._journal, self._until_ms, self._account = journal, until_ms, account

    def describe(self) -> str:
        return "journal" + (f" account {self._account}" if self._account else "")

    def pages(self, since: str | None, *, schema: pa.Schema, full: bool) -> Iterator[Page]:
        """See `noria.ports.source.Source`."""
        del schema
        days = [d for d, n in sorted(self._journal.counts_by_day().items()) if n]
        start = 0 if full or since is None else int(since) - _OVERLAP_MS
        for day in days:
            begins = _day_ms(day)
            if begins + DAY_MS <= start or begins >= self._until_ms:
                continue
            upto = min(begins + DAY_MS, self._until_ms)
            found = self._journal.predictions(max(begins, start), upto, self._account)
            rows = [
                {
                    "prediction_id": p.prediction_id, "time_ms": p.query.time_ms, "account": p.query.account,
                    "text": p.query.text, "channel": p.query.channel, "language": p.query.language,
                    "intent": p.answer.intent, "decision": p.answer.decision,
                }
                for p in found
            ]  # fmt: skip
            yield Page(rows, cursor=None if full else str(upto))
        yield Page(cursor=str(self._until_ms))


def _day_ms(day: str) -> int:
    import datetime as dt

    return round(dt.datetime.fromisoformat(day).replace(tzinfo=dt.UTC).timestamp() * 1000)
