"""The production metrics as shares of known chances: arrays in, estimates out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from noria.stats import Estimate, active_ratio, hajek
from noria.stats.design import cross_fit

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

METRICS = ("success", "coverage", "preciseness", "helpfulness", "new_domain", "irrelevant")


@dataclass(frozen=True, slots=True, eq=False)
class Traffic:
    """All N predictions of a window.

    features: (N, p), as in `stats.design.features`. answered: (N,). fold: (N,), by a coin.
    """

    features: Floats
    answered: Flags
    fold: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Verdicts:
    """What people said of n labelled predictions, 0 or 1 each, and the chance with which each was drawn.

    right: the predicted intent, and the article where one was shown, is right and the query is in scope, whether or
    not it was answered. judged: whether they could tell if it helped.
    """

    chance: Floats
    right: Floats
    in_scope: Floats
    new_domain: Floats
    irrelevant: Floats
    small_talk: Floats
    helped: Floats
    judged: Floats

    def of(self, which: Flags) -> Verdicts:
        """Those of some of the labelled."""
        return Verdicts(*(getattr(self, name)[which] for name in self.__slots__))


def estimates(
    traffic: Traffic, labelled: npt.NDArray[np.intp], said: Verdicts, level: float, within: Flags | None = None
) -> dict[str, Estimate]:
    """Every metric over all traffic by the difference estimator, with guesses fitted on the labels of other folds.

    Args:
        traffic: all predictions.
        labelled: positions (n,) of the labelled.
        said: what people said of them, in that order.
        level: two-sided confidence.
        within: the predictions (N,) that the figures are about; guesses are fitted on labels of all. None = all.
    """
    told = np.array(
        [said.right, said.in_scope, said.small_talk, said.new_domain, said.irrelevant, said.helped, said.judged]
    )
    guess = cross_fit(traffic.features, traffic.fold, labelled, told, 1 / said.chance)
    answered, chance = traffic.answered, said.chance
    if within is not None and not within.all():
        inside = within[labelled]
        # Positions among those that are kept.
        labelled = (np.cumsum(within) - 1)[labelled[inside]]
        guess, answered, told, chance = guess[:, within], answered[within], told[:, inside], chance[inside]
    guessed, seen = _pairs(answered, guess), _pairs(answered[labelled], told)
    return {name: active_ratio(*guessed[name], labelled, *seen[name], chance, level) for name in METRICS}


def weighted(answered: Flags, said: Verdicts, level: float) -> dict[str, Estimate]:
    """Every metric from labels alone, each weighing one over its chance (Hájek; Wilson at few)."""
    told = np.array(
        [said.right, said.in_scope, said.small_talk, said.new_domain, said.irrelevant, said.helped, said.judged]
    )
    counted = {
        name: (top[bottom > 0], said.chance[bottom > 0]) for name, (top, bottom) in _pairs(answered, told).items()
    }
    return {name: hajek(*rows, level) for name, rows in counted.items()}


def _pairs(answered: Flags, of: Floats) -> dict[str, tuple[Floats, Floats]]:
    """Metric → what succeeds and what counts, of labels or of guesses (7, n) alike."""
    right, in_scope, small_talk, new_domain, irrelevant, helped, judged = of
    given = answered.astype(np.float64)
    every = np.ones(len(given))
    return {
        "success": (given * right, in_scope),
        "coverage": (given * in_scope, in_scope),
        "preciseness": (given * right, given * (1 - small_talk)),
        "helpfulness": (helped, judged),
        "new_domain": (new_domain, every),
        "irrelevant": (irrelevant, every),
    }
