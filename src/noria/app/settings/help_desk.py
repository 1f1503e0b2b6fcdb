"""[help_desk]: whose help desk is where, and how often to exchange with it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from noria.app.settings.mapping import from_mapping
from noria.app.settings.sections import Settings
from noria.errors import UsageError, nearest

if TYPE_CHECKING:
    from noria.serve.help_desk import ExchangePolicy

HELP_DESKS = ("files", "freshservice")
_OWN = ("articles", "accounts")
_THIS_MACHINE = ("127.0.0.1", "localhost", "::1")
_AT_LEAST_ONCE = ("looks", "most_sends")


@dataclass(frozen=True, slots=True)
class DeskSettings:
    """The help desk of one account. Keys and secrets stand in environment variables, which are named here.

    kind: one of `HELP_DESKS`. url: "https://example.freshservice.com". key_env: the variable with the API key. share:
    of the desk's calls a minute that reading may use. requester: an e-mail address in whose name tickets are made where
    the person is not known to the desk. private_notes: whether private notes are read, too. mark_field: a custom field
    of tickets that takes our mark, beside the tag. fields: more fields of new tickets, such as those that the form of
    the account demands, e.g. { category = "IT", custom_fields = { site = "web" } }. webhook_env: the variable with the
    secret of the webhook; "" = there is none. folder: of the desk of files; relative to the home, "" =
    `help-desk/ACCOUNT`.
    """

    kind: str = "files"
    url: str = ""
    key_env: str = "NORIA_HELP_DESK_KEY"
    share: float = 0.3
    requester: str = ""
    private_notes: bool = False
    mark_field: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    webhook_env: str = ""
    folder: str = ""


@dataclass(frozen=True, slots=True)
class HelpDeskSettings:
    """`accounts`: by name. `articles`: the table that articles go into; "" = the one of the live release."""

    policy: ExchangePolicy
    articles: str = ""
    accounts: Mapping[str, DeskSettings] = field(default_factory=dict)


def help_desk(settings: Settings, where: str = "noria.toml") -> HelpDeskSettings:
    """The section, checked.

    Raises:
        UsageError: an unknown key, a wrong type, or a desk that lacks something; names the place.
    """
    from noria.serve.help_desk.policy import ExchangePolicy

    raw, place = settings.help_desk, f"{where} [help_desk]"
    patient = [f.name for f in fields(ExchangePolicy)]
    for key in raw:
        if key not in {*_OWN, *patient}:
            raise UsageError(f"{place}: unknown setting {key!r}. {nearest(key, [*_OWN, *patient])}")
    policy = from_mapping(ExchangePolicy, {k: v for k, v in raw.items() if k not in _OWN}, place)
    for name in patient:
        least = 1 if name in _AT_LEAST_ONCE else 0
        if not least <= getattr(policy, name) < math.inf:
            raise UsageError(f"{place}: {name} = {getattr(policy, name)} is not a number from {least} on.")
    articles, accounts = raw.get("articles", ""), raw.get("accounts", {})
    if not isinstance(articles, str):
        raise UsageError(f"{place}: articles = {articles!r} is not a text.")
    if not isinstance(accounts, Mapping) or not all(isinstance(one, Mapping) for one in accounts.values()):
        raise UsageError(f"{place}: accounts is a section for each account: write [help_desk.accounts.NAME].")
    return HelpDeskSettings(policy, articles, {name: _desk(one, place, name) for name, one in accounts.items()})


def _desk(raw: Mapping[str, Any], place: str, account: str) -> DeskSettings:
    where = f"{place} accounts.{account}"
    desk = from_mapping(DeskSettings, raw, where)
    if desk.kind not in HELP_DESKS:
        raise UsageError(f"{where}: kind cannot be {desk.kind!r}. {nearest(desk.kind, HELP_DESKS)}")
    if desk.kind == "freshservice" and not _may_get_the_key(desk.url):
        raise UsageError(f'{where}: url = {desk.url!r} is no address: write "https://NAME.freshservice.com".')
    if not 0 < desk.share <= 1:
        raise UsageError(f"{where}: share = {desk.share} is not over 0 and at most 1.")
    return desk


def _may_get_the_key(url: str) -> bool:
    """Whether an address hears the key from us alone: by TLS, or on this machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and host in _THIS_MACHINE))
