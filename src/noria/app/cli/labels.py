"""`noria label`: push, pull, status."""

from __future__ import annotations

import click

from noria.app.cli.context import home_options, opened, show, when
from noria.errors import NoRelease


@click.group()
def label() -> None:
    """Draw label tasks and collect labels."""


@label.command()
@home_options
@click.pass_context
def push(ctx: click.Context, home: str | None, as_json: bool) -> None:
    """Draw from the predictions since the last draw, within the budget, and put the tasks on the desk."""
    from noria.app.wiring import now_ms, open_house
    from noria.label import send
    from noria.loop.turn import scope_of

    with opened(ctx, home) as (place, stores):
        live = stores.journal.current_release()
        if live is None:
            raise NoRelease
        house, now = open_house(place, stores), now_ms()
        scope = sorted(scope_of(stores, live.candidate))
        receipt = send(stores, house.desk, house.policy.sampling, scope=scope, until_ms=now, time_ms=now)
    counts = receipt.counts
    lines = [f"{counts['tasks']:.0f} tasks drawn from {counts['predictions']:.0f} predictions.", *receipt.warnings]
    show(receipt, as_json=as_json, text="\n".join(lines))


@label.command()
@home_options
@click.pass_context
def pull(ctx: click.Context, home: str | None, as_json: bool) -> None:
    """Collect what people answered."""
    from noria.app.wiring import open_house
    from noria.label import gather

    with opened(ctx, home) as (place, stores):
        receipt = gather(stores, open_house(place, stores).desk)
    counts = receipt.counts
    show(receipt, as_json=as_json, text=f"{counts['new']:.0f} new labels, {counts['open']:.0f} tasks open.")


@label.command()
@home_options
@click.pass_context
def status(ctx: click.Context, home: str | None, as_json: bool) -> None:
    """Show the budget and what is open."""
    from noria.app.wiring import open_house

    with opened(ctx, home) as (place, stores):
        house = open_house(place, stores)
        at, budget = house.desk.status(), house.policy.sampling.daily_budget
    oldest = when(at.oldest_open_ms) if at.oldest_open_ms is not None else "none"
    text = f"{at.open} open (oldest {oldest}), {at.labelled} labelled, budget {budget} a day."
    show({"status": at, "daily_budget": budget}, as_json=as_json, text=text)
