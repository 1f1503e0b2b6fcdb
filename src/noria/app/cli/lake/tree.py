"""`noria lake`: verify, vacuum, diff, lineage, pins, restore-drill, basket."""

from __future__ import annotations

import sys

import click

from noria.app.cli.context import home_options, opened, show, table, when
from noria.app.cli.lake.basket import basket


@click.group()
def lake() -> None:
    """Look after the versioned tables."""


lake.add_command(basket)
_KIND = click.option(
    "--kind", default="examples", show_default=True, help="Kind of the table, as 'data list' shows it."
)


@lake.command()
@home_options
@click.pass_context
def verify(ctx: click.Context, home: str | None, as_json: bool) -> None:
    """Read each pinned and each latest version again and compare it with its hash."""
    from noria.stores.lake import care

    with opened(ctx, home) as (_, stores):
        checked = care.verify(stores.lake)
    rows = [(c.version.kind, c.version.ref, c.version.rows, c.fault or "ok", ", ".join(c.why)) for c in checked]
    faults = sum(bool(c.fault) for c in checked)
    text = table(rows, ("KIND", "VERSION", "ROWS", "FOUND", "WHY")) + f"\n{len(checked)} versions, {faults} faults."
    show({"checked": checked, "faults": faults}, as_json=as_json, text=text)
    if faults:
        sys.exit(4)


@lake.command()
@click.option("--keep-days", default=7.0, show_default=True, type=click.FloatRange(1), help="Versions of these stay.")
@click.option("--yes", is_flag=True, help="Remove; without it the command only tells.")
@home_options
@click.pass_context
def vacuum(ctx: click.Context, keep_days: float, yes: bool, home: str | None, as_json: bool) -> None:
    """Remove the files of versions that are neither pinned, nor the latest, nor of the last days."""
    from noria.app.wiring import now_ms
    from noria.stores.lake import care

    with opened(ctx, home) as (_, stores):
        done = care.vacuum(stores.lake, now_ms=now_ms(), keep_hours=24 * keep_days, dry_run=not yes)
    rows = [(v.kind, v.name, len(v.files), f"{v.size / 1e6:.1f}", " ".join(map(str, v.kept))) for v in done]
    said = "removed." if yes else "would be removed; with --yes they are."
    text = table(rows, ("KIND", "NAME", "FILES", "MB", "KEPT VERSIONS"))
    show({"removed": yes, "tables": done}, as_json=as_json, text=f"{text}\n{sum(r[2] for r in rows)} files {said}")


@lake.command()
@click.argument("name")
@click.argument("old", type=int)
@click.argument("new", type=int)
@_KIND
@click.option("--label", help="The column whose moves are counted; default: intent.")
@home_options
@click.pass_context
def diff(
    ctx: click.Context, name: str, old: int, new: int, kind: str, label: str | None, home: str | None, as_json: bool
) -> None:
    """Tell what changed from version OLD of a table to version NEW."""
    from noria.stores.lake import care

    with opened(ctx, home) as (_, stores):
        told = care.diff(stores.lake, kind, name, old, new, label=label)
    lines = []
    for what, count in (("added", told.added), ("removed", told.removed), ("changed", told.changed)):
        keys = told.shown.get(what, ())
        lines.append(f"{what}: {count}  {', '.join(keys)}{' …' if count > len(keys) > 0 else ''}".rstrip())
    lines += [f"  {count} × {before} → {after}" for (before, after), count in told.moves.items()]
    moves = [{"from": before, "to": after, "rows": count} for (before, after), count in told.moves.items()]
    counts = {"added": told.added, "removed": told.removed, "changed": told.changed, "shown": told.shown}
    show({"old": told.old, "new": told.new} | counts | {"moves": moves}, as_json=as_json, text="\n".join(lines))


@lake.command()
@click.argument("ref", metavar="NAME[@VERSION]")
@_KIND
@click.option("--limit", default=20, show_default=True, help="Writes to show.")
@home_options
@click.pass_context
def lineage(ctx: click.Context, ref: str, kind: str, limit: int, home: str | None, as_json: bool) -> None:
    """Tell which sources, code and other versions a version was made from."""
    from noria.stores.lake import care

    with opened(ctx, home) as (_, stores):
        steps = care.lineage(stores.lake, stores.lake.resolve(kind, ref))
    rows = [
        (f"{'  ' * s.depth}{s.version.kind}/{s.version.ref}", when(s.time_ms), s.operation, s.version.rows,
         ", ".join(f"{k}={v}" for k, v in s.note.items()), s.code.get("version", ""))
        for s in steps[:limit]
    ]  # fmt: skip
    text = table(rows, ("VERSION", "TIME (UTC)", "WRITE", "ROWS", "NOTE", "CODE"))
    more = f"\n… and {len(steps) - limit} more; --limit shows them." if len(steps) > limit else ""
    show(steps, as_json=as_json, text=text + more)


@lake.command()
@home_options
@click.pass_context
def pins(ctx: click.Context, home: str | None, as_json: bool) -> None:
    """List the versions that no vacuum removes, and why."""
    with opened(ctx, home) as (_, stores):
        found = stores.lake.pins()
    rows = [(p["kind"], p["name"], p["version"], p["rows"], p["why"]) for p in found]
    show(found, as_json=as_json, text=table(rows, ("KIND", "NAME", "VERSION", "ROWS", "WHY")))


@lake.command("restore-drill")
@click.argument("target", metavar="PLACE")
@home_options
@click.pass_context
def restore_drill(ctx: click.Context, target: str, home: str | None, as_json: bool) -> None:
    """Copy all pinned and latest versions to an empty PLACE (folder or s3://…) and verify them there."""
    from noria.stores.lake import care

    with opened(ctx, home) as (_, stores):
        done = care.restore_drill(stores.lake, target)
    faults = [c for c in done.checked if c.fault]
    lines = [f"{c.version.kind}/{c.version.ref}: {c.fault}" for c in faults]
    lines.append(
        f"{done.files} files, {done.size / 1e6:.1f} MB copied; {len(done.checked)} versions, {len(faults)} faults."
    )
    show(done, as_json=as_json, text="\n".join(lines))
    if faults:
        sys.exit(4)
