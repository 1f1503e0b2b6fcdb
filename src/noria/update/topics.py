"""Topics of a home: looked for in the journal, kept there, and what people decide of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from noria.agent.encoding import Encoder
from noria.errors import NotFound, UsageError
from noria.records import DAY_MS, RESERVED_INTENTS, Example, Receipt, Split, Topic, TopicStatus
from noria.stats.grouping import choose_cut, distances
from noria.stores.journal.traffic import Which
from noria.update.discovery import DiscoveryPolicy, discover, topic_from_json, topic_to_json, unserved

if TYPE_CHECKING:
    from noria.stores import Stores

TOPICS = "update.topics"
DECIDED = "update.topics.decided"
_MARK = "topic:"
_SAMPLE = 800
_HELD_OUT = 0.2
_BACKGROUND = 2000


def find_topics(
    stores: Stores, examples: Sequence[Example], encoder: Encoder | None, policy: DiscoveryPolicy, *, now_ms: int
) -> tuple[list[Topic], Receipt]:
    """Looks for topics among the queries of the window that were not served, and keeps them.

    Args:
        stores: the journal with traffic and labels.
        examples: what the live agent was trained on; its intents say how alike the queries of a topic are.
        encoder: what makes vectors of texts; None = words and letters alone.
        policy: limits.
        now_ms: the present.
    """
    since_ms = now_ms - policy.topic_days * DAY_MS
    judged = stores.journal.judged(since_ms, now_ms)
    rejected = {p.prediction_id: p for p in stores.journal.predictions(since_ms, now_ms, which=Which(rejected=True))}
    ours = [j.task.prediction_id for j in judged if j.label.relevance == "new_domain"]
    labelled = stores.journal.watching.predictions_of([name for name in ours if name not in rejected])
    queries = unserved([*rejected.values(), *labelled], judged, now_ms=now_ms, policy=policy)
    known, out = known_topics(stores), {q.prediction_id for q in queries}
    sample = _sample(examples)
    vectors = _vectors([*(row.text for row in sample), *(q.text for q in queries)], encoder)
    cut = choose_cut(distances(vectors[: len(sample)]), [row.intent for row in sample])
    latest = stores.journal.predictions(since_ms, now_ms, which=Which(latest=_BACKGROUND + len(out)))
    served = [p.query.text for p in latest if p.prediction_id not in out][-_BACKGROUND:]
    topics = discover(queries, vectors[len(sample) :], known, served, cut=cut, now_ms=now_ms, policy=policy)
    stores.journal.set_state(TOPICS, {"topics": [topic_to_json(t) for t in topics], "looked_ms": now_ms})
    before = {t.topic_id for t in known}
    counts = {"unserved": len(queries), "topics": len(topics), "new": sum(t.topic_id not in before for t in topics)}
    return topics, Receipt("update.topics", counts)


def known_topics(stores: Stores) -> list[Topic]:
    """The topics as they were found last, the largest first."""
    state = stores.journal.get_state(TOPICS) or {}
    return [topic_from_json(value) for value in state.get("topics", ())]


def decide(
    stores: Stores, topic_id: str, status: TopicStatus, *, intent: str = "", scope: Sequence[str] = (), time_ms: int
) -> Topic:
    """Records what a person decides of a topic: its queries as they are now become examples, or it is dismissed.

    Args:
        stores: the journal.
        topic_id: which.
        status: "accepted" as a new intent, "merged" into one in scope, "dismissed", or "open" again.
        intent: the name of the new intent, or the one it is merged into.
        scope: the intents in scope now.
        time_ms: when.

    Raises:
        NotFound: no such topic, or (to merge) no such intent. UsageError: the name cannot be that of a new intent.
    """
    topics = {t.topic_id: t for t in known_topics(stores)}
    if topic_id not in topics:
        raise NotFound("topic", topic_id, topics, "noria update topics lists them.")
    if status == "merged" and intent not in scope:
        raise NotFound("intent in scope", intent, scope)
    if status == "accepted" and (not intent.strip() or intent in scope or intent in RESERVED_INTENTS):
        raise UsageError(f"{intent!r} cannot be the name of a new intent: it is empty, reserved or in scope already.")
    topic = replace(topics[topic_id], status=status, into=intent)
    decided = dict(stores.journal.get_state(DECIDED) or {})
    decided.pop(topic_id, None)
    if status in ("accepted", "merged"):
        decided[topic_id] = {"intent": intent, "time_ms": time_ms, "rows": _rows(stores, topic)}
    stores.journal.set_state(DECIDED, decided)
    rest = [topic if t.topic_id == topic_id else t for t in topics.values()]
    looked = (stores.journal.get_state(TOPICS) or {}).get("looked_ms", time_ms)
    stores.journal.set_state(TOPICS, {"topics": [topic_to_json(t) for t in rest], "looked_ms": looked})
    return topic


def taught(stores: Stores, rows: Sequence[Example]) -> list[Example]:
    """Examples of accepted and merged topics that are not among `rows` yet; each says from where it comes.

    A fifth of them, by the sha256 of where they come from, is held out for the gate.
    """
    there = {row.origin for row in rows}
    made = []
    for topic_id, what in sorted((stores.journal.get_state(DECIDED) or {}).items()):
        for prediction_id, text, account in what["rows"]:
            origin = f"{_MARK}{topic_id}?prediction={prediction_id}"
            if origin not in there:
                name = f"topic-{prediction_id}"
                held_out = hashlib.sha256(origin.encode()).digest()[0] < _HELD_OUT * 256
                split: Split = "test" if held_out else "train"
                made.append(Example(name, text, what["intent"], split, account=account or None, origin=origin))
    return made


def _rows(stores: Stores, topic: Topic) -> list[list[str]]:
    """(prediction, text, account) of the members; those that a label calls something else are left out."""
    said = {j.task.prediction_id: j.label for j in stores.journal.judged(0, topic.last_seen_ms + 1)}
    rows = []
    for member in topic.members:
        label = said.get(member)
        other = label is not None and (label.intent or topic.named) not in (topic.named, topic.into)
        if other or (label is not None and label.relevance in ("irrelevant", "small_talk")):
            continue
        prediction = stores.journal.prediction(member)
        rows.append([member, prediction.query.text, prediction.query.account])
    return rows


def _sample(examples: Sequence[Example]) -> list[Example]:
    """Rows of intents in scope, always the same ones, however many there are."""
    ours = [r for r in examples if r.split != "test" and r.intent not in RESERVED_INTENTS]
    return sorted(ours, key=lambda r: (hashlib.sha256(r.id.encode()).digest(), r.id))[:_SAMPLE]


def _vectors(texts: Sequence[str], encoder: Encoder | None) -> Any:
    if encoder is not None:
        return encoder.encode(texts, "query")[:, : encoder.sentence_dim]
    from scipy.sparse import hstack
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.preprocessing import normalize

    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"(?u)\b\w+\b")  # noqa: S106 - a pattern
    letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True)
    return normalize(hstack([words.fit_transform(texts), letters.fit_transform(texts)]).tocsr())
