"""`noria experiments sweep | resume | campaign | deliver`."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from noria.app.cli.context import home_options, opened, show
from noria.errors import NotFound, StateError, UsageError

if TYPE_CHECKING:
    from noria.app.home import Home
    from noria.build.experiments.sweeps.plan import Plan
    from noria.build.experiments.sweeps.runners import Runner
    from noria.build.experiments.sweeps.sweep import Progress, Swept
    from noria.stores import Stores

_SECONDS_BETWEEN_LINES = 5.0
workers_option = click.option(
    "--workers", type=click.IntRange(0, 256), help="Processes; default: the cores. 0 = in this process."
)
spark_option = click.option(
    "--spark", metavar="MASTER", help="Run on the executors of a Spark cluster, e.g. local-cluster[2,1,1024]."
)
take_over_option = click.option("--take-over", is_flag=True, help="The coordinator that holds the sweep is dead.")


@click.command("sweep")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--runs", type=click.IntRange(1), help="How many runs instead of the plan's.")
@workers_option
@spark_option
@take_over_option
@home_options
@click.pass_context
def sweep_command(
    ctx: click.Context,
    file: Path,
    runs: int | None,
    workers: int | None,
    spark: str | None,
    take_over: bool,
    home: str | None,
    as_json: bool,
) -> None:
    """Run the sweep of the plan FILE (TOML); one that was stopped goes on where it was."""
    from noria.build.experiments.sweeps.plan import read_plan

    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} cannot be read: {error}.") from None
    plan = read_plan(text, file.name)
    with opened(ctx, home) as (place, stores):
        swept = run_sweep(place, stores, with_runs(plan, runs), text, workers, spark, take_over=take_over)
    show(swept, as_json=as_json, text=_told(swept))


@click.command("resume")
@click.argument("name")
@click.option("--runs", type=click.IntRange(1), help="How many runs in all; may be more than before.")
@workers_option
@spark_option
@take_over_option
@home_options
@click.pass_context
def resume_command(
    ctx: click.Context,
    name: str,
    runs: int | None,
    workers: int | None,
    spark: str | None,
    take_over: bool,
    home: str | None,
    as_json: bool,
) -> None:
    """Go on with the sweep NAME; runs that have ended are not run again."""
    from noria.app.wiring.experiments import sweep_folder
    from noria.build.experiments.sweeps.plan import read_plan

    with opened(ctx, home) as (place, stores):
        path = sweep_folder(place, name) / "plan.toml"
        if not path.is_file():
            known = [p.parent.name for p in sweep_folder(place, name).parent.glob("*/plan.toml")]
            raise NotFound("sweep", name, known, "'noria experiments sweep FILE' begins one.")
        text = path.read_text(encoding="utf-8")
        plan = with_runs(read_plan(text, path.name), runs)
        swept = run_sweep(place, stores, plan, text, workers, spark, take_over=take_over)
    show(swept, as_json=as_json, text=_told(swept))


@click.command("campaign")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--report", type=click.Path(path_type=Path), help="Markdown to write; holds figures, no rows of data.")
@workers_option
@spark_option
@home_options
@click.pass_context
def campaign_command(
    ctx: click.Context,
    file: Path,
    report: Path | None,
    workers: int | None,
    spark: str | None,
    home: str | None,
    as_json: bool,
) -> None:
    """Run every experiment of the campaign FILE (TOML), and report what came of each."""
    from noria.app.wiring.experiments import run_log
    from noria.build.experiments.sweeps.campaign import read_campaign, report_of

    try:
        campaign = read_campaign(file.read_text(encoding="utf-8"), file.name)
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} cannot be read: {error}.") from None
    started = time.time()
    results: list[Swept] = []
    with opened(ctx, home) as (place, stores):
        for number, (plan, text) in enumerate(campaign.plans, start=1):
            click.echo(f"[{number}/{len(campaign.plans)}] {plan.name}: {plan.runs} runs on {plan.data}", err=True)
            results.append(run_sweep(place, stores, plan, text, workers, spark, take_over=False))
        told = report_of(campaign, results, run_log(place), seconds=time.time() - started)
    if report is not None:
        try:
            report.write_text(told, encoding="utf-8")
        except OSError as error:
            raise UsageError(f"{report} cannot be written: {error.strerror}.") from None
    show({"campaign": campaign.name, "experiments": results}, as_json=as_json, text=told)


@click.command("deliver")
@home_options
@click.pass_context
def deliver_command(ctx: click.Context, home: str | None, as_json: bool) -> None:
    """Send the runs that the tracking server has not heard of yet."""
    from noria.app.wiring.experiments import run_log
    from noria.build.experiments.delivery import deliver

    with opened(ctx, home) as (place, stores):
        log = run_log(place)
        count, why = deliver(stores, log)
        waiting = len(log.undelivered())
    text = f"Delivered {count} runs; {waiting} wait." + (f" {why}" if why else "")
    show({"delivered": count, "waiting": waiting, "why": why}, as_json=as_json, text=text)


def run_sweep(
    home: Home, stores: Stores, plan: Plan, text: str, workers: int | None, spark: str | None, *, take_over: bool
) -> Swept:
    """Runs a plan to its end, keeps its best models and delivers its runs."""
    from noria.app.wiring import now_ms
    from noria.app.wiring.experiments import proposals_of, run_log, sweep_desk, sweep_folder
    from noria.build.experiments.delivery import deliver
    from noria.build.experiments.sweeps.best import keep_best
    from noria.build.experiments.sweeps.sweep import sweep

    proposals = proposals_of(home, plan)
    proposals.lease(now_ms(), take_over=take_over)
    desk = sweep_desk(home, stores, _Teller(plan.name))
    desk.lake.resolve("examples", plan.data)
    path = sweep_folder(home, plan.name) / "plan.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    runner = _runner(home, workers, spark)
    swept = sweep(plan, proposals, runner, desk)
    best = keep_best(stores, plan, desk, runner)
    runner.close()
    _, why = deliver(stores, run_log(home))
    if not why and best:
        stores.tracker.register(plan.name, best[0].tag, "best", best[0].bundle_sha256)
    if why:
        click.echo(f"! The runs are kept, but the tracking server did not hear of all: {why}", err=True)
        click.echo("  Later: noria experiments deliver", err=True)
    return swept


def with_runs(plan: Plan, runs: int | None) -> Plan:
    """The plan with another number of runs, None = as it is."""
    import dataclasses

    return plan if runs is None else dataclasses.replace(plan, runs=runs)


def _runner(home: Home, workers: int | None, spark: str | None) -> Runner:
    from noria.app.wiring.experiments import work
    from noria.build.experiments.sweeps.runners import InProcess, Processes, SparkExecutors

    if spark is not None:
        return SparkExecutors(work, str(home.path), _spark(spark))
    count = os.cpu_count() or 1 if workers is None else workers
    return Processes(work, str(home.path), count) if count else InProcess(work, str(home.path))


def _spark(master: str) -> Any:
    try:
        from pyspark.sql import SparkSession  # type: ignore[import-not-found,unused-ignore]
    except ImportError as error:
        raise StateError(f"--spark needs the package pyspark, which is not here ({error}).") from None
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # executors run the interpreter that has Noria
    builder = SparkSession.builder.master(master).appName("noria experiments").config("spark.ui.enabled", "false")
    given = {k: v for k, v in os.environ.items() if k.startswith("NORIA_")}
    for name, value in {**given, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}.items():
        builder = builder.config(f"spark.executorEnv.{name}", value)
    return builder.getOrCreate().sparkContext


class _Teller:
    """Prints progress now and then."""

    def __init__(self, name: str) -> None:
        self._name, self._last = name, 0.0

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        if now - self._last < _SECONDS_BETWEEN_LINES and progress.done < progress.total:
            return
        self._last = now
        left = "" if progress.left_ms is None else f", about {_span(progress.left_ms)} left"
        bad = f", {progress.failed} failed" if progress.failed else ""
        cut = f", {progress.pruned} pruned" if progress.pruned else ""
        best = f", best {progress.best.tag}" if progress.best else ""
        click.echo(f"{self._name}: {progress.done} of {progress.total}{cut}{bad}{left}{best}", err=True)


def _span(ms: int) -> str:
    minutes, seconds = divmod(ms // 1000, 60)
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


def _told(swept: Swept) -> str:
    states = f"{swept.finished} finished, {swept.pruned} pruned, {swept.failed} failed"
    lines = [f"{swept.name}: {swept.runs} runs ({states}; {swept.before} were there already) on {swept.data.ref}"]
    if swept.best is not None:
        lines.append(f"best: {swept.best.tag}")
        lines.append(f"Next: noria experiments list --experiment {swept.name}")
    return "\n".join(lines)
