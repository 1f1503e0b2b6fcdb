"""How good each annotator is, from what several of them said about the same units."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Annotators:
    """What the answers tell of truth and people.

    `truth`: (units, answers) probability of each answer being right. `confusion`: (annotators, right, given) chance of
    giving an answer where another is right. `accuracy`: (annotators,) chance of giving the right one, over the mix of
    right answers. `prior`: (answers,) how frequent each right answer is. `steps`: iterations that it took.
    """

    truth: Floats
    confusion: Floats
    accuracy: Floats
    prior: Floats
    steps: int


def dawid_skene(
    units: Sequence[int],
    annotators: Sequence[int],
    answers: Sequence[int],
    *,
    smoothing: float = 0.1,
    tolerance: float = 1e-6,
    max_steps: int = 200,
) -> Annotators:
    """Expectation maximisation over who said what: right answers and annotators' confusions explain each other.

    It starts from the share of votes. `smoothing` adds that many imagined answers to each cell of a confusion (four
    times as many to the right one), so that a person of few answers is neither perfect nor hopeless.

    Args:
        units, annotators, answers: one place each for every answer given, numbered from 0 without gaps.
        smoothing: see above; 0 = none.
        tolerance: the change of `truth` below which it stops.

    Example:
        Two careful people and one who says 1 to everything, on four units:

        >>> units = [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
        >>> found = dawid_skene(units, [0, 1, 2] * 4, [0, 0, 1, 1, 1, 1, 0, 0, 1, 1, 1, 1])
        >>> found.truth.argmax(axis=1).tolist()
        [0, 1, 0, 1]
        >>> found.accuracy.round(1).tolist()
        [1.0, 1.0, 0.6]

    Source: Dawid and Skene, Maximum Likelihood Estimation of Observer Error-Rates, Applied Statistics 28, 1979.
    """
    u, a, y = (np.asarray(values, dtype=np.intp) for values in (units, annotators, answers))
    if not len(u) == len(a) == len(y) or not len(u):
        raise ValueError(f"{len(u)} units, {len(a)} annotators and {len(y)} answers: give one each, and at least one.")
    n_units, n_people, n_answers = int(u.max()) + 1, int(a.max()) + 1, int(y.max()) + 1
    imagined = smoothing * (np.ones((n_answers, n_answers)) + 3 * np.eye(n_answers))
    truth = np.zeros((n_units, n_answers))
    np.add.at(truth, (u, y), 1.0)
    truth = _shares(truth)
    steps = 0
    for steps in range(1, max_steps + 1):  # noqa: B007 - how many it took is told
        confusion, prior = _people(truth, u, a, y, n_people, imagined)
        log_truth = np.log(np.maximum(prior, 1e-300))[None, :].repeat(n_units, axis=0)
        np.add.at(log_truth, u, np.log(np.maximum(confusion[a, :, y], 1e-300)))
        moved = _shares(np.exp(log_truth - log_truth.max(axis=1, keepdims=True)))
        change, truth = float(np.abs(moved - truth).max()), moved
        if change < tolerance:
            break
    confusion, prior = _people(truth, u, a, y, n_people, imagined)
    accuracy = np.einsum("pcc,c->p", confusion, prior)
    return Annotators(truth, confusion, accuracy, prior, steps)


def weight_of(accuracy: float, answers: int) -> float:
    """The weight of a person's vote: the log-odds of being right among so many possible answers, at least 0.

    With votes weighed so, the majority is the likeliest truth where people err independently and evenly.

    Example:
        >>> [round(weight_of(accuracy, 2), 2) for accuracy in (0.5, 0.9, 0.99)]
        [0.0, 2.2, 4.6]
    """
    sure = min(max(accuracy, 1e-6), 1 - 1e-6)
    return max(0.0, math.log(sure * (max(answers, 2) - 1) / (1 - sure)))


def _people(truth: Floats, u: Ints, a: Ints, y: Ints, n_people: int, imagined: Floats) -> tuple[Floats, Floats]:
    """Confusions (people, right, given) and prior (answers,) that the truth amounts to."""
    n_answers = truth.shape[1]
    given = np.zeros((n_people, n_answers, n_answers))
    np.add.at(given, (a, y), truth[u])
    return _shares(given.swapaxes(1, 2) + imagined), truth.mean(axis=0)


def _shares(values: Floats) -> Floats:
    """Each row as shares of its sum; even ones where the sum is 0."""
    total = values.sum(axis=-1, keepdims=True)
    return np.where(total > 0, values / np.where(total > 0, total, 1), 1 / values.shape[-1])
