"""Gets an answer out of an agent in time, or what is left without the part that failed or was late."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError, ThreadPoolExecutor
from contextlib import suppress

from noria.agent.agent import handed_over
from noria.records import Answer

THREADS = 2
"""Threads for agents that need an encoder; the others answer in less time than a thread takes to start."""


class Answering:
    """Runs what makes an answer: at once, or in a thread with a limit of time.

    A thread that is late is not stopped, only no longer waited for; when all of them hang, further queries are handed
    over after the limit too, until one comes back.

    Args:
        limit_ms: how long a query waits for its answer.
    """

    def __init__(self, limit_ms: int) -> None:
        self._limit_ms = limit_ms
        self._pool = ThreadPoolExecutor(THREADS, "noria-answer")
        self._watch = _Deadlines(limit_ms / 1000)

    def now(self, make: Callable[[], Answer]) -> Answer:
        """An answer made in this thread."""
        try:
            return make()
        except Exception as error:  # noqa: BLE001 - a user gets a person, whatever fails in the agent; the journal says what
            return handed_over(f"agent: {type(error).__name__}: {error}"[:500])

    def soon(self, make: Callable[[], Answer], otherwise: Callable[[str], Answer] = handed_over) -> Future[Answer]:
        """An answer made in another thread; when it is late, what is made `otherwise`, at once, of what is missing."""
        first: Future[Answer] = Future()
        missing = f"agent: late, over {self._limit_ms} ms"

        def give_up() -> None:
            if first.done():
                return
            try:
                _settle(first, otherwise(missing))
            except Exception:  # noqa: BLE001 - as in `now`
                _settle(first, handed_over(missing))

        self._pool.submit(lambda: _settle(first, self.now(make)))
        self._watch.add(give_up)
        return first

    def run(self, make: Callable[[], Answer]) -> Future[Answer]:
        """What another thread makes, its errors included, however long it takes."""
        return self._pool.submit(make)

    def close(self) -> None:
        """Stops; who still waits is handed over."""
        self._pool.shutdown(wait=False, cancel_futures=False)
        self._watch.close()


class _Deadlines:
    """Calls each of many things after the same time, with one thread; in the order in which they came."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._now = seconds, time.monotonic
        self._waiting: deque[tuple[float, Callable[[], object]]] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._thread: threading.Thread | None = None

    def add(self, call: Callable[[], object]) -> None:
        with self._changed:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="noria-deadlines", daemon=True)
                self._thread.start()
            self._waiting.append((self._now() + self._seconds, call))
            if len(self._waiting) == 1:
                self._changed.notify()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if not self._waiting:
                    return
                due, call = self._waiting[0]
                self._changed.wait_for(lambda: self._closed, max(0.0, due - self._now()))
                self._waiting.popleft()
            call()


def _settle(future: Future[Answer], answer: Answer) -> None:
    """Gives the answer unless another was given."""
    with suppress(InvalidStateError):
        future.set_result(answer)
