"""A place where a service runs: it is told what to change, and asked how it stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

Phase = Literal["absent", "steady", "moving", "returning", "stuck", "broken", "unseen"]
"""How a service stands.

absent: there is none. steady: nothing moves. moving: a change is being rolled out. returning: the platform goes back to
what was before. stuck: a way back stopped half-way and can be tried again. broken: it takes no change until a person
has cleaned up. unseen: it could not be asked.
"""
TroubleKind = Literal["throttled", "unreachable", "busy", "denied", "missing", "refused"]
PASSING: frozenset[TroubleKind] = frozenset({"throttled", "unreachable", "busy"})
"""Troubles that may be over at the next try."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """A call to the platform failed: of which kind, and what it said."""

    kind: TroubleKind
    message: str

    @property
    def passes(self) -> bool:
        """Whether trying again can help."""
        return self.kind in PASSING


@dataclass(frozen=True, slots=True)
class Seen:
    """A service as it was described.

    version: what serves, or is being rolled out. alarms: names of those that ring. failed: tasks of this rollout that
    ended before they were healthy. detail: what the platform says. trouble: it could not be described.
    """

    phase: Phase
    version: str = ""
    alarms: tuple[str, ...] = ()
    failed: int = 0
    detail: str = ""
    trouble: Trouble | None = None


class Deployer(Protocol):
    """A place where a service runs. A trouble with the platform is returned, never raised; no call awaits the end."""

    def describe(self) -> Seen:
        """How the service stands now."""
        ...

    def promote(self, to: str) -> Trouble | None:
        """Orders the change to a version."""
        ...

    def roll_back(self, to: str | None) -> Trouble | None:
        """Orders the way back to a version, or only the rest of a way back that is stuck (None)."""
        ...
