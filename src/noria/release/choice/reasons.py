"""What a choice must admit: how lucky the winner may be, how firm it stands, and what it gives up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from noria.release.choice.policy import ChoicePolicy, Objective
from noria.release.choice.scoring import Scale, scaled
from noria.stats.selection.optimism import Optimism, optimism
from noria.stats.selection.pareto import weight_range, wins

SPREAD = 0.5
"""Weights are shaken by factors of about 0.6 to 1.65."""
DRAWS = 2000


class WithErrors(Protocol):
    """A run whose figures have standard errors."""

    @property
    def criteria(self) -> Mapping[str, float]: ...

    def error(self, objective: Objective) -> float | None: ...


class Candidate(Protocol):
    """A run of the shortlist; see `choosing.Placed`."""

    @property
    def tag(self) -> str: ...

    @property
    def values(self) -> Mapping[str, float]: ...

    @property
    def fresh(self) -> Mapping[str, float]: ...

    @property
    def pessimistic(self) -> Mapping[str, float]: ...


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """How firm a choice by weights is.

    wins: tag → share of weights, drawn around those given, with which it would win; largest first. ranges: objective →
    the factors on its weight between which the chosen run stays the winner.
    """

    wins: Mapping[str, float]
    ranges: Mapping[str, tuple[float, float]]


@dataclass(frozen=True, slots=True)
class GivesUp:
    """An objective in which another run of the shortlist is better: what was chosen has `own`, `tag` has `best`."""

    criterion: str
    own: float
    best: float
    tag: str


def optimism_of(runs: Sequence[WithErrors], policy: ChoicePolicy, *, seed: int) -> Optimism | None:
    """How much of the best figure in the first objective is luck; None where the errors are not known."""
    first = policy.objectives[0]
    errors = [run.error(first) for run in runs]
    if not runs or any(error is None for error in errors):
        return None
    goodness = [first.of.goodness(run.criteria[first.criterion]) for run in runs]
    return optimism(goodness, [error or 0.0 for error in errors], shared=policy.shared_noise, seed=seed)


def sensitivity_of(
    placed: Sequence[Candidate], policy: ChoicePolicy, scale: Sequence[Scale], *, by_fresh: bool, seed: int
) -> Sensitivity | None:
    """How firm the first of the shortlist stands; None where the order is not by weights."""
    if policy.order != "weights":
        return None
    weights = np.array([o.weight for o in policy.objectives])
    shares = weights / weights.sum()
    table = np.array([scaled(_decides(p, by_fresh=by_fresh), policy, scale) / shares for p in placed])
    found = wins(table, weights, spread=SPREAD, draws=DRAWS, seed=seed)
    by_tag = {p.tag: float(share) for p, share in zip(placed, found, strict=True) if share > 0}
    ranges = {o.criterion: weight_range(table, weights, 0, i) for i, o in enumerate(policy.objectives)}
    return Sensitivity(dict(sorted(by_tag.items(), key=lambda pair: (-pair[1], pair[0]))), ranges)


def gives_up(chosen: Candidate, placed: Sequence[Candidate], policy: ChoicePolicy, *, by_fresh: bool) -> list[GivesUp]:
    """Objectives in which another of the shortlist measured better."""
    found = []
    for o in policy.objectives:
        figures = {p.tag: (p.fresh if by_fresh else p.values)[o.criterion] for p in placed}
        best = max(figures, key=lambda tag: (o.of.goodness(figures[tag]), tag == chosen.tag))
        if o.of.better(figures[best], figures[chosen.tag]):
            found.append(GivesUp(o.criterion, figures[chosen.tag], figures[best], best))
    return found


def _decides(placed: Candidate, *, by_fresh: bool) -> Mapping[str, float]:
    return placed.pessimistic if by_fresh else placed.values
