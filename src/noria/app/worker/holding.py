"""Holds the lease of the loop: one process turns it, on whichever host."""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING

from noria.errors import OutsideError, StateError
from noria.stores.journal.access.leases import LeaseDoor

if TYPE_CHECKING:
    from typing import Self

LEASE = "loop"
TAKEN_OVER = 75
"""The exit code of a process that lost the lease (EX_TEMPFAIL: try again later)."""


class NotAlone(StateError):
    """Another process turns the loop."""


class Holding:
    """Holds the lease while the block runs, and renews it; the process ends at once where another has taken it.

    Args:
        leases: the journal's.
        now_ms: the present.
        owner: a unique name of this process.
        for_ms: for how long it is taken; a process that stands still for longer loses it.
    """

    def __init__(self, leases: LeaseDoor, now_ms: Callable[[], int], owner: str, *, for_ms: int = 60_000) -> None:
        self._leases, self._now_ms, self.owner, self._for_ms = leases, now_ms, owner, for_ms
        self._done = threading.Event()
        self._beat = threading.Thread(target=self._renew, name="lease", daemon=True)

    def __enter__(self) -> Self:
        if not self._take():
            held = self._leases.holder(LEASE)
            left = max(0, held.until_ms - self._now_ms()) / 1000
            raise NotAlone(
                f"{held.owner} turns the loop (its lease runs for {left:.0f} s more unless it is renewed); "
                "wait until it has ended, or stop it."
            )
        self._beat.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._beat.join()
        self._leases.free(LEASE, self.owner)

    def fence(self) -> None:
        """Does not return where another process has taken over.

        It ends the process rather than raise: an exception would be kept as the outcome of a job that the other
        process has taken up.
        """
        if not self._take():
            sys.stderr.write(f"{self.owner} lost the lease of the loop: another process has taken over.\n")
            sys.stderr.flush()
            os._exit(TAKEN_OVER)

    def _take(self) -> bool:
        return self._leases.take(LEASE, self.owner, now_ms=self._now_ms(), for_ms=self._for_ms)

    def _renew(self) -> None:
        while not self._done.wait(self._for_ms / 3000):
            try:
                self.fence()
            except OutsideError:
                # the database may be back before the lease ends; each step asks again
                continue


def owner_name() -> str:
    """HOST:PID of this process."""
    return f"{socket.gethostname()}:{os.getpid()}"
