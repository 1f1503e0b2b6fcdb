"""The policy's order over figures: on scales by weights, or one objective after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from noria.release.choice.policy import ChoicePolicy
from noria.stats.criteria import CATALOGUE
from noria.stats.intervals import Floats

Scale = tuple[float, float]
"""Goodness that stands for 0 and for 1."""


def scales(figures: Sequence[Mapping[str, float]], policy: ChoicePolicy) -> list[Scale]:
    """The scale of each objective: as the policy says, or from the least to the greatest of all figures."""
    found = []
    for o in policy.objectives:
        if o.worst is not None and o.best is not None:
            found.append((o.of.goodness(o.worst), o.of.goodness(o.best)))
            continue
        goodness = [o.of.goodness(values[o.criterion]) for values in figures] or [0.0]
        found.append((min(goodness), max(goodness)))
    return found


def scaled(values: Mapping[str, float], policy: ChoicePolicy, scale: Sequence[Scale]) -> Floats:
    """Each objective on its scale, times its share of all weights; their sum is the score, about 0 to 1."""
    total = sum(o.weight for o in policy.objectives)
    places = [
        (o.of.goodness(values[o.criterion]) - low) / (high - low) if high > low else 1.0
        for o, (low, high) in zip(policy.objectives, scale, strict=True)
    ]
    return np.array([p * o.weight / total for p, o in zip(places, policy.objectives, strict=True)])


def ordered(
    values: Sequence[Mapping[str, float]], tags: Sequence[str], policy: ChoicePolicy, scale: Sequence[Scale]
) -> list[int]:
    """Places of the runs, best first."""
    ties = [[-CATALOGUE[t].goodness(v[t]) if t in v else np.inf for t in policy.ties] for v in values]
    if policy.order == "weights":
        score = [-round(float(scaled(v, policy, scale).sum()), 12) for v in values]
        return sorted(range(len(values)), key=lambda i: (score[i], ties[i], tags[i]))
    rest, found = list(range(len(values))), list[int]()
    while rest:
        best = _first(rest, values, policy)
        found.append(min(best, key=lambda i: (ties[i], tags[i])))
        rest.remove(found[-1])
    return found


def _first(rest: Sequence[int], values: Sequence[Mapping[str, float]], policy: ChoicePolicy) -> list[int]:
    """Those that are best in the first objective, of them in the second, and so on, within the tolerances."""
    left = list(rest)
    for o in policy.objectives:
        goodness = {i: o.of.goodness(values[i][o.criterion]) for i in left}
        edge = max(goodness.values()) - o.tolerance - 1e-12
        left = [i for i in left if goodness[i] >= edge]
    return left
