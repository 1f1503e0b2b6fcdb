"""`noria data`: add, list, show, history."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import click

from noria.app.cli.context import home_options, opened, show, table, when
from noria.errors import UsageError

_KINDS = {"examples": "examples", "articles": "articles", "stream": "streams"}


@click.group()
def data() -> None:
    """Add and look at data in the lake."""


@data.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--as", "kind", type=click.Choice(list(_KINDS)), required=True, help="What the rows are.")
@click.option("--name", help="The table; default: the file's name.")
@click.option("--map", "renames", multiple=True, metavar="FIELD=COLUMN", help="Which column holds a field.")
@click.option("--quarantine", type=click.Path(path_type=Path), help="Set bad rows aside in this file.")
@click.option("--extend-scope", is_flag=True, help="Let intents in that the table does not know.")
@click.option("--update", is_flag=True, help="Rows with a known id replace the old ones.")
@home_options
@click.pass_context
def add(
    ctx: click.Context,
    file: Path,
    kind: Literal["examples", "articles", "stream"],
    name: str | None,
    renames: tuple[str, ...],
    quarantine: Path | None,
    extend_scope: bool,
    update: bool,
    home: str | None,
    as_json: bool,
) -> None:
    """Add the rows of FILE (JSONL, CSV, TSV, Parquet; also gzipped) to a table, all or none."""
    from noria.app.wiring import now_ms
    from noria.build import add_data

    with opened(ctx, home) as (_, stores):
        version, receipt = add_data(
            stores.lake,
            file,
            kind,
            name=name or _stem(file),
            time_ms=now_ms(),
            rename=renames_of(renames),
            quarantine=quarantine,
            extend_scope=extend_scope,
            update=update,
        )
    counts = dict(receipt.counts)
    text = f"{kind} {version.ref}: {version.rows} rows ({counts['good']:.0f} of this file)"
    if counts["quarantined"]:
        text += f"; {counts['quarantined']:.0f} bad rows set aside in {quarantine}"
    result = {"kind": kind, "name": version.name, "version": version.version, "rows": version.rows}
    show(result | {"sha256": version.sha256, "counts": counts}, as_json=as_json, text=text)


@data.command("list")
@home_options
@click.pass_context
def list_tables(ctx: click.Context, home: str | None, as_json: bool) -> None:
    """List the tables, each at its latest version."""
    with opened(ctx, home) as (_, stores):
        found = stores.lake.tables()
    rows = [(t.kind, t.name, t.version, t.rows, t.sha256[:12]) for t in found]
    text = (
        table(rows, ("KIND", "NAME", "VERSION", "ROWS", "SHA256"))
        if rows
        else "No tables yet: noria data add FILE --as examples"
    )
    show(found, as_json=as_json, text=text)


@data.command("show")
@click.argument("ref", metavar="NAME[@VERSION]")
@click.option("--as", "kind", type=click.Choice(list(_KINDS)), default="examples", show_default=True)
@click.option("--limit", default=10, show_default=True, help="Rows to show.")
@home_options
@click.pass_context
def show_table(ctx: click.Context, ref: str, kind: str, limit: int, home: str | None, as_json: bool) -> None:
    """Show the first rows of a table."""
    with opened(ctx, home) as (_, stores):
        at = stores.lake.resolve(_KINDS[kind], ref)
        rows: Sequence[object]
        if kind == "examples":
            _, rows = stores.lake.examples(at.name, at.version)
        elif kind == "articles":
            _, rows = stores.lake.articles(at.name, at.version)
        else:
            _, rows = stores.lake.stream(at.name, at.version)
    shown = rows[:limit]
    lines = "\n".join(str(row) for row in shown)
    show({"table": at, "rows": shown}, as_json=as_json, text=f"{at.ref}: {at.rows} rows, sha256 {at.sha256}\n{lines}")


@data.command()
@click.argument("name")
@click.option("--as", "kind", type=click.Choice(list(_KINDS)), default="examples", show_default=True)
@home_options
@click.pass_context
def history(ctx: click.Context, name: str, kind: str, home: str | None, as_json: bool) -> None:
    """List the versions of a table, newest first."""
    with opened(ctx, home) as (_, stores):
        versions = stores.lake.history(_KINDS[kind], name)
    rows = [
        (v["version"], when(int(str(v["time_ms"] or 0))), v["rows"], str(v["sha256"])[:12], v["note"]) for v in versions
    ]
    show(versions, as_json=as_json, text=table(rows, ("VERSION", "TIME (UTC)", "ROWS", "SHA256", "NOTE")))


def _stem(file: Path) -> str:
    return file.name.split(".")[0].lower().replace(" ", "-")


def renames_of(pairs: tuple[str, ...]) -> dict[str, str]:
    """Field → column, from `--map FIELD=COLUMN` (repeated, or with commas between)."""
    out: dict[str, str] = {}
    for text in pairs:
        for pair in text.split(","):
            field, _, column = pair.partition("=")
            if not field or not column:
                raise UsageError(f"--map {pair!r}: write FIELD=COLUMN, e.g. --map text=utterance.")
            out[field.strip()] = column.strip()
    return out
