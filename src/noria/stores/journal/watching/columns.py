"""Traffic as columns, without the lists and mappings of each prediction: what figures are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from noria.stores.journal.schema import FEEDBACK, PREDICTIONS

_COLUMNS = (
    "prediction_id", "time_ms", "account", "intent", "channel", "language", "release", "decision",
    "intent_confidence", "scope_score", "latency_ms", "text",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class TrafficColumns:
    """Predictions of a span in order of time, id, each column a sequence of n values.

    A figure is None where it is not a number. `said`: prediction id → kinds of feedback on it, whenever they came; of
    "helpful" and "not_helpful" the last word.
    """

    prediction_id: Sequence[str]
    time_ms: Sequence[int]
    account: Sequence[str]
    intent: Sequence[str]
    channel: Sequence[str]
    language: Sequence[str]
    release: Sequence[str]
    decision: Sequence[str]
    intent_confidence: Sequence[float | None]
    scope_score: Sequence[float | None]
    latency_ms: Sequence[float | None]
    text: Sequence[str]
    said: Mapping[str, frozenset[str]]


def read_columns(connection: Connection, since_ms: int, until_ms: int) -> TrafficColumns:
    """The predictions with since_ms <= query time < until_ms, with what was said of them."""
    at = PREDICTIONS.c.time_ms
    within = (at >= since_ms, at < until_ms)
    query = select(*(PREDICTIONS.c[name] for name in _COLUMNS)).where(*within)
    rows = connection.execute(query.order_by(at, PREDICTIONS.c.prediction_id)).all()
    columns = list(zip(*rows, strict=True)) or [()] * len(_COLUMNS)
    told = (
        select(FEEDBACK.c.prediction_id, FEEDBACK.c.kind)
        .select_from(FEEDBACK.join(PREDICTIONS, PREDICTIONS.c.prediction_id == FEEDBACK.c.prediction_id))
        .where(*within)
        .order_by(FEEDBACK.c.time_ms, FEEDBACK.c.event_id)
    )
    said: dict[str, frozenset[str]] = {}
    opposite = {"helpful": "not_helpful", "not_helpful": "helpful"}
    for prediction_id, kind in connection.execute(told):
        said[prediction_id] = said.get(prediction_id, frozenset()) - {opposite.get(kind, "")} | {kind}
    return TrafficColumns(**dict(zip(_COLUMNS, columns, strict=True)), said=said)


def span_of(connection: Connection) -> tuple[int, int] | None:
    """The first and the last query time; None without traffic."""
    # each by itself: asked for both at once, SQLite reads the index from end to end
    ends = (select(end(PREDICTIONS.c.time_ms)).scalar_subquery() for end in (func.min, func.max))
    first, last = connection.execute(select(*ends)).one()
    return None if first is None else (int(first), int(last))


def sample_texts(connection: Connection, since_ms: int, until_ms: int, most: int) -> list[str]:
    """About `most` texts spread evenly over a span's time; reads no more than it gives back."""
    at, pieces = PREDICTIONS.c.time_ms, 50
    step = max(1, -(-(until_ms - since_ms) // pieces))
    texts: list[str] = []
    for start in range(since_ms, until_ms, step):
        query = select(PREDICTIONS.c.text).where(at >= start, at < min(start + step, until_ms))
        texts += connection.execute(query.order_by(at, PREDICTIONS.c.prediction_id).limit(most // pieces)).scalars()
    return texts


def facts_of(connection: Connection, prediction_ids: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Prediction → its channel and language, of those that the journal holds."""
    columns = PREDICTIONS.c.prediction_id, PREDICTIONS.c.channel, PREDICTIONS.c.language
    found: dict[str, tuple[str, str]] = {}
    for start in range(0, len(prediction_ids), 500):
        query = select(*columns).where(columns[0].in_(prediction_ids[start : start + 500]))
        found.update({name: (channel, language) for name, channel, language in connection.execute(query)})
    return found
