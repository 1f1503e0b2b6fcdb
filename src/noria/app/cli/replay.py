"""`noria replay` and `noria demo`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from noria.app.cli.context import home_options, home_path, opened, show
from noria.errors import NoRelease

if TYPE_CHECKING:
    from noria.app.home import Home


@click.command()
@click.argument("stream", metavar="STREAM[@VERSION]")
@click.option("--budget", type=int, help="Label tasks a day; default: the home's setting.")
@click.option(
    "--accept-new-intents/--no-accept-new-intents",
    default=True,
    show_default=True,
    help="Whether intents that labellers name come into scope by themselves.",
)
@click.option("--noise", type=click.FloatRange(0, 1), default=0.0, show_default=True, help="Share of wrong labels.")
@click.option("--seed", default=1, show_default=True, help="Of the simulated people.")
@click.option(
    "--arms",
    metavar="NAMES",
    default="",
    help="Also replay under other rules, beside it in the report: ungated, monthly, oracle (comma between).",
)
@home_options
@click.pass_context
def replay(
    ctx: click.Context,
    stream: str,
    budget: int | None,
    accept_new_intents: bool,
    noise: float,
    seed: int,
    arms: str,
    home: str | None,
    as_json: bool,
) -> None:
    """Turn the loop on a recorded stream with a simulated clock, in a scratch home beside this one.

    It starts from the data of the live release; nothing of this home is changed but its reports.
    """
    import tempfile

    from noria.app import replaying
    from noria.app.home import create_home, open_home
    from noria.loop import ReplayPolicy
    from noria.loop.arms import arm_of

    chosen = [arm_of(name.strip()) for name in arms.split(",") if name.strip()]

    with opened(ctx, home) as (place, stores):
        live = stores.journal.current_release()
        if live is None:
            raise NoRelease
        at = stores.lake.resolve("streams", stream)
        _, rows = stores.lake.stream(at.name, at.version)
        changes = replaying.planted(stores, at)
        with tempfile.TemporaryDirectory(prefix="replay-", dir=place.path) as folder:

            def scratch(name: str) -> Home:
                create_home(Path(folder) / name)
                return replaying.scratch_home(open_home(Path(folder) / name), place, budget, accept_new_intents)

            policy = ReplayPolicy(seed=seed, label_noise=noise, changes=changes)
            others = []
            for arm in chosen:
                click.echo(f"replaying the arm {arm.name}: {arm.title}", err=True)
                others.append(replaying.run_arm(scratch(arm.name), (stores, live), rows, policy, arm))
            view, files = replaying.run(
                scratch("home"), (stores, live), rows, policy, reports=place.reports, quiet=as_json, others=others
            )
    told = view["replay"]["summary"] | {"report": str(files[1]), "arms": view["replay"].get("arms", [])}
    show(told, as_json=as_json, text=replaying.summary(view, files[1]))


@click.command()
@click.option("--detached", is_flag=True, help="End after the replay instead of serving.")
@click.option("--days", default=60, show_default=True, help="Days of generated traffic.")
@click.option("--seed", default=1, show_default=True)
@click.option("--port", type=click.IntRange(0, 65535), help="Default: [serve] port of the settings.")
@home_options
@click.pass_context
def demo(
    ctx: click.Context, detached: bool, days: int, seed: int, port: int | None, home: str | None, as_json: bool
) -> None:
    """Make a home with the demo's help desk, train, replay generated traffic, then serve it."""
    from noria.app import replaying
    from noria.app.cli.serving import run_server
    from noria.app.home import create_home, open_home

    path = home_path(ctx, home or (ctx.find_root().obj or {}).get("home") or "noria-demo")
    create_home(path)
    place = open_home(path)
    result = replaying.demo(place, days=days, seed=seed, quiet=as_json)
    show(result, as_json=as_json, text=result["text"])
    if not detached:
        run_server(place, place.settings.serve.host, place.settings.serve.port if port is None else port)
