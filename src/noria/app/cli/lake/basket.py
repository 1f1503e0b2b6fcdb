"""`noria lake basket`: the rows that judge candidates; they only grow, and only when somebody says so."""

from __future__ import annotations

import click

from noria.app.cli.context import home_options, opened, show


@click.group()
def basket() -> None:
    """Look at the frozen basket of an examples table, and add to it."""


@basket.command()
@click.argument("ref", metavar="NAME[@VERSION]")
@click.option("--why", required=True, help="The reason; kept with the new version.")
@click.option("--yes", is_flag=True, help="Add; without it the command only tells.")
@home_options
@click.pass_context
def add(ctx: click.Context, ref: str, why: str, yes: bool, home: str | None, as_json: bool) -> None:
    """Add the rows of an examples table with split=test that its basket lacks.

    Refused where a row reads like one of split=train or val (a leak), or where the basket knows it otherwise.
    """
    from noria.app.wiring import now_ms
    from noria.release.rollout import basket_name
    from noria.stores.lake.care.baskets import grow_basket, missing_from_basket

    with opened(ctx, home) as (_, stores):
        at = stores.lake.resolve("examples", ref)
        name = basket_name(at.name)
        rows = missing_from_basket(stores.lake, name, at)
        result = {"basket": name, "from": at, "rows": len(rows), "added": bool(yes and rows)}
        if yes and rows:
            made = grow_basket(stores.lake, name, rows, source=at, why=why, time_ms=now_ms())
            text = f"{len(rows)} rows added: {name} has {made.rows} now (version {made.version}, pinned)."
            show(result | {"version": made}, as_json=as_json, text=text)
            return
    said = "they are added with --yes." if rows else "nothing to add."
    show(result, as_json=as_json, text=f"{len(rows)} rows of {at.ref} are not in {name}: {said}")
