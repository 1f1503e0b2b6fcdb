"""`noria help-desk`: status, deliver, pull, check, settle, answer, forget."""

from __future__ import annotations

import hashlib
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from noria.app.cli.context import actor, home_options, opened, show, table, when
from noria.errors import NotFound, StateError, UsageError

if TYPE_CHECKING:
    from noria.app.home import Home
    from noria.app.wiring.help_desks import HelpDesks
    from noria.records import Receipt
    from noria.records.serving.help_desk import Delivery
    from noria.stores import Stores

one_account = click.option("--account", metavar="NAME", help="Only this account; default: all that have a help desk.")


@click.group("help-desk")
def help_desk() -> None:
    """Send hand-overs to the help desks of accounts, and read back what becomes of them."""


@help_desk.command()
@one_account
@home_options
@click.pass_context
def status(ctx: click.Context, account: str | None, home: str | None, as_json: bool) -> None:
    """Show the hand-overs of each account by state, and those that need a person."""
    from noria.app.wiring import now_ms

    with opened(ctx, home) as (place, stores):
        desks = _desks(place, stores)
        counts = stores.journal.outbox.counts()
        names = [account] if account else sorted({*desks.settings.accounts, *counts})
        oldest_ms = now_ms() - round(desks.settings.policy.oldest_hours * 3_600_000)
        waiting = [one for name in names for one in stores.journal.outbox.in_state(name, "pending", 1_000)]
        old = [one for one in waiting if one.delivery is None and one.hand_over.time_ms < oldest_ms]
        stuck = [
            one
            for name in names
            for state in ("unknown", "refused")
            for one in stores.journal.outbox.in_state(name, state)
        ]
    rows = []
    for name in names:
        kind = desks.settings.accounts[name].kind if name in desks.settings.accounts else "none"
        rows.append((name, kind, *(counts.get(name, {}).get(state, 0) for state in _STATES)))
    lines = [table(rows, ("ACCOUNT", "DESK", *(state.upper() for state in _STATES)))] if rows else [_NOTHING]
    for one in stuck:
        kept = one.delivery
        assert kept is not None  # noqa: S101 - a state was asked for
        head = f"{kept.state} ({_REASONS.get(kept.reason, kept.reason)}): {one.hand_over.hand_over_id}"
        lines.append(f"{head}, asked {when(one.hand_over.time_ms)} UTC, sent {kept.sends} times")
    if old:
        lines.append(f"{len(old)} wait for longer than oldest_hours: send them with 'noria help-desk deliver --old'.")
    result = {
        "accounts": {name: counts.get(name, {}) for name in names},
        "stuck": [one.delivery for one in stuck],
        "old": [one.hand_over.hand_over_id for one in old],
    }
    show(result, as_json=as_json, text="\n".join(lines))


@help_desk.command()
@one_account
@click.option("--old", is_flag=True, help="Also those that waited for longer than oldest_hours.")
@home_options
@click.pass_context
def deliver(ctx: click.Context, account: str | None, old: bool, home: str | None, as_json: bool) -> None:
    """Send hand-overs that wait; look for those whose call was lost."""
    with opened(ctx, home) as (place, stores), closing(_desks(place, stores)) as desks:
        receipts = [desks.deliver(name, old=old) for name in _which(desks, account)]
    _tell(receipts, as_json=as_json)


@help_desk.command()
@one_account
@click.option("--whole", is_flag=True, help="Read all articles anew.")
@home_options
@click.pass_context
def pull(ctx: click.Context, account: str | None, whole: bool, home: str | None, as_json: bool) -> None:
    """Read what became of tickets, and the articles that changed."""
    with opened(ctx, home) as (place, stores), closing(_desks(place, stores)) as desks:
        names = _which(desks, account)
        receipts = [desks.follow(name) for name in names] + [desks.articles(name, whole=whole) for name in names]
    _tell(receipts, as_json=as_json)


@help_desk.command()
@one_account
@home_options
@click.pass_context
def check(ctx: click.Context, account: str | None, home: str | None, as_json: bool) -> None:
    """Look, by reading only, what the key of a desk may read."""
    with opened(ctx, home) as (place, stores), closing(_desks(place, stores)) as desks:
        found = {name: dict(desks.desk(name).desk.check()) for name in _which(desks, account)}
    rows = [(name, what, said) for name, its in found.items() for what, said in its.items()]
    show(found, as_json=as_json, text=table(rows, ("ACCOUNT", "WHAT", "FOUND")))


@help_desk.command()
@click.argument("hand_over_ids", nargs=-1, required=True)
@click.option("--ticket", metavar="ID", help="It is this ticket at the desk.")
@click.option("--again", is_flag=True, help="It is not there: send it again.")
@click.option("--drop", is_flag=True, help="It is not to be sent.")
@home_options
@click.pass_context
def settle(
    ctx: click.Context,
    hand_over_ids: tuple[str, ...],
    ticket: str | None,
    again: bool,
    drop: bool,
    home: str | None,
    as_json: bool,
) -> None:
    """Say what became of hand-overs that are unknown or refused, after a look at the desk."""
    if [bool(ticket), again, drop].count(True) != 1:
        raise UsageError("say one of --ticket ID, --again and --drop.")
    if ticket and len(hand_over_ids) > 1:
        raise UsageError(f"{len(hand_over_ids)} hand-overs cannot be one ticket: settle them one by one.")
    with opened(ctx, home) as (_, stores):
        settled = [_settle(stores, name, ticket, again=again) for name in hand_over_ids]
    show(settled, as_json=as_json, text="\n".join(f"{one.hand_over_id} is {one.state}." for one in settled))


def _settle(stores: Stores, hand_over_id: str, ticket: str | None, *, again: bool) -> Delivery:
    from noria.app.wiring import new_id, now_ms
    from noria.records.access import AuditEntry
    from noria.serve.help_desk.delivering import created

    outbox, now = stores.journal.outbox, now_ms()
    before = outbox.delivery(hand_over_id)
    if before is None:
        raise NotFound("tried hand-over", hand_over_id, next_step="See 'noria help-desk status'.")
    if before.state not in {"unknown", "refused"}:
        raise StateError(f"{hand_over_id} is {before.state}: there is nothing to settle.")
    after = replace(before, changed_ms=now, due_ms=0, looks=0, reason="")
    if ticket:
        after = replace(after, state="delivered", ticket_id=ticket, status="open")
    else:
        after = replace(after, state="pending") if again else replace(after, state="refused", reason="dropped")
    if not outbox.move(before, after, created(after, now) if ticket else []):
        raise StateError(f"{hand_over_id} has just been changed by another; look again.")
    entry = AuditEntry(new_id(), now, actor(), "help_desk.settle", before.account, hand_over_id,
                       {"state": after.state, "ticket": ticket or ""})  # fmt: skip
    stores.journal.access.note(entry)
    return after


@help_desk.command()
@click.argument("ticket_id")
@click.option("--account", required=True, metavar="NAME", help="Whose desk of files it is.")
@click.option("--text", help="A public answer.")
@click.option("--status", "new_status", help="What its status is from now on, e.g. resolved.")
@click.option("--rate", type=click.FloatRange(0, 5), help="What the person thinks of it, out of 5.")
@home_options
@click.pass_context
def answer(
    ctx: click.Context,
    ticket_id: str,
    account: str,
    text: str | None,
    new_status: str | None,
    rate: float | None,
    home: str | None,
    as_json: bool,
) -> None:
    """Work on a ticket of a desk of plain files."""
    from noria.app.wiring.help_desks import files_desk

    with opened(ctx, home) as (place, stores), closing(_desks(place, stores)) as desks:
        desk = files_desk(desks.desk(account))
        if text:
            desk.reply(ticket_id, text)
        if new_status:
            desk.set_status(ticket_id, new_status)
        if rate is not None:
            desk.rate(ticket_id, rate, 5)
        there = desk.progress(ticket_id)
    show(there, as_json=as_json, text=f"ticket {ticket_id} is {there.status}.")


@help_desk.command()
@click.argument("requester")
@click.option("--account", required=True, metavar="NAME", help="At whose desk.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@home_options
@click.pass_context
def forget(ctx: click.Context, requester: str, account: str, yes: bool, home: str | None, as_json: bool) -> None:
    """Remove a person and their tickets from the help desk, for good; after 'noria erase'."""
    from noria.app.wiring import new_id, now_ms
    from noria.records.access import AuditEntry

    if not yes:
        click.confirm(
            f"Remove {requester} and all their tickets from the help desk of {account}, for good?", abort=True
        )
    target = "sha256:" + hashlib.sha256(f"{account}\0{requester}".encode()).hexdigest()[:16]
    with opened(ctx, home) as (place, stores), closing(_desks(place, stores)) as desks:
        at = desks.desk(account)
        stores.journal.access.note(AuditEntry(new_id(), now_ms(), actor(), "help_desk.forget", account, target))
        at.desk.forget(requester)
    show({"account": account, "forgotten": True}, as_json=as_json, text="Forgotten at the help desk.")


def told(receipts: list[Receipt]) -> list[str]:
    """A line for each receipt, and its warnings."""
    lines = []
    for receipt in receipts:
        counts = ", ".join(f"{n:g} {name.replace('_', ' ')}" for name, n in receipt.counts.items() if n)
        if counts or not receipt.warnings:
            lines.append(f"{receipt.ids.get('account', '')}: {counts or 'nothing to do'}")
        lines += [f"  ! {warning}" for warning in receipt.warnings]
    return lines


_STATES = ("pending", "sending", "unknown", "delivered", "refused")
_NOTHING = "No account has a help desk, and there are no hand-overs. See docs/help-desk.md."
_REASONS = {
    "lost": "the reply was lost; it will be looked for",
    "person": "sent and not found: look at the desk, then settle it",
    "erased": "what was said has been erased",
    "nobody": "nobody is named whom the desk can know",
    "refused": "the desk refused it",
}


def _desks(place: Home, stores: Stores) -> HelpDesks:
    from noria.app.wiring import now_ms
    from noria.app.wiring.help_desks import HelpDesks

    return HelpDesks(place, stores, now_ms)


def _which(desks: HelpDesks, account: str | None) -> list[str]:
    if account:
        desks.desk(account)
        return [account]
    if not desks:
        raise UsageError("no account has a help desk: write [help_desk] into noria.toml (docs/help-desk.md).")
    return list(desks.settings.accounts)


def _tell(receipts: list[Receipt], *, as_json: bool) -> None:
    show(receipts, as_json=as_json, text="\n".join(told(receipts)))
