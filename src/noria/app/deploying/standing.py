"""How a process set stands: a file that its parent writes, under a lock that says whether the parent lives."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from noria.errors import OutsideError, StateError


@dataclass(frozen=True, slots=True)
class WorkerStanding:
    """A worker: where it alone can be asked, and its state: starting, live, ready, silent or leaving."""

    pid: int
    slot: int
    address: str
    state: str
    release: str


@dataclass(frozen=True, slots=True)
class SetStanding:
    """The set. restarts: how many were asked for. restart: how the last one goes: running, done, abandoned: why."""

    pid: int
    address: str
    workers: tuple[WorkerStanding, ...] = ()
    restarts: int = 0
    restart: str = ""


class Standing:
    """The file and the lock, in a folder of the home."""

    def __init__(self, folder: Path) -> None:
        self._file, self._lock = folder / "set.json", folder / "set.lock"
        self._written: SetStanding | None = None

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Whoever holds it is the parent of this home's set.

        Raises:
            StateError: another process is. OutsideError: the folder cannot be written.
        """
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            handle = self._lock.open("a", encoding="ascii")
        except OSError as error:
            raise OutsideError(f"{self._file.parent} cannot be written: {error.strerror}.", retry_helps=False) from None
        with handle:
            if not _locked(handle.fileno(), tries=10):  # whoever only looks holds it for a moment
                raise StateError(
                    "a process set of this home runs already: 'noria deploy local status' shows it, "
                    "'noria deploy local restart' replaces its workers, 'noria deploy local stop' ends it."
                )
            try:
                yield
            finally:
                self._file.unlink(missing_ok=True)

    def write(self, now: SetStanding) -> None:
        """Tells how the set stands, in one step."""
        if now == self._written:
            return
        part = self._file.with_suffix(".part")
        part.write_text(json.dumps(asdict(now)), encoding="utf-8")
        part.replace(self._file)
        self._written = now

    def read(self) -> SetStanding | None:
        """How the set stands; None where none runs, whatever file an ended one left."""
        try:
            with self._lock.open("r", encoding="ascii") as handle:
                if _locked(handle.fileno(), tries=1):
                    return None
        except OSError:
            return None
        with contextlib.suppress(FileNotFoundError):
            told = json.loads(self._file.read_text(encoding="utf-8"))
            return SetStanding(**{**told, "workers": tuple(WorkerStanding(**w) for w in told["workers"])})
        return None

    def signal(self, number: signal.Signals) -> SetStanding:
        """Sends a signal to the parent; returns how the set stood before.

        Raises:
            StateError: no set runs.
        """
        now = self.read()
        if now is None:
            raise StateError("no process set of this home runs: start one with 'noria deploy local up'.")
        os.kill(now.pid, number)
        return now


def _locked(descriptor: int, *, tries: int) -> bool:
    for _ in range(tries):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.05)
        else:
            return True
    return False
