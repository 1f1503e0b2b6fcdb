"""Where people label: the built-in desk or an outside one (Label Studio)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from noria.records import Label, LabelTask


@dataclass(frozen=True, slots=True)
class DeskStatus:
    """How the desk stands: tasks that lack answers, and those that as many people answered as were asked.

    `oldest_open_ms`: creation time (UTC milliseconds) of the oldest open task, None when all are labelled.
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
        """Labels made, changed or taken back at or after `since_ms` (UTC milliseconds), in order of time, label_id.

        A changed label comes with a new label_id and its new time; the latest of each annotator counts. One that was
        taken back comes as a label of its own that says `withdrawn`. An answer that `read_answers` refuses never comes.
        """
        ...

    def status(self) -> DeskStatus:
        """How many tasks lack answers and have all, and how old the oldest open one is."""
        ...
