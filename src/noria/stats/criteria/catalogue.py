"""All criteria by id, in order of component."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from noria.errors import NotFound
from noria.stats.criteria.criterion import Criterion
from noria.stats.criteria.families import (
    calibration,
    costs,
    decision,
    intent,
    ranking,
    robustness,
    scope,
    slices,
    stability,
)

_FAMILIES = (intent, scope, calibration, decision, ranking, robustness, slices, stability, costs)

CATALOGUE: Mapping[str, Criterion] = MappingProxyType({c.id: c for family in _FAMILIES for c in family.CRITERIA})
"""Every criterion by its id."""

COMPONENTS: Mapping[str, str] = MappingProxyType(
    {
        "intent": "the top intent of in-scope queries",
        "scope": "telling what is outside the scope",
        "calibration": "whether stated chances come true",
        "decision": "answer, ask back or hand over: as it stands, and at operating points that could be chosen",
        "risk": "share wrong against share accepted",
        "ranking": "the ranking of articles",
        "end_to_end": "from the query to the right article",
        "robustness": "changed texts: invariance and direction",
        "slices": "fairness between accounts, languages and domains",
        "stability": "the same recipe with another seed",
        "efficiency": "time and size",
        "business": "deflection, load and cost",
    }
)
"""What each component is about."""


def criterion(name: str) -> Criterion:
    """The criterion of an id.

    Raises:
        NotFound: there is none; the nearest are offered.

    Example:
        >>> criterion("intent.accuracy").direction
        'higher'
    """
    if name not in CATALOGUE:
        raise NotFound("criterion", name, CATALOGUE, "docs/criteria.md lists all.")
    return CATALOGUE[name]
