"""Which sessions a canary answers: by a hash, and for as long as a session lasts."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from noria.agent import Agent
from noria.errors import NoriaError
from noria.records import Answer, Query
from noria.records.serving.staging import Challenger
from noria.serve.answering import Answering
from noria.serve.loading import Live

_MOST_SESSIONS = 50_000


def place_of(challenger_id: str, *key: str) -> float:
    """Where a session or an account stands for a challenger: from 0 to below 1, evenly, the same in every process.

    Another challenger shuffles anew, so that nobody is always the first to be tried on. A share that grows keeps whom
    it had.

    Example:
        >>> round(place_of("c0001", "acme", "s1"), 4)
        0.6684
    """
    digest = hashlib.blake2b("\0".join((challenger_id, *key)).encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) / 2**53


class Routing:
    """Decides once for each session; a change of the share is for sessions that begin after it.

    Args:
        last_release: (account, session) → the release that gave its latest answer, None for a new one. Asked at most
            once for each session within the share, so that a session which another process or an earlier share began
            stays where it is.
    """

    def __init__(self, last_release: Callable[[str, str], str | None]) -> None:
        self._last_release = last_release
        self._decided: OrderedDict[tuple[str, str, str], bool] = OrderedDict()
        self._lock = threading.Lock()

    def may_take(self, challenger: Challenger, query: Query) -> bool:
        """Whether the challenger answers this query unless its session began elsewhere; never waits for the journal."""
        known = self._decided.get((challenger.challenger_id, query.account, query.session))
        if known is not None:
            return known
        named = (query.account,) if challenger.unit == "account" else (query.account, query.session)
        return place_of(challenger.challenger_id, *named) < challenger.share

    def takes(self, challenger: Challenger, query: Query) -> bool:
        """Whether the challenger answers this query."""
        key = challenger.challenger_id, query.account, query.session
        known = self._decided.get(key)
        if known is not None:
            return known
        inside = self.may_take(challenger, query)
        if inside:
            try:
                last = self._last_release(query.account, query.session)
            except NoriaError:
                return False
            inside = last in {None, challenger.challenger_id}
        with self._lock:
            decided = self._decided.setdefault(key, inside)
            if len(self._decided) > _MOST_SESSIONS:
                self._decided.popitem(last=False)
        return decided


@dataclass(slots=True)
class Canary:
    """A challenger that answers one query; where it fails, the live agent does, and the answer is the live one's.

    takes: whether the query's session is its own, after a look into the journal; else the live agent answers, too.
    answering: where it is waited for, apart from the live agent's, so that a challenger which hangs takes none of its
    threads. stays: the session turned out to be the live agent's. error: how the challenger failed.
    """

    own: Live
    live: Live
    answering: Answering
    takes: Callable[[], bool]
    stays: bool = False
    error: str = ""

    @property
    def agent(self) -> Agent:
        return self.live.agent if self.error or self.stays else self.own.agent

    @property
    def release(self) -> str:
        return self.live.release if self.error or self.stays else self.own.release

    def settle(self) -> None:
        """Looks whose the session is; may wait for the journal."""
        self.stays = not self.takes()

    def answer(self, text: str, account: str, groups: tuple[str, ...]) -> Answer:
        """The challenger's answer, or the live agent's where the session is its own or the challenger raised."""
        self.settle()
        if self.stays:
            return self.live.answer(text, account, groups)
        try:
            return self.own.agent.answer(text, account, groups)
        except Exception as error:  # noqa: BLE001 - whatever fails in a challenger, the user gets the live answer
            self.error = f"agent: {type(error).__name__}: {error}"[:500]
            return self.live.answer(text, account, groups)
