"""Finds topics among queries that were not served: grouped, named, sized, and the same from week to week."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from noria.records import DAY_MS, FOREVER_MS, Judged, Prediction, Topic
from noria.stats.grouping import distances, groups, key_phrases, phrase_counts, same_groups

_WEEK_MS = 7 * DAY_MS
_FEW = 3
_NOT_OURS = ("irrelevant", "small_talk")


@dataclass(frozen=True, slots=True)
class DiscoveryPolicy:
    """What is looked at.

    `topic_days`: how far back. `topic_queries`: how many are grouped, the newest; time grows with the square.
    `topic_size`: members that make a topic. `topic_forget_days`: an open topic unseen for so long is dropped.
    `topic_every_days`: how often a turn looks.
    """

    topic_days: int = 28
    topic_queries: int = 1000
    topic_size: int = 5
    topic_forget_days: int = 90
    topic_every_days: int = 1


@dataclass(frozen=True, slots=True)
class Unserved:
    """A query that was not served: rejected, handed over, or said by a label to be outside the scope."""

    prediction_id: str
    text: str
    account: str
    time_ms: int
    relevance: str = ""
    intent: str = ""


def unserved(
    predictions: Sequence[Prediction], judged: Sequence[Judged], *, now_ms: int, policy: DiscoveryPolicy
) -> list[Unserved]:
    """The queries of the window to look for topics in, in order of time; those that labels call no request left out."""
    said = {item.task.prediction_id: item.label for item in judged}
    found = []
    for prediction in predictions:
        label = said.get(prediction.prediction_id)
        relevance = label.relevance if label else ""
        rejected = prediction.answer.decision == "handoff" or not prediction.answer.in_scope
        recent = now_ms - policy.topic_days * DAY_MS <= prediction.query.time_ms < now_ms
        if recent and relevance not in _NOT_OURS and (relevance == "new_domain" or rejected):
            intent = (label.intent or "") if label else ""
            query = prediction.query
            found.append(
                Unserved(prediction.prediction_id, query.text, query.account, query.time_ms, relevance, intent)
            )
    return sorted(found, key=lambda q: (q.time_ms, q.prediction_id))[-policy.topic_queries :]


def discover(
    queries: Sequence[Unserved],
    vectors: Any,
    known: Sequence[Topic],
    background: Sequence[str],
    *,
    cut: float,
    now_ms: int,
    policy: DiscoveryPolicy,
) -> list[Topic]:
    """The topics of now, the largest first: those known before that still have members, and new ones.

    Args:
        queries: what was not served, n of them.
        vectors: (n, d) of their texts, of unit length; dense or sparse.
        known: the topics of the last time; what people decided of them stays.
        background: texts of the other traffic, to tell what is said in a topic only.
        cut: how far apart members may be (see `stats.grouping.choose_cut`).
        now_ms: the present.
        policy: limits.
    """
    member = groups(distances(vectors), cut)
    found = [np.flatnonzero(member == number).tolist() for number in range(int(member.max(initial=-1)) + 1)]
    found = [places for places in found if len(places) >= policy.topic_size]
    ids = [[queries[p].prediction_id for p in places] for places in found]
    before = {topic.topic_id: topic for topic in known}
    kept, taken = same_groups({name: topic.members for name, topic in before.items()}, ids)
    said = phrase_counts([*background, *(query.text for query in queries)]) if found else Counter[str]()
    topics = [
        _topic(queries, vectors, places, before.get(kept.get(position, "")), said, now_ms)
        for position, places in enumerate(found)
    ]
    seen = {topic.topic_id for topic in topics}
    for topic in known:
        if topic.topic_id in seen:
            continue
        if topic.topic_id in taken and topic.status == "open":
            continue
        unseen = now_ms - topic.last_seen_ms
        if topic.status != "open" or unseen < policy.topic_forget_days * DAY_MS:
            topics.append(replace(topic, week=0, week_before=0))
    return sorted(topics, key=lambda t: (-t.week - t.week_before, -len(t.members), t.topic_id))


def _topic(
    queries: Sequence[Unserved], vectors: Any, places: Any, before: Topic | None, said: Counter[str], now_ms: int
) -> Topic:
    rows = vectors[places]
    centre = np.asarray(rows.mean(axis=0)).ravel()
    typical = [queries[places[i]] for i in np.argsort(-np.asarray(rows @ centre).ravel(), kind="stable").tolist()]
    texts = list(dict.fromkeys(q.text for q in typical))
    phrases = key_phrases([q.text for q in typical], said)
    times = sorted(q.time_ms for q in typical)
    named = Counter(q.intent for q in typical if q.intent)
    first_id = min(typical, key=lambda q: (q.time_ms, q.prediction_id)).prediction_id
    first_ms = min(times[0], before.first_seen_ms if before else FOREVER_MS)
    return Topic(
        topic_id=before.topic_id if before else "topic-" + hashlib.sha256(first_id.encode()).hexdigest()[:8],
        title=", ".join(phrases) or texts[0],
        phrases=phrases,
        members=tuple(q.prediction_id for q in typical),
        examples=tuple(texts[:_FEW]),
        accounts=dict(sorted(Counter(q.account for q in typical).items())),
        said=dict(sorted(Counter(q.relevance for q in typical if q.relevance).items())),
        named=min(named, key=lambda n: (-named[n], n)) if named else "",
        week=sum(t >= now_ms - _WEEK_MS for t in times),
        week_before=sum(now_ms - 2 * _WEEK_MS <= t < now_ms - _WEEK_MS for t in times),
        first_seen_ms=first_ms,
        last_seen_ms=times[-1],
        status=before.status if before else "open",
        into=before.into if before else "",
    )


def topic_to_json(topic: Topic) -> dict[str, Any]:
    """Plain values, for a store."""
    return {name: getattr(topic, name) for name in Topic.__slots__}


def topic_from_json(value: Mapping[str, Any]) -> Topic:
    """The topic again."""
    lists = {name: tuple(value[name]) for name in ("phrases", "members", "examples")}
    return Topic(**{**value, **lists})
