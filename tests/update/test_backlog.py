"""The backlog: what it holds, its order, its exports, what came of it."""

from __future__ import annotations

import csv
import io

from tests.update.made_up_work import DAY_MS, judged

from noria.records import NO_ARTICLE, Candidate, DataVersion, Release, Topic, Triage
from noria.update.backlog import BacklogPolicy, Week, as_csv, as_markdown, backlog, outcomes

NOW_MS = 100 * DAY_MS
WEEK = Week(queries=1000, queries_before=1000, served=0.8)
POLICY = BacklogPolicy()


def topic(name: str = "topic-1", week: int = 50, before: int = 10, **more) -> Topic:
    members = tuple(f"p{i}" for i in range(week + before))
    facts = {
        "topic_id": name, "title": "badge, door", "phrases": ("badge", "door"), "members": members,
        "examples": ("badge lost",), "accounts": {"acme": week + before}, "said": {}, "named": "", "week": week,
        "week_before": before, "first_seen_ms": NOW_MS - 9 * DAY_MS, "last_seen_ms": NOW_MS - 1,
    }  # fmt: skip
    return Topic(**{**facts, **more})


def test_a_topic_is_sized_and_its_gain_is_what_would_be_served():
    [item] = backlog([topic(said={"new_domain": 9, "irrelevant": 1})], [], [], WEEK, now_ms=NOW_MS, policy=POLICY)
    assert (item.kind, item.weekly, item.trend) == ("new_domain", 50, "growing")
    assert item.gain_weekly == 50 * 0.9 * 0.8
    assert "9 of 10 labels call it a request" in item.evidence


def test_more_gain_for_less_effort_comes_first_and_incidents_before_all():
    fault = Triage("f1", "fault", 0.95, "r1 does better.", "roll the release back")
    rows = [judged(i, article_ids=(NO_ARTICLE,), time_ms=NOW_MS - 5, chance=0.1) for i in range(8)]
    items = backlog([topic(), topic("topic-2", week=2)], rows, [fault], WEEK, now_ms=NOW_MS, policy=POLICY)
    assert [i.item_id for i in items] == ["incident:f1", "article:vpn", "topic-1", "topic-2"]


def test_what_people_decided_is_off_the_list():
    topics = [topic(status=s) for s in ("accepted", "merged", "dismissed")]
    assert backlog(topics, [], [], WEEK, now_ms=NOW_MS, policy=POLICY) == []


def test_a_knowledge_gap_tells_how_many_of_those_asked():
    rows = [judged(i, article_ids=(NO_ARTICLE,) if i < 4 else (), time_ms=NOW_MS - 5) for i in range(10)]
    [item] = backlog([], rows, [], WEEK, now_ms=NOW_MS, policy=POLICY)
    assert (item.kind, item.item_id, item.weekly) == ("knowledge_gap", "article:vpn", 4)
    assert "4 of 10 labelled queries (17 to 69 %)" in item.evidence
    assert backlog([], rows[2:], [], WEEK, now_ms=NOW_MS, policy=POLICY) == [], "two labels are no item yet"


def test_csv_has_a_row_an_item_and_no_formulas():
    items = backlog([topic(title="=cmd|' /C calc'!A0")], [], [], WEEK, now_ms=NOW_MS, policy=POLICY)
    [row] = csv.DictReader(io.StringIO(as_csv(items)))
    assert row["title"].startswith("'=")
    assert (row["item"], float(row["queries_a_week"])) == ("topic-1", 50)


def test_markdown_shows_what_users_wrote_and_runs_none_of_it():
    items = backlog([topic(examples=("<script>x</script> [a](b)",))], [], [], WEEK, now_ms=NOW_MS, policy=POLICY)
    page = as_markdown(items)
    assert "<script>" not in page.replace("\\<script\\>", "")
    assert "\\[a\\](b)" in page
    assert "Nothing waits" in as_markdown([])


def test_what_came_of_an_accepted_topic_is_told_from_labels_since_its_release():
    data = DataVersion("examples", "it", 2, 1, "")
    release = Release("r2", Candidate("t", "run", "b", data, None, {}, {}, created_ms=500), since_ms=600)
    decided = {"topic-1": {"intent": "badge", "time_ms": 400, "rows": [["p", "badge lost", "acme"]]}}
    rows = [judged(i, intent="badge", predicted="badge" if i < 7 else "vpn", time_ms=700 + i) for i in range(9)]
    rows.append(judged(99, intent="badge", predicted="badge", time_ms=100))
    [item] = outcomes(decided, rows, [release])
    assert item.outcome.startswith("7 of 9 labelled queries served")
    assert outcomes(decided, rows, []) == []
    [item] = outcomes(decided, [], [release])
    assert item.outcome == "no label since the release yet"
