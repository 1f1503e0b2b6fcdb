"""`noria erase`: what a person said leaves the house."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import partial

import click

from noria.app.cli.context import actor, home_options, opened, show


@click.command()
@click.argument("requester")
@click.option("--account", required=True, help="Whose requester it is.")
@home_options
@click.pass_context
def erase(ctx: click.Context, requester: str, account: str, home: str | None, as_json: bool) -> None:
    """Erase what a requester of an account said, in the journal, the label desk and the lake; counts stay.

    The audit log keeps a hash of the name only.
    """
    from noria.app.cli.ingest.feeds import feed_names, read_feed
    from noria.app.settings import label_desk
    from noria.app.wiring import new_id, now_ms
    from noria.records.access import AuditEntry
    from noria.serve.erasure import erase_requester

    target = "sha256:" + hashlib.sha256(f"{account}\0{requester}".encode()).hexdigest()[:16]
    with opened(ctx, home) as (place, stores):
        entry = AuditEntry(new_id(), now_ms(), actor(), "erase", account, target)
        outside = label_desk(place.settings) != "builtin"
        receipt = erase_requester(stores, account, requester, entry, outside_desk=outside)
        feeds = [
            feed
            for feed in map(partial(read_feed, place), feed_names(place))
            if "person" in feed.columns.types.values()
        ]
    if feeds:
        # a feed is of no account: whose rows they are only the operator knows
        names = ", ".join(feed.name for feed in feeds)
        said = f"Feeds may hold rows of the same person ({names}): 'noria ingest erase PERSON' takes them out."
        receipt = replace(receipt, warnings=(*receipt.warnings, said))
    counts = ", ".join(f"{int(n)} {name.replace('_', ' ')}" for name, n in receipt.counts.items())
    show(receipt, as_json=as_json, text="\n".join([f"Erased: {counts}.", *receipt.warnings]))
