"""N-grams: one linear support vector machine per intent over words and characters inside words."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from noria.agent.members.warm import Change
from noria.agent.protocols import Floats, Floats32, Ints, Query, Stored, TrainingSet
from noria.agent.recipe import Recipe

ABSENT = -1.0
"""Logit of a class without training rows: what a support vector machine says of a text that is surely not of it."""


class NgramSvm:
    """A Member over n-grams: `weights` (n-grams, classes [+ 1]), `bias` (classes [+ 1],); the last column rejects."""

    evidence_names = ("top_logit", "margin", "known")

    def __init__(self, weights: Floats32, bias: Floats32, classes: Sequence[str]) -> None:
        if weights.ndim != 2 or bias.shape != weights.shape[1:] or len(bias) not in (len(classes), len(classes) + 1):
            raise ValueError(f"n-gram weights of shape {weights.shape}, bias {bias.shape}, {len(classes)} classes")
        self.weights, self.bias, self._count = weights, bias, len(classes)

    @classmethod
    def train(cls, rows: TrainingSet, recipe: Recipe) -> NgramSvm:
        """The machines of rows that hold at least two classes."""
        columns = len(rows.classes) + rows.learns_reject
        weights = np.zeros((rows.n_grams, columns), np.float32)
        bias = np.full(columns, ABSENT, np.float32)
        present, coefficients, intercepts = solve(rows.matrix, rows.targets, rows.n_grams, recipe)
        weights[:, present] = coefficients.T
        bias[present] = intercepts
        return cls(weights, bias, rows.classes)

    @classmethod
    def load(cls, stored: Stored, classes: Sequence[str], recipe: Recipe) -> NgramSvm:  # noqa: ARG003 - of the protocol
        return cls(
            np.asarray(stored.arrays["weights"], np.float32), np.asarray(stored.arrays["bias"], np.float32), classes
        )

    def warm(self, change: Change, recipe: Recipe) -> NgramSvm:
        """The machines of touched classes fitted again, against a sample of the others' rows; the others stay."""
        from scipy.sparse import csr_matrix
        from sklearn.svm import LinearSVC

        rows = change.rows
        weights, bias = moved(self.weights, self.bias, change, ABSENT)
        every = np.zeros((rows.n_grams, weights.shape[1]), np.float32)
        every[change.kept] = weights
        matrix, targets = csr_matrix(rows.matrix, shape=(len(rows.targets), rows.n_grams)), np.array(rows.targets)
        counts = np.bincount(targets, minlength=len(rows.classes))
        stands_for = change.weight / counts[targets]
        for number in change.touched:
            machine = LinearSVC(C=recipe.svm_c, dual=True, max_iter=10_000, random_state=recipe.seed)
            machine.fit(matrix, targets == number, sample_weight=stands_for)
            every[:, number], bias[number] = machine.coef_[0], machine.intercept_[0]
        return NgramSvm(every, bias, rows.classes)

    def logits(self, query: Query) -> Floats:
        """(classes [+ 1],): what each machine says."""
        vector = query.ngrams
        # einsum, not BLAS: the same bits however many threads the machine has
        summed = np.einsum("i,ij->j", vector.weights, self.weights[vector.ids]) + self.bias
        return np.asarray(summed, np.float64)

    def evidence(self, query: Query, logits: Floats) -> tuple[float, ...]:
        _, first, second = first_two(logits[: self._count])
        return (first, first - second, query.ngrams.known)

    def stored(self) -> Stored:
        return Stored({}, {"weights": self.weights, "bias": self.bias})


def moved(weights: Floats32, bias: Floats32, change: Change, absent: float) -> tuple[Floats32, Floats32]:
    """Weights (columns, classes [+ 1]) and bias under the new class numbers; a new class has none."""
    old, count = len(change.places), len(change.rows.classes)
    columns = np.concatenate((change.places, [count])) if len(bias) > old else change.places
    wide = np.zeros((len(weights), count + (len(bias) > old)), np.float32)
    offset = np.full(wide.shape[1], absent, np.float32)
    wide[:, columns], offset[columns] = weights, bias
    return wide, offset


def solve(
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


def first_two(values: Floats) -> tuple[int, float, float]:
    """Place of the largest value, the largest, and the second largest."""
    top, rest = int(values.argmax()), values.copy()
    rest[top] = -math.inf
    return top, float(values[top]), float(rest[rest.argmax()])
