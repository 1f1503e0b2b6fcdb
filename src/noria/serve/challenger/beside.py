"""The challenger of one process: loaded beside the live agent, asked beside it, and given up when it breaks."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from noria.agent.bundle import Encoders
from noria.errors import NoriaError
from noria.records import Article, Prediction, Query, Release
from noria.records.serving.staging import Challenger, ShadowAnswer
from noria.serve.answering import Answering
from noria.serve.challenger.routing import Canary, Routing
from noria.serve.challenger.shadow import Shadow
from noria.serve.loading import Live, load, stocked

if TYPE_CHECKING:
    from noria.stores import Stores

_log = logging.getLogger("noria.serve")
FAILURES_IN_A_ROW = 5
"""So many failures of a canary one after the other end its share in this process, before anybody has looked."""
HANGS_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class _Side:
    challenger: Challenger
    own: Live


class Beside:
    """Routes queries to a canary and has the other agent answer in shadow; nothing here fails or delays a live answer.

    Args:
        stores: journal and bundles.
        clock: seconds, monotonic.
        encoders: gives the encoder of a spec.
        limit_ms: how long a canary may take for an answer.
    """

    def __init__(self, stores: Stores, clock: Callable[[], float], encoders: Encoders | None, *, limit_ms: int) -> None:
        self._stores, self._encoders = stores, encoders
        self._door = stores.journal.staging
        self._routing = Routing(self._door.release_of_session)
        self._answering = Answering(limit_ms)
        self.shadow = Shadow(self._door.add_answers, clock)
        self._side: _Side | None = None
        self._articles: Sequence[Article] | None = None
        self._given_up: dict[str, str] = {}
        self._failed, self._told = 0, ""

    @property
    def challenger(self) -> Challenger | None:
        """The one that is loaded; None where there is none."""
        side = self._side
        return side.challenger if side else None

    def article(self, article_id: str) -> Article | None:
        """An article that only the challenger knows."""
        side = self._side
        return side.own.agent.article(article_id) if side else None

    def route(self, query: Query, live: Live) -> Live | Canary:
        """Who answers this query: the live agent, or the canary."""
        side = self._side
        if side is None or side.challenger.mode == "shadow" or side.challenger.against != live.release:
            return live
        if self._failed >= FAILURES_IN_A_ROW:  # the next look gives it up and says why
            return live
        if not self._routing.may_take(side.challenger, query):
            return live
        return Canary(side.own, live, self._answering, partial(self._routing.takes, side.challenger, query))

    def answered(self, query: Query, made: Prediction, shown: Live | Canary, groups: tuple[str, ...]) -> None:
        """A query was answered: the other agent is asked the same, in shadow. Never raises."""
        side = self._side
        try:
            if isinstance(shown, Canary) and not shown.stays:
                self._canary_answered(query, made, shown, groups)
            elif side is not None and side.challenger.against == shown.release:
                self.shadow.offer(side.own, query, made.prediction_id, groups)
        except Exception:  # noqa: BLE001 - the live answer goes out, whatever happens beside it
            _log.exception("a query was not asked in shadow")

    def refresh(self, live: Live | None) -> None:
        """Looks which challenger is running, and loads it; one that cannot be loaded, or hangs, is reported."""
        found = self._door.running()
        if found is None or live is None or found.against != live.release or found.failure:
            self._side = None
            return
        if found.challenger_id in self._given_up:
            self._give_up(found, self._given_up[found.challenger_id])  # the journal has not heard of it yet
            return
        side = self._side
        if side is not None and side.challenger.challenger_id == found.challenger_id:
            self._side = replace(side, challenger=found)
            if self.shadow.busy_seconds > HANGS_SECONDS:
                self._give_up(found, f"no answer within {HANGS_SECONDS:.0f} seconds")
            elif self._failed >= FAILURES_IN_A_ROW:
                self._give_up(found, f"{self._failed} failures one after the other")
            return
        try:
            release = Release(found.challenger_id, found.candidate, found.since_ms)
            self._failed, self._side = 0, _Side(found, self._loaded(release))
        except NoriaError as error:
            self._side = None
            if not error.retry_helps:
                self._give_up(found, f"it cannot be loaded: {error}")
            elif str(error) != self._told:
                self._told = str(error)
                _log.warning("challenger %s is not loaded yet: %s", found.challenger_id, error)
        except Exception as error:  # noqa: BLE001 - a damaged bundle may fail in any way
            self._give_up(found, f"it cannot be loaded: {type(error).__name__}: {error}")

    def stock(self, articles: Sequence[Article]) -> None:
        """The challenger answers with these articles, as the live agent does: what was withdrawn shows nowhere."""
        self._articles, side = articles, self._side
        if side is not None:
            self._side = replace(side, own=stocked(side.own, articles))

    def close(self) -> None:
        """Writes what was answered in shadow, then stops."""
        self._side = None
        self._answering.close()
        self.shadow.close()

    def _canary_answered(self, query: Query, made: Prediction, shown: Canary, groups: tuple[str, ...]) -> None:
        self._failed = self._failed + 1 if shown.error or made.missing else 0
        if shown.error:
            error = ShadowAnswer(made.prediction_id, shown.own.tag, query.time_ms, None, "", 0.0, 0.0, shown.error)
            self.shadow.note(error)
        else:
            self.shadow.offer(shown.live, query, made.prediction_id, groups)

    def _loaded(self, release: Release) -> Live:
        return stocked(load(self._stores, release, self._encoders), self._articles)

    def _give_up(self, challenger: Challenger, why: str) -> None:
        self._side = None
        self._given_up[challenger.challenger_id] = why
        _log.warning("challenger %s is given up: %s", challenger.challenger_id, why)
        self._door.note_failure(challenger.challenger_id, why[:500])
