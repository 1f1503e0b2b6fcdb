"""Learning a few rows from where a member stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self, runtime_checkable

from noria.agent.protocols import Ints, TrainingSet
from noria.agent.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Change:
    """What changed.

    `rows`: all rows of the classes that changed and a sample of the others, by the new class numbers. `places`: the new
    number of each class the member knew. `touched`: numbers of the classes that changed. `new`: places in `rows` of
    what is new or corrected. `kept`: the new number of each n-gram the member knew. `weight`: rows that a class stands
    for.
    """

    rows: TrainingSet
    places: Ints
    touched: tuple[int, ...]
    new: tuple[int, ...]
    kept: Ints
    weight: float


@runtime_checkable
class Warm(Protocol):
    """A member that learns a few rows without a new fit."""

    def warm(self, change: Change, recipe: Recipe) -> Self: ...
