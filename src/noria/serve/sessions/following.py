"""Follows conversations beside the answering: finds rephrased questions and notes them, no query waits for it."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from itertools import pairwise

from noria.errors import NoriaError
from noria.records import Feedback, Prediction
from noria.records.sessions import Turn
from noria.serve.sessions.rephrasing import again, rephrased
from noria.stores.journal import Journal

_log = logging.getLogger("noria.serve")
_PAUSE_SECONDS = 0.2
_MOST_SESSIONS = 20_000

_Place = tuple[str, str]
"""Account and session."""


class Follower:
    """One thread that looks at the sessions which had a turn.

    It counts the turns in the journal, so that it sees those that other processes answered, and reads a session only
    where there are some of them. What it finds after a crash is found again at the session's next turn: its events are
    idempotent.

    Args:
        journal: where the turns are.
        submit: takes the events.
    """

    def __init__(self, journal: Journal, submit: Callable[[Feedback], Future[bool]]) -> None:
        self._journal, self._submit = journal, submit
        self._pending: dict[_Place, list[Prediction]] = {}
        self._seen: OrderedDict[_Place, tuple[int, Prediction]] = OrderedDict()  # number of turns, and the last one
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="noria-follower", daemon=True)
        self._thread.start()

    def turned(self, turn: Prediction) -> None:
        """A turn of a session is in the journal."""
        with self._changed:
            self._pending.setdefault((turn.query.account, turn.query.session), []).append(turn)
            if len(self._pending) == 1:
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
                pending, self._pending = self._pending, {}
                if not pending:
                    return
            try:
                self._look(pending)
            except NoriaError as error:
                _log.warning("sessions not looked at: %s", error)

    def _look(self, pending: dict[_Place, list[Prediction]]) -> None:
        door = self._journal.sessions
        several = door.with_several_turns(sorted(pending))
        unknown, suspects = [], []
        for place, turns in pending.items():
            turns.sort(key=lambda turn: (turn.query.time_ms, turn.prediction_id))
            count, last = self._seen.pop(place, (0, None))
            if count + len(turns) != several.get(place, 1):
                unknown.append(place)
            else:
                suspects += _asked_again(turns if last is None else [last, *turns])
            self._seen[place] = several.get(place, 1), turns[-1]
            if len(self._seen) > _MOST_SESSIONS:
                self._seen.popitem(last=False)
        conversations = [*door.transcripts(unknown).values()] if unknown else []
        said = door.said([first.prediction_id for first, _ in suspects]) if suspects else {}
        conversations += [[Turn(a, tuple(said.get(a.prediction_id, ()))), Turn(b, ())] for a, b in suspects]
        for turns_read in conversations:
            for event in rephrased(turns_read):
                self._submit(event)


def _asked_again(turns: Sequence[Prediction]) -> list[tuple[Prediction, Prediction]]:
    """Those turns, one after the other, that look as if a question was asked again, whatever was said about them."""
    return [(a, b) for a, b in pairwise(turns) if again(Turn(a, ()), Turn(b, ()))]
