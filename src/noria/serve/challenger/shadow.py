"""Answers in shadow: made in one thread beside the live ones, written in batches, dropped rather than waited for."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from noria.errors import NoriaError
from noria.records import Query
from noria.records.serving.staging import ShadowAnswer
from noria.serve.loading import Live

_log = logging.getLogger("noria.serve")
MOST_WAITING = 500
_BATCH = 200
_PAUSE_SECONDS = 0.5
_REST_SECONDS = 0.005
"""Between two answers it rests as long as the last one took, at most so long: live answers get the interpreter."""


@dataclass(frozen=True, slots=True)
class _Job:
    who: Live
    query: Query
    prediction_id: str
    groups: tuple[str, ...]


class Shadow:
    """One thread that asks another agent what was asked of the shown one.

    Queries that come while `MOST_WAITING` wait are dropped and counted. What fails is an answer with an error. The
    text of a query is held in memory only until it is answered.

    Args:
        write: keeps answers; where it fails they are lost, and counted.
        clock: seconds, monotonic.
    """

    def __init__(self, write: Callable[[Sequence[ShadowAnswer]], None], clock: Callable[[], float]) -> None:
        self._write, self._clock = write, clock
        self._jobs: queue.SimpleQueue[_Job | ShadowAnswer | None] = queue.SimpleQueue()
        self._made: list[ShadowAnswer] = []
        self._busy_since: float | None = None
        self._thread: threading.Thread | None = None
        self._closed = False
        self.answered = self.dropped = self.lost = 0

    @property
    def busy_seconds(self) -> float:
        """How long the answer takes that is being made now."""
        since = self._busy_since
        return 0.0 if since is None else self._clock() - since

    def offer(self, who: Live, query: Query, prediction_id: str, groups: tuple[str, ...]) -> None:
        """Asks `who` as well, when there is time; never waits, never raises."""
        self._put(_Job(who, query, prediction_id, groups))

    def note(self, answer: ShadowAnswer) -> None:
        """Keeps an answer that was made elsewhere."""
        self._put(answer)

    def close(self) -> None:
        """Writes what was answered, and drops what waits; an agent that hangs is left behind."""
        self._closed = True
        if self._thread is not None:
            self._jobs.put(None)
            self._thread.join(2.0)

    def _put(self, job: _Job | ShadowAnswer) -> None:
        if self._closed or self._jobs.qsize() >= MOST_WAITING:
            self.dropped += 1
            return
        self._jobs.put(job)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="noria-shadow", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                job = self._jobs.get(timeout=_PAUSE_SECONDS if self._made else None)
            except queue.Empty:
                self._flush()
                continue
            if job is None or self._closed:
                break
            self._made.append(job if isinstance(job, ShadowAnswer) else self._answer(job))
            if len(self._made) >= _BATCH:
                self._flush()
        self.dropped += self._jobs.qsize()
        self._flush()

    def _answer(self, job: _Job) -> ShadowAnswer:
        started = self._busy_since = self._clock()
        error, decision, intent, confidence = "", None, "", 0.0
        try:
            answer = job.who.answer(job.query.text, job.query.account, job.groups)
            decision, intent, confidence = answer.decision, answer.intent, answer.intent_confidence
            error = "; ".join(answer.missing)[:500]
        except Exception as failed:  # noqa: BLE001 - a challenger may fail as it likes; that is what is asked here
            error = f"agent: {type(failed).__name__}: {failed}"[:500]
        latency_ms = 1000 * (self._clock() - started)
        self._busy_since = None
        self.answered += 1
        time.sleep(min(latency_ms / 1000, _REST_SECONDS))
        return ShadowAnswer(
            job.prediction_id, job.who.tag, job.query.time_ms, decision, intent, confidence, latency_ms, error
        )

    def _flush(self) -> None:
        made, self._made = self._made, []
        try:
            self._write(made)
        except NoriaError as error:
            self.lost += len(made)
            _log.warning("%s answers in shadow could not be kept: %s", len(made), error)
