"""Who does the tasks of a sweep: processes of this machine, or executors of a Spark cluster, by the same function."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Protocol

Work = Callable[[str, str], bytes]
"""A function that is found by its import path in another process: (place, task) → outcome."""

_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


class Runner(Protocol):
    """Does tasks and yields (number of the task, what came of it) as they are done; None where a worker died twice."""

    def run(self, tasks: Sequence[str]) -> Iterator[tuple[int, bytes | None]]: ...

    def close(self) -> None: ...


class InProcess:
    """One task after the other, in this process: for tests, and to look at one with a debugger."""

    def __init__(self, work: Work, place: str) -> None:
        self._work, self._place = work, place

    def run(self, tasks: Sequence[str]) -> Iterator[tuple[int, bytes | None]]:
        for i, task in enumerate(tasks):
            yield i, self._work(self._place, task)

    def close(self) -> None:
        """Nothing is open."""


class Processes:
    """Processes of this machine, each with one numeric thread. A task whose worker dies is tried once more.

    Args:
        work: what a worker does.
        place: the home.
        count: how many processes.
    """

    def __init__(self, work: Work, place: str, count: int) -> None:
        self._work, self._place, self._count = work, place, count
        self._pool: ProcessPoolExecutor | None = None

    def run(self, tasks: Sequence[str]) -> Iterator[tuple[int, bytes | None]]:
        left, deaths = dict(enumerate(tasks)), dict.fromkeys(range(len(tasks)), 0)
        while left:
            # after a death one by one: it is not told which of them killed the worker
            first = dict(list(left.items())[:1]) if any(deaths[i] for i in left) else left
            pool = self._opened()
            ahead: dict[Future[bytes], int] = {
                pool.submit(self._work, self._place, task): i for i, task in first.items()
            }
            died = False
            for future in as_completed(ahead):
                try:
                    result = future.result()
                except BrokenProcessPool:
                    died = True
                    continue
                left.pop(ahead[future])
                yield ahead[future], result
            if died:
                self.close()
                for i in [i for i in ahead.values() if i in left]:
                    deaths[i] += 1
                    if deaths[i] > 1 and len(first) == 1:
                        left.pop(i)
                        yield i, None

    def close(self) -> None:
        """Ends the processes."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None

    def _opened(self) -> ProcessPoolExecutor:
        if self._pool is None:
            # numeric libraries read these once, when they are loaded; a new process has loaded none
            os.environ.update(_ONE_THREAD)
            self._pool = ProcessPoolExecutor(
                self._count,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_end_with,
                initargs=(os.getpid(),),
            )
        return self._pool


class SparkExecutors:
    """Executors of a Spark cluster; they see the home's folder under the same path, and have Noria installed.

    Args:
        work: what a worker does.
        place: the home.
        context: a `SparkContext`.
    """

    def __init__(self, work: Work, place: str, context: Any) -> None:
        self._work, self._place, self._context = work, place, context

    def run(self, tasks: Sequence[str]) -> Iterator[tuple[int, bytes | None]]:
        if not tasks:
            return
        work, place = self._work, self._place
        numbered = list(enumerate(tasks))
        done = self._context.parallelize(numbered, len(numbered)).map(lambda pair: (pair[0], work(place, pair[1])))
        yield from done.collect()

    def close(self) -> None:
        """The session is its maker's."""


def _end_with(parent: int) -> None:
    """A worker ends when its parent is killed: nobody would take what it makes."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
