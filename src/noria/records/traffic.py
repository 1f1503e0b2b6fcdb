"""What happens in production: queries, predictions, feedback, label tasks, labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from noria.records.data import RESERVED_INTENTS, SMALL_TALK, Example, Relevance

Decision = Literal["answer", "clarify", "handoff"]
DECISIONS: tuple[Decision, ...] = ("answer", "clarify", "handoff")
FeedbackKind = Literal["helpful", "not_helpful", "article_opened", "rephrased", "ticket_created", "agent_replied"]
FEEDBACK_KINDS: tuple[FeedbackKind, ...] = (
    "helpful", "not_helpful", "article_opened", "rephrased", "ticket_created", "agent_replied",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Query:
    """One user turn. `time_ms`: UTC milliseconds since 1970, when it was asked."""

    query_id: str
    account: str
    session: str
    text: str
    time_ms: int
    channel: str = "chat"
    language: str = ""


@dataclass(frozen=True, slots=True)
class Ranked:
    """An article with its ranking score (higher = better)."""

    article_id: str
    score: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What the agent makes of a text, before it is logged.

    `intent_confidence`: calibrated probability that `intent` is right (0 to 1). `scope_score`: higher = more likely in
    scope. `intent` may be a reserved one (small talk). `choices`: intents to offer where the decision is to clarify.
    `scores` and `thresholds`: every component's raw figures and the limits they were held against.
    """

    decision: Decision
    intent: str
    intent_confidence: float
    scope_score: float
    in_scope: bool
    articles: tuple[Ranked, ...] = ()
    choices: tuple[str, ...] = ()
    scores: Mapping[str, float] = field(default_factory=dict)
    thresholds: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Prediction:
    """A logged answer to a query. `missing`: components that failed or were late."""

    prediction_id: str
    query: Query
    answer: Answer
    release: str
    latency_ms: float
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Feedback:
    """An event about a prediction, from a user or the help desk; `event_id` makes it idempotent."""

    event_id: str
    prediction_id: str
    kind: FeedbackKind
    time_ms: int
    value: str = ""


@dataclass(frozen=True, slots=True)
class LabelTask:
    """A prediction that a person is asked about, with the sampling design by which it was drawn.

    `inclusion_probability`: the known chance (0 to 1] with which it was drawn. `scope`: the intents to choose from.
    `show_prediction`: whether the labeller sees what the agent thought. `query_time_ms`: when the query was asked.
    """

    task_id: str
    prediction_id: str
    account: str
    text: str
    predicted_intent: str
    decision: Decision
    article_ids: tuple[str, ...]
    release: str
    query_time_ms: int
    stratum: str
    inclusion_probability: float
    seed: int
    design: str
    scope: tuple[str, ...]
    created_ms: int
    show_prediction: bool = True


@dataclass(frozen=True, slots=True)
class Label:
    """A person's judgement on a prediction. `helpful` None = cannot tell. `intent` may name one outside the scope."""

    label_id: str
    task_id: str
    prediction_id: str
    annotator: str
    relevance: Relevance
    intent: str | None
    article_id: str | None
    helpful: bool | None
    time_ms: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class Judged:
    """A label beside the task it answers: one row of every production estimate.

    `right`: whether the answer given was right by the label (False where none was given).
    """

    task: LabelTask
    label: Label

    @property
    def answered(self) -> bool:
        return self.task.decision == "answer"

    @property
    def right(self) -> bool:
        """An answer was given, to a query in scope, with the right intent and, where named, the right article."""
        t, lab = self.task, self.label
        return (
            t.decision == "answer"
            and lab.relevance == "in_scope"
            and lab.intent == t.predicted_intent
            and (lab.article_id is None or not t.article_ids or lab.article_id in t.article_ids)
        )


def did_right(example: Example, answer: Answer) -> bool:
    """Whether an answer served a query whose truth is known: the unit of the frozen basket and of every gate.

    In scope: it answered with the right intent. Small talk: it was taken as small talk. Out of scope or irrelevant: it
    gave no answer.
    """
    if example.intent == SMALL_TALK:
        return answer.intent == SMALL_TALK
    if example.intent in RESERVED_INTENTS:
        return answer.decision != "answer"
    return answer.decision == "answer" and answer.intent == example.intent
