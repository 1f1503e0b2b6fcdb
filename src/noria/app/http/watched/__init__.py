"""What the dashboard asks of the house; `noria.app.wiring.serving.dashboard` provides it. Every method may block."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from noria.label.status import LabelStatus
from noria.monitor.windows.reading import Measures
from noria.records import Feedback, Finding, Judged, LedgerEntry, Prediction
from noria.records.findings import Alert, Comment, Explanation
from noria.stores.journal.watching.lists import Listed, QueryFilter


@dataclass(frozen=True, slots=True)
class Span:
    """Traffic that the windows know: first query, end of the last hour, and when they were made (UTC milliseconds)."""

    first_ms: int
    end_ms: int
    made_ms: int


@dataclass(frozen=True, slots=True)
class Backlog:
    """Items as they stood at a time, plain values; see `noria.records.BacklogItem`."""

    time_ms: int
    items: Sequence[Mapping[str, object]]


class Watching(Protocol):
    """Reads what is watched, and takes what people say of findings."""

    def counted(self) -> bool:
        """Whether windows were made yet; unlike `span` it makes none anew."""
        ...

    def span(self) -> Span | None: ...

    def series(
        self, level: int, since_ms: int, until_ms: int, account: str, kind: str, value: str
    ) -> Sequence[Measures]: ...

    def slices(self, since_ms: int, until_ms: int, account: str, kind: str) -> Sequence[Measures]: ...

    def findings(self) -> Sequence[Finding]: ...

    def explanation(self, finding_id: str) -> Explanation | None: ...

    def alerts(self) -> Sequence[Alert]: ...

    def comments(self, finding_id: str) -> Sequence[Comment]: ...

    def comment(self, comment: Comment) -> None: ...

    def acknowledge(self, finding_id: str, author: str, time_ms: int) -> None: ...

    def queries(self, which: QueryFilter, limit: int) -> Listed: ...

    def query(self, prediction_id: str) -> tuple[Prediction, Sequence[Feedback], Sequence[Judged]]: ...

    def tasks(self) -> Mapping[str, int]: ...

    def labelling(self) -> LabelStatus: ...

    def ledger(self) -> Sequence[LedgerEntry]: ...

    def experiments(self) -> Mapping[str, int]: ...

    def backlog(self) -> Backlog | None: ...
