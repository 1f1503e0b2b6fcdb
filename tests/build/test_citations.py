"""What labels and users said of articles becomes a versioned table, and the next agent ranks by it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.house import ARTICLES, examples, open_house, open_stores, train

from noria import build
from noria.agent import Recipe
from noria.build.citations import citations_of, keep_citations, latest_citations
from noria.label import gather
from noria.records import Answer, Feedback, Label, LabelTask, Prediction, Query, Ranked
from noria.release import load_agent
from noria.stores import Stores

NOW_MS = 1_000_000


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Stores]:
    stores = open_stores(tmp_path)
    yield stores
    stores.close()


def _asked(stores: Stores, number: int, text: str) -> Prediction:
    shown = tuple(Ranked(a.article_id, 1.0 - n / 10) for n, a in enumerate(ARTICLES))
    answer = Answer("answer", "vpn", 0.9, 0.9, in_scope=True, articles=shown)
    made = Prediction(f"p{number}", Query(f"q{number}", "acme", "s", text, NOW_MS - 100 + number), answer, "r1", 1.0)
    stores.journal.add_predictions([made])
    return made


def _labelled(stores: Stores, asked: Prediction, article_id: str) -> None:
    task = LabelTask(
        f"t-{asked.prediction_id}", asked.prediction_id, "acme", asked.query.text, "vpn", "answer",
        tuple(a.article_id for a in asked.answer.articles), "r1", asked.query.time_ms, "s", 1.0, 1, "d",
        ("vpn", "printer", "password"), NOW_MS,
    )  # fmt: skip
    stores.journal.add_tasks([task])
    label = Label(
        f"l-{task.task_id}", task.task_id, asked.prediction_id, "ada", "in_scope", "vpn", (article_id,), True, NOW_MS
    )
    stores.journal.add_labels([label])


def test_labels_and_conduct_become_a_table_and_the_same_again_no_new_version(stores: Stores) -> None:
    """A label counts for a query and article that both speak of; nothing said is no table."""
    assert keep_citations(stores, "it", [], time_ms=NOW_MS) is None
    labelled, liked = _asked(stores, 1, "no tunnel today"), _asked(stores, 2, "gateway is gone")
    _labelled(stores, labelled, "kb-printer")
    stores.journal.add_feedback(
        [
            Feedback("f1", "p1", "helpful", NOW_MS - 10, "kb-printer"),
            Feedback("f2", liked.prediction_id, "article_opened", NOW_MS - 9, "kb-password"),
        ]
    )
    gather(stores, open_house(stores).desk)
    judged = stores.journal.judged(0, NOW_MS)
    version = keep_citations(stores, "it", judged, time_ms=NOW_MS)
    assert version is not None
    found = {(c.question_id, c.article_id): (c.text, c.account, c.weight) for c in citations_of(stores, version)}
    assert found["p1", "kb-printer"] == ("no tunnel today", "acme", 1.0)
    assert found["p2", "kb-password"][:2] == ("gateway is gone", "acme")
    assert keep_citations(stores, "it", judged, time_ms=NOW_MS + 1) == version == latest_citations(stores, "it")


def test_the_next_agent_ranks_by_what_people_linked(stores: Stores) -> None:
    """A word that stands in no article leads to the one that people linked to it; for that account alone."""
    before = train(stores, examples())
    strange = "the flurble is down"
    for number in range(8):
        _labelled(stores, _asked(stores, number, f"{strange} {number}"), "kb-password")
    gather(stores, open_house(stores).desk)
    version = keep_citations(stores, "it", stores.journal.judged(0, NOW_MS), time_ms=NOW_MS)
    after, _ = build.train(
        stores, "it", articles_ref=None, recipe=Recipe(), time_ms=NOW_MS, code={}, clock=lambda: 0.0
    )  # fmt: skip

    def first(candidate: object, account: str) -> str | None:
        found = load_agent(stores, candidate).finder.find(strange, account, {}, 3)  # type: ignore[arg-type]
        return found[0].article_id if found else None

    assert first(after, "acme") == "kb-password"
    assert first(before, "acme") != "kb-password"
    assert first(after, "bolt") != "kb-password"
    assert version is not None
    pinned = [(p["kind"], p["name"], p["version"]) for p in stores.lake.pins() if after.tag in str(p["why"])]
    assert ("citations", "it", version.version) in pinned
    assert replace(after, created_ms=0) == replace(stores.tracker.candidate(after.tag), created_ms=0)
