"""`noria experiments reproduce`, and what it runs on the archived code."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from noria.app.cli.context import home_options, opened, show
from noria.errors import UsageError

if TYPE_CHECKING:
    from noria.build.experiments.reproduce import Copy
    from noria.records.experiments import ExperimentRun


@click.command("reproduce")
@click.argument("tags", nargs=-1)
@click.option("--sample", type=click.IntRange(1), metavar="N", help="N finished runs drawn at random.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the draw.")
@click.option("--experiment", help="Draw from this experiment only.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change a setting on purpose.")
@click.option("--this-code", is_flag=True, help="On the code of this process, not on the archived one.")
@click.option("--from-scratch", is_flag=True, help="Encode every text again too.")
@click.option("--rebuild-environment", is_flag=True, help="In a new environment made from the archived lock.")
@home_options
@click.pass_context
def reproduce_command(
    ctx: click.Context,
    tags: tuple[str, ...],
    sample: int | None,
    seed: int,
    experiment: str | None,
    overrides: tuple[str, ...],
    this_code: bool,
    from_scratch: bool,
    rebuild_environment: bool,
    home: str | None,
    as_json: bool,
) -> None:
    """Make runs again from pinned data and archived code: identical, or the first place of difference."""
    from noria.app.cli.model import settings_of
    from noria.app.wiring.experiments import environment_of, run_log
    from noria.build.experiments.reproduce import reproduce

    if bool(tags) == bool(sample):
        raise UsageError("name the TAGs of runs, or draw some: --sample 20.")
    copies: list[Copy] = []
    with opened(ctx, home) as (place, stores):
        log = run_log(place)
        chosen = _drawn(log.runs(experiment), sample, seed) if sample else [log.get(tag) for tag in tags]
        for run in chosen:
            python = environment_of(place, stores, run) if rebuild_environment else sys.executable
            copy = reproduce(
                stores,
                run,
                home=place.path,
                python=python,
                overrides=settings_of(overrides),
                this_code=this_code,
                from_scratch=from_scratch,
            )
            copies.append(copy)
            if not as_json:
                click.echo(copy.told())
    same = sum(copy.identical for copy in copies)
    told = [{"tag": c.tag, "identical": c.identical, "missing": c.missing, "comparison": c.comparison} for c in copies]
    show(
        {"identical": same, "of": len(copies), "runs": told}, as_json=as_json, text=f"{same} of {len(copies)} identical"
    )
    if same < len(copies):
        ctx.exit(1)


@click.command("rerun", hidden=True)
@click.option("--manifest", type=click.Path(path_type=Path), required=True)
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--from-scratch", is_flag=True)
@home_options
@click.pass_context
def rerun_command(
    ctx: click.Context, manifest: Path, out: Path, from_scratch: bool, home: str | None, as_json: bool
) -> None:
    """Make the run of a manifest again in this process; `reproduce` calls it on archived code."""
    import noria
    from noria.app.wiring.experiments import bare_tools_of, source_of_this_process
    from noria.build.experiments.reproduce import rerun, write_copy

    wanted = json.loads(manifest.read_text(encoding="utf-8"))
    with opened(ctx, home) as (place, _):
        tools = bare_tools_of(str(place.path), from_scratch=from_scratch)
        found, said = rerun(wanted, tools, source_of_this_process(), noria.__version__)
    out.write_bytes(write_copy(found, said))


def _drawn(runs: list[ExperimentRun], count: int, seed: int) -> list[ExperimentRun]:
    finished = [run for run in runs if run.state == "finished"]
    if not finished:
        raise UsageError("there is no finished run to draw from; 'noria experiments list' shows what there is.")
    return random.Random(seed).sample(finished, min(count, len(finished)))  # noqa: S311 - no secret hangs on the draw
