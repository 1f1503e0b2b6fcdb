"""Turns the loop many times on a stream with a simulated clock, beside the same agent without the loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np

from noria.agent import Agent
from noria.errors import DataError, NoRelease, Problem
from noria.loop.arms import ARMS, Arm
from noria.loop.house import House
from noria.loop.traffic import Change
from noria.loop.turn import turn
from noria.monitor import day_of
from noria.records import (
    DAY_MS,
    NO_ARTICLE,
    RESERVED_INTENTS,
    Answer,
    Feedback,
    Label,
    LabelTask,
    Prediction,
    Query,
    Relevance,
    StreamRow,
    TurnReceipt,
)
from noria.release import load_agent


@dataclass(frozen=True, slots=True)
class ReplayPolicy:
    """The simulated people: how often users say whether it helped, and how often labellers are wrong (shares)."""

    seed: int = 1
    feedback_helped: float = 0.08
    feedback_not_helped: float = 0.16
    label_noise: float = 0.0
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class ReplayDay:
    """Queries with a named intent of one day, and how many each arm answered rightly, by the stream's truth."""

    day: str
    queries: int
    requests: int
    right_with: int
    right_without: int
    release: str


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay did: a row a day and the receipts of every turn."""

    days: tuple[ReplayDay, ...]
    turns: tuple[TurnReceipt, ...]
    labels: int


def replay(
    house: House,
    stream: Sequence[StreamRow],
    policy: ReplayPolicy,
    *,
    arm: Arm = ARMS["noria"],
    progress: Callable[[str], None] | None = None,
) -> Replayed:
    """Replays a stream day by day: the live agent answers, people label yesterday's tasks, the loop turns.

    Args:
        house: the house it happens in; something must be live in it.
        stream: queries with their truth, in order of time.
        policy: the simulated people.
        arm: by which rules.
        progress: called after each day with the day.

    Raises:
        NoRelease: nothing is live. DataError: the stream is empty or none of its queries has an intent.
    """
    # figures and alerts of a simulated day are nobody's concern; the windows are made once, at the end
    stores, house = house.stores, replace(house, watch=None)
    live = stores.journal.current_release()
    if live is None:
        raise NoRelease
    if not any(row.intent and row.intent not in RESERVED_INTENTS for row in stream):
        problem = Problem("stream", None, "intent", "no query has an intent, so success cannot be told.")
        raise DataError([problem], "Replay needs a stream whose queries (or a part) carry `intent`.")
    frozen = agent = load_agent(stores, live.candidate, house.encoders)
    truth = {row.id: row for row in stream}
    people = _People(policy, min(row.time_ms for row in stream))
    days: list[ReplayDay] = []
    turns: list[TurnReceipt] = []
    labels = 0
    for number, (day, group) in enumerate(groupby(stream, key=lambda row: day_of(row.time_ms))):
        rows = list(group)
        end_ms = (rows[0].time_ms // DAY_MS + 1) * DAY_MS
        answers = _answers(agent, rows)
        _log(house, rows, answers, live.release, people)
        without = answers if agent is frozen else _answers(frozen, rows)
        days.append(_day(day, rows, answers, without, live.release))
        asked = stores.journal.open_tasks(limit=100_000)
        made = [label for task in asked for label in people.labels(task, truth, end_ms - 1)]
        disputed = [row.task for row in stores.journal.judged(0, end_ms, "adjudicate")]
        made += [people.decision(task, truth, end_ms - 1) for task in disputed]
        labels += stores.journal.add_labels(made)
        done = turn(arm.house_on(house, number), now_ms=end_ms, turn_id=f"turn-{day}")
        turns.append(done)
        now_live = stores.journal.current_release()
        if now_live is not None and now_live.release != live.release:
            live, agent = now_live, load_agent(stores, now_live.candidate, house.encoders)
        if progress is not None:
            progress(day)
    return Replayed(tuple(days), tuple(turns), labels)


def served(row: StreamRow, answer: Answer) -> bool:
    """Whether an answer served a query of the stream: the right intent and, where known, the right article shown."""
    if answer.decision != "answer" or answer.intent != row.intent:
        return False
    return row.article_id is None or not answer.articles or row.article_id in {a.article_id for a in answer.articles}


def _answers(agent: Agent, rows: Sequence[StreamRow]) -> list[Answer]:
    return agent.answer_all([r.text for r in rows], [r.account for r in rows])


def _day(
    day: str, rows: Sequence[StreamRow], with_loop: Sequence[Answer], without: Sequence[Answer], release: str
) -> ReplayDay:
    named = [i for i, r in enumerate(rows) if r.intent and r.intent not in RESERVED_INTENTS]
    return ReplayDay(
        day=day,
        queries=len(rows),
        requests=len(named),
        right_with=sum(served(rows[i], with_loop[i]) for i in named),
        right_without=sum(served(rows[i], without[i]) for i in named),
        release=release,
    )


def _log(house: House, rows: Sequence[StreamRow], answers: Sequence[Answer], release: str, people: _People) -> None:
    predictions = [
        Prediction(r.id, Query(r.id, r.account, f"s-{r.id}", r.text, r.time_ms, r.channel), a, release, 0.0)
        for r, a in zip(rows, answers, strict=True)
    ]
    house.stores.journal.add_predictions(predictions)
    feedback = [people.feedback(r, a) for r, a in zip(rows, answers, strict=True)]
    house.stores.journal.add_feedback([f for f in feedback if f is not None])


class _People:
    """Simulated users and labellers, from one seed."""

    def __init__(self, policy: ReplayPolicy, start_ms: int) -> None:
        self.policy, self.start_ms = policy, start_ms // DAY_MS * DAY_MS
        self.rng = np.random.Generator(np.random.PCG64(policy.seed))

    def feedback(self, row: StreamRow, answer: Answer) -> Feedback | None:
        """A thumb, from a part of the users: the unhappy speak up more often."""
        if answer.decision != "answer":
            return None
        helped = served(row, answer)
        chance = self.policy.feedback_helped if helped else self.policy.feedback_not_helped
        if self.rng.random() >= chance:
            return None
        return Feedback(f"f-{row.id}", row.id, "helpful" if helped else "not_helpful", row.time_ms + 60_000)

    def labels(self, task: LabelTask, truth: dict[str, StreamRow], time_ms: int) -> list[Label]:
        """The labels that as many people give as the task asks, who know the truth but for slips."""
        row = truth[task.prediction_id]
        made = []
        for number in range(1, task.annotators + 1):
            slip = task.scope and row.intent in task.scope and self.rng.random() < self._noise(time_ms)
            wrong = task.scope[int(self.rng.integers(len(task.scope)))] if slip else None
            made.append(_label(task, row, time_ms, annotator=f"simulated-{number}", intent=wrong))
        return made

    def decision(self, task: LabelTask, truth: dict[str, StreamRow], time_ms: int) -> Label:
        """What an adjudicator says, who makes no slips."""
        label = _label(task, truth[task.prediction_id], time_ms, annotator="simulated-adjudicator")
        return replace(label, adjudication=True)

    def _noise(self, time_ms: int) -> float:
        day = (time_ms - self.start_ms) // DAY_MS
        planted = [c.share for c in self.policy.changes if c.kind == "label_noise" and c.active(int(day))]
        return max([self.policy.label_noise, *planted])


def _label(task: LabelTask, row: StreamRow, time_ms: int, *, annotator: str, intent: str | None = None) -> Label:
    """The true label of a query, or the one with another intent by mistake."""
    true = row.intent if row.intent and row.intent not in RESERVED_INTENTS else None
    intent = intent or true
    relevance: Relevance = row.relevance or ("in_scope" if intent in task.scope else "new_domain")
    shown = row.article_id in task.article_ids or not task.article_ids
    right = relevance == "in_scope" and task.decision == "answer" and intent == task.predicted_intent and shown
    article_id = row.article_id or (NO_ARTICLE if task.article_ids else None)
    return Label(
        label_id=f"l-{task.task_id}-{annotator}",
        task_id=task.task_id,
        prediction_id=task.prediction_id,
        annotator=annotator,
        relevance=relevance,
        intent=intent,
        article_ids=(article_id,) if article_id and relevance == "in_scope" else (),
        helpful=right if task.decision == "answer" else None,
        time_ms=time_ms,
    )
