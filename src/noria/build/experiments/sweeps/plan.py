"""What a sweep tries: a TOML file of fixed settings and a search space, checked before anything runs."""

from __future__ import annotations

import itertools
import math
import re
import tomllib
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from noria.agent import Recipe
from noria.build.experiments.measuring import direction_of
from noria.errors import UsageError, nearest
from noria.stats.criteria import CATALOGUE

Value = str | int | float | bool
Sampler = Literal["tpe", "random", "grid"]
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True)
class Axis:
    """One setting that is varied: `choices`, or all numbers from `low` to `high` (of whole `step`s, where given)."""

    name: str
    choices: tuple[Value, ...] = ()
    low: float = 0.0
    high: float = 0.0
    step: float | None = None
    log: bool = False
    whole: bool = False

    def points(self) -> tuple[Value, ...]:
        """Every value, for a grid; empty where there are endlessly many."""
        if self.choices:
            return self.choices
        step = self.step or (1 if self.whole and not self.log else None)
        if step is None:
            return ()
        count = math.floor((self.high - self.low) / step + 1e-9) + 1
        found = (self.low + i * step for i in range(count))
        return tuple(int(x) if self.whole else x for x in found)

    def ends(self) -> tuple[Value, ...]:
        """Values whose limits stand for those of all."""
        if self.choices:
            return self.choices
        return (int(self.low), int(self.high)) if self.whole else (self.low, self.high)


@dataclass(frozen=True, slots=True)
class Objective:
    """A criterion to make as large or as small as possible."""

    criterion: str
    direction: Literal["maximize", "minimize"]


@dataclass(frozen=True, slots=True)
class Plan:
    """A sweep.

    `data`, `articles`: `NAME[@VERSION]`. `runs`: how many, 150 by default; a grid that is smaller ends sooner. `fixed`:
    settings of every run. `generation`: runs that are proposed together; since a proposal sees whole generations only,
    the sweep is the same on one core and on a cluster. `rungs`: shares of the learnt rows that a run is tried on first;
    `pruner` stops it there when it does worse than the median, or is not in the best third, of the runs that were
    finished before. `keep_models`: so many of the best bundles are kept whole. `storage`:
    SQLAlchemy URL of a database for the study; "" = a journal file of the home.
    """

    name: str
    data: str
    articles: str = ""
    runs: int = 150
    seed: int = 0
    sampler: Sampler = "tpe"
    generation: int = 10
    objectives: tuple[Objective, ...] = (Objective("intent.macro_f1", "maximize"),)
    rungs: tuple[float, ...] = ()
    pruner: Literal["median", "third"] = "median"
    keep_models: int = 1
    storage: str = ""
    fixed: Mapping[str, Any] = field(default_factory=dict)
    axes: tuple[Axis, ...] = ()

    def recipe(self, chosen: Mapping[str, Any]) -> Recipe:
        """The recipe of a run: defaults, what is fixed, what was chosen.

        Raises:
            UsageError: the values do not go together.
        """
        return Recipe.from_dict({**self.fixed, **chosen})

    def grid(self) -> Iterator[dict[str, Value]]:
        """Every combination, in the order of the plan."""
        for values in itertools.product(*(axis.points() for axis in self.axes)):
            yield dict(zip((a.name for a in self.axes), values, strict=True))


def read_plan(text: str, where: str) -> Plan:
    """A plan from TOML.

    Raises:
        UsageError: not TOML, an unknown key or setting (the nearest is offered), or a space that holds no valid recipe.
    """
    try:
        told = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{where}: {error}.") from None
    return plan_of(told, where)


def plan_of(told: Mapping[str, Any], where: str) -> Plan:
    """A plan from a mapping; see `read_plan`."""
    known = [*(f.name for f in fields(Plan) if f.name not in ("objectives", "axes")), "objective", "space"]
    for key in told:
        if key not in known:
            raise UsageError(f"{where}: unknown key {key!r}. {nearest(key, known)}")
    for key in ("name", "data"):
        if not isinstance(told.get(key), str) or not told[key]:
            raise UsageError(f"{where}: {key} is missing; give it as a text.")
    if not _NAME.fullmatch(told["name"]):
        raise UsageError(f"{where}: name {told['name']!r} must be 1 to 64 lower-case letters, digits, '_' and '-'.")
    given = {k: v for k, v in told.items() if k not in ("objective", "space")}
    _check_types(given, where)
    given["rungs"] = tuple(given.get("rungs", ()))
    space = told.get("space", {})
    if not isinstance(space, Mapping):
        raise UsageError(f"{where}: space is a table: [space] with SETTING = [choices] or {{ low = .., high = .. }}.")
    axes = tuple(_axis(name, value, where) for name, value in space.items())
    objectives = tuple(_objective(o, where) for o in told.get("objective", [{"criterion": "intent.macro_f1"}]))
    plan = Plan(**given, objectives=objectives, axes=axes)
    _check(plan, where)
    return plan


def _check_types(given: Mapping[str, Any], where: str) -> None:
    kinds: dict[str, Any] = {
        "articles": str, "runs": int, "seed": int, "sampler": str, "generation": int, "rungs": list, "pruner": str,
        "keep_models": int, "storage": str, "fixed": dict,
    }  # fmt: skip
    for key, kind in kinds.items():
        if key in given and (not isinstance(given[key], kind) or isinstance(given[key], bool)):
            raise UsageError(f"{where}: {key} = {given[key]!r} is of the wrong kind; a {kind.__name__} is wanted.")
    if not all(isinstance(rung, float) for rung in given.get("rungs", ())):
        raise UsageError(f"{where}: rungs = {given['rungs']!r} must be shares between 0 and 1, rising.")
    for key, allowed in (("sampler", typing.get_args(Sampler)), ("pruner", ("median", "third"))):
        if key in given and given[key] not in allowed:
            raise UsageError(f"{where}: {key} = {given[key]!r} is none of {', '.join(map(repr, allowed))}.")


def _check(plan: Plan, where: str) -> None:
    for name, low, high in (("runs", 1, 1_000_000), ("generation", 1, 10_000), ("keep_models", 0, 1000)):
        if not low <= getattr(plan, name) <= high:
            raise UsageError(f"{where}: {name} = {getattr(plan, name)} is outside {low} to {high}.")
    if not all(0 < r < 1 for r in plan.rungs) or list(plan.rungs) != sorted(plan.rungs):
        raise UsageError(f"{where}: rungs = {list(plan.rungs)} must be shares between 0 and 1, rising.")
    if plan.rungs and len(plan.objectives) > 1:
        raise UsageError(
            f"{where}: runs with several objectives cannot be pruned; drop rungs, or all but one objective."
        )
    both = sorted(set(plan.fixed) & {a.name for a in plan.axes})
    if both:
        raise UsageError(f"{where}: {both[0]!r} is both fixed and in the space; leave it in one of them.")
    if plan.sampler == "grid":
        endless = [a.name for a in plan.axes if not a.points()]
        if endless:
            raise UsageError(f"{where}: a grid needs choices or a step for {endless[0]!r}.")
    _check_space(plan, where)


def _check_space(plan: Plan, where: str) -> None:
    """At least one corner of the space is a valid recipe, and no axis alone is impossible."""
    corners = itertools.islice(itertools.product(*(axis.ends() for axis in plan.axes)), 4096)
    problem: UsageError | None = None
    for values in corners:
        try:
            plan.recipe(dict(zip((a.name for a in plan.axes), values, strict=True)))
        except UsageError as error:
            problem = error
        else:
            problem = None
            break
    if problem is not None:
        raise UsageError(f"{where}: the search space is impossible: no corner of it is a valid recipe. {problem}")
    for axis in plan.axes:
        for value in axis.ends():
            try:
                Recipe.from_dict({axis.name: value})
            except UsageError as error:
                if "is outside" in str(error) or "is none of" in str(error) or "is not " in str(error):
                    raise UsageError(f"{where}: [space] {axis.name}: {error}") from None


def _axis(name: str, value: Any, where: str) -> Axis:
    kinds = typing.get_type_hints(Recipe)
    if name not in kinds:
        raise UsageError(f"{where}: [space] has no setting {name!r}. {nearest(name, kinds)}")
    if isinstance(value, list):
        if not value or len(set(map(repr, value))) < len(value):
            raise UsageError(f"{where}: [space] {name}: choices must be given, each once.")
        return Axis(name, choices=tuple(value))
    known = {"low", "high", "step", "log"}
    if not isinstance(value, Mapping) or not {"low", "high"} <= set(value) <= known:
        raise UsageError(f"{where}: [space] {name}: give a list of choices, or {{ low, high, step or log }}.")
    if kinds[name] not in (int, float):
        raise UsageError(f"{where}: [space] {name} is no number; give a list of choices.")
    low, high, step, log = value["low"], value["high"], value.get("step"), value.get("log", False)
    numbers = [x for x in (low, high, step) if x is not None]
    if any(isinstance(x, bool) or not isinstance(x, int | float) for x in numbers) or not isinstance(log, bool):
        raise UsageError(f"{where}: [space] {name}: low, high and step are numbers, log is true or false.")
    if not low <= high or (log and low <= 0) or (step is not None and (step <= 0 or log)):
        raise UsageError(
            f"{where}: [space] {name}: low = {low}, high = {high}, step = {step}, log = {log} hold no value; "
            "low must not be above high, a logarithmic axis starts above 0 and has no step."
        )
    if kinds[name] is int and any(x != int(x) for x in numbers):
        raise UsageError(f"{where}: [space] {name} takes whole numbers.")
    return Axis(name, low=low, high=high, step=step, log=log, whole=kinds[name] is int)


def _objective(told: Any, where: str) -> Objective:
    if not isinstance(told, Mapping) or not isinstance(told.get("criterion"), str):
        raise UsageError(f"{where}: an [[objective]] names its criterion.")
    try:
        usual = direction_of(told["criterion"])
    except UsageError as error:
        if told["criterion"] not in CATALOGUE or "direction" not in told:
            raise UsageError(f"{where}: {error}") from None
        usual = told["direction"]
    direction = told.get("direction", usual)
    if direction not in ("maximize", "minimize") or set(told) - {"criterion", "direction"}:
        raise UsageError(f'{where}: an [[objective]] has a criterion and a direction, "maximize" or "minimize".')
    return Objective(told["criterion"], direction)
