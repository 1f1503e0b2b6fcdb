"""Who may do what: API keys, rules of an account, and the audit log of administrative acts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Role = Literal["widget", "agent", "reader", "operator", "admin"]
ROLES: tuple[Role, ...] = ("widget", "agent", "reader", "operator", "admin")
ALL_ACCOUNTS = "*"
"""In the place of an account: the key is for all of them."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key without its secret: `digest` is the sha256 (hex) of the secret, which is random and 256 bits long.

    `expires_ms`, `revoked_ms`: None = never, not.
    """

    key_id: str
    digest: str
    account: str
    role: Role
    note: str
    created_ms: int
    expires_ms: int | None = None
    revoked_ms: int | None = None

    def holds(self, time_ms: int) -> bool:
        """Whether it opens anything at a time."""
        ends = [ms for ms in (self.expires_ms, self.revoked_ms) if ms is not None]
        return all(time_ms < ms for ms in ends)


@dataclass(frozen=True, slots=True)
class AccountRules:
    """What holds for an account.

    `redact`: personal data goes before a text is kept. `origins`: web origins (`https://host`) whose pages may hold the
    account's chat.
    """

    account: str
    redact: bool = True
    origins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One administrative act: who (`actor`: a key id or a user of the machine) did what to what, and when."""

    entry_id: str
    time_ms: int
    actor: str
    action: str
    account: str
    target: str
    detail: Mapping[str, str] = field(default_factory=dict)
