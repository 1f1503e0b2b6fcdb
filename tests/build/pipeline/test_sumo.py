"""Real support traffic, day by day: a part of the Firefox questions, and two states of the knowledge base."""

from __future__ import annotations

import gzip
import itertools
import json

from noria.build import run_feed
from noria.build.pipeline.feed import feed_of
from noria.ports.source import Page
from noria.stores.lake import Lake

QUESTIONS = {
    "columns": {"qid": "int", "created": "time", "title": "text", "text": "text", "topic": "name", "os": "name"},
    "key": "qid", "texts": ["title", "text"], "updated": "created", "time": "created", "label": "topic",
    "rules": {"near_similarity": 0.7}, "contract": {"max_quarantine_share": 0.05}, "full_refresh_days": 0,
}  # fmt: skip
ARTICLES = {
    "columns": {"article_id": "name", "title": "text", "summary": "text", "body": "text", "url": "name"},
    "key": "article_id", "texts": ["title", "body"], "rules": {"max_chars": 200_000},
    "contract": {"max_quarantine_share": 0.05},
}  # fmt: skip


class Given:
    """Rows that are handed over as they are."""

    def __init__(self, rows, cursor):
        self.rows, self.cursor = rows, cursor

    def describe(self):
        return "rows of a day"

    def pages(self, since, *, schema, full):
        yield Page(self.rows, cursor=self.cursor)


def lines(path):
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def hashes(receipt):
    return [(v.rows, v.sha256) for v in (receipt.clean, receipt.quarantine) if v]


def test_questions_day_by_day_are_the_table_of_a_rebuild(requires_bench, tmp_path):
    rows = lines(requires_bench("sumo-firefox") / "questions-2018.jsonl.gz")
    feed, lake = feed_of("questions", QUESTIONS), Lake(tmp_path)
    days = [(day, list(part)) for day, part in itertools.groupby(rows, key=lambda r: r["date"])]
    for number, (day, part) in enumerate(days):
        last = run_feed(lake, feed, Given(part, day), time_ms=number)
        assert last.status == "published", last.message
    assert last.clean.rows + last.quarantine.rows == len(rows)
    assert len(lake.history("clean", "questions")) == len(days)
    assert hashes(run_feed(lake, feed, None, time_ms=99, rebuild=True)) == hashes(last)


def test_a_knowledge_base_that_changed_is_its_new_state(requires_bench, tmp_path):
    folder = requires_bench("sumo-kb")
    old, new = (lines(folder / f"articles-{day}.jsonl.gz") for day in ("2023-05-13", "2024-06-12"))
    feed, lake = feed_of("articles", ARTICLES), Lake(tmp_path)
    run_feed(lake, feed, Given(old, "2023"), time_ms=1)
    done = run_feed(lake, feed, Given(new, "2024"), time_ms=2, full=True)
    assert (done.counts["new"], done.counts["deleted"]) == (28, 18)
    assert done.clean.rows + (done.quarantine.rows if done.quarantine else 0) == len(new) == 419
    fresh = run_feed(Lake(tmp_path / "fresh"), feed, Given(new, "2024"), time_ms=1)
    assert hashes(fresh) == hashes(done)
