"""The encoder's vectors under a linear head: multinomial logistic regression, fitted until it has converged."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from noria.agent.members.svm import moved
from noria.agent.members.warm import Change
from noria.agent.protocols import Floats, Floats32, Query, Stored, TrainingSet
from noria.agent.recipe import Recipe

Longs = npt.NDArray[np.int64]

ABSENT = -20.0
"""Logit of a class without training rows."""
TOLERANCE, MOST_STEPS = 1e-5, 400
"""The loss is a mean: with 150 classes a looser tolerance stops long before the optimum, or at once."""
WARM_STEPS = 12


class DenseHead:
    """A Member over vectors.

    Args:
        weights: (columns, classes [+ 1]): so many leading columns of the vector are used; the last class rejects.
        bias: (classes [+ 1],).
        centroids: (classes, sentence columns): unit mean of each intent; zero where it had no rows.
        classes: sorted.
    """

    evidence_names = ("energy", "centroid")

    def __init__(self, weights: Floats32, bias: Floats32, centroids: Floats32, classes: Sequence[str]) -> None:
        count = len(classes)
        if bias.shape != weights.shape[1:] or len(bias) not in (count, count + 1) or len(centroids) != count:
            raise ValueError(
                f"weights {weights.shape}, bias {bias.shape}, centroids {centroids.shape}, {count} classes"
            )
        self.weights, self.bias, self.centroids, self._count = weights, bias, centroids, count

    @classmethod
    def train(cls, rows: TrainingSet, recipe: Recipe) -> DenseHead:
        """The head of rows that hold at least two classes and have vectors."""
        vectors, targets, count = vectors_of(rows), np.array(rows.targets, np.int64), len(rows.classes)
        weights, bias = regression(rows, vectors[:, : columns_of(rows, recipe)], recipe)
        return cls(weights, bias, centroids_of(vectors[:, : rows.sentence_dim], targets, count), rows.classes)

    @classmethod
    def load(cls, stored: Stored, classes: Sequence[str], recipe: Recipe) -> DenseHead:  # noqa: ARG003 - of the protocol
        weights, bias, centroids = (
            np.asarray(stored.arrays[name], np.float32) for name in ("weights", "bias", "centroids")
        )
        return cls(weights, bias, centroids, classes)

    def warm(self, change: Change, recipe: Recipe) -> DenseHead:
        """The head from its old weights, held near them, over the rows of the change."""
        rows, count = change.rows, len(change.rows.classes)
        vectors, targets = vectors_of(rows), np.array(rows.targets, np.int64)
        weights, bias = warmed(self.weights, self.bias, vectors[:, : len(self.weights)], change, recipe)
        centroids = np.zeros((count, self.centroids.shape[1]), np.float32)
        centroids[change.places] = self.centroids
        touched = list(change.touched)
        centroids[touched] = centroids_of(vectors[:, : self.centroids.shape[1]], targets, count)[touched]
        return DenseHead(weights, bias, centroids, rows.classes)

    def logits(self, query: Query) -> Floats:
        """(classes [+ 1],): logits of the regression."""
        vector = vector_of(query)[: len(self.weights)]
        # einsum, not BLAS: the same bits however many threads the machine has
        return np.asarray(np.einsum("i,ij->j", vector, self.weights) + self.bias, np.float64)

    def evidence(self, query: Query, logits: Floats) -> tuple[float, ...]:
        """The free energy of the logits (Liu et al. 2020), and the cosine to the nearest centroid."""
        sentence = vector_of(query)[: self.centroids.shape[1]]
        cosines = np.einsum("ij,j->i", self.centroids, sentence)
        return (energy(logits[: self._count]), float(cosines.max()))

    def stored(self) -> Stored:
        return Stored({}, {"weights": self.weights, "bias": self.bias, "centroids": self.centroids})


def energy(logits: Floats) -> float:
    """The free energy of logits, without its sign: the log of their summed exponentials."""
    top = float(logits.max())
    return top + float(np.log(np.exp(logits - top).sum()))


def regression(rows: TrainingSet, features: Floats32, recipe: Recipe) -> tuple[Floats32, Floats32]:
    """Weights (columns, classes [+ 1]) and bias of the regression over features (n, columns) of the rows."""
    count = len(rows.classes) + rows.learns_reject
    weights, bias = np.zeros((features.shape[1], count), np.float32), np.full(count, ABSENT, np.float32)
    present, coefficients, intercepts = _solve(features, np.array(rows.targets, np.int64), recipe)
    weights[:, present], bias[present] = coefficients.T, intercepts
    return weights, bias


def warmed(
    weights: Floats32, bias: Floats32, features: Floats32, change: Change, recipe: Recipe
) -> tuple[Floats32, Floats32]:
    """Weights and bias after the rows of a change, whose features are (n, columns); held near what they were."""
    rows, count = change.rows, len(change.rows.classes)
    weights, bias = moved(weights, bias, change, 0.0)
    targets = np.array(rows.targets, np.int64)
    stands_for = change.weight / np.bincount(targets, minlength=count)[targets]
    weights[:, :count], bias[:count] = _stepped(
        features, targets, stands_for, weights[:, :count], bias[:count], recipe.dense_c
    )
    return weights, bias


def vector_of(query: Query) -> Floats32:
    """The query's vector.

    Raises:
        ValueError: it has none.
    """
    if query.vector is None:
        raise ValueError("this intent model needs the vector of a text, and the agent has no encoder")
    return query.vector


def vectors_of(rows: TrainingSet) -> Floats32:
    """The rows' vectors (n, dim).

    Raises:
        ValueError: they have none.
    """
    if rows.vectors is None:
        raise ValueError("this member learns from vectors, and there is no encoder")
    return rows.vectors


def columns_of(rows: TrainingSet, recipe: Recipe) -> int:
    """How many leading columns of the vectors are learnt from: further layers pay from some thousand rows on."""
    every = vectors_of(rows).shape[1]
    small = len(rows.texts) < recipe.all_layers_from
    return rows.sentence_dim if recipe.layers == "last" or (recipe.layers == "auto" and small) else every


def centroids_of(sentences: Floats32, targets: Longs, count: int) -> Floats32:
    """(count, columns): the unit mean of each class; zero for one without rows."""
    sums = np.zeros((count + 1, sentences.shape[1]))
    np.add.at(sums, targets, sentences)
    lengths = np.linalg.norm(sums[:count], axis=1, keepdims=True)
    return (sums[:count] / np.where(lengths > 0, lengths, 1.0)).astype(np.float32)


def _solve(features: Floats32, targets: Longs, recipe: Recipe) -> tuple[Floats, Floats, Floats]:
    """Numbers of the classes that have rows, their weights (classes, columns) and biases (classes,)."""
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    head = LogisticRegression(
        C=recipe.dense_c,
        tol=TOLERANCE,
        max_iter=MOST_STEPS,
        class_weight="balanced" if recipe.class_balance == "balanced" else None,
    )
    with threadpool_limits(1):  # sums of several threads would differ in their last bits
        head.fit(features.astype(np.float64), targets)
    if int(head.n_iter_.min()) < 2:
        raise ArithmeticError("the logistic regression stopped where it began")
    coefficients, intercepts = head.coef_, head.intercept_
    if len(head.classes_) == 2:
        coefficients = np.vstack((-coefficients, coefficients)) / 2
        intercepts = np.concatenate((-intercepts, intercepts)) / 2
    return head.classes_, coefficients, intercepts


def _stepped(
    features: Floats32, targets: Longs, stands_for: Floats, weights: Floats32, bias: Floats32, c: float
) -> tuple[Floats32, Floats32]:
    """Weights and bias after a few steps towards the rows; the distance from where they were costs as size does."""
    from scipy.optimize import minimize
    from threadpoolctl import threadpool_limits

    x = np.column_stack((features, np.ones(len(features), np.float32)))
    start = np.vstack((weights, bias)).astype(np.float64)
    total, places = float(stands_for.sum()), np.arange(len(targets))

    def loss(flat: Floats) -> tuple[float, Floats]:
        at = flat.reshape(start.shape)
        z = (x @ at.astype(np.float32)).astype(np.float64)
        z -= z.max(axis=1, keepdims=True)
        chance = np.exp(z)
        summed = chance.sum(axis=1)
        off = float((stands_for * (np.log(summed) - z[places, targets])).sum())
        chance /= summed[:, None]
        chance[places, targets] -= 1
        chance *= stands_for[:, None]
        away = at - start
        slope = (x.T @ chance.astype(np.float32)).astype(np.float64) + away / c
        return (off + float((away * away).sum()) / (2 * c)) / total, (slope / total).ravel()

    with threadpool_limits(1):  # sums of several threads would differ in their last bits
        found = minimize(loss, start.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": WARM_STEPS})
    at = found.x.reshape(start.shape).astype(np.float32)
    return at[:-1], at[-1]
