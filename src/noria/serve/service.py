"""Answers live queries with the released agent, and acknowledges nothing before it is committed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from noria.agent import Agent, unpack
from noria.agent.bundle import Encoders
from noria.errors import NoRelease
from noria.records import Answer, Article, Feedback, Prediction, Query
from noria.stores.journal import GroupCommit

if TYPE_CHECKING:
    from noria.stores import Stores

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Live:
    """The agent that answers now and the name of its release, swapped as one."""

    release: str
    agent: Agent


class Service:
    """The live agent of one process: answers, logs, takes feedback, and swaps releases without a dropped query.

    Args:
        stores: journal and bundles.
        clock: seconds, monotonic, for latencies.
        encoders: gives the encoder of a spec, for releases that need one.
    """

    def __init__(self, stores: Stores, clock: Callable[[], float], encoders: Encoders | None = None) -> None:
        self._stores, self._clock, self._encoders = stores, clock, encoders
        self._commit = GroupCommit(stores.journal)
        self._live: _Live | None = None
        self._swap = threading.Lock()
        self.refresh()

    @property
    def release(self) -> str | None:
        """The release that answers now; None before the first."""
        live = self._live
        return live.release if live else None

    def ask(self, query: Query, prediction_id: str) -> Future[Prediction]:
        """Answers a query; the future is done when the prediction is committed.

        Raises:
            NoRelease: nothing is live yet. OutsideError: too many predictions wait for the disk; try again.
        """
        live = self._live
        if live is None:
            raise NoRelease
        started = self._clock()
        missing: tuple[str, ...] = ()
        try:
            answer = live.agent.answer(query.text, query.account)
        except Exception as error:  # noqa: BLE001 - a user gets a person, whatever fails in the agent; the journal says what
            answer, missing = _HAND_OVER, (f"agent: {type(error).__name__}: {error}"[:500],)
        latency_ms = 1000 * (self._clock() - started)
        prediction = Prediction(prediction_id, query, answer, live.release, latency_ms, missing)
        return _then(self._commit.submit(prediction), prediction)

    def feedback(self, event: Feedback) -> Future[bool]:
        """Takes a feedback event; the future is done when it is committed and says whether it was new.

        Raises (through the future): NotFound for an unknown prediction.
        """
        known = any(f.event_id == event.event_id for f in self._stores.journal.feedback_of(event.prediction_id))
        return _then(self._commit.submit(event), not known)

    def article(self, article_id: str) -> Article | None:
        """The article as the live agent knows it."""
        live = self._live
        return live.agent.article(article_id) if live else None

    def intent_title(self, intent: str) -> str:
        """The intent's name for people: `vpn_not_connecting` → `Vpn not connecting`."""
        return intent.replace("_", " ").strip().capitalize()

    def refresh(self) -> bool:
        """Loads the current release beside the one that answers, tries it, then swaps; False when nothing changed."""
        with self._swap:
            current = self._stores.journal.current_release()
            if current is None or (self._live and self._live.release == current.release):
                return False
            agent = unpack(self._stores.blobs.get(current.candidate.bundle_sha256), self._encoders)
            agent.answer("warm up")
            self._live = _Live(current.release, agent)
            return True

    def close(self) -> None:
        """Commits what waits, then stops."""
        self._commit.close()


_HAND_OVER = Answer(decision="handoff", intent="", intent_confidence=0.0, scope_score=0.0, in_scope=False)


def _then(done: Future[None], value: T) -> Future[T]:
    """A future with `value` as soon as `done` is done, or with its error."""
    chained: Future[T] = Future()

    def pass_on(source: Future[None]) -> None:
        error = source.exception()
        if error is not None:
            chained.set_exception(error)
        else:
            chained.set_result(value)

    done.add_done_callback(pass_on)
    return chained
