"""Many writers, one durable commit: the way into the journal while serving."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Self

from noria.errors import OutsideError, StateError, UsageError
from noria.stores.journal.journal import Entry, Journal

Outcome = bool | BaseException
"""Whether an entry was new, or why it is not in the journal."""
_Waiting = tuple[Entry, Callable[[Outcome], object], float]  # the float: when it was queued, monotonic seconds

_log = logging.getLogger("noria.stores")


class GroupCommit:
    """Acknowledges many writers by one durable commit.

    A durable commit costs milliseconds however much it holds, so one thread takes what is queued (up to `max_batch`),
    waits at most `max_wait_ms` for more, commits once, and only then completes the futures. A bad item fails alone.

    Args:
        journal: where to write; stays open when this is closed.
        max_batch: items in one commit.
        max_wait_ms: how long the first item of a batch waits for company; 0 = not at all.
        max_queued: items waiting, beyond which `submit` refuses.
    """

    def __init__(
        self, journal: Journal, *, max_batch: int = 500, max_wait_ms: float = 4.0, max_queued: int = 10_000
    ) -> None:
        if max_batch < 1 or max_queued < 1 or max_wait_ms < 0:
            raise UsageError(
                f"group commit needs max_batch >= 1, max_queued >= 1 and max_wait_ms >= 0, "
                f"not {max_batch}, {max_queued} and {max_wait_ms}."
            )
        self._journal = journal
        self._max_batch, self._max_wait_s, self._max_queued = max_batch, max_wait_ms / 1000, max_queued
        self._queue: deque[_Waiting] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._writer = threading.Thread(target=self._run, name="noria-group-commit", daemon=True)
        self._writer.start()

    @property
    def waiting(self) -> int:
        """How many items are queued for the next commits."""
        return len(self._queue)

    def submit(self, item: Entry) -> Future[bool]:
        """Queues an entry; the future is done only after the commit that holds it.

        It is False for feedback that the journal held before, else True. It raises NotFound or UsageError for a bad
        item (see `Journal.add_predictions`, `add_feedback`, `add_labels`), OutsideError when the database fails, and
        cannot be cancelled. Feedback may follow its prediction at once, without waiting for it.

        Raises:
            OutsideError: the queue is full (`retry_helps`).
            StateError: this was closed.
            UsageError: not something the journal takes here.
        """
        future: Future[bool] = Future()
        future.set_running_or_notify_cancel()

        def settle(outcome: Outcome) -> None:
            if isinstance(outcome, BaseException):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)

        self.submit_then(item, settle)
        return future

    def submit_then(self, item: Entry, done: Callable[[Outcome], object]) -> None:
        """Queues an entry as `submit` does; its outcome is told to `done`, in the writer's thread: it must be quick.

        Raises:
            As `submit`.
        """
        if not isinstance(item, Entry):
            raise UsageError(f"group commit takes what is said while serving, not a {type(item).__name__}.")
        with self._changed:
            if self._closed:
                raise StateError("the journal is closing and takes nothing more.")
            if len(self._queue) >= self._max_queued:
                raise OutsideError(
                    f"the journal is behind: {self._max_queued} items wait to be written. Try again shortly.",
                    retry_helps=True,
                )
            self._queue.append((item, done, time.monotonic()))
            # The writer need not wake for items that cannot fill its batch.
            if len(self._queue) == 1 or len(self._queue) >= self._max_batch:
                self._changed.notify()

    def close(self) -> None:
        """Writes what is queued, then stops; further `submit` calls raise. Closing again does nothing."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._writer.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        while batch := self._next_batch():
            self._commit(batch)

    def _next_batch(self) -> list[_Waiting]:
        """Waits for a batch; empty only when closed and drained."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closed)
            # What was queued during the last commit has waited already.
            while 0 < len(self._queue) < self._max_batch and not self._closed:
                left = self._queue[0][2] + self._max_wait_s - time.monotonic()
                if left <= 0:
                    break
                self._changed.wait(left)
            return [self._queue.popleft() for _ in range(min(len(self._queue), self._max_batch))]

    def _commit(self, batch: list[_Waiting]) -> None:
        items = [item for item, _, _ in batch]
        outcome: Sequence[Outcome]
        try:
            outcome = self._written(items)
        except BaseException as error:  # noqa: BLE001 - or nobody would ever complete these futures
            outcome = [error] * len(items)
        for (_, done, _), told in zip(batch, outcome, strict=True):
            try:
                done(told)
            except Exception:  # noqa: BLE001 - the others of the batch must be told too
                _log.exception("what follows on a commit failed")

    def _written(self, items: list[Entry]) -> Sequence[Outcome]:
        """For each item whether it was new, or why it failed; raises when the database failed for all."""
        try:
            return self._journal.write(items)
        except OutsideError as error:
            if error.retry_helps:
                raise
        except Exception:  # noqa: BLE001, S110 - a bad item: below, each item says what is wrong with it
            pass
        return self._journal.write_each(items)
