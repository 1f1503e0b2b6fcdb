"""Which intent: one linear support vector machine per intent over n-grams, with probabilities by temperature."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from noria.agent.heads.ngrams import Ngrams
from noria.agent.protocols import Floats, Floats32, Ints, Reading
from noria.agent.recipe import Recipe

ABSENT = -1.0
"""Logit of a class without training rows: what a support vector machine says of a text that is surely not of it."""


@dataclass(frozen=True, slots=True)
class Raw:
    """The machine's own figures for a text, before temperature.

    `logits`: (classes,); `reject`: logit of "not in scope", None where that was not learnt; `known`, `blank`: see
    Reading.
    """

    logits: Floats
    reject: float | None
    known: float
    blank: bool


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """What a model is fitted on: `texts`, and the class number of each; `len(classes)` stands for "not in scope"."""

    texts: tuple[str, ...]
    targets: tuple[int, ...]
    classes: tuple[str, ...]
    learns_reject: bool


class NgramSvm:
    """An IntentModel over n-grams.

    Args:
        ngrams: the vocabulary.
        weights: (n-grams, classes [+ 1]) and `bias` (classes [+ 1],); the last column rejects, where it was learnt.
        classes: sorted.
        temperature: what logits are multiplied by before they become probabilities.
    """

    def __init__(
        self,
        ngrams: Ngrams,
        weights: Floats32,
        bias: Floats32,
        classes: Sequence[str],
        temperature: float = 1.0,
    ) -> None:
        self.ngrams, self.weights, self.bias, self.temperature = ngrams, weights, bias, temperature
        self._classes = tuple(classes)
        self.learns_reject = weights.shape[1] > len(self._classes)

    @property
    def classes(self) -> tuple[str, ...]:
        return self._classes

    @property
    def evidence_names(self) -> tuple[str, ...]:
        return ("top_logit", "margin", "known", "reject")[: 4 if self.learns_reject else 3]

    def measure(self, text: str) -> Raw:
        """The raw figures of a text."""
        vector = self.ngrams.vector(text)
        # einsum, not BLAS: the same bits however many threads the machine has
        summed = np.einsum("i,ij->j", vector.weights, self.weights.take(vector.ids, axis=0)) + self.bias
        every = summed.astype(np.float64)
        count = len(self._classes)
        reject = float(every[count]) if self.learns_reject else None
        return Raw(every[:count], reject, vector.known, vector.blank)

    def reading(self, raw: Raw) -> Reading:
        """The reading that raw figures of this or another model of the same classes amount to."""
        top, first, second = _first_two(raw.logits)
        powers = np.exp(self.temperature * (raw.logits - first))
        total = float(powers.sum())
        # log-odds from the others' sum: exact even where the top probability rounds to 1
        others = total - 1.0 if total > 1.5 else float(powers[:top].sum() + powers[top + 1 :].sum())
        evidence = (first, first - second, raw.known, *(() if raw.reject is None else (raw.reject,)))
        return Reading(
            probabilities=powers / total,
            top=top,
            logit=-math.log(max(others, 1e-300)),
            known=raw.known,
            blank=raw.blank,
            evidence=evidence,
        )

    def read(self, text: str) -> Reading:
        return self.reading(self.measure(text))

    def with_temperature(self, temperature: float) -> NgramSvm:
        """The same model with another temperature."""
        return NgramSvm(self.ngrams, self.weights, self.bias, self._classes, temperature)


def train(rows: TrainingSet, recipe: Recipe) -> NgramSvm:
    """A model with temperature 1, fitted on rows in the order given; needs two classes with rows.

    The vocabulary comes from the rows in scope alone, so that `known` tells foreign texts from familiar ones.
    """
    reject = len(rows.classes)
    inside = [text for text, target in zip(rows.texts, rows.targets, strict=True) if target != reject]
    ngrams = Ngrams.learn(inside, recipe)
    columns = reject + 1 if rows.learns_reject else reject
    weights = np.zeros((ngrams.size, columns), np.float32)
    bias = np.full(columns, ABSENT, np.float32)
    present, coefficients, intercepts = _solve(ngrams.matrix(rows.texts), rows.targets, ngrams.size, recipe)
    weights[:, present] = coefficients.T
    bias[present] = intercepts
    return NgramSvm(ngrams, weights, bias, rows.classes)


def fit_temperature(raws: Sequence[Raw], targets: Sequence[int]) -> float:
    """The temperature under which right classes are most likely; 1 without rows.

    A small share of each row stands for "some other class", so that rows without an error do not ask for certainty.
    """
    if not raws:
        return 1.0
    logits = np.array([raw.logits for raw in raws])
    right = logits[np.arange(len(raws)), np.array(targets)]
    doubt = 1 / (len(raws) + 2)
    wanted = (1 - doubt) * right + doubt * logits.mean(axis=1)

    def loss(log_temperature: float) -> float:
        scaled = math.exp(log_temperature) * logits
        top = scaled.max(axis=1)
        likely = top + np.log(np.exp(scaled - top[:, None]).sum(axis=1))
        return float((likely - math.exp(log_temperature) * wanted).mean())

    low, high = math.log(0.1), math.log(100.0)
    ratio = (math.sqrt(5) - 1) / 2
    for _ in range(40):
        left, right_end = high - ratio * (high - low), low + ratio * (high - low)
        if loss(left) < loss(right_end):
            high = right_end
        else:
            low = left
    return math.exp((low + high) / 2)


def _solve(
    matrix: tuple[Floats32, Ints, Ints], targets: Sequence[int], size: int, recipe: Recipe
) -> tuple[Ints, Floats, Floats]:
    """Numbers of the classes that have rows, their weights (classes, n-grams) and biases (classes,)."""
    from scipy.sparse import csr_matrix
    from sklearn.svm import LinearSVC

    machine = LinearSVC(
        C=recipe.svm_c,
        class_weight="balanced" if recipe.class_balance == "balanced" else None,
        dual=True,
        max_iter=10_000,
        random_state=recipe.seed,
    )
    machine.fit(csr_matrix(matrix, shape=(len(targets), size)), np.array(targets, np.int32))
    coefficients, intercepts = machine.coef_, machine.intercept_
    if len(machine.classes_) == 2:  # one machine for both: what speaks for one speaks against the other
        coefficients, intercepts = np.vstack((-coefficients, coefficients)), np.concatenate((-intercepts, intercepts))
    return machine.classes_, coefficients, intercepts


def _first_two(values: Floats) -> tuple[int, float, float]:
    """Place of the largest value, the largest, and the second largest."""
    top = int(values.argmax())
    second = max(
        float(values[:top].max()) if top else -math.inf,
        float(values[top + 1 :].max()) if top + 1 < len(values) else -math.inf,
    )
    return top, float(values[top]), second
