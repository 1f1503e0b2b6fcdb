"""The clock and the ids of the outside: read here, passed in everywhere else."""

from __future__ import annotations

import os
import threading
import time

_RANDOM_BYTES, _AT_ONCE = 10, 400


def now_ms() -> int:
    """The present, in UTC milliseconds."""
    return time.time_ns() // 1_000_000


def new_id() -> str:
    """A new unique id: a UUID of version 7 (RFC 9562, 5.7) in 32 hexadecimal digits.

    Ids that were made one after the other sort that way, to the millisecond. So what is new stands together in a
    database's index of ids, and a commit writes a few of its pages where random ids touch one page each.
    """
    chance = int.from_bytes(_NOISE.take())
    high, low = chance >> 68, chance & (1 << 62) - 1
    return f"{now_ms() << 80 | 7 << 76 | high << 64 | 2 << 62 | low:032x}"


class _Noise:
    """Random bytes of the system, fetched for many ids at once: each fetch lets go of the interpreter."""

    def __init__(self) -> None:
        self._lock, self._left = threading.Lock(), b""
        os.register_at_fork(after_in_child=self._forget)  # a child must not repeat its parent

    def take(self) -> bytes:
        with self._lock:
            if not self._left:
                self._left = os.urandom(_RANDOM_BYTES * _AT_ONCE)
            taken, self._left = self._left[:_RANDOM_BYTES], self._left[_RANDOM_BYTES:]
            return taken

    def _forget(self) -> None:
        self._lock, self._left = threading.Lock(), b""


_NOISE = _Noise()
