"""`noria init`."""

from __future__ import annotations

from pathlib import Path

import click

from noria.app.cli.context import home_options, show


@click.command()
@click.argument("folder", required=False)
@home_options
@click.pass_context
def init(ctx: click.Context, folder: str | None, home: str | None, as_json: bool) -> None:
    """Make a home in FOLDER (default: --home, or the current folder)."""
    from noria.app.home import create_home

    path = Path(folder or home or (ctx.find_root().obj or {}).get("home") or ".").expanduser().absolute()
    made = create_home(path)
    words = "Made a home in" if made else "There is a home already in"
    show(
        {"home": str(path), "created": made},
        as_json=as_json,
        text=f"{words} {path}. Next: noria data add FILE --as examples",
    )
