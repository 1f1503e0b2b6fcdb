"""The journal as a source: what people asked, once, and on from where it was."""

from __future__ import annotations

import pyarrow as pa

from noria.connect.sources.journal import JournalSource
from noria.records import DAY_MS, Answer, Prediction, Query
from noria.stores.journal import Journal


def asked(number, time_ms):
    query = Query(f"q{number}", "acme", "s", f"text {number}", time_ms)
    return Prediction(f"p{number}", query, Answer("answer", "vpn", 0.9, 1.0, True), "r1", 1.0)


def test_queries_come_day_by_day_and_go_on_with_overlap(tmp_path):
    journal = Journal.open(f"sqlite:///{tmp_path / 'journal.db'}")
    journal.add_predictions([asked(n, n * DAY_MS // 2 + 1) for n in range(6)])
    pages = list(JournalSource(journal, 2 * DAY_MS).pages(None, schema=pa.schema([]), full=False))
    assert [r["prediction_id"] for p in pages for r in p.rows] == ["p0", "p1", "p2", "p3"]
    later = list(JournalSource(journal, 4 * DAY_MS).pages(pages[-1].cursor, schema=pa.schema([]), full=False))
    assert [r["prediction_id"] for p in later for r in p.rows] == ["p4", "p5"]
    assert pages[0].rows[0]["intent"] == "vpn"
    journal.close()
