"""Topics among queries that were not served: found, named, the same from week to week."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from tests.update.made_up_work import DAY_MS, judged, prediction

from noria.update.discovery import DiscoveryPolicy, discover, topic_from_json, topic_to_json, unserved

POLICY = DiscoveryPolicy(topic_size=3)
NOW_MS = 20 * DAY_MS
SAID = {
    "badge": ["my badge is lost", "new badge please", "badge reader refuses my badge", "badge does not open doors"],
    "canteen": ["what is for lunch", "lunch menu of the canteen", "canteen lunch hours", "is lunch free today"],
}
AXES = {"badge": 0, "canteen": 1, "noise": 2}


def pool(kinds: list[str], start: int = 0, day: int = 18):
    """Queries, each a kind's text, with vectors along the kind's axis (noise: axes of their own)."""
    predictions, vectors = [], np.zeros((len(kinds), 3 + len(kinds)))
    for i, kind in enumerate(kinds):
        text = SAID[kind][i % 4] if kind in SAID else f"something else {i}"
        predictions.append(prediction(start + i, text, day * DAY_MS + i, account=f"a{i % 2}"))
        vectors[i, AXES[kind] if kind in SAID else 3 + i] = 1.0
    return unserved(predictions, [], now_ms=NOW_MS, policy=POLICY), vectors


def test_queries_that_were_served_or_are_no_request_are_left_out():
    rows = [prediction(1, "a", NOW_MS - 3, in_scope=True), prediction(2, "b", NOW_MS - 2), prediction(3, "c", 5)]
    rows += [prediction(4, "d", NOW_MS - 1), prediction(5, "e", NOW_MS - 4, in_scope=True)]
    said = [
        judged(4, relevance="irrelevant", intent=None),
        judged(5, relevance="new_domain", intent="badge"),
    ]
    found = unserved(rows, said, now_ms=NOW_MS, policy=replace(POLICY, topic_days=7))
    assert [(q.prediction_id, q.intent) for q in found] == [("p5", "badge"), ("p2", "")]


def test_topics_are_found_sized_and_named():
    queries, vectors = pool(["badge"] * 6 + ["canteen"] * 4 + ["noise"] * 5)
    found = discover(queries, vectors, [], ["my vpn is down"] * 20, cut=0.5, now_ms=NOW_MS, policy=POLICY)
    assert [len(t.members) for t in found] == [6, 4]
    assert "badge" in found[0].title
    assert "lunch" in found[1].title
    assert found[0].accounts == {"a0": 3, "a1": 3}
    assert (found[0].week, found[0].week_before, found[0].status) == (6, 0, "open")


def test_a_topic_keeps_its_identity_and_what_was_decided_as_queries_come_and_go():
    queries, vectors = pool(["badge"] * 6 + ["canteen"] * 4)
    first = discover(queries, vectors, [], [], cut=0.5, now_ms=NOW_MS, policy=POLICY)
    decided = [replace(t, status="dismissed") if "lunch" in t.title else t for t in first]
    more, wider = pool(["badge"] * 6 + ["canteen"] * 4 + ["canteen"] * 5 + ["badge"] * 2)
    later = discover(more[3:], wider[3:], decided, [], cut=0.5, now_ms=NOW_MS, policy=POLICY)
    assert {t.topic_id for t in later} == {t.topic_id for t in first}
    assert {t.status for t in later if "lunch" in t.title} == {"dismissed"}
    assert min(t.first_seen_ms for t in later) == min(t.first_seen_ms for t in first)


def test_a_topic_that_nobody_asks_about_any_more_fades_and_goes():
    queries, vectors = pool(["badge"] * 6)
    known = discover(queries, vectors, [], [], cut=0.5, now_ms=NOW_MS, policy=POLICY)
    empty = np.zeros((0, 3))
    faded = discover([], empty, known, [], cut=0.5, now_ms=NOW_MS + 30 * DAY_MS, policy=POLICY)
    assert [(t.topic_id, t.week) for t in faded] == [(known[0].topic_id, 0)]
    assert discover([], empty, known, [], cut=0.5, now_ms=NOW_MS + 120 * DAY_MS, policy=POLICY) == []


def test_two_topics_that_grow_together_go_on_as_one():
    queries, vectors = pool(["badge"] * 6 + ["canteen"] * 4)
    known = discover(queries, vectors, [], [], cut=0.5, now_ms=NOW_MS, policy=POLICY)
    vectors[:, 0] = 1.0
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    [one] = discover(queries, vectors, known, [], cut=0.8, now_ms=NOW_MS, policy=POLICY)
    assert one.topic_id == known[0].topic_id
    assert len(one.members) == 10


def test_a_topic_survives_its_way_through_json():
    queries, vectors = pool(["badge"] * 6)
    [topic] = discover(queries, vectors, [], [], cut=0.5, now_ms=NOW_MS, policy=POLICY)
    assert (
        topic_from_json({k: list(v) if isinstance(v, tuple) else v for k, v in topic_to_json(topic).items()}) == topic
    )
