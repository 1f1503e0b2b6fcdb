"""Whose desk, and how patient the exchange with it is."""

from __future__ import annotations

from dataclasses import dataclass

from noria.ports.help_desk import HelpDesk


@dataclass(frozen=True, slots=True)
class ExchangePolicy:
    """How often a server exchanges with each desk, and when a hand-over is what.

    `deliver_every_s`, `follow_every_s`, `articles_every_s`: seconds between rounds of a server; 0 = it does not.
    `whole_every_days`: days after which all articles are read anew. `oldest_hours`: hand-overs older than this that
    were never tried are left to a person. `lease_s`: after so long a call of which nothing was heard is lost.
    `look_after_s`: wait before each look for a ticket whose call was lost; `looks`: after so many in vain it is not
    there. `most_sends`: calls that may have made a ticket, at most; then a person decides. `follow_days`: how long a
    closed ticket is followed, for its rating.
    """

    deliver_every_s: float = 15.0
    follow_every_s: float = 300.0
    articles_every_s: float = 3_600.0
    whole_every_days: float = 7.0
    oldest_hours: float = 72.0
    lease_s: float = 600.0
    look_after_s: float = 120.0
    looks: int = 2
    most_sends: int = 3
    follow_days: float = 14.0


@dataclass(frozen=True, slots=True)
class AccountDesk:
    """An account's help desk.

    `requester`: in whose name tickets are made where the person is not known to the desk; "" = nobody's.
    """

    account: str
    desk: HelpDesk
    requester: str = ""
