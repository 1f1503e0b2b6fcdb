"""What a run is measured by, and which of its figures must come out the same when it is repeated."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from noria.agent import Agent
from noria.build.observing import observe
from noria.errors import UsageError, nearest
from noria.records import Example
from noria.stats.criteria import CATALOGUE, Observed, measure

PERTURBED_ROWS = 20
"""Rows that are asked again with typing errors, in other case and so on, under each of ten changes."""

_CHANGES_EACH_TIME = {"latencies_ms", "efficiency"}


def measured(
    agent: Agent,
    rows: Sequence[Example],
    *,
    trained: Sequence[Example],
    figures: Mapping[str, float],
    clock: Callable[[], float] | None,
) -> tuple[dict[str, float], bytes]:
    """(every criterion that the rows can tell, by id; the predictions, see `predictions_of`)."""
    observed = observe(
        agent, rows, trained=trained, figures=figures, clock=clock, robustness=min(PERTURBED_ROWS, len(rows))
    )
    return dict(measure(observed, replicates=0).values), predictions_of(rows, observed)


def predictions_of(rows: Sequence[Example], observed: Observed) -> bytes:
    """Canonical JSON: columns in order of the rows; figures are written so that they come back to the last bit."""
    columns = {
        "id": [r.id for r in rows],
        "decision": list(observed.decision),
        "intent": list(observed.predicted),
        "intent_confidence": [float(x) for x in observed.confidence],
        "scope_score": [float(x) for x in observed.scope_score],
        "articles": [list(found) for found in observed.rankings or [()] * len(rows)],
    }
    return json.dumps(columns, sort_keys=True, separators=(",", ":")).encode()


def direction_of(criterion: str) -> Literal["maximize", "minimize"]:
    """Which way is better.

    Raises:
        UsageError: there is no such criterion (the nearest is offered), or it has a target instead of a direction.
    """
    if criterion not in CATALOGUE:
        raise UsageError(f"there is no criterion {criterion!r}. {nearest(criterion, CATALOGUE)}")
    way = CATALOGUE[criterion].direction
    if way == "target":
        raise UsageError(f"{criterion} should be near a target; say which direction a sweep is to push it.")
    return "maximize" if way == "higher" else "minimize"


def is_deterministic(criterion: str) -> bool:
    """Whether the same code, data, settings and machine give the same figure to the last bit; times never do."""
    known = CATALOGUE.get(criterion)
    return known is not None and known.component != "efficiency" and not _CHANGES_EACH_TIME.intersection(known.needs)
