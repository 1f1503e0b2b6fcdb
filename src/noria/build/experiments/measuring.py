"""What a run is measured by, and which of its figures must come out the same when it is repeated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from noria.agent import Agent
from noria.build.evaluation import score_rows
from noria.records import Answer, Example


def criteria_of(
    agent: Agent,
    rows: Sequence[Example],
    answers: Sequence[Answer],
    *,
    trained: Sequence[Example],
    figures: Mapping[str, float],
) -> dict[str, float]:
    """Every criterion that the rows can tell, by id, finite."""
    found = score_rows(agent, rows)
    return {f"intent.{k}": v for k, v in found.items()} | {f"efficiency.{k}": v for k, v in figures.items()}


def direction_of(criterion: str) -> Literal["maximize", "minimize"]:
    """Which way is better."""
    return "minimize" if criterion.endswith(("ece", "seconds", "bytes")) else "maximize"


def is_deterministic(criterion: str) -> bool:
    """Whether the same code, data, settings and machine give the same figure to the last bit; times never do."""
    return not criterion.startswith(("efficiency.", "cost."))
