"""Joins stores, counterparts, clock and settings: the one place that knows all of them."""

from __future__ import annotations

import hashlib
import logging
import os
import threading
import time
import uuid
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import noria
from noria.app.home import Home
from noria.app.label_studio.server import label_studio_address
from noria.app.settings import label_desk, loop_policy
from noria.connect.builtin_desk import BuiltinDesk
from noria.errors import NoriaError
from noria.stores import Stores

if TYPE_CHECKING:
    from noria.connect.label_studio import LabelStudioDesk
    from noria.loop import House
    from noria.ports import LabelDesk
    from noria.serve import Service

_log = logging.getLogger("noria.app")


def now_ms() -> int:
    """The present, in UTC milliseconds."""
    return time.time_ns() // 1_000_000


def new_id() -> str:
    """A new unique id."""
    return uuid.uuid4().hex


def open_stores(home: Home) -> Stores:
    """The home's stores, each opened when first used."""
    return Stores(
        lake=home.lake,
        blobs=home.blobs,
        journal=home.journal_url,
        tracker=home.tracker_url,
        artifacts=home.tracker_artifacts,
    )


def open_house(home: Home, stores: Stores) -> House:
    """What a turn of the loop works with."""
    from noria.loop import House

    return House(stores, open_desk(home, stores), loop_policy(home.settings), time.monotonic, code_facts())


def open_desk(home: Home, stores: Stores) -> LabelDesk:
    """Where this home's label tasks go."""
    if label_desk(home.settings) == "label_studio":
        return label_studio_desk(home, stores)
    return BuiltinDesk(stores.journal)


def label_studio_desk(home: Home, stores: Stores) -> LabelStudioDesk:
    """The desk on the Label Studio of the settings, or on the one that `noria label-studio up` starts.

    Raises:
        UsageError: no token is set. StateError: the home's own server was never started.
    """
    from noria.connect.label_studio import LabelStudioClient, LabelStudioDesk

    url, token = label_studio_address(home, os.environ)
    home.label_studio.mkdir(exist_ok=True)
    title = home.settings.label_studio.project or f"Noria {home.path.name}"

    def scope() -> set[str]:
        from noria.loop.turn import scope_of

        live = stores.journal.current_release()
        return scope_of(stores, live.candidate) if live else set()

    client = LabelStudioClient(url, token)
    return LabelStudioDesk(client, stores.journal, title=title, lock=home.label_studio / "exchange.lock", scope=scope)


def code_facts() -> dict[str, str]:
    """Which code runs: the version and a sha256 over the package's Python files."""
    root = Path(noria.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes() + b"\0")
    return {"version": noria.__version__, "sha256": digest.hexdigest()}


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

        return Service(self.stores, time.perf_counter)

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
