"""Where people label: the built-in desk or an outside one (Label Studio)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from noria.records import Label, LabelTask


@dataclass(frozen=True, slots=True)
class DeskStatus:
    """How the desk stands: tasks without and with a label.

    `oldest_open_ms`: creation time (UTC milliseconds) of the oldest task without a label, None when all are labelled.
    """

    open: int
    labelled: int
    oldest_open_ms: int | None


@runtime_checkable
class LabelDesk(Protocol):
    """What Noria asks of a label desk. Every method may raise OutsideError, with whether a retry helps."""

    def push(self, tasks: Sequence[LabelTask]) -> int:
        """Puts tasks on the desk and returns how many were new.

        Idempotent by task_id: a task sent again, after an interrupted call too, appears once.
        """
        ...

    def collect(self, since_ms: int) -> list[Label]:
        """Labels made or changed at or after `since_ms` (UTC milliseconds), in order of time, label_id.

        A changed label comes with a new label_id and its new time; the latest label of a task counts.
        """
        ...

    def status(self) -> DeskStatus:
        """How many tasks are open and labelled, and how old the oldest open one is."""
        ...
