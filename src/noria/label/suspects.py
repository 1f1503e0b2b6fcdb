"""Examples whose intent is likely wrong, with the evidence of a model that did not learn them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from noria.agent import Recipe
from noria.agent.calibration import Course, Vectors
from noria.agent.heads.fusion import fit_temperature
from noria.agent.protocols import Floats
from noria.records import IRRELEVANT, OOS, Example
from noria.stats.labels import suspects

FOLDS = 5


@dataclass(frozen=True, slots=True)
class Suspect:
    """An example that is doubted. `given_probability`, `better_probability` (0 to 1): of its intent, of `better`."""

    example: Example
    better: str
    given_probability: float
    better_probability: float


def find_suspects(examples: Sequence[Example], recipe: Recipe) -> list[Suspect]:
    """The examples (in scope and small talk) that are confidently of another intent, the most doubtful first.

    Each row is judged by a model fitted on the other four fifths. Intents of a single row cannot be judged and are left
    out; so is everything where fewer than two intents remain.
    """
    rows = sorted((e for e in examples if e.intent not in (OOS, IRRELEVANT)), key=lambda e: (_digest(e.id), e.id))
    counts = Counter(row.intent for row in rows)
    rows = [row for row in rows if counts[row.intent] > 1]
    classes = sorted({row.intent for row in rows})
    if len(classes) < 2:
        return []
    logits = _out_of_fold(rows, classes, recipe)
    number = {intent: i for i, intent in enumerate(classes)}
    given = [number[row.intent] for row in rows]
    scaled = fit_temperature(logits, given) * logits
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    p = powers / powers.sum(axis=1, keepdims=True)
    found = suspects(given, p)
    return [
        Suspect(rows[i], classes[j], float(p[i, given[i]]), float(p[i, j]))
        for i, j in zip(found.rows.tolist(), found.better.tolist(), strict=True)
    ]


def _out_of_fold(rows: Sequence[Example], classes: Sequence[str], recipe: Recipe) -> Floats:
    """Logits (rows, classes) by n-gram models that did not learn the row; each intent's rows go round the folds."""
    seen: Counter[str] = Counter()
    folds = []
    for row in rows:
        folds.append(seen[row.intent] % FOLDS)
        seen[row.intent] += 1
    course = Course((), tuple(classes), Vectors(None, ()), ("ngrams",), recipe)
    logits = np.zeros((len(rows), len(classes)))
    for fold in range(FOLDS):
        rest = [row for row, held in zip(rows, folds, strict=True) if held != fold]
        model = course.train(rest, (), learns_reject=False)
        for i, row in enumerate(rows):
            if folds[i] == fold:
                logits[i] = model.measure(row.text).logits[0]
    return logits


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
