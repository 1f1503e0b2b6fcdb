"""In scope or not: one number from what the intent model saw, and the limit below which the agent does not answer."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from noria.agent.heads import foreign
from noria.agent.heads.logistic import Linear, fit_logistic, linear_of, standard
from noria.agent.protocols import Floats, Reading, Stored
from noria.agent.recipe import Recipe

# Where vectors speak, the margin between intents says little more than how alike two of them are.
_MUTE = frozenset({"margin"})
_MUTE_ON_FEW_ROWS = frozenset({"margin", "top_logit", "known", "centroid"})
FOREIGN_WEIGHT = 1.5
"""What the distance to out-of-scope rows counts beside other evidence: chosen on validation rows of CLINC150, flat from
1 to 2. Fitted weights are no better from a hundred rows."""

LEAST_SPLIT = 200
"""From so many calibration rows on, one half of them shapes the score and the other half sets the limit."""


@dataclass(frozen=True, slots=True)
class LinearScope:
    """A ScopeModel that weighs the evidence of a reading.

    Where out-of-scope rows were learnt, the score is the log-odds of "in scope" in the expected traffic; otherwise the
    sum of the evidence in standard deviations from what in-scope rows show. `floor`: the least score there is, and that
    of a text that means nothing to the intent model. `standing`: scores of in-scope rows that shaped nothing, sorted.
    """

    linear: Linear
    floor: float
    threshold: float
    standing: tuple[float, ...]

    def score(self, reading: Reading) -> float:
        return self.floor if reading.blank else max(self.floor, self.linear(reading.evidence))

    def p_value(self, score: float) -> float:
        """See `ScopeModel.p_value`; the text itself counts as one of the rows."""
        return (1 + bisect_right(self.standing, score)) / (1 + len(self.standing))

    def stored(self) -> Stored:
        figures = {"linear": self.linear.told(), "floor": self.floor, "threshold": self.threshold}
        return Stored(figures, {"standing": np.array(self.standing, np.float64)})

    @classmethod
    def load(cls, stored: Stored) -> LinearScope:
        """The scope model that was stored."""
        told = cast("Mapping[str, Any]", stored.figures)
        standing = tuple(stored.arrays["standing"].tolist())
        return cls(linear_of(told["linear"]), float(told["floor"]), float(told["threshold"]), standing)


def fit_scope(
    inside: Sequence[Reading],
    served: Sequence[bool],
    outside: Sequence[Reading],
    names: Sequence[str],
    recipe: Recipe,
    *,
    few: bool = False,
) -> LinearScope:
    """The scope model from calibration rows that the intent model did not learn.

    The limit is split conformal (Vovk et al. 2005): rows that set it shape nothing else, so of queries exchangeable
    with them at most `max_false_rejects` are rejected on average, whatever the score is worth. With fewer than 200 rows
    all do both, and the share holds only about.

    Args:
        inside: readings of rows in scope (and small talk), at least one.
        served: for each, whether the top intent is right: no harm is done by rejecting the others.
        outside: readings of out-of-scope and irrelevant rows; fewer than `min_oos_rows` are too few to learn from.
        names: of the evidence.
        recipe: limits.
        few: whether the intent model had few rows (`all_layers_from`): then what words and centroids say is mostly
            noise, and vectors are heard alone.
    """
    split = len(inside) >= LEAST_SPLIT
    shaping, standing = (inside[::2], inside[1::2]) if split else (inside, inside)
    learns = len(outside) >= recipe.min_oos_rows
    linear = _linear(shaping, outside if learns else (), names, recipe, few=few)
    scores = np.array([linear(r.evidence) for r in inside])
    own = np.sort(scores[1::2] if split else scores)
    foreign = np.array([linear(r.evidence) for r in outside])
    floor = float(min([scores.min(), *foreign])) - 1.0
    highest = conformal_limit(own, recipe.max_false_rejects, floor)
    threshold = highest
    if learns and recipe.gate == "balance":
        threshold = _balanced(scores, np.array(served, bool), foreign, highest, recipe.expected_oos_share)
    return LinearScope(linear, min(floor, threshold - 1.0), threshold, tuple(own.tolist()[: len(standing)]))


def conformal_limit(scores: Floats, share: float, lowest: float) -> float:
    """The highest limit under which a further score lies with a chance of at most `share`; `lowest` if there is none.

    Args:
        scores: (n,) sorted, exchangeable with the further one.
    """
    rank = math.floor(share * (len(scores) + 1))
    return float(scores[rank - 1]) if rank else lowest


def _linear(
    inside: Sequence[Reading], outside: Sequence[Reading], names: Sequence[str], recipe: Recipe, *, few: bool
) -> Linear:
    figures = np.array([r.evidence for r in inside], np.float64)
    if outside and foreign.NAME not in names:
        every = np.vstack((figures, np.array([r.evidence for r in outside], np.float64)))
        truth = np.concatenate((np.ones(len(inside)), np.zeros(len(outside))))
        return fit_logistic(every, truth, share_weights(truth, recipe.expected_oos_share))
    mean, deviation = standard(figures)
    mute = (_MUTE_ON_FEW_ROWS if few else _MUTE) if "energy" in names and "density" in names else frozenset()
    counts = np.array([FOREIGN_WEIGHT if name == foreign.NAME else name not in mute for name in names], np.float64)
    return Linear(
        -float((counts * mean / deviation).sum()), tuple(float(c / d) for c, d in zip(counts, deviation, strict=True))
    )


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
