"""What a rollout to a service elsewhere knows and orders; all plain values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Stage = Literal["checking", "watching", "baking", "returning", "over"]
Outcome = Literal["live", "rolled_back", "gave_up"]


@dataclass(frozen=True, slots=True)
class Patience:
    """When patience ends, milliseconds and counts.

    stable_ms: for a rollout to become stable. bake_ms: how long it must then stay without an alarm. back_ms: for a way
    back. busy_ms: for somebody else's change to end. unseen_ms: without being able to look. settle_ms: until what was
    ordered must be seen. total_ms: for everything until the way back begins. failed: tasks that may fail. tries: orders
    to go back. look_ms, longest_look_ms: between looks, doubled while looking fails.
    """

    stable_ms: int = 15 * 60_000
    bake_ms: int = 5 * 60_000
    back_ms: int = 20 * 60_000
    busy_ms: int = 10 * 60_000
    unseen_ms: int = 5 * 60_000
    settle_ms: int = 60_000
    total_ms: int = 60 * 60_000
    failed: int = 3
    tries: int = 3
    look_ms: int = 10_000
    longest_look_ms: int = 60_000


@dataclass(frozen=True, slots=True)
class Rollout:
    """A rollout under way.

    target: the version to bring live. before: the one that served at its beginning; None: none did. since_ms: the
    beginning of the stage. promoted: whether the change was ordered, or may have been. reason: why it goes back, or how
    it ended. tries: orders to go back so far. unseen_ms: since when nothing could be seen. looks: failed in a row.
    """

    target: str
    started_ms: int
    since_ms: int
    stage: Stage = "checking"
    before: str | None = None
    promoted: bool = False
    reason: str = ""
    tries: int = 0
    unseen_ms: int | None = None
    looks: int = 0
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """Look again after so many milliseconds."""

    wait_ms: int


@dataclass(frozen=True, slots=True)
class Promote:
    """Order the change to a version."""

    to: str


@dataclass(frozen=True, slots=True)
class RollBack:
    """Order the way back. to: the version; None: only finish a way back that is stuck."""

    to: str | None
    why: str


@dataclass(frozen=True, slots=True)
class Finish:
    """It is over."""

    outcome: Outcome
    reason: str


Action = Wait | Promote | RollBack | Finish
