"""Follows conversations beside the answering: finds rephrased questions and notes them, no query waits for it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future

from noria.errors import NoriaError
from noria.records import Feedback
from noria.serve.sessions.rephrasing import rephrased
from noria.stores.journal import Journal

_log = logging.getLogger("noria.serve")
_PAUSE_SECONDS = 0.2


class Follower:
    """One thread that looks at the sessions which had a turn.

    It reads them from the journal, so that it sees turns that other processes answered. What it finds after a crash is
    found again at the session's next turn: its events are idempotent.

    Args:
        journal: where the turns are.
        submit: takes the events.
    """

    def __init__(self, journal: Journal, submit: Callable[[Feedback], Future[bool]]) -> None:
        self._journal, self._submit = journal, submit
        self._pending: set[tuple[str, str]] = set()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="noria-follower", daemon=True)
        self._thread.start()

    def turned(self, account: str, session: str) -> None:
        """A turn of this session is in the journal."""
        with self._changed:
            self._pending.add((account, session))
            self._changed.notify()

    def close(self) -> None:
        """Looks at what is pending, then stops."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._pending or self._closed)
                if not self._closed:
                    self._changed.wait_for(lambda: self._closed, _PAUSE_SECONDS)  # one look for many turns
                pending, self._pending = self._pending, set()
                if not pending:
                    return
            try:
                self._look(pending)
            except NoriaError as error:
                _log.warning("sessions not looked at: %s", error)

    def _look(self, pending: Iterable[tuple[str, str]]) -> None:
        door = self._journal.sessions
        for turns in door.transcripts(door.with_several_turns(sorted(pending))).values():
            for event in rephrased(turns):
                self._submit(event)
