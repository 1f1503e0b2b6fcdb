"""What is asked of a choice, as written in a policy file."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from noria.errors import UsageError, nearest
from noria.stats.criteria import CATALOGUE, Criterion, criterion

Order = Literal["weights", "lexicographic"]


@dataclass(frozen=True, slots=True)
class Limit:
    """A hard limit: runs that do not keep it are out. Exactly one of `at_least` and `at_most` is given."""

    criterion: str
    at_least: float | None = None
    at_most: float | None = None

    def __post_init__(self) -> None:
        criterion(self.criterion)
        if (self.at_least is None) is (self.at_most is None):
            raise UsageError(f"limits: {self.criterion} needs one of at_least and at_most.")

    def kept_by(self, value: float) -> bool:
        """Whether a figure keeps it."""
        return value >= self.at_least if self.at_least is not None else value <= (self.at_most or 0.0)

    def __str__(self) -> str:
        if self.at_least is not None:
            return f"{self.criterion} at least {self.at_least:g}"
        return f"{self.criterion} at most {self.at_most:g}"


@dataclass(frozen=True, slots=True)
class Objective:
    """A criterion to be good in.

    weight: what it counts beside the others (order `weights`). worst, best: figures that stand for 0 and 1 of its
    scale; without them the least and the greatest of the runs within the limits. tolerance: differences up to it count
    as none (order `lexicographic`).
    """

    criterion: str
    weight: float = 1.0
    worst: float | None = None
    best: float | None = None
    tolerance: float = 0.0

    def __post_init__(self) -> None:
        criterion(self.criterion)
        if not (math.isfinite(self.weight) and self.weight > 0):
            raise UsageError(f"objectives: {self.criterion} has the weight {self.weight!r}; give one above 0.")
        if self.tolerance < 0:
            raise UsageError(f"objectives: {self.criterion} has the tolerance {self.tolerance!r}; give 0 or more.")
        if (self.worst is None) is not (self.best is None):
            raise UsageError(f"objectives: {self.criterion} needs both worst and best, or none of them.")
        if self.worst is not None and self.best is not None and not self.of.better(self.best, self.worst):
            raise UsageError(f"objectives: {self.criterion}: best = {self.best:g} is not better than {self.worst:g}.")

    @property
    def of(self) -> Criterion:
        return CATALOGUE[self.criterion]


@dataclass(frozen=True, slots=True)
class ChoicePolicy:
    """Hard limits, objectives with their order, tie-breaks.

    order: `weights` adds up the objectives on their scales; `lexicographic` takes the best in the first, then among
    those within its tolerance the best in the second, and so on. ties: criteria that decide between equals, then the
    tag. shortlist: how many runs are looked at on fresh rows. level: of the bounds there, for all of them together.
    shared_noise: correlation of the noise between runs that were measured on the same rows; 0 is on the safe side.
    """

    objectives: Sequence[Objective]
    limits: Sequence[Limit] = ()
    order: Order = "weights"
    ties: Sequence[str] = ()
    shortlist: int = 10
    level: float = 0.95
    shared_noise: float = 0.0

    def __post_init__(self) -> None:
        if not self.objectives:
            raise UsageError("a policy needs at least one objective: [[objectives]] criterion = ...")
        names = [o.criterion for o in self.objectives]
        if len(set(names)) < len(names):
            raise UsageError(f"objectives: each criterion may stand once, got {', '.join(names)}.")
        if self.order not in ("weights", "lexicographic"):
            raise UsageError(f"order = {self.order!r} is neither 'weights' nor 'lexicographic'.")
        for name in self.ties:
            criterion(name)
        if self.shortlist < 1:
            raise UsageError(f"shortlist = {self.shortlist} makes no sense; give 1 or more, such as 10.")
        if not 0.5 < self.level < 1 or not 0 <= self.shared_noise < 1:
            raise UsageError(
                f"level = {self.level}, shared_noise = {self.shared_noise}: give a level above 0.5 and below 1, "
                "a correlation from 0 to below 1."
            )

    @classmethod
    def from_toml(cls, text: str, file: str = "policy") -> ChoicePolicy:
        """The policy of a file.

        Raises:
            UsageError: no TOML, an unknown setting (the nearest is offered), or a value that makes no sense.
            NotFound: an unknown criterion; the nearest are offered.
        """
        try:
            told = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise UsageError(f"{file} is no TOML: {error}.") from None
        _known(file, told, ("objectives", "limits", "order", "ties", "shortlist", "level", "shared_noise"))
        objectives = [
            Objective(**_entry(file, "objectives", e, ("criterion", "weight", "worst", "best", "tolerance")))
            for e in _entries(file, told, "objectives")
        ]
        limits = [
            Limit(**_entry(file, "limits", e, ("criterion", "at_least", "at_most")))
            for e in _entries(file, told, "limits")
        ]
        ties = told.pop("ties", [])
        if not (isinstance(ties, list) and all(isinstance(name, str) for name in ties)):
            raise UsageError(f"{file}: ties = {ties!r} is no list of criteria.")
        rest = {k: _typed(file, k, v) for k, v in told.items() if k not in ("objectives", "limits")}
        return cls(objectives, limits, ties=ties, **rest)


def _entries(file: str, told: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    found = told.get(name, [])
    if not (isinstance(found, list) and all(isinstance(entry, dict) for entry in found)):
        raise UsageError(f"{file}: {name} is written as tables: [[{name}]].")
    return found


def _entry(file: str, where: str, entry: Mapping[str, Any], fields: Sequence[str]) -> dict[str, Any]:
    _known(f"{file}: {where}", entry, fields)
    if not isinstance(entry.get("criterion"), str):
        raise UsageError(f"{file}: {where}: an entry names no criterion.")
    return {k: v if k == "criterion" else _number(f"{file}: {where}: {k}", v) for k, v in entry.items()}


def _known(where: str, told: Mapping[str, Any], fields: Sequence[str]) -> None:
    for key in told:
        if key not in fields:
            raise UsageError(f"{where}: unknown setting {key!r}. {nearest(key, fields)}")


def _number(where: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise UsageError(f"{where} = {value!r} is no number.")
    return float(value)


def _typed(file: str, name: str, value: Any) -> Any:
    if name == "order":
        return value
    number = _number(f"{file}: {name}", value)
    if name != "shortlist":
        return number
    if number != int(number):
        raise UsageError(f"{file}: shortlist = {value!r} is no whole number.")
    return int(number)
