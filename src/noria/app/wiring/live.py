"""What the HTTP server works with."""

from __future__ import annotations

import logging
import threading
import time
from functools import cached_property
from typing import TYPE_CHECKING, Any

from noria.app.home import Home
from noria.app.settings import label_desk, loop_policy
from noria.app.wiring.clock import new_id, now_ms
from noria.app.wiring.desks import label_studio_desk
from noria.app.wiring.encoders import load_encoder
from noria.app.wiring.rooms import open_stores
from noria.connect.builtin_desk import BuiltinDesk
from noria.errors import NoriaError

if TYPE_CHECKING:
    from noria.serve import Service

_log = logging.getLogger("noria.app")


class LiveHouse:
    """What the HTTP server works with (see `noria.app.http.house.House`)."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.stores = open_stores(home)
        self.desk = BuiltinDesk(self.stores.journal)
        self._fetching, self._rung = threading.Lock(), threading.Event()

    @cached_property
    def service(self) -> Service:
        """The live agent."""
        from noria.serve import Service

        return Service(self.stores, time.perf_counter, load_encoder)

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
        if "service" in self.__dict__:
            self.service.close()
        self.stores.close()
