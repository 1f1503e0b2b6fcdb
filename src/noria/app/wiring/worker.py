"""The worker of a home: its jobs, its lease, its schedule."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from noria.app.home import Home
from noria.app.settings import help_desk
from noria.app.wiring.clock import now_ms
from noria.app.wiring.rooms import open_house
from noria.stores import Stores

if TYPE_CHECKING:
    from noria.app.worker import Durable, JobState, Schedule
    from noria.loop import House
    from noria.records import Receipt, TurnReceipt


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """Who turns the loop ("" = nobody), when each kind of job is due (UTC ms), and the latest jobs, newest first."""

    owner: str
    due: Mapping[str, int]
    jobs: tuple[JobState, ...]


class WorkerDesk:
    """What `noria worker` and `noria turn` do in a home."""

    def __init__(self, home: Home, stores: Stores) -> None:
        self._home, self._stores = home, stores

    def work(self, stop: threading.Event, *, once: bool) -> int:
        """Works until `stop` is set, waiting first while another worker does; returns how many jobs ran."""
        from noria.app.worker import NotAlone, work

        schedule = self.schedule()
        while True:
            try:
                with self.durable() as durable:
                    return work(durable, schedule, now_ms, stop, once=once)
            except NotAlone:
                if once:
                    raise
                if stop.wait(self._home.settings.worker.lease_seconds / 4):
                    return 0

    def turn(self) -> tuple[TurnReceipt, list[str]]:
        """One turn now, after what was interrupted; with what went wrong with that."""
        from noria.app.worker import resume_then_turn

        with self.durable() as durable:
            return resume_then_turn(self._stores.journal, durable, now_ms=now_ms())

    def status(self) -> WorkerStatus:
        """How the worker stands; reads only."""
        from noria.app.worker import LEASE, Schedule, latest_jobs

        held, now = self._stores.journal.leases.holder(LEASE), now_ms()
        due = {kind: Schedule({kind: cron}).next(now)[0].time_ms for kind, cron in self.schedule().crons.items()}
        latest = tuple(latest_jobs(self._home.worker_url))
        owner = held.owner if held.until_ms > now else ""
        return WorkerStatus(owner, due, latest)

    def schedule(self) -> Schedule:
        """By the settings.

        Raises:
            UsageError: a cron expression is none.
        """
        from noria.app.worker import Schedule, check_cron

        worker = self._home.settings.worker
        crons = {"gather": worker.gather, "monitor": worker.monitor, "stages": worker.stages, "turn": worker.turn}
        if help_desk(self._home.settings).accounts:
            crons = {"help_desk": worker.help_desk, **crons}
        where = f"{self._home.path / 'noria.toml'} [worker]"
        return Schedule({kind: check_cron(kind, cron, where) for kind, cron in crons.items() if cron})

    @contextmanager
    def durable(self) -> Iterator[Durable]:
        """The jobs, while this process holds the lease.

        Raises:
            NotAlone: another process holds it.
        """
        from noria.app.worker import Durable, Holding, kinds, owner_name

        for_ms = self._home.settings.worker.lease_seconds * 1000
        with Holding(self._stores.journal.leases, now_ms, owner_name(), for_ms=for_ms) as held:
            house = open_house(self._home, self._stores)
            durable = Durable(self._home.worker_url, kinds(house, {"help_desk": self._exchange}), held.fence)
            try:
                yield durable
            finally:
                durable.close()

    def _exchange(self, _house: House, _now_ms: int) -> list[Receipt]:
        """What is due at the help desks; a server does the same by itself, and neither does twice."""
        from noria.app.wiring.help_desks import HelpDesks

        with closing(HelpDesks(self._home, self._stores, now_ms)) as desks:
            return desks.round()


def open_worker(home: Home, stores: Stores) -> WorkerDesk:
    """The worker of a home."""
    return WorkerDesk(home, stores)
