"""A campaign: many experiments in one file, run one after the other, and one report on all of them."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from noria.build.experiments.sweeps.plan import Plan, plan_of
from noria.build.experiments.sweeps.sweep import Swept
from noria.errors import UsageError, nearest
from noria.records.experiments import ExperimentRun
from noria.stores.tracking.runs import RunLog

_BESIDE = ("intent.accuracy", "intent.macro_f1", "scope.auroc", "calibration.ece", "decision.served")
"""Criteria that the report shows beside an experiment's own objective."""

_CAUTION = (
    "Rows that are scored were never fitted on. The best of many runs is flattered by having been chosen: "
    "its figure is where it came out here, not what to expect."
)


@dataclass(frozen=True, slots=True)
class Campaign:
    """A name and, for each experiment, its plan with the plan's own TOML; `questions`: what each asks."""

    name: str
    plans: tuple[tuple[Plan, str], ...]
    questions: Mapping[str, str]


def read_campaign(text: str, where: str) -> Campaign:
    """A campaign from TOML: `name`, `[defaults]` for all, and one `[[experiment]]` each with a plan's keys.

    Raises:
        UsageError: not TOML, an unknown key, a plan with a fault, or a name that comes twice.
    """
    try:
        told = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{where}: {error}.") from None
    for key in told:
        if key not in ("name", "defaults", "experiment"):
            raise UsageError(f"{where}: unknown key {key!r}. {nearest(key, ('name', 'defaults', 'experiment'))}")
    listed, defaults = told.get("experiment"), told.get("defaults", {})
    if not isinstance(listed, list) or not listed or not isinstance(defaults, Mapping):
        raise UsageError(f"{where}: a campaign has one [[experiment]] or more, and may have [defaults].")
    plans: dict[str, tuple[Plan, str]] = {}
    questions: dict[str, str] = {}
    for number, experiment in enumerate(listed, start=1):
        values = {**defaults, **experiment}
        question = str(values.pop("question", ""))
        plan = plan_of(values, f"{where}, experiment {number}")
        if plan.name in plans:
            raise UsageError(f"{where}: the name {plan.name!r} comes twice; each experiment has its own.")
        plans[plan.name], questions[plan.name] = (plan, _toml(values)), question
    return Campaign(str(told.get("name", where)), tuple(plans.values()), questions)


def report_of(campaign: Campaign, results: Sequence[Swept], log: RunLog, *, seconds: float) -> str:
    """Markdown: what each experiment asked, tried and found. Holds settings and figures, no rows of data."""
    runs = {swept.name: log.runs(swept.name) for swept in results}
    cpu = sum(r.metrics.get("cost.cpu_seconds", 0.0) for found in runs.values() for r in found)
    total = sum(len(found) for found in runs.values())
    took = f"{cpu:.0f} CPU seconds in the runs, {seconds / 60:.1f} minutes on the clock"
    counts = f"{len(results)} experiments, {total} runs, {took}."
    lines = [f"# {campaign.name.capitalize()}", "", f"{counts} {_CAUTION}", ""]
    for (plan, _), swept in zip(campaign.plans, results, strict=True):
        lines += _section(plan, swept, runs[swept.name], campaign.questions[plan.name])
    return "\n".join(lines).rstrip() + "\n"


def _section(plan: Plan, swept: Swept, runs: Sequence[ExperimentRun], question: str) -> list[str]:
    objective = plan.objectives[0]
    state = f"{swept.finished} finished, {swept.pruned} pruned, {swept.failed} failed"
    out = [f"## {plan.name}", ""]
    if question:
        out += [question, ""]
    data = f"`{swept.data.ref}` ({swept.data.rows} rows, sha256 `{swept.data.sha256[:12]}`)"
    out += [f"Data {data}; {plan.sampler}, {len(runs)} runs ({state}); objective {objective.criterion}.", ""]
    axes = [axis.name for axis in plan.axes]
    columns = [objective.criterion, *(c for c in _BESIDE if c != objective.criterion)]
    columns = [c for c in columns if any(c in r.metrics for r in runs)]
    sign = 1 if objective.direction == "maximize" else -1
    able = [r for r in runs if r.state == "finished" and objective.criterion in r.metrics]
    best = sorted(able, key=lambda r: (-sign * r.metrics[objective.criterion], r.number))
    out += ["| tag | " + " | ".join([*axes, *columns, "CPU s"]) + " |", "| --- " * (len(axes) + len(columns) + 2) + "|"]
    out += [_row(run, axes, columns) for run in best[:8]]
    if len(best) > 8:
        out.append(f"\n{len(best) - 8} more runs did no better.")
    for failed in [r for r in runs if r.state == "failed"][:3]:
        out.append(f"\n`{failed.tag}` failed: {failed.reason.splitlines()[0][:200]}")
    return [*out, ""]


def _row(run: ExperimentRun, axes: Sequence[str], columns: Sequence[str]) -> str:
    cells = [f"`{run.tag}`", *(_cell(run.settings.get(axis)) for axis in axes)]
    cells += [_cell(run.metrics.get(column)) for column in columns]
    return "| " + " | ".join([*cells, f"{run.metrics.get('cost.cpu_seconds', 0):.1f}"]) + " |"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _toml(values: Mapping[str, Any]) -> str:
    """The plan of one experiment as a file of its own, so that it can be resumed by its name."""
    return "".join(f"{key} = {_inline(value)}\n" for key, value in values.items())


def _inline(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{json.dumps(k)} = {_inline(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_inline, value)) + "]"
    return json.dumps(value)
