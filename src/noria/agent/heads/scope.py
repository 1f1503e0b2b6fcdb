"""In scope or not: one number from what the intent model saw, and the limit below which the agent does not answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from noria.agent.heads.logistic import Linear, fit_logistic, standard
from noria.agent.protocols import Floats, Reading
from noria.agent.recipe import Recipe


@dataclass(frozen=True, slots=True)
class LinearScope:
    """A ScopeModel that weighs the evidence of a reading.

    With out-of-scope rows to learn from, the score is the log-odds of "in scope" in the expected traffic; without, the
    sum of the evidence in standard deviations from what in-scope rows show. `floor`: the least score there is, and that
    of a text that means nothing to the intent model.
    """

    linear: Linear
    floor: float
    threshold: float

    def score(self, reading: Reading) -> float:
        return self.floor if reading.blank else max(self.floor, self.linear(reading.evidence))


def fit_scope(
    inside: Sequence[Reading], served: Sequence[bool], outside: Sequence[Reading], recipe: Recipe
) -> LinearScope:
    """The scope model from calibration rows that the intent model did not learn.

    Args:
        inside: readings of rows in scope (and small talk), at least one.
        served: for each, whether the top intent is right: no harm is done by rejecting the others.
        outside: readings of out-of-scope and irrelevant rows; fewer than `min_oos_rows` are too few to learn from.
        recipe: limits.
    """
    figures = np.array([r.evidence for r in inside], np.float64)
    learns = len(outside) >= recipe.min_oos_rows
    if learns:
        every = np.vstack((figures, np.array([r.evidence for r in outside], np.float64)))
        truth = np.concatenate((np.ones(len(inside)), np.zeros(len(outside))))
        linear = fit_logistic(every, truth, share_weights(truth, recipe.expected_oos_share))
    else:
        mean, deviation = standard(figures)
        linear = Linear(-float((mean / deviation).sum()), tuple(float(1 / d) for d in deviation))
    scores = np.array([linear(r.evidence) for r in inside])
    foreign = np.array([linear(r.evidence) for r in outside])
    highest = quantile_below(scores, recipe.max_false_rejects)
    threshold = highest
    if learns and recipe.gate == "balance":
        threshold = _balanced(scores, np.array(served, bool), foreign, highest, recipe.expected_oos_share)
    return LinearScope(linear, float(min(scores.min(), *foreign, threshold)) - 1.0, threshold)


def quantile_below(scores: Floats, share: float) -> float:
    """The highest of the scores under which at most `share` of them lie."""
    return float(np.sort(scores)[int(share * len(scores))])


def share_weights(truth: Floats, outside_share: float) -> Floats:
    """Weights (n,) under which rows with truth 0 hold `outside_share` of the whole; their sum is the number of rows."""
    outside = truth == 0
    count, foreign = len(truth), int(outside.sum())
    if foreign in (0, count):
        return np.ones(count)
    return np.where(outside, count * outside_share / foreign, count * (1 - outside_share) / (count - foreign))


def _balanced(
    scores: Floats, served: npt.NDArray[np.bool_], foreign: Floats, highest: float, outside_share: float
) -> float:
    """The lowest threshold up to `highest` with which most queries of the expected traffic are served right."""
    tried = np.unique(np.concatenate((scores[scores <= highest], foreign[foreign <= highest], [highest])))
    right = np.sort(scores[served])
    passed = (len(right) - np.searchsorted(right, tried)) / len(scores)
    rejected = np.searchsorted(np.sort(foreign), tried) / len(foreign)
    gain = (1 - outside_share) * passed + outside_share * rejected
    return float(tried[int(np.argmax(gain))])
