"""`noria ingest`: add, list, run, status, quarantine, erase."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from noria.app.cli.context import home_options, opened, show, table, when
from noria.errors import DataError, Problem, UsageError

if TYPE_CHECKING:
    from noria.build.pipeline.receipts import FeedReceipt


@click.group()
def ingest() -> None:
    """Bring feeds of raw rows into clean, versioned tables."""


@ingest.command()
@click.argument("name")
@click.argument("files", required=False)
@click.option("--sql", "url", metavar="URL", help="A database instead of files (SQLAlchemy URL).")
@click.option("--query", help="The SELECT to read, with --sql.")
@click.option("--cursor", default="", help="Column of the query that grows with each change.")
@click.option("--help-desk", "account", metavar="ACCOUNT", help="The help desk of an account instead of files.")
@click.option("--stream", default="tickets", show_default=True, help="Of the help desk: tickets, conversations, ...")
@home_options
@click.pass_context
def add(
    ctx: click.Context,
    name: str,
    files: str | None,
    url: str | None,
    query: str | None,
    cursor: str,
    account: str | None,
    stream: str,
    home: str | None,
    as_json: bool,
) -> None:
    """Draft the feed NAME from FILES (a path with * and ?, or s3://...), a database or a help desk; edit it, run it."""
    from noria.app.cli.ingest.feeds import draft
    from noria.app.wiring import now_ms, open_source

    if [files, url, account].count(None) != 2 or (url is not None and not query):
        raise UsageError("name one of FILES, --sql URL with --query SELECT, and --help-desk ACCOUNT.")
    path = str(Path(files).absolute()) if files and "://" not in files else files
    settings: dict[str, Any] = {"kind": "files", "path": path}
    if url is not None:
        settings = {"kind": "sql", "url": url, "query": query, **({"cursor": cursor} if cursor else {})}
    elif account is not None:
        settings = {"kind": "help_desk", "account": account, "stream": stream}
    with opened(ctx, home) as (place, stores):
        file = draft(place, name, settings, open_source(place, stores, settings, now_ms()))
    show({"feed": name, "file": str(file)}, as_json=as_json, text=f"{file}: read it, then: noria ingest run {name}")


@ingest.command("list")
@home_options
@click.pass_context
def list_feeds(ctx: click.Context, home: str | None, as_json: bool) -> None:
    """List the feeds, each with its last run."""
    from noria.app.cli.ingest.feeds import feed_names
    from noria.build.pipeline.receipts import latest

    with opened(ctx, home) as (place, stores):
        found = {name: latest(stores.lake, name)[1] for name in feed_names(place)}
    rows = [
        (n, r.run, when(r.time_ms), r.status, r.clean.ref if r.clean else "") if r else (n, "", "", "never run", "")
        for n, r in found.items()
    ]
    text = table(rows, ("FEED", "RUN", "TIME (UTC)", "STATUS", "CLEAN")) if rows else "No feeds yet: noria ingest add"
    show(found, as_json=as_json, text=text)


@ingest.command()
@click.argument("name")
@click.option("--full", is_flag=True, help="Read everything and find what was deleted.")
@click.option("--rebuild", is_flag=True, help="Clean everything anew from the raw table.")
@click.option("--staged", is_flag=True, help="Read nothing, only clean what is staged.")
@home_options
@click.pass_context
def run(
    ctx: click.Context, name: str, full: bool, rebuild: bool, staged: bool, home: str | None, as_json: bool
) -> None:
    """Read what is new, clean it, check the contract and publish; a refusal leaves the last good version (exit 3)."""
    from noria.app.cli.ingest.feeds import read_feed
    from noria.app.wiring import code_facts, now_ms, open_source
    from noria.build import run_feed

    with opened(ctx, home) as (place, stores):
        feed, time_ms = read_feed(place, name), now_ms()
        source = None if staged else open_source(place, stores, feed.source, time_ms)
        receipt = run_feed(stores.lake, feed, source, time_ms=time_ms, code=code_facts(), full=full, rebuild=rebuild)
    show(receipt, as_json=as_json, text=_told(name, receipt))
    if receipt.status == "refused":
        raise DataError([Problem(f"feed {name}", None, None, f"run {receipt.run} was refused.")])


@ingest.command()
@click.argument("name")
@click.option("--limit", default=20, show_default=True, help="Runs to show.")
@home_options
@click.pass_context
def status(ctx: click.Context, name: str, limit: int, home: str | None, as_json: bool) -> None:
    """Show the receipts of a feed, newest first."""
    from noria.build.pipeline.receipts import receipts

    with opened(ctx, home) as (_, stores):
        found = receipts(stores.lake, name)[::-1][:limit]
    keys = ("read", "new", "changed", "deleted", "clean_rows", "quarantine_rows")
    rows = [
        (r.run, when(r.time_ms), r.status, "full" if r.full else "", *(r.counts.get(k, 0) for k in keys)) for r in found
    ]
    header = ("RUN", "TIME (UTC)", "STATUS", "", "READ", "NEW", "CHANGED", "DELETED", "CLEAN", "QUARANTINE")
    text = table(rows, header) if rows else f"feed {name} has never run."
    show(found, as_json=as_json, text=text + (f"\n\n{found[0].message}" if found and found[0].message else ""))


@ingest.command()
@click.argument("name")
@click.option("--reason", help="Only rows set aside for this reason.")
@click.option("--limit", default=20, show_default=True, help="Rows to show.")
@home_options
@click.pass_context
def quarantine(ctx: click.Context, name: str, reason: str | None, limit: int, home: str | None, as_json: bool) -> None:
    """Show rows that were set aside, and why."""
    from noria.build.pipeline.receipts import latest

    with opened(ctx, home) as (_, stores):
        _, last = latest(stores.lake, name)
        at = last.quarantine if last else None
        rows: list[dict[str, Any]] = []
        if at is not None:
            columns = ["id", "reason", "detail", "text"]
            _, batches = stores.lake.scan_table("quarantine", name, at.version, columns=columns)
            found = (row for batch in batches for row in batch.to_pylist())
            rows = sorted((r for r in found if reason in (None, r["reason"])), key=lambda r: str(r["id"]))[:limit]
    shown = [
        (r["id"], r["reason"], str(r["detail"] or "")[:60], str(r["text"] or "")[:50].replace("\n", " ")) for r in rows
    ]
    reasons = dict(last.reasons) if last else {}
    text = "\n".join(f"{n:>8}  {why}" for why, n in reasons.items()) or "Nothing is in quarantine."
    show(
        {"reasons": reasons, "rows": rows},
        as_json=as_json,
        text=text + ("\n\n" + table(shown, ("ID", "REASON", "DETAIL", "TEXT")) if shown else ""),
    )


@ingest.command()
@click.argument("person")
@click.option("--feed", "only", multiple=True, help="Only this feed; else all that have persons. May be repeated.")
@click.option("--purge", is_flag=True, help="Also remove older versions and their pins, so that no version has them.")
@home_options
@click.pass_context
def erase(ctx: click.Context, person: str, only: tuple[str, ...], purge: bool, home: str | None, as_json: bool) -> None:
    """Take the rows of PERSON, as the source names them, out of the tables of feeds, and tell what still holds them."""
    from noria.app.cli.ingest.feeds import feed_names, read_feed
    from noria.app.wiring import code_facts, now_ms
    from noria.build.pipeline.erasing import erase_person

    with opened(ctx, home) as (place, stores):
        feeds = [read_feed(place, name) for name in (only or feed_names(place))]
        if not only:
            feeds = [feed for feed in feeds if "person" in feed.columns.types.values()]
        done = [
            erase_person(stores.lake, feed, person, time_ms=now_ms(), code=code_facts(), purge=purge) for feed in feeds
        ]
    keys = ("raw", "clean", "quarantine")
    rows = [(d.feed, *(d.rows[k] for k in keys), len(d.pinned), d.purged) for d in done]
    header = ("FEED", "RAW", "CLEAN", "QUARANTINE", "PINNED", "FILES PURGED")
    text = table(rows, header) if rows else "No feed has persons."
    show(done, as_json=as_json, text="\n".join([text, *(f"! {w}" for d in done for w in d.warnings)]))


def _told(name: str, r: FeedReceipt) -> str:
    counts = ", ".join(f"{n} {key}" for key, n in r.counts.items() if n and not key.endswith("_rows"))
    head = f"feed {name}, run {r.run}: {r.status}{' (full)' if r.full else ''}; {counts or 'nothing read'}"
    tables = ", ".join(
        f"{kind} {v.ref} ({v.rows} rows)" for kind, v in (("clean", r.clean), ("quarantine", r.quarantine)) if v
    )
    return "\n".join(line for line in (head, tables, r.message) if line)
