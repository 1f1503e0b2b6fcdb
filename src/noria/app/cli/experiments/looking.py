"""`noria experiments list | show | compare | diff`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from noria.app.cli.context import home_options, home_path, opened, show, table, when
from noria.errors import NotFound, UsageError, nearest

if TYPE_CHECKING:
    from noria.stores.tracking.runs import RunLog

_CONDITION = re.compile(r"\s*([A-Za-z0-9_.-]+)\s*(<=|>=|!=|=|<|>)\s*(.+?)\s*")
_SHOWN = ("decision.served", "intent.accuracy", "intent.macro_f1", "scope.auroc", "calibration.ece")


@click.command("list")
@click.option(
    "--experiment", help="Runs of this experiment only; without it and without --where, a list of experiments."
)
@click.option(
    "--where", "conditions", multiple=True, metavar="'CRITERION>0.9'", help="Only runs that fulfil all of them."
)
@click.option("--sort", metavar="[-]CRITERION", help="Smallest first; with a minus, largest first.")
@click.option("--columns", metavar="A,B,...", help="Criteria to show.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True)
@home_options
@click.pass_context
def list_command(
    ctx: click.Context,
    experiment: str | None,
    conditions: tuple[str, ...],
    sort: str | None,
    columns: str | None,
    limit: int,
    home: str | None,
    as_json: bool,
) -> None:
    """List experiments, or runs: filtered, sorted, with the criteria you ask for."""
    log = _log_of(ctx, home)
    if experiment is None and not conditions and sort is None:
        counts = log.experiments()
        text = (
            table(list(counts.items()), ("EXPERIMENT", "RUNS")) if counts else "None yet: noria experiments sweep FILE"
        )
        show([{"experiment": n, "runs": c} for n, c in counts.items()], as_json=as_json, text=text)
        return
    found, shown, total = _selected(log, experiment, conditions, sort, columns, limit)
    text = table([[_cell(r[c]) for c in shown] for r in found], [c.upper() if "." not in c else c for c in shown])
    show(found, as_json=as_json, text=f"{text}\n{len(found)} of {total} runs")


@click.command("show")
@click.argument("tag")
@home_options
@click.pass_context
def show_command(ctx: click.Context, tag: str, home: str | None, as_json: bool) -> None:
    """Show a run: its manifest and every criterion."""
    from noria.app.wiring.experiments import run_log
    from noria.build.experiments.manifest import read_manifest

    with opened(ctx, home) as (place, stores):
        run = run_log(place).get(tag)
        manifest = read_manifest(stores.blobs, run)[0] if run.record else None
        kept = bool(run.bundle_sha256) and stores.blobs.has(run.bundle_sha256)
    lines = [f"{run.tag} ({run.state}) of {when(run.time_ms)}", f"  manifest     sha256 {run.manifest_sha256}"]
    if run.reason:
        lines.append(f"  reason       {run.reason}")
    if manifest:
        lines += _facts_of(manifest)
        lines.append(f"  model        {run.bundle_sha256[:12]} ({'kept' if kept else 'not kept: can be made again'})")
        lines.append("  settings     " + ", ".join(f"{k}={v}" for k, v in run.settings.items()))
    lines += [f"  {name:<44} {value:.6g}" for name, value in sorted(run.metrics.items())]
    show({"run": run, "manifest": manifest, "model_kept": kept}, as_json=as_json, text="\n".join(lines))


@click.command("compare")
@click.argument("tags", nargs=-1, required=True)
@click.option("--all", "everything", is_flag=True, help="Also the criteria in which they are equal.")
@home_options
@click.pass_context
def compare_command(
    ctx: click.Context, tags: tuple[str, ...], everything: bool, home: str | None, as_json: bool
) -> None:
    """Hold runs beside each other: the settings and criteria in which they differ."""
    if len(tags) < 2:
        raise UsageError("name two tags or more.")
    log = _log_of(ctx, home)
    runs = [log.get(tag) for tag in tags]
    rows: list[list[object]] = []
    for part in ("settings", "metrics"):
        names = sorted({name for run in runs for name in getattr(run, part)})
        for name in names:
            values = [getattr(run, part).get(name) for run in runs]
            if everything or len(set(map(repr, values))) > 1:
                rows.append([name, *map(_cell, values)])
    show(runs, as_json=as_json, text=table(rows, ("", *tags)))


@click.command("diff")
@click.argument("first")
@click.argument("second")
@home_options
@click.pass_context
def diff_command(ctx: click.Context, first: str, second: str, home: str | None, as_json: bool) -> None:
    """Say where two runs part: environment, data, code, settings, numerics; the first place first."""
    from noria.app.wiring.experiments import run_log
    from noria.build.experiments.compare import compare
    from noria.build.experiments.manifest import read_manifest

    with opened(ctx, home) as (place, stores):
        log = run_log(place)
        (was, said_was), (now, said_now) = (read_manifest(stores.blobs, log.get(tag)) for tag in (first, second))
    found = compare(was, now, said_was, said_now)
    show({"identical": found.identical, "cause": found.cause, "comparison": found}, as_json=as_json, text=found.told())


def _log_of(ctx: click.Context, home: str | None) -> RunLog:
    """The runs of a home, without its settings and other stores: those take longer to load than the runs to read."""
    from noria.stores.tracking.runs import RunLog

    path = home_path(ctx, home)
    if not (path / "home.json").is_file():
        from noria.app.home import open_home

        open_home(path)  # says what is wrong with it
    return RunLog(path / "experiments" / "runs")


def _facts_of(manifest: Mapping[str, Any]) -> list[str]:
    code, data, environment = manifest["code"], manifest["data"], manifest["environment"]
    examples, changed = data["examples"], " with changes" if code["diff_sha256"] else ""
    at = f"commit {code['commit'][:12] or '?'}{changed}, source {code['sha256'][:12]}"
    packages = f"{len(environment['packages'])} packages, lock {code['lock_sha256'][:12] or 'none'}"
    rows = f"{examples['rows']} rows, sha256 {examples['sha256'][:12]}"
    used = f"{data['learnt_rows']} fitted on, {data['scored_rows']} scored"
    return [
        f"  code         {code['version']}, {at}, archived {code['archive'][:12]}",
        f"  environment  Python {environment['python']}, {packages}, {environment['cpu']['model']}",
        f"  data         {examples['name']}@{examples['version']} ({rows}): {used}",
    ]


def _selected(
    log: RunLog, experiment: str | None, conditions: Sequence[str], sort: str | None, columns: str | None, limit: int
) -> tuple[list[dict[str, Any]], list[str], int]:
    """(rows shown, their columns, how many fulfil the conditions)."""
    from noria.stores.tracking.runs import FACTS

    asked = [_condition(c) for c in conditions]
    by, falling = (sort or "").lstrip("-"), (sort or "").startswith("-")
    known = log.columns()
    extra = [c.strip() for c in columns.split(",") if c.strip()] if columns else [c for c in _SHOWN if c in known]
    for name in [*(n for n, _, _ in asked), *extra, *([by] if by else [])]:
        if name not in known and name not in FACTS:
            raise UsageError(f"no run has a criterion {name!r}. {nearest(name, [*known, *FACTS])}")
    shown = list(dict.fromkeys(["tag", "state", *([by] if by else []), *(n for n, _, _ in asked), *extra]))
    found = log.table(["experiment", *shown])
    if experiment is not None and experiment not in found["experiment"]:
        raise NotFound("experiment", experiment, log.experiments())
    keep = [
        i
        for i in range(len(found["tag"]))
        if experiment in (None, found["experiment"][i]) and all(_holds(found[n][i], how, v) for n, how, v in asked)
    ]
    if by:
        have = sorted((i for i in keep if found[by][i] is not None), key=lambda i: found[by][i], reverse=falling)
        keep = have + [i for i in keep if found[by][i] is None]
    return [{c: found[c][i] for c in shown} for i in keep[:limit]], shown, len(keep)


def _condition(text: str) -> tuple[str, str, float | str]:
    hit = _CONDITION.fullmatch(text)
    if hit is None:
        raise UsageError(
            f"--where {text!r}: write CRITERION, one of < <= = != >= >, and a value: 'intent.accuracy>0.9'."
        )
    name, how, value = hit.groups()
    try:
        return name, how, float(value)
    except ValueError:
        return name, how, value


def _holds(value: Any, how: str, limit: float | str) -> bool:
    if value is None or isinstance(value, str) is not isinstance(limit, str):
        return False
    answers = {
        "<": value < limit, "<=": value <= limit, "=": value == limit,
        "!=": value != limit, ">=": value >= limit, ">": value > limit,
    }  # fmt: skip
    return bool(answers[how])


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
