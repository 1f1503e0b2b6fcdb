"""Somebody who asks something of the server, and what each role may do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from noria.records.access import ALL_ACCOUNTS, Role

Permission = Literal["ask", "open_session", "conversation", "articles", "figures", "label", "metrics", "admin"]
AGENTS = "agents"
"""The group of readers that the help desk's own people belong to."""

_READER: frozenset[Permission] = frozenset({"articles", "conversation", "figures"})
_AGENT: frozenset[Permission] = frozenset({"ask", "articles", "conversation", "label"})
_OPERATOR: frozenset[Permission] = _READER | _AGENT | {"open_session", "metrics"}
MAY: Mapping[Role, frozenset[Permission]] = {
    "widget": frozenset({"ask", "open_session", "articles", "conversation"}),
    "agent": _AGENT,
    "reader": _READER,
    "operator": _OPERATOR,
    "admin": _OPERATOR | {"admin"},
}
IN_CHAT: frozenset[Permission] = frozenset({"ask", "articles", "conversation"})
"""What the holder of a session's token may do, in that session."""
EVERYTHING = MAY["admin"]


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody with rights.

    `name`: of the key, or "local". `account`: the only one it may touch, "*" = all. `groups`: of readers, in whose
    name it reads articles. `session`, `requester`: what a session's token is tied to; None, "" for keys.
    `speaks_for_readers`: may say in a request which groups and requester it asks for, as a back end does.
    """

    name: str
    account: str
    may: frozenset[Permission]
    groups: tuple[str, ...] = ()
    session: str | None = None
    requester: str = ""
    speaks_for_readers: bool = True

    def reaches(self, account: str) -> bool:
        """Whether an account is within its rights."""
        return self.account in {ALL_ACCOUNTS, account}


LOCAL = Principal("local", ALL_ACCOUNTS, EVERYTHING)
"""Whoever sits at this machine, while no key was made."""
