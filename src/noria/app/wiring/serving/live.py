"""What the HTTP server works with."""

from __future__ import annotations

import ipaddress
import logging
import secrets
import threading
import time
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from noria.app.home import Home
from noria.app.settings import label_desk, loop_policy
from noria.app.wiring.clock import new_id, now_ms
from noria.app.wiring.desks import label_studio_desk
from noria.app.wiring.encoders import load_encoder
from noria.app.wiring.help_desks import HelpDesks
from noria.app.wiring.rooms import open_house, open_stores
from noria.connect.builtin_desk import BuiltinDesk
from noria.errors import NoriaError

if TYPE_CHECKING:
    from noria.app.http.house import Limits
    from noria.app.http.metrics import Metrics
    from noria.app.wiring.serving.dashboard import StoredWatching
    from noria.serve import Keyring, Service
    from noria.stores.journal import SessionDoor

_log = logging.getLogger("noria.app")


class LiveHouse:
    """What the HTTP server works with (see `noria.app.http.house.House`).

    Args:
        home: whose stores and settings.
        host: where it listens; other hosts than this machine's own are served with keys only.
    """

    def __init__(self, home: Home, host: str = "127.0.0.1") -> None:
        self.home, self.host = home, host
        self.stores = open_stores(home)
        self.desk = BuiltinDesk(self.stores.journal)
        self._fetching, self._rung, self._stock = threading.Lock(), threading.Event(), ""

    @cached_property
    def service(self) -> Service:
        """The live agent."""
        from noria.serve import Service

        limit_ms = self.home.settings.serve.answer_limit_ms
        return Service(self.stores, time.perf_counter, load_encoder, redacts=self._redacts, limit_ms=limit_ms)

    @cached_property
    def keyring(self) -> Keyring:
        """Keys and rules of the accounts."""
        from noria.serve import Keyring

        always = not _is_loopback(self.host)
        return Keyring(self.stores.journal.access, now_ms, secrets.token_urlsafe(32), always=always)

    @cached_property
    def limits(self) -> Limits:
        """How often one may ask."""
        from noria.app.http.house import Limits
        from noria.serve.access import RateLimit

        serve = self.home.settings.serve
        return Limits(RateLimit(time.monotonic), serve.requests_a_minute, serve.chat_a_minute)

    @cached_property
    def metrics(self) -> Metrics:
        """Figures of this process."""
        from noria.app.http.metrics import Metrics

        return Metrics()

    @property
    def conversations(self) -> SessionDoor:
        """Sessions in the journal."""
        return self.stores.journal.sessions

    @property
    def notebook(self) -> Path | None:
        """The home's notebook."""
        return self.home.notebook if self.home.notebook.is_file() else None

    @cached_property
    def watching(self) -> StoredWatching:
        """What the dashboard reads."""
        from noria.app.wiring.serving.dashboard import StoredWatching

        return StoredWatching(self.home, self.stores, now_ms, lambda: open_house(self.home, self.stores))

    def settle(self) -> None:
        """Settles the tasks that labels came in for."""
        from noria.label.gathering import settle

        settle(self.stores, loop_policy(self.home.settings).settling)

    def performance(self) -> dict[str, Any]:
        """The view model of the performance page."""
        from noria.app.performance import performance

        return performance(self.stores, self.home.reports, generated_ms=now_ms(), title=self.home.path.name)

    def accounts(self) -> list[str]:
        """Accounts that asked something in the last 90 days, the busiest first."""
        return self.stores.journal.accounts(now_ms() - 90 * 86_400_000)

    def nudge(self) -> None:
        """Label Studio rang: fetches what people answered; rings meanwhile make one more round. May block."""
        if label_desk(self.home.settings) != "label_studio":
            return
        self._rung.set()
        while self._rung.is_set() and self._fetching.acquire(blocking=False):
            try:
                self._rung.clear()
                self._fetch()
            finally:
                self._fetching.release()

    @cached_property
    def help_desks(self) -> HelpDesks:
        """The help desks of the accounts."""
        return HelpDesks(self.home, self.stores, now_ms)

    def ring(self, account: str, secret: str, ticket_id: str) -> bool:
        """An account's help desk rang about a ticket."""
        return self.help_desks.ring(account, secret, ticket_id)

    def exchange(self) -> bool:
        """Does what is due at the help desks, and answers with the articles that came."""
        if not self.help_desks:
            return False
        self._restock()  # first what others pulled: a server that starts shows nothing that was withdrawn
        for receipt in self.help_desks.round():
            for warning in receipt.warnings:
                _log.warning("help desk: %s", warning)
        self._restock()
        self.metrics.handed(self.help_desks.states())
        return True

    def _restock(self) -> None:
        if (fresh := self.help_desks.stocked(self._stock)) is not None:
            self._stock, articles = fresh
            self.service.stock(articles)
            _log.info("%s articles of %s", len(articles), self._stock)

    def _redacts(self, account: str) -> bool:
        return self.keyring.rules(account).redact

    def _fetch(self) -> None:
        from noria.label import gather

        try:
            desk = label_studio_desk(self.home, self.stores)
            receipt = gather(self.stores, desk, loop_policy(self.home.settings).settling)
            _log.info("%s new labels from Label Studio", receipt.counts["new"])
        except NoriaError as error:
            # the next turn fetches it: the bell only makes it sooner
            _log.warning("labels not fetched: %s", error)

    def now_ms(self) -> int:
        """The present."""
        return now_ms()

    def new_id(self) -> str:
        """A new unique id."""
        return new_id()

    def close(self) -> None:
        """Commits what waits and closes the stores."""
        if "help_desks" in self.__dict__:
            self.help_desks.close()
        if "service" in self.__dict__:
            self.service.close()
        self.stores.close()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
