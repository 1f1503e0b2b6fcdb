"""`LabelStudioDesk`: the label desk on a Label Studio server."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from noria.connect.label_studio import collecting, delivery
from noria.connect.label_studio.client import LabelStudioClient, outside_range
from noria.connect.label_studio.counting import tally
from noria.connect.label_studio.memory import DeskReport, keep, read
from noria.connect.label_studio.project import Exchange, in_step
from noria.errors import NotFound, OutsideError
from noria.ports import DeskStatus
from noria.ports.questions import label_studio_config
from noria.records import Label, LabelTask
from noria.stores.journal import Journal

if TYPE_CHECKING:
    from noria.connect.label_studio.memory import Memory, Project

_log = logging.getLogger("noria.label_studio")


class LabelStudioDesk:
    """A `LabelDesk` on Label Studio.

    Tasks it has taken are in the journal and in an outbox there: a server that is down delays them and loses none. What
    people answered is read by the time tasks changed, so that a missed call loses nothing either.

    Args:
        client: the server.
        journal: keeps tasks, the outbox and what is remembered of the server.
        title: of the project; one for each home.
        config: the questions as Label Studio's XML; None: those of `noria.ports.questions`.
        lock: a file; one exchange at a time holds it. None: exchanges from elsewhere are merely tidied up after.
        scope: the intents in scope now, to tell of answers that name one that has left.
        lock_wait_s: how long to wait for another exchange, seconds.
    """

    def __init__(
        self,
        client: LabelStudioClient,
        journal: Journal,
        *,
        title: str = "Noria",
        config: str | None = None,
        lock: Path | None = None,
        scope: Callable[[], Collection[str]] | None = None,
        lock_wait_s: float = 300.0,
    ) -> None:
        self._client, self._journal = client, journal
        self._title, self._scope = title[:45].strip().ljust(3, "."), scope
        self._config = config or label_studio_config()
        self._lock, self._lock_wait_s = lock, lock_wait_s
        self._version = ""

    def push(self, tasks: Sequence[LabelTask]) -> int:
        """See `LabelDesk.push`. Does not raise when the server is down: the tasks wait, `report` says how many."""
        with self._alone():
            self._journal.add_tasks(tasks)
            memory = read(self._journal)
            outbox = tuple(dict.fromkeys((*memory.outbox, *(task.task_id for task in tasks))))
            exchange = Exchange(replace(memory, outbox=outbox))
            if not outbox:
                return 0
            keep(self._journal, exchange.memory)
            try:
                new = self._deliver(exchange)
            except OutsideError as error:
                exchange.warnings.append(f"{len(exchange.memory.outbox)} tasks wait for Label Studio: {error}")
                new = len(outbox) - len(memory.outbox)
            self._tell(exchange)
            return new

    def collect(self, since_ms: int) -> list[Label]:
        """See `LabelDesk.collect`. Delivers what waits first; faults and warnings are in `report`."""
        with self._alone():
            exchange = Exchange(read(self._journal))
            self._greet(exchange)
            if exchange.memory.projects or exchange.memory.outbox:
                self._deliver(exchange)
            labels: list[Label] = []
            names = collecting.annotator_names(self._client.call("GET", "/api/users/"))
            due = collecting.sweep_is_due(self._client, exchange)
            for project in exchange.memory.projects:
                labels += collecting.sweep(self._client, self._journal, exchange, project, due=due)
                rows = collecting.changed_rows(self._client, project, since_ms)
                gathered = collecting.read_rows(self._journal, project, rows, names)
                labels += [label for label in gathered.labels if label.withdrawn or label.time_ms >= since_ms]
                self._note(exchange, gathered)
            self._tell(exchange)
            return sorted(labels, key=lambda label: (label.time_ms, label.label_id))

    def status(self) -> DeskStatus:
        """See `LabelDesk.status`. A task whose only answer does not count is open."""
        memory = read(self._journal)
        tallies = [tally(self._client, project, memory.faults) for project in memory.projects]
        since_ms = [at_ms for counted in tallies for at_ms in counted.open_since_ms]
        for task_id in memory.outbox:
            with contextlib.suppress(NotFound):
                since_ms.append(self._journal.task(task_id).created_ms)
        return DeskStatus(
            open=sum(counted.open for counted in tallies) + len(memory.outbox),
            labelled=sum(counted.labelled for counted in tallies),
            oldest_open_ms=min(since_ms, default=None),
        )

    def report(self) -> DeskReport:
        """How the last exchange went; asks the server nothing."""
        memory = read(self._journal)
        project = memory.projects[-1].id if memory.projects else None
        return DeskReport(self._version, project, len(memory.outbox), memory.faults, memory.told)

    def check(self) -> str:
        """Asks the server who it is and whether the token is good; returns its version.

        Raises:
            OutsideError: it does not answer, is another program, or refuses the token.
        """
        version = self._client.version()
        self._client.call("GET", "/api/projects/", params={"page_size": 1})
        return version

    def _greet(self, exchange: Exchange) -> None:
        if not self._version:
            self._version = self.check()
        odd = outside_range(self._version)
        if odd:
            exchange.warnings.append(odd)

    def _deliver(self, exchange: Exchange) -> int:
        self._greet(exchange)
        project: Project = in_step(self._client, self._journal, exchange, self._title, self._config)
        keep(self._journal, exchange.memory)
        return delivery.deliver(self._client, self._journal, exchange, project)

    def _note(self, exchange: Exchange, gathered: collecting.Gathered) -> None:
        """Renews the list of faults and says what else was odd."""
        memory: Memory = exchange.memory
        others = [fault for fault in memory.faults if fault.task_id not in gathered.tasks]
        exchange.memory = replace(memory, faults=(*others, *gathered.faults))
        if gathered.strangers:
            exchange.warnings.append(
                f"{gathered.strangers} tasks on Label Studio are not Noria's, or their task_id was edited: left alone."
            )
        if self._scope is not None:
            scope = self._scope()
            left = {lab.intent for lab in gathered.labels if lab.relevance == "in_scope"} - {None, *scope}
            if left:
                exchange.warnings.append(
                    f"answers name intents that have left the scope ({', '.join(sorted(map(str, left)))}): they count "
                    "in the figures of their time, and nothing is trained on them."
                )

    def _tell(self, exchange: Exchange) -> None:
        """Keeps what is remembered and what a person should know."""
        faults = len(exchange.memory.faults)
        if faults:
            exchange.warnings.append(
                f"{faults} answers do not count until they are put right: noria label-studio status."
            )
        told = tuple(dict.fromkeys(exchange.warnings))
        exchange.memory = replace(exchange.memory, told=told)
        keep(self._journal, exchange.memory)
        for sentence in told:
            _log.warning("%s", sentence)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """One exchange at a time on a machine."""
        if self._lock is None:
            yield
            return
        with self._lock.open("a") as file:
            for wait in range(int(self._lock_wait_s * 10) + 1):
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if wait == int(self._lock_wait_s * 10):
                        said = "another exchange with Label Studio is still running."
                        raise OutsideError(said, retry_helps=True) from None
                    time.sleep(0.1)
            yield
