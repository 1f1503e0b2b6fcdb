"""The production metrics of any window, account or slice: estimates from the labelled, counts from what users did."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from noria.monitor.shares import Floats, Traffic, Verdicts, estimates, weighted
from noria.records import FOREVER_MS, Feedback, Judged, Prediction, Rate
from noria.stats import Estimate, wilson
from noria.stats.design import features, folds, thumbs

if TYPE_CHECKING:
    from noria.stores import Stores

Method = Literal["difference", "weighted"]
_FOLDS = 5


@dataclass(frozen=True, slots=True)
class QualityPolicy:
    """When a figure is told. level: two-sided confidence of the intervals.

    widest: width of an interval (0 to 1) beyond which there are not enough labels. min_for_guesses: labels in the
    window from which guesses for all predictions are fitted; with fewer, labels are weighed alone.
    """

    level: float = 0.95
    widest: float = 0.2
    min_for_guesses: int = 100


@dataclass(frozen=True, slots=True)
class Metric:
    """One production metric: a share (0 to 1) of all predictions with its interval.

    labels: those that count for it. n_effective: how many plain, uniformly drawn labels would give as narrow an
    interval. enough: whether the interval is narrow enough to be told; where not, `sentence` says what is missing.
    """

    name: str
    value: float
    low: float
    high: float
    labels: int
    n_effective: float
    method: Method
    enough: bool

    @property
    def sentence(self) -> str:
        if self.enough:
            return f"{100 * self.value:.1f} % ({100 * self.low:.1f} to {100 * self.high:.1f}), {self.labels} labels"
        return f"not enough labels ({self.labels}; somewhere from {100 * self.low:.0f} to {100 * self.high:.0f} %)"


@dataclass(frozen=True, slots=True)
class Deflection:
    """Sessions settled without ticket or person, as a band of shares of all sessions.

    confirmed: the user said it helped. potential: an answer was given and nothing speaks against it. revoked: sessions
    that looked settled, but whose user came back to the question. No labels are needed: every session is counted.
    """

    sessions: int
    confirmed: float
    potential: float
    revoked: int


@dataclass(frozen=True, slots=True)
class Production:
    """Production quality of a window or a slice of it.

    labels: settled tasks drawn for estimates. users: helpful ÷ (helpful + not helpful) as users said. response: answers
    that any of them said so of; they are no random sample, hence both are shown and neither stands for all.
    """

    predictions: int
    labels: int
    metrics: Mapping[str, Metric]
    users: Rate
    response: Rate
    deflection: Deflection


def window(
    stores: Stores,
    policy: QualityPolicy,
    *,
    since_ms: int,
    until_ms: int,
    account: str | None = None,
    within: Callable[[Prediction], bool] | None = None,
) -> Production:
    """Production quality of queries asked in since_ms <= time < until_ms, of one account or a slice of them.

    Feedback counts whenever it came.
    """
    journal = stores.journal
    return production(
        journal.predictions(since_ms, until_ms),
        journal.judged(since_ms, until_ms),
        journal.feedback(since_ms, FOREVER_MS),
        policy,
        within=lambda p: (account is None or p.query.account == account) and (within is None or within(p)),
    )


def production(
    predictions: Sequence[Prediction],
    judged: Sequence[Judged],
    feedback: Sequence[Feedback],
    policy: QualityPolicy,
    *,
    within: Callable[[Prediction], bool] | None = None,
) -> Production:
    """Production quality of those predictions that are `within`; guesses for them are learnt from labels of all.

    Args:
        predictions: all of a window, in any order.
        judged: labels; those of other predictions and of tasks drawn to explore are left out.
        feedback: events on any predictions.
        policy: confidence, and when there are enough labels.
        within: which predictions the figures are about; None = all.
    """
    keep = np.array([within is None or within(p) for p in predictions], dtype=bool)
    place = {p.prediction_id: i for i, p in enumerate(predictions)}
    drawn = [j for j in judged if j.task.purpose == "estimate" and j.task.prediction_id in place]
    at = np.array([place[j.task.prediction_id] for j in drawn], dtype=np.intp)
    chosen = [p for p, kept in zip(predictions, keep, strict=True) if kept]
    ids = {p.prediction_id for p in chosen}
    events = [f for f in feedback if f.prediction_id in ids]
    users, response = _by_users(chosen, events)
    return Production(
        predictions=len(chosen),
        labels=int(keep[at].sum()) if len(at) else 0,
        metrics=_metrics(predictions, keep, drawn, at, thumbs(feedback), policy),
        users=users,
        response=response,
        deflection=deflection(chosen, events),
    )


def deflection(predictions: Sequence[Prediction], feedback: Sequence[Feedback]) -> Deflection:
    """How many sessions were settled without ticket or person; NaN shares where there are no sessions.

    Out: a ticket, a reply by a person, or a session that ends with a hand-over or a question back. Revoked: the user
    rephrased, said that it did not help, or was given the same intent's answer again in the session. A query without a
    session is one of its own.
    """
    events: dict[str, set[str]] = defaultdict(set)
    for event in feedback:
        events[event.prediction_id].add(event.kind)
    sessions: dict[tuple[str, str], list[Prediction]] = defaultdict(list)
    for p in sorted(predictions, key=lambda p: (p.query.time_ms, p.prediction_id)):
        sessions[p.query.account, p.query.session or p.prediction_id].append(p)
    confirmed = potential = revoked = 0
    for turns in sessions.values():
        kinds = set().union(*(events[p.prediction_id] for p in turns))
        if kinds & {"ticket_created", "agent_replied"} or turns[-1].answer.decision != "answer":
            continue
        answered = [p.answer.intent for p in turns if p.answer.decision == "answer"]
        if events[turns[-1].prediction_id] & {"rephrased", "not_helpful"} or len(set(answered)) < len(answered):
            revoked += 1
            continue
        potential += 1
        confirmed += "helpful" in kinds
    n = len(sessions)
    return Deflection(n, confirmed / n if n else np.nan, potential / n if n else np.nan, revoked)


def _by_users(predictions: Sequence[Prediction], feedback: Sequence[Feedback]) -> tuple[Rate, Rate]:
    """Helpful among those who said, and how many answers anyone said it of. The last word of a prediction counts."""
    said = {
        f.prediction_id: f.kind
        for f in sorted(feedback, key=lambda f: (f.time_ms, f.event_id))
        if f.kind in {"helpful", "not_helpful"}
    }
    answered = [p.prediction_id for p in predictions if p.answer.decision == "answer"]
    helpful = sum(kind == "helpful" for kind in said.values())
    return wilson(helpful, len(said)), wilson(sum(p in said for p in answered), len(answered))


def _metrics(
    predictions: Sequence[Prediction],
    keep: np.ndarray,
    drawn: Sequence[Judged],
    at: np.ndarray,
    thumb: Mapping[str, int],
    policy: QualityPolicy,
) -> dict[str, Metric]:
    """Every metric by the estimator that its labels are enough for."""
    answered = np.array([p.answer.decision == "answer" for p in predictions], dtype=bool)
    said = _verdicts(drawn)
    fold = folds([p.prediction_id for p in predictions], _FOLDS)
    if len(drawn) >= policy.min_for_guesses and len(set(fold[at].tolist())) > 1:
        method: Method = "difference"
        known = features(
            np.array([p.answer.intent_confidence for p in predictions]),
            np.array([p.answer.scope_score for p in predictions]),
            np.array([float(thumb.get(p.prediction_id, 0)) for p in predictions]),
            answered,
        )
        found = estimates(Traffic(known, answered, fold), at, said, policy.level, within=keep)
    else:
        method = "weighted"
        inside = keep[at] if len(at) else np.zeros(0, dtype=bool)
        found = weighted(answered[at][inside] if len(at) else inside, said.of(inside), policy.level)
    return {name: _metric(name, e, method, policy) for name, e in found.items()}


def _metric(name: str, e: Estimate, method: Method, policy: QualityPolicy) -> Metric:
    enough = e.n > 0 and e.high - e.low <= policy.widest
    return Metric(name, e.value, e.low, e.high, e.n, e.n_effective, method, enough)


def _verdicts(judged: Sequence[Judged]) -> Verdicts:
    def flags(of: Callable[[Judged], bool]) -> Floats:
        return np.array([of(j) for j in judged], dtype=np.float64)

    def right(j: Judged) -> bool:
        known = j.label.relevance == "in_scope" and j.label.intent == j.task.predicted_intent
        return j.right if j.answered else known

    return Verdicts(
        chance=np.array([j.task.inclusion_probability for j in judged], dtype=np.float64),
        right=flags(right),
        in_scope=flags(lambda j: j.label.relevance == "in_scope"),
        new_domain=flags(lambda j: j.label.relevance == "new_domain"),
        irrelevant=flags(lambda j: j.label.relevance == "irrelevant"),
        small_talk=flags(lambda j: j.label.relevance == "small_talk"),
        helped=flags(lambda j: j.label.helpful is True),
        judged=flags(lambda j: j.label.helpful is not None),
    )
