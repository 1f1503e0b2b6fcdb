"""Real support traffic day by day and as one rebuild: `python sumo.py [DATA] [DAYS]`; the tables must be the same.

`sumo-firefox`: 129,038 questions of 2,340 days, one increment a day. `sumo-kb`: the questions of 185 days likewise, and
two states of the knowledge base by full refreshes. Prints counts, CPU seconds and whether each pair of tables is equal.
"""

from __future__ import annotations

import gzip
import itertools
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from noria.build import run_feed
from noria.build.pipeline.feed import Feed, feed_of
from noria.build.pipeline.receipts import FeedReceipt
from noria.ports.source import Page
from noria.stores.lake import Lake
from noria.stores.lake.care import verify

QUESTIONS = {
    "columns": {"qid": "int", "created": "time", "title": "text", "text": "text", "topic": "name", "os": "name"},
    "key": "qid", "texts": ["title", "text"], "updated": "created", "time": "created", "label": "topic",
    "rules": {"near_similarity": 0.7}, "contract": {"max_quarantine_share": 0.05}, "full_refresh_days": 0,
}  # fmt: skip
CITING = {
    "columns": {"qid": "int", "date": "time", "text": "text", "topic": "name"}, "key": "qid", "texts": ["text"],
    "time": "date", "label": "topic", "contract": {"max_quarantine_share": 0.05}, "full_refresh_days": 0,
}  # fmt: skip
ARTICLES = {
    "columns": {"article_id": "name", "title": "text", "summary": "text", "body": "text", "url": "name"},
    "key": "article_id", "texts": ["title", "body"], "rules": {"max_chars": 200_000},
    "contract": {"max_quarantine_share": 0.05},
}  # fmt: skip


class Given:
    """Rows that are handed over as they are."""

    def __init__(self, rows: Sequence[Mapping[str, Any]], cursor: str) -> None:
        self.rows, self.cursor = rows, cursor

    def describe(self) -> str:
        return "rows of a day"

    def pages(self, since: str | None, *, schema: object, full: bool) -> Iterator[Page]:
        """All of them, whatever was asked for."""
        del since, schema, full
        yield Page(self.rows, cursor=self.cursor)


def lines(path: Path) -> list[dict[str, Any]]:
    """The rows of a gzipped JSONL file."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def hashes(receipt: FeedReceipt) -> list[tuple[int, str]]:
    """Count and sha256 of both tables."""
    return [(v.rows, v.sha256) for v in (receipt.clean, receipt.quarantine) if v]


def by_day(lake: Lake, feed: Feed, rows: Sequence[Mapping[str, Any]], at_most: int) -> FeedReceipt:
    """One increment for each day."""
    days = [(day, list(part)) for day, part in itertools.groupby(rows, key=lambda r: r["date"])][:at_most]
    receipt, began, mark = None, time.process_time(), time.monotonic()
    for number, (day, part) in enumerate(days, start=1):
        receipt = run_feed(lake, feed, Given(part, f"{day} {number}"), time_ms=number)
        if receipt.status != "published":
            sys.exit(f"{feed.name}, {day}: {receipt.status}: {receipt.message}")
        if number % 100 == 0 or number == len(days):
            spent, wall = time.process_time() - began, time.monotonic() - mark
            print(f"{feed.name}: {number} days, {spent:.0f} CPU s, {wall:.0f} s", flush=True)
    if receipt is None:
        sys.exit(f"{feed.name}: no rows.")
    return receipt


def compared(lake: Lake, feed: Feed, last: FeedReceipt) -> bool:
    """Whether a rebuild makes the same tables; tells what it costs."""
    began = time.process_time()
    again = run_feed(lake, feed, None, time_ms=10**6, rebuild=True)
    spent = time.process_time() - began
    same = hashes(again) == hashes(last) and dict(again.reasons) == dict(last.reasons)
    print(
        f"{feed.name}: rebuild in {spent:.1f} CPU s, {hashes(again)[0][0]} clean, {dict(again.reasons)}, same: {same}"
    )
    return same


def main() -> None:
    """All three feeds."""
    data = Path(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("NORIA_BENCH_DATA", "../shared/data"))
    at_most = int(sys.argv[2]) if len(sys.argv) > 2 else 10**6
    with tempfile.TemporaryDirectory(prefix="noria-sumo-") as folder:
        lake = Lake(folder)
        kb = data / "sumo-kb"
        articles, citing = feed_of("articles", ARTICLES), feed_of("citing", CITING)
        for number, day in enumerate(("2023-05-13", "2024-06-12"), start=1):
            state = lines(kb / f"articles-{day}.jsonl.gz")
            last = run_feed(lake, articles, Given(state, day), time_ms=number, full=number > 1)
            print(f"articles of {day}: {dict(last.counts)}")
        good = compared(lake, articles, last)
        rows = sorted(lines(kb / "queries.jsonl.gz"), key=lambda r: r["date"])
        good &= compared(lake, citing, by_day(lake, citing, rows, at_most))
        questions = feed_of("questions", QUESTIONS)
        files = sorted((data / "sumo-firefox").glob("questions-*.jsonl.gz"))
        rows = [row for path in files for row in lines(path)]
        last = by_day(lake, questions, rows, at_most)
        good &= compared(lake, questions, last)
        good &= not any(checked.fault for checked in verify(lake))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{len(rows)} questions read, lake verified; peak {peak:.0f} MB; {'all the same' if good else 'NOT'}")
    sys.exit(not good)


if __name__ == "__main__":
    main()
