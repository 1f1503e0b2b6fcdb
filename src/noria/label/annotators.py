"""How good the annotators are and how far they agree, from tasks that several of them answered."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from noria.records import Label, standing
from noria.stats.labels import Agreement, dawid_skene, krippendorff_interval, weight_of

MOST_CONFUSED = 10
FEWEST_SHARED = 30
"""Shared answers from which on a person's accuracy says enough to weigh votes by."""


@dataclass(frozen=True, slots=True)
class AnnotatorQuality:
    """An annotator: labels that count, how many of them others answered too, and the accuracy (0 to 1) shown there.

    `accuracy` is None where nothing is shared. `weight` of a vote: 1 until enough is shared and on average of all.
    """

    annotator: str
    labels: int
    shared: int
    accuracy: float | None
    weight: float


@dataclass(frozen=True, slots=True)
class People:
    """All annotators with their agreement on relevance and intent, and what they mix up: (one, other, times)."""

    annotators: tuple[AnnotatorQuality, ...]
    agreement: Agreement
    confused: tuple[tuple[str, str, int], ...]


def judge_people(labels: Sequence[Label], *, seed: int = 1) -> People:
    """Quality of every annotator and agreement between them, from all labels (replaced ones are left out here).

    Accuracy is estimated without knowing the truth (`noria.stats.labels.dawid_skene`). Adjudications do not enter.
    """
    counting = [label for label in standing(labels) if not label.adjudication]
    by_task: dict[str, list[Label]] = defaultdict(list)
    for label in counting:
        by_task[label.task_id].append(label)
    shared = [group for group in by_task.values() if len(group) > 1]
    total = Counter(label.annotator for label in counting)
    common = Counter(label.annotator for group in shared for label in group)
    accuracy, choices = _accuracy(shared)
    known = {name: weight_of(share, choices) for name, share in accuracy.items() if common[name] >= FEWEST_SHARED}
    mean = sum(known.values()) / len(known) if known else 1.0
    weights = {name: weight / mean for name, weight in known.items()} if mean else {}
    quality = [
        AnnotatorQuality(name, total[name], common[name], accuracy.get(name), weights.get(name, 1.0))
        for name in sorted(total)
    ]
    agreement = krippendorff_interval([[_answer(label) for label in group] for group in shared], seed=seed)
    pairs = Counter(
        tuple(sorted((_answer(one), _answer(other))))
        for group in shared
        for one, other in combinations(group, 2)
        if _answer(one) != _answer(other)
    )
    ranked = sorted(pairs.items(), key=lambda item: (-item[1], item[0]))[:MOST_CONFUSED]
    return People(tuple(quality), agreement, tuple((one, other, times) for (one, other), times in ranked))


def _accuracy(shared: Sequence[Sequence[Label]]) -> tuple[Mapping[str, float], int]:
    """Accuracy by annotator, and how many different answers were given."""
    if not shared:
        return {}, 0
    names = sorted({label.annotator for group in shared for label in group})
    answers = sorted({_answer(label) for group in shared for label in group})
    rows = [(unit, names.index(la.annotator), answers.index(_answer(la))) for unit, g in enumerate(shared) for la in g]
    units, people, said = zip(*rows, strict=True)
    # with hundreds of intents a fixed smoothing would drown what little each person said of each
    found = dawid_skene(units, people, said, smoothing=1 / len(answers))
    return {name: float(found.accuracy[i]) for i, name in enumerate(names)}, len(answers)


def _answer(label: Label) -> str:
    """What is compared: the intent in scope, the relevance otherwise; names of new domains are free."""
    return str(label.intent) if label.relevance == "in_scope" else f"({label.relevance})"
