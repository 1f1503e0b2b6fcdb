"""What happens in production: queries, predictions, feedback, label tasks, labels."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from noria.records.data import RESERVED_INTENTS, SMALL_TALK, Example, Relevance

Decision = Literal["answer", "clarify", "handoff"]
DECISIONS: tuple[Decision, ...] = ("answer", "clarify", "handoff")
FeedbackKind = Literal[
    "helpful", "not_helpful", "article_opened", "rephrased", "ticket_created", "agent_replied", "ticket_resolved",
    "ticket_reopened", "ticket_rated",
]  # fmt: skip
FEEDBACK_KINDS: tuple[FeedbackKind, ...] = (
    "helpful", "not_helpful", "article_opened", "rephrased", "ticket_created", "agent_replied", "ticket_resolved",
    "ticket_reopened", "ticket_rated",
)  # fmt: skip
DESK_KINDS = frozenset(kind for kind in FEEDBACK_KINDS if kind.startswith(("ticket_", "agent_")))
"""What only a help desk says."""
Purpose = Literal["estimate", "explore"]
PURPOSES: tuple[Purpose, ...] = ("estimate", "explore")
SettledStatus = Literal["settled", "adjudicate", "open"]
SETTLED_STATUSES: tuple[SettledStatus, ...] = ("settled", "adjudicate", "open")


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
    `scores` and `thresholds`: every component's raw figures and the limits they were held against. `missing`:
    components that failed or were late, without which this was made.
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
    missing: tuple[str, ...] = ()


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
    """A prediction that people are asked about, with the sampling design by which it was drawn.

    `inclusion_probability`: the known chance (0 to 1] with which it was drawn. `scope`: the intents to choose from,
    `scope_version` names that list (see `version_of_scope`). `query_time_ms`: when the query was asked.
    `show_prediction`: whether the labeller sees what the agent thought. `annotators`: how many people are asked.
    `purpose`: "estimate" tasks carry the production figures, "explore" tasks serve training only. `confidence`,
    `scope_score`: what the agent said (see `Answer`). `expected_right`: the calibrated expectation (0 to 1) that the
    answer is right; the proxy of the estimators.
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
    purpose: Purpose = "estimate"
    annotators: int = 1
    confidence: float = 0.0
    scope_score: float = 0.0
    expected_right: float = 0.0
    scope_version: str = ""


@dataclass(frozen=True, slots=True)
class Label:
    """A person's judgement on a prediction; of a task, the latest of each annotator (by time, label_id) counts.

    `intent` may name one outside the scope. `article_ids`: every right article, `(NO_ARTICLE,)` where none exists,
    empty = not judged. `helpful` None = cannot tell. `withdrawn`: takes the annotator's judgement back; it repeats the
    content of what it takes back. `adjudication`: settles the task by itself, against all other labels.
    """

    label_id: str
    task_id: str
    prediction_id: str
    annotator: str
    relevance: Relevance
    intent: str | None
    article_ids: tuple[str, ...]
    helpful: bool | None
    time_ms: int
    note: str = ""
    withdrawn: bool = False
    adjudication: bool = False


@dataclass(frozen=True, slots=True)
class Settled:
    """What the labels of a task come to.

    `status`: "settled" = counts in estimates and training; "adjudicate" = people disagree, a person must decide;
    "open" = fewer answers than were asked for. Of the last two, the judgement is the leading one. `label_ids`,
    `annotators`: the labels it rests on and who gave them, in order of time. `agreement` (0 to 1): share of pairs of
    annotators who agree on relevance and intent, 1 for a single one. `time_ms`: when the last of its labels was made.
    """

    task_id: str
    prediction_id: str
    status: SettledStatus
    relevance: Relevance
    intent: str | None
    article_ids: tuple[str, ...]
    helpful: bool | None
    label_ids: tuple[str, ...]
    annotators: tuple[str, ...]
    agreement: float
    adjudicated_by: str | None
    time_ms: int

    @property
    def label_id(self) -> str:
        """The name of this very settlement: the ids of its labels, joined; another label makes it another."""
        return "+".join(self.label_ids)


@dataclass(frozen=True, slots=True)
class Judged:
    """A task beside its settled label: one row of every production estimate.

    `right`: whether the answer given was right by the label (False where none was given).
    """

    task: LabelTask
    label: Settled

    @property
    def answered(self) -> bool:
        return self.task.decision == "answer"

    @property
    def right(self) -> bool:
        """An answer was given, to a query in scope, with the right intent and, where named, a right article."""
        t, lab = self.task, self.label
        return (
            t.decision == "answer"
            and lab.relevance == "in_scope"
            and lab.intent == t.predicted_intent
            and (not lab.article_ids or not t.article_ids or bool(set(lab.article_ids) & set(t.article_ids)))
        )


def standing(labels: Iterable[Label]) -> list[Label]:
    """The labels that count, in order of time, label_id: the latest of each task and annotator, unless withdrawn.

    Adjudications stand beside the annotators' own labels: a person may give both.
    """
    latest: dict[tuple[str, str, bool], Label] = {}
    for label in sorted(labels, key=lambda lab: (lab.time_ms, lab.label_id)):
        latest[label.task_id, label.annotator, label.adjudication] = label
    return sorted((lab for lab in latest.values() if not lab.withdrawn), key=lambda lab: (lab.time_ms, lab.label_id))


def version_of_scope(scope: Iterable[str]) -> str:
    """A short name of a list of intents, whatever their order: 12 hex digits of its sha256."""
    return hashlib.sha256("\n".join(sorted(scope)).encode()).hexdigest()[:12]


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
