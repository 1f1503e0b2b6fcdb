"""The lake and the journal of a home, ready to query; nothing here writes."""

from __future__ import annotations

import html
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from noria.app.home import open_home
from noria.app.wiring import open_stores
from noria.monitor import day_of
from noria.monitor.quality import METRICS
from noria.monitor.windows.reading import Measures, by_slice, series
from noria.records import DAY_MS, HOUR_MS

if TYPE_CHECKING:
    from noria.stores import Stores


class Rows(Sequence[Mapping[str, object]]):
    """Rows as a notebook shows them: a table in marimo and Jupyter, `%table` text for Zeppelin, a list for code."""

    def __init__(self, rows: Iterable[Mapping[str, object]]) -> None:
        self._rows = list(rows)

    def __getitem__(self, place: int) -> Mapping[str, object]:  # type: ignore[override]  # no slices are needed
        return self._rows[place]

    def __len__(self) -> int:
        return len(self._rows)

    def _repr_html_(self) -> str:
        names = list(self._rows[0]) if self._rows else ["nothing"]
        head = "".join(f"<th>{html.escape(name)}</th>" for name in names)
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(_shown(row[n]))}</td>" for n in names) + "</tr>" for row in self._rows
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    def zeppelin(self) -> str:
        """Tab-separated, as Zeppelin's table display takes it."""
        names = list(self._rows[0]) if self._rows else ["nothing"]
        lines = ["\t".join(names), *("\t".join(_shown(row[n]) for n in names) for row in self._rows)]
        return "%table\n" + "\n".join(line.replace("\r", " ") for line in lines)


class Data:
    """What a notebook asks. Spans end with the last query.

    Args:
        stores: of the home.
    """

    def __init__(self, stores: Stores) -> None:
        self.stores = stores

    def days(self, days: int = 90, account: str = "*") -> Rows:
        """Every metric by day, from the windows."""
        since, until = self._span(days)
        return Rows(
            {"day": day_of(m.start_ms), **_facts(m)}
            for m in series(self.stores, 24, since_ms=since, until_ms=until, account=account)
        )

    def slices(self, kind: str, days: int = 28, account: str = "*") -> Rows:
        """Slices of a span side by side; kind: account, intent, channel, language or release."""
        since, until = self._span(days)
        found = by_slice(self.stores, since_ms=since, until_ms=until, account=account, kind=kind)
        return Rows({kind: m.value, **_facts(m)} for m in found)

    def findings(self) -> Rows:
        """Every finding with why it came about."""
        told = self.stores.journal.watching.explanations()
        return Rows(
            {
                "finding": f.finding_id, "began": day_of(f.inception_ms), "raised": day_of(f.raised_ms),
                "before": f.before, "after": f.after,
                "why": " ".join(told[f.finding_id].sentences if f.finding_id in told else [f.sentence]),
            }
            for f in self.stores.journal.findings()
        )  # fmt: skip

    def journal(self, sql: str) -> Rows:
        """What a question in SQL to the journal gives; it can change nothing."""
        return Rows(self.stores.journal.watching.select(sql))

    def lake(self, sql: str) -> Rows:
        """What a question in SQL to the lake gives; the table NAME of a kind is called KIND_NAME, `-` as `_`.

        Every table is there: see `tables`.
        """
        from deltalake import QueryBuilder

        asked = QueryBuilder()
        for held in self.stores.lake.tables():
            name = f"{held.kind}_{held.name}".replace("-", "_")
            if name in sql:
                asked = asked.register(name, self.stores.lake.opened(held.kind, held.name))
        import pyarrow as pa

        return Rows(row for batch in asked.execute(sql) for row in pa.record_batch(batch).to_pylist())

    def tables(self) -> Rows:
        """The tables of the lake, by the names that `lake` knows."""
        return Rows(
            {"table": f"{t.kind}_{t.name}".replace("-", "_"), "version": t.version, "rows": t.rows}
            for t in self.stores.lake.tables()
        )

    def _span(self, days: int) -> tuple[int, int]:
        span = self.stores.journal.watching.span() or (0, 0)
        end = span[1] // HOUR_MS * HOUR_MS + HOUR_MS
        return end - days * DAY_MS, end


def open_data(home: str = "") -> Data:
    """The data of a home: of NORIA_HOME where that is set, else of the folder that is named."""
    return Data(open_stores(open_home(Path(os.environ.get("NORIA_HOME") or home))))


def _facts(m: Measures) -> dict[str, object]:
    facts: dict[str, object] = {"queries": m.predictions, "labels": m.labels}
    for name in METRICS:
        e = m.metrics[name]
        facts |= {name: e.value, f"{name}_low": e.low, f"{name}_high": e.high}
    return facts | {"confidence": m.confidence, "latency_p95_ms": m.latency_p95_ms, "unseen_words": m.unseen}


def _shown(value: object) -> str:
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return " ".join(text.split())
