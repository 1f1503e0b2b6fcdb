"""Weighs what speaks for an article: a conditional logistic model of which candidate gets cited.

Source: McFadden, Conditional logit analysis (1974); as a ranking loss: Cao et al., ListNet, ICML (2007).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from noria.agent.protocols import Floats
from noria.errors import UsageError

FEATURES = ("lexical", "passage", "title", "learnt", "votes", "popularity", "intent")
"""lexical: BM25 over the best visible article's (0 to 1). passage, title, learnt: cosines with the best passage, the
title, the title and citing questions. votes: of near earlier questions. popularity: ln(1 + citations). intent:
probability of the likely intents that the article answers."""
_FITTED = FEATURES[:-1]

# Weights where nobody has cited anything, in units of a full lexical match.
UNTAUGHT = {"lexical": 1.0, "passage": 2.0, "title": 0.5, "learnt": 2.0, "votes": 0.1, "popularity": 0.0}
LOGIT = 4.0
"""Log-odds of a full lexical match, so that weights of both kinds have one scale."""
PULL = 30.0
"""Citations that it takes to move the weights away from those untaught."""

Taught = tuple[Floats, Floats]
"""Features (candidates, features) of one question, and which share of its citations each candidate has (sum 1)."""


@dataclass(frozen=True, slots=True)
class Ranker:
    """A weight for each of `FEATURES`; serialised as these numbers."""

    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.weights) != len(FEATURES):
            raise UsageError(f"{len(self.weights)} weights for {len(FEATURES)} features.")

    @classmethod
    def untaught(cls, intent_bonus: float) -> Ranker:
        """What ranks before anybody has cited anything."""
        return cls((*(UNTAUGHT[name] for name in _FITTED), intent_bonus))

    def scores(self, features: Floats) -> Floats:
        """(candidates,): summed column by column, so that a row's bits do not depend on the others."""
        scores = np.zeros(len(features))
        for weight, column in zip(self.weights, np.ascontiguousarray(features.T), strict=True):
            if weight:
                scores += weight * column
        return scores


def fit_ranker(taught: Sequence[Taught], intent_bonus: float) -> Ranker:
    """Weights under which the cited articles are likely among the candidates; few citations leave them nearly untaught.

    Args:
        taught: in any order that is always the same; without any, the result is `Ranker.untaught`.
        intent_bonus: the weight of the intents, which is not learnt: citations carry no intents.
    """
    from scipy.optimize import minimize

    start = Ranker.untaught(intent_bonus)
    if not taught:
        return start
    rows = np.concatenate([features[:, : len(_FITTED)] for features, _ in taught]) * LOGIT
    wanted = np.concatenate([shares for _, shares in taught])
    starts = np.cumsum([0, *(len(shares) for _, shares in taught[:-1])])
    sizes = [len(shares) for _, shares in taught]
    prior = np.array(start.weights[:-1])
    spread = np.maximum(rows.std(axis=0), 1e-6)

    def loss(weights: Floats) -> tuple[float, Floats]:
        logits = rows @ weights
        logits -= np.repeat(np.maximum.reduceat(logits, starts), sizes)
        odds = np.exp(logits)
        sums = np.repeat(np.add.reduceat(odds, starts), sizes)
        off = (weights - prior) * spread**2
        value = -float(wanted @ (logits - np.log(sums))) + PULL / 2 * float(off @ (weights - prior))
        return value, rows.T @ (odds / sums - wanted) + PULL * off

    best: npt.NDArray[np.float64] = minimize(loss, prior, jac=True, method="L-BFGS-B").x
    return Ranker((*(float(w) for w in best), intent_bonus))
