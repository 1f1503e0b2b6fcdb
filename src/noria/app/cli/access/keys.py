"""`noria keys`: create, list, rotate and revoke API keys; `noria accounts`: rules and audit."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

import click

from noria.app.cli.context import actor, home_options, opened, show, table, when
from noria.errors import NotFound, StateError, UsageError
from noria.records.access import ALL_ACCOUNTS, ROLES, AccountRules, ApiKey, AuditEntry, Role
from noria.records.data import DAY_MS, FOREVER_MS
from noria.stores import Stores

_MOST_DAYS = 36_500
_MOST_CHARS = 200  # as in the API


def _account(_ctx: click.Context, _option: click.Parameter, name: str) -> str:
    """An account's name as the API takes it."""
    name = name.strip()
    if not 0 < len(name) <= _MOST_CHARS:
        raise UsageError(f"an account's name has 1 to {_MOST_CHARS} characters, not {len(name)}.")
    return name


@click.group()
def keys() -> None:
    """Make, list, rotate and revoke API keys."""


@keys.command()
@click.argument("role", type=click.Choice(ROLES))
@click.option(
    "--account", default=ALL_ACCOUNTS, show_default=True, callback=_account, help="The only account it opens; * = all."
)
@click.option("--note", default="", help="Whose it is, for people.")
@click.option("--days", type=click.IntRange(1, _MOST_DAYS), help="Days until it runs out; default: never.")
@home_options
@click.pass_context
def create(
    ctx: click.Context, role: Role, account: str, note: str, days: int | None, home: str | None, as_json: bool
) -> None:
    """Make a key and show it, once."""
    from noria.app.wiring import now_ms

    if role == "widget" and account == ALL_ACCOUNTS:
        raise UsageError("a widget key is for one account: give --account NAME.")
    with opened(ctx, home) as (_, stores):
        text, key = _make(stores, role, account, note, None if days is None else now_ms() + days * DAY_MS, "key.create")
    lines = f"{text}\nKeep it: it is not shown again. Servers know it within a second; from now on they demand keys."
    show({"key": text, "key_id": key.key_id, "role": role, "account": account}, as_json=as_json, text=lines)


@keys.command("list")
@home_options
@click.pass_context
def list_keys(ctx: click.Context, home: str | None, as_json: bool) -> None:
    """List keys, without their secrets."""
    from noria.app.wiring import now_ms

    now = now_ms()
    with opened(ctx, home) as (_, stores):
        found = stores.journal.access.keys()
    rows = [
        (k.key_id, k.role, k.account, when(k.created_ms), when(k.expires_ms) if k.expires_ms else "never",
         "yes" if k.holds(now) else "no", k.note)
        for k in found
    ]  # fmt: skip
    text = table(rows, ("KEY", "ROLE", "ACCOUNT", "MADE (UTC)", "RUNS OUT", "OPENS", "NOTE"))
    shown = [{"key_id": k.key_id, "role": k.role, "account": k.account, "note": k.note, "created_ms": k.created_ms,
              "expires_ms": k.expires_ms, "revoked_ms": k.revoked_ms} for k in found]  # fmt: skip
    show(shown, as_json=as_json, text=text if rows else "No key was made: on this machine everything is open.")


@keys.command()
@click.argument("key_id")
@click.option(
    "--grace", default=0, type=click.IntRange(0, _MOST_DAYS * 1440), help="Minutes that the old one still opens."
)
@home_options
@click.pass_context
def rotate(ctx: click.Context, key_id: str, grace: int, home: str | None, as_json: bool) -> None:
    """Make a key with the rights of another, which ends."""
    from noria.app.wiring import now_ms

    with opened(ctx, home) as (_, stores):
        old = _known(stores, key_id)
        if not old.holds(now_ms()):
            raise StateError(
                f"the key {key_id!r} opens nothing any more; make a new one: noria keys create {old.role}."
            )
        # the new one first: at no moment is there none
        text, key = _make(stores, old.role, old.account, old.note, old.expires_ms, "key.create")
        _end(stores, old, now_ms() + grace * 60_000, "key.rotate")
    ends = f"still opens for {grace} minutes" if grace else "opens nothing any more"
    lines = f"{text}\nKeep it: it is not shown again. {key_id} {ends}."
    show({"key": text, "key_id": key.key_id, "replaces": key_id}, as_json=as_json, text=lines)


@keys.command()
@click.argument("key_id")
@home_options
@click.pass_context
def revoke(ctx: click.Context, key_id: str, home: str | None, as_json: bool) -> None:
    """End a key, and the chats that it opened; servers know it within a second."""
    from noria.app.wiring import now_ms

    with opened(ctx, home) as (_, stores):
        _end(stores, _known(stores, key_id), now_ms(), "key.revoke")
    show({"key_id": key_id, "revoked": True}, as_json=as_json, text=f"{key_id} opens nothing any more.")


@click.group()
def accounts() -> None:
    """Rules of accounts, and who did what."""


@accounts.command("list")
@home_options
@click.pass_context
def list_accounts(ctx: click.Context, home: str | None, as_json: bool) -> None:
    """List accounts that ask or have rules."""
    with opened(ctx, home) as (_, stores):
        rules = {rule.account: rule for rule in stores.journal.access.rules()}
        names = sorted({*rules, *stores.journal.accounts(0)})
    found = [rules.get(name) or AccountRules(name) for name in names]
    rows = [(r.account, "yes" if r.redact else "no", " ".join(r.origins)) for r in found]
    show(found, as_json=as_json, text=table(rows, ("ACCOUNT", "REDACTED", "CHAT ON")))


@accounts.command("set")
@click.argument("account", callback=_account)
@click.option("--redact/--keep-text", default=None, help="Blot out personal data before a text is kept, or not.")
@click.option("--origin", "origins", multiple=True, help="Web origin whose pages may hold the chat; '' for none.")
@home_options
@click.pass_context
def set_rules(
    ctx: click.Context, account: str, redact: bool | None, origins: tuple[str, ...], home: str | None, as_json: bool
) -> None:
    """Change the rules of an account."""
    if account == ALL_ACCOUNTS:
        raise UsageError("rules are those of one account: name it; 'noria accounts list' shows which there are.")
    named = tuple(origin for origin in origins if origin)
    for origin in named:
        if not origin.startswith(("https://", "http://")) or origin.count("/") != 2:
            raise UsageError(f"{origin!r} is no web origin; write https://host or https://host:port, without a path.")
    with opened(ctx, home) as (_, stores):
        door = stores.journal.access
        old = next((r for r in door.rules() if r.account == account), AccountRules(account))
        new = AccountRules(account, old.redact if redact is None else redact, named if origins else old.origins)
        detail = {"redact": str(new.redact), "origins": " ".join(new.origins)}
        door.set_rules(new, _entry("account.set", account, account, detail))
    kept = "redacted" if new.redact else "kept as it is"
    show(new, as_json=as_json, text=f"{account}: text is {kept}; chat on {' '.join(new.origins) or 'no other site'}.")


@accounts.command()
@home_options
@click.pass_context
def audit(ctx: click.Context, home: str | None, as_json: bool) -> None:
    """List administrative acts, oldest first."""
    with opened(ctx, home) as (_, stores):
        entries = stores.journal.access.audit(0, FOREVER_MS)
    rows = [(when(e.time_ms), e.actor, e.action, e.account, e.target) for e in entries]
    show(entries, as_json=as_json, text=table(rows, ("TIME (UTC)", "WHO", "WHAT", "ACCOUNT", "OF")))


def _make(
    stores: Stores, role: Role, account: str, note: str, expires_ms: int | None, action: str
) -> tuple[str, ApiKey]:
    from noria.app.wiring import now_ms
    from noria.serve.access import hash_of, new_key

    key_id = secrets.token_hex(6)
    text = new_key(key_id, secrets.token_urlsafe(32))
    key = ApiKey(key_id, hash_of(text), account, role, note, now_ms(), expires_ms)
    stores.journal.access.add_key(key, _entry(action, account, key_id, {"role": role, "note": note}))
    return text, key


def _known(stores: Stores, key_id: str) -> ApiKey:
    known = {key.key_id: key for key in stores.journal.access.keys()}  # noqa: SIM118 - no dict
    if key_id not in known:
        raise NotFound("key", key_id, known)
    return known[key_id]


def _end(stores: Stores, key: ApiKey, time_ms: int, action: str) -> None:
    stores.journal.access.end_key(key.key_id, time_ms, _entry(action, key.account, key.key_id, {}))


def _entry(action: str, account: str, target: str, detail: Mapping[str, str]) -> AuditEntry:
    from noria.app.wiring import new_id, now_ms

    return AuditEntry(new_id(), now_ms(), actor(), action, account, target, detail)
