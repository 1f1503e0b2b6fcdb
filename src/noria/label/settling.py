"""Makes one judgement of what several people answered: a weighted majority, or a case for adjudication."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import TypeVar

from noria.records import NO_ARTICLE, Label, LabelTask, Settled, SettledStatus, standing

T = TypeVar("T", bound=Hashable)


@dataclass(frozen=True, slots=True)
class SettlingPolicy:
    """When labels settle a task.

    settling_share: the weight (0.5 to 1, of all who answered) that the winning answer needs; below it a person decides.
    weigh_annotators: whether votes weigh by the accuracy that people show on tasks they share; otherwise all the same.
    cost_per_label: what a label costs, in the currency of your books; 0 = not told.
    """

    settling_share: float = 0.6
    weigh_annotators: bool = False
    cost_per_label: float = 0.0


@dataclass(frozen=True, slots=True)
class Settling:
    """Settles tasks by a policy. `weights`: annotator → weight of his or her answers; 1 for who is not named."""

    policy: SettlingPolicy = field(default_factory=SettlingPolicy)
    weights: Mapping[str, float] = field(default_factory=dict)

    def __call__(self, task: LabelTask, labels: Sequence[Label]) -> Settled | None:
        """What the labels of a task come to; None where none counts.

        The latest adjudication settles by itself. Otherwise every question is put to the vote of those who agree on
        the questions before it: relevance, then intent (in scope), then articles and helpfulness. A question without a
        clear winner sends the task to adjudication; free names of new domains never do, the most frequent one stands.

        Args:
            task: the task.
            labels: all labels of it, replaced and withdrawn ones too.
        """
        counting = standing(labels)
        decisions = [label for label in counting if label.adjudication]
        answers = [label for label in counting if not label.adjudication]
        if decisions:
            last = decisions[-1]
            agreed = _agreement(answers) if answers else 1.0
            return _settled(task, last, [*answers, last], status="settled", agreement=agreed, by=last.annotator)
        if not answers:
            return None
        leading, clear = self._leading(answers)
        enough = len(answers) >= task.annotators
        status: SettledStatus = "open" if not enough else "settled" if clear else "adjudicate"
        return _settled(task, leading, answers, status=status, agreement=_agreement(answers), by=None)

    def _leading(self, answers: Sequence[Label]) -> tuple[Label, bool]:
        """A label that holds the leading answer to every question, and whether all of them are clear."""
        relevance, clear = self._vote(answers, lambda label: label.relevance)
        agreeing = [label for label in answers if label.relevance == relevance]
        intent, named = self._vote([lab for lab in agreeing if lab.intent is not None], lambda label: label.intent)
        if relevance == "in_scope":
            clear = clear and named
            agreeing = [label for label in agreeing if label.intent == intent]
        articles, agreed = self._articles(agreeing)
        helpful, told = self._vote([lab for lab in agreeing if lab.helpful is not None], lambda label: label.helpful)
        last = agreeing[-1]
        leading = Label(
            last.label_id, task_id=last.task_id, prediction_id=last.prediction_id, annotator=last.annotator,
            relevance=last.relevance, intent=intent, article_ids=articles, helpful=helpful, time_ms=last.time_ms,
        )  # fmt: skip
        return leading, clear and agreed and told

    def _vote(self, answers: Sequence[Label], question: Callable[[Label], T]) -> tuple[T | None, bool]:
        """The answer of most weight (of equal ones the first given), and whether it has the share that settles."""
        if not answers:
            return None, True
        weights: dict[T, float] = defaultdict(float)
        for label in answers:
            weights[question(label)] += self.weights.get(label.annotator, 1.0)
        winner = max(weights, key=lambda answer: weights[answer])
        return winner, weights[winner] >= self.policy.settling_share * sum(weights.values())

    def _articles(self, answers: Sequence[Label]) -> tuple[tuple[str, ...], bool]:
        """Every article that at least half of those who judged articles named; "none" must win clearly."""
        judged = [label for label in answers if label.article_ids]
        if not judged:
            return (), True
        none, clear = self._vote(judged, lambda label: NO_ARTICLE in label.article_ids)
        if none:
            return (NO_ARTICLE,), clear
        naming = [label for label in judged if NO_ARTICLE not in label.article_ids]
        weights: dict[str, float] = defaultdict(float)
        for label in naming:
            for article_id in label.article_ids:
                weights[article_id] += self.weights.get(label.annotator, 1.0)
        half = sum(self.weights.get(label.annotator, 1.0) for label in naming) / 2
        right = tuple(article_id for article_id, weight in weights.items() if weight >= half)
        return right or naming[0].article_ids, clear and bool(right)


def _settled(
    task: LabelTask, leading: Label, behind: Sequence[Label], *, status: SettledStatus, agreement: float, by: str | None
) -> Settled:
    ordered = sorted(behind, key=lambda label: (label.time_ms, label.label_id))
    return Settled(
        task_id=task.task_id,
        prediction_id=task.prediction_id,
        status=status,
        relevance=leading.relevance,
        intent=leading.intent,
        article_ids=leading.article_ids,
        helpful=leading.helpful,
        label_ids=tuple(label.label_id for label in ordered),
        annotators=tuple(dict.fromkeys(label.annotator for label in ordered)),
        agreement=agreement,
        adjudicated_by=by,
        time_ms=ordered[-1].time_ms,
    )


def _agreement(answers: Iterable[Label]) -> float:
    pairs = [(one.relevance, one.intent) == (other.relevance, other.intent) for one, other in combinations(answers, 2)]
    return sum(pairs) / len(pairs) if pairs else 1.0
