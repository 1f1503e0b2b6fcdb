"""What the dashboard reads, from the stores of a home; windows that hours came in for are made anew meanwhile."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from noria.app.home import Home
from noria.app.http.watched import Backlog, Span
from noria.app.settings import loop_policy
from noria.errors import NoriaError
from noria.monitor.windows.keeping import STATE, update_windows
from noria.monitor.windows.ladder import start_of
from noria.monitor.windows.reading import Measures, by_slice, series
from noria.records import HOUR_MS, Feedback, Finding, Judged, LedgerEntry, Prediction
from noria.records.findings import Alert, Comment, Explanation
from noria.stores.journal.watching.lists import Listed, QueryFilter

if TYPE_CHECKING:
    from noria.label.status import LabelStatus
    from noria.loop import House
    from noria.stores import Stores

_EVERY_MS = 60_000
_log = logging.getLogger("noria.app")


class StoredWatching:
    """See `noria.app.http.watched.Watching`.

    Args:
        home: its settings.
        stores: of the home.
        now_ms: the present.
        open_loop: what a turn works with, for the encoder.
    """

    def __init__(self, home: Home, stores: Stores, now_ms: Callable[[], int], open_loop: Callable[[], House]) -> None:
        self._home, self._stores, self._now_ms, self._open_loop = home, stores, now_ms, open_loop
        self._lock, self._looked_ms = threading.Lock(), 0
        self._known: dict[tuple[object, ...], Sequence[Measures]] = {}

    def counted(self) -> bool:
        """Whether windows were made yet; unlike `span` it makes none anew."""
        return self._stores.journal.get_state(STATE) is not None

    def span(self) -> Span | None:
        """None where no windows were made yet."""
        self.freshen()
        state, span = self._stores.journal.get_state(STATE), self._stores.journal.watching.span()
        if state is None or span is None:
            return None
        return Span(span[0], start_of(1, span[1]) + HOUR_MS, int(state["updated_ms"]))

    def series(
        self, level: int, since_ms: int, until_ms: int, account: str, kind: str, value: str
    ) -> Sequence[Measures]:
        def read() -> Sequence[Measures]:
            return series(
                self._stores, level, since_ms=since_ms, until_ms=until_ms, account=account, kind=kind, value=value
            )

        return self._once(("series", level, since_ms, until_ms, account, kind, value), read)

    def slices(self, since_ms: int, until_ms: int, account: str, kind: str) -> Sequence[Measures]:
        def read() -> Sequence[Measures]:
            return by_slice(self._stores, since_ms=since_ms, until_ms=until_ms, account=account, kind=kind)

        return self._once(("slices", since_ms, until_ms, account, kind), read)

    def freshen(self) -> None:
        """Makes windows anew where hours came in, in a thread of its own, at most once a minute."""
        now = self._now_ms()
        if now - self._looked_ms < _EVERY_MS or not self._stores.journal.watching.touched(1):
            return
        if self._lock.acquire(blocking=False):
            self._looked_ms = now
            threading.Thread(target=self._update, args=(now,), daemon=True, name="windows").start()

    def _update(self, now: int) -> None:
        from noria.loop.watching import sentence_vectors

        try:
            policy = loop_policy(self._home.settings).windows
            update_windows(self._stores, policy, time_ms=now, embed=sentence_vectors(self._open_loop()))
        except NoriaError as error:
            # the next look tries again
            _log.warning("windows were not brought up to date: %s", error)
        finally:
            self._lock.release()

    def _once(self, key: tuple[object, ...], read: Callable[[], Sequence[Measures]]) -> Sequence[Measures]:
        """What was read since the windows were last made."""
        run = (self._stores.journal.get_state(STATE) or {}).get("run")
        place = (run, *key)
        if place not in self._known:
            if any(known[0] != run for known in self._known) or len(self._known) > 500:
                self._known.clear()
            self._known[place] = read()
        return self._known[place]

    def findings(self) -> Sequence[Finding]:
        return self._stores.journal.findings()

    def explanation(self, finding_id: str) -> Explanation | None:
        return self._stores.journal.watching.explanation(finding_id)

    def alerts(self) -> Sequence[Alert]:
        return self._stores.journal.watching.alerts()

    def comments(self, finding_id: str) -> Sequence[Comment]:
        return self._stores.journal.watching.comments(finding_id)

    def comment(self, comment: Comment) -> None:
        self._stores.journal.watching.add_comment(comment)

    def acknowledge(self, finding_id: str, author: str, time_ms: int) -> None:
        fields: dict[str, Any] = {"status": "acknowledged", "acknowledged_by": author, "acknowledged_ms": time_ms}
        self._stores.journal.watching.change_alert(finding_id, **fields)

    def queries(self, which: QueryFilter, limit: int) -> Listed:
        return self._stores.journal.watching.queries(which, limit)

    def query(self, prediction_id: str) -> tuple[Prediction, Sequence[Feedback], Sequence[Judged]]:
        journal = self._stores.journal
        found = journal.prediction(prediction_id)
        at = found.query.time_ms
        said = [j for j in journal.judged(at, at + 1) if j.task.prediction_id == prediction_id]
        return found, journal.feedback_of(prediction_id), said

    def tasks(self) -> Mapping[str, int]:
        return self._stores.journal.task_counts()

    def labelling(self) -> LabelStatus:
        from noria.label.status import label_status

        policy = loop_policy(self._home.settings)
        return label_status(self._stores, policy.settling, policy.sampling.daily_budget)

    def ledger(self) -> Sequence[LedgerEntry]:
        return self._stores.journal.ledger()

    def experiments(self) -> Mapping[str, int]:
        from noria.stores.tracking.runs import RunLog

        return RunLog(self._home.experiments).experiments() if self._home.experiments.is_dir() else {}

    def backlog(self) -> Backlog | None:
        from noria.loop.updating import BACKLOG

        state = self._stores.journal.get_state(BACKLOG)
        return None if state is None else Backlog(int(state["time_ms"]), state["items"])
