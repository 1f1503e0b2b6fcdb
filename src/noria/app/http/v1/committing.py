"""Waits for what other threads put on disk, with one wake-up of the loop for all that one commit holds."""

from __future__ import annotations

import asyncio
from collections import deque
from concurrent.futures import Future
from typing import Any, TypeVar
from weakref import WeakKeyDictionary, ref

from noria.errors import OutsideError

T = TypeVar("T")

COMMIT_SECONDS = 10


async def committed(future: Future[T]) -> T:
    """The result of a future once it is on disk.

    A request that is cancelled, or waits too long, does not cancel the commit.

    Raises:
        OutsideError: the disk is too slow; sent again with its id, nothing is counted twice.
    """
    if future.done():
        return future.result()
    loop = asyncio.get_running_loop()
    bell = _BELLS.get(loop)
    if bell is None:
        bell = _BELLS[loop] = _Bell(loop)
    waiter: asyncio.Future[T] = loop.create_future()
    late = loop.call_later(COMMIT_SECONDS, _give_up, waiter)
    future.add_done_callback(lambda source: bell.ring(waiter, source))
    try:
        return await waiter
    finally:
        late.cancel()


class _Bell:
    """Hands results of futures to who waits in a loop.

    `call_soon_threadsafe` wakes the loop by a system call, and one commit completes many futures: the first one rings,
    the others find it rung.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = ref(loop)  # the table of bells must not keep a loop alive
        self._told: deque[tuple[asyncio.Future[Any], Future[Any]]] = deque()
        self._rung = False

    def ring(self, waiter: asyncio.Future[Any], source: Future[Any]) -> None:
        """Tells a waiter of a future that is done; from any thread."""
        self._told.append((waiter, source))
        loop = self._loop()
        if not self._rung and loop is not None and not loop.is_closed():
            self._rung = True
            loop.call_soon_threadsafe(self._tell)

    def _tell(self) -> None:
        self._rung = False  # before the look: who comes after it rings again
        while self._told:
            waiter, source = self._told.popleft()
            if waiter.done():
                continue
            error = source.exception()
            if error is None:
                waiter.set_result(source.result())
            else:
                waiter.set_exception(error)


_BELLS: WeakKeyDictionary[asyncio.AbstractEventLoop, _Bell] = WeakKeyDictionary()


def _give_up(waiter: asyncio.Future[Any]) -> None:
    if not waiter.done():
        sentence = (
            f"the journal did not confirm within {COMMIT_SECONDS} seconds; it may still. Send it again with its id."
        )
        waiter.set_exception(OutsideError(sentence, retry_helps=True))
