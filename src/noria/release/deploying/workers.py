"""Keeps a set of worker processes alive: what they look like comes in, orders come out. Pure; the time is passed in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

NOTHING, LIVE, READY = 0, 1, 2
"""Health of a worker: it does not answer; it answers; it answers queries."""


@dataclass(frozen=True, slots=True)
class Limits:
    """When patience ends, milliseconds.

    start_ms: until a new worker must be as healthy as the one it replaces. silent_ms: without an answer until a worker
    is killed. drain_ms: to finish what it has. first_pause_ms, longest_pause_ms: before a worker that died is started
    again, doubled at each quick death. steady_ms: a worker that lived so long did not die quickly. tries: quick deaths
    of every slot, before anything ever answered, until the set gives up.
    """

    start_ms: int = 120_000
    silent_ms: int = 30_000
    drain_ms: int = 40_000
    first_pause_ms: int = 500
    longest_pause_ms: int = 30_000
    steady_ms: int = 60_000
    tries: int = 3


@dataclass(frozen=True, slots=True)
class Worker:
    """One process. heard_ms: when it last answered. replaces: the process it is to replace. leaving_ms: since when."""

    pid: int
    slot: int
    started_ms: int
    health: int = NOTHING
    heard_ms: int | None = None
    replaces: int | None = None
    leaving_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Slot:
    """A worker's place: how often in a row one died quickly there, and before when none is started."""

    quick_deaths: int = 0
    not_before_ms: int = 0


@dataclass(frozen=True, slots=True)
class WorkerSet:
    """The whole set.

    due: slots whose worker is still to be replaced. lost: a slot whose new worker ended before it could replace the old
    one. answered: whether any worker ever did.
    """

    slots: tuple[Slot, ...]
    workers: Mapping[int, Worker] = field(default_factory=dict)
    due: frozenset[int] = frozenset()
    lost: int | None = None
    answered: bool = False
    stopping: bool = False

    def restarted(self) -> WorkerSet:
        """Every worker is to be replaced, one after the other."""
        return replace(self, due=frozenset(range(len(self.slots))), lost=None)

    def with_worker(self, worker: Worker) -> WorkerSet:
        """With a worker as it is now."""
        answered = self.answered or worker.health > NOTHING
        return replace(self, workers={**self.workers, worker.pid: worker}, answered=answered)

    def without(self, pid: int, now_ms: int, limits: Limits) -> WorkerSet:
        """After a process ended; one that was not asked to must wait before it is started again."""
        gone = self.workers[pid]
        rest = {p: w for p, w in self.workers.items() if p != pid}
        # its successor is there already: nothing is left to replace
        due = self.due - {gone.slot} if any(w.replaces == pid for w in rest.values()) else self.due
        left = replace(self, workers=rest, due=due)
        if gone.leaving_ms is not None:
            return left
        quick = now_ms - gone.started_ms < limits.steady_ms
        return left.failed(gone.slot, now_ms, limits, quick=quick, fresh=gone.replaces in rest)

    def failed(self, slot: int, now_ms: int, limits: Limits, *, quick: bool = True, fresh: bool = False) -> WorkerSet:
        """After a worker of a slot died, or could not even be started: the next one must wait.

        fresh: it was to replace another one.
        """
        deaths = self.slots[slot].quick_deaths + 1 if quick else 1
        pause_ms = min(limits.first_pause_ms * 2 ** min(deaths - 1, 20), limits.longest_pause_ms)
        slots = (*self.slots[:slot], Slot(deaths, now_ms + pause_ms), *self.slots[slot + 1 :])
        return replace(self, slots=slots, lost=slot if fresh and slot in self.due else self.lost)

    def after(self, order: Order, now_ms: int) -> WorkerSet:
        """After an order was carried out; what starts or ends is told by `with_worker` and `without`."""
        if isinstance(order, Leave) and order.pid in self.workers:
            return self.with_worker(replace(self.workers[order.pid], leaving_ms=now_ms))
        if isinstance(order, Replaced):
            return replace(self, due=self.due - {order.slot})
        if isinstance(order, Abandon):
            return replace(self, due=frozenset(), lost=None)
        return self

    def of_slot(self, slot: int) -> list[Worker]:
        """The workers of a slot that are to stay, the oldest first."""
        stay = [w for w in self.workers.values() if w.slot == slot and w.leaving_ms is None]
        return sorted(stay, key=lambda w: (w.started_ms, w.pid))


@dataclass(frozen=True, slots=True)
class Start:
    """Start a worker for a slot."""

    slot: int
    replaces: int | None = None


@dataclass(frozen=True, slots=True)
class Leave:
    """Ask a worker to finish what it has and end."""

    pid: int


@dataclass(frozen=True, slots=True)
class Kill:
    """End a worker at once."""

    pid: int
    why: str


@dataclass(frozen=True, slots=True)
class Replaced:
    """The worker of a slot has been replaced."""

    slot: int


@dataclass(frozen=True, slots=True)
class Abandon:
    """Replace no further workers; those that run go on."""

    why: str


@dataclass(frozen=True, slots=True)
class GiveUp:
    """No worker can be had."""

    why: str


Order = Start | Leave | Kill | Replaced | Abandon | GiveUp


def orders(now: WorkerSet, now_ms: int, limits: Limits) -> list[Order]:
    """What to do; empty when all is well.

    A worker is asked to leave only when another one of its slot is no less healthy, so that a set that answers goes on
    answering; one slot after the other is replaced, so that there is one process more than usual at most.
    """
    if now.stopping:
        leaving = [Leave(w.pid) for w in now.workers.values() if w.leaving_ms is None]
        return [*leaving, *_overdue(now.workers.values(), now_ms, limits)]
    if not now.answered and now.slots and all(s.quick_deaths >= limits.tries for s in now.slots):
        return [GiveUp(f"each of {len(now.slots)} workers ended {limits.tries} times before it answered")]
    found: list[Order] = [*_overdue(now.workers.values(), now_ms, limits)]
    for number, slot in enumerate(now.slots):
        if not now.of_slot(number) and now_ms >= slot.not_before_ms:
            found.append(Start(number))
    return [*found, *_replacing(now, now_ms, limits)]


def _overdue(workers: Iterable[Worker], now_ms: int, limits: Limits) -> list[Kill]:
    found = []
    for worker in workers:
        if worker.leaving_ms is not None:
            if now_ms - worker.leaving_ms > limits.drain_ms:
                found.append(Kill(worker.pid, f"it did not end within {limits.drain_ms / 1000:g} s"))
        elif worker.heard_ms is None:
            if now_ms - worker.started_ms > limits.start_ms:
                found.append(Kill(worker.pid, f"it did not answer within {limits.start_ms / 1000:g} s of its start"))
        elif now_ms - worker.heard_ms > limits.silent_ms:
            found.append(Kill(worker.pid, f"it has not answered for {limits.silent_ms / 1000:g} s"))
    return found


def _replacing(now: WorkerSet, now_ms: int, limits: Limits) -> Sequence[Order]:
    """The next step of a rolling restart: what was begun is ended first."""
    if now.lost is not None:
        return [Abandon(f"the new worker of slot {now.lost} ended before it was ready")]
    for slot in range(len(now.slots)):
        workers = now.of_slot(slot)
        there = {w.pid for w in workers}
        if fresh := [w for w in workers if w.replaces in there]:
            return _ending(slot, fresh[0], [w for w in workers if w not in fresh], now_ms, limits)
    if not now.due or any(w.leaving_ms is not None for w in now.workers.values()):
        return []
    slot = min(now.due)
    old = now.of_slot(slot)
    # one that died by itself is started again as after any death
    return [Start(slot, old[0].pid)] if old else []


def _ending(slot: int, fresh: Worker, old: Sequence[Worker], now_ms: int, limits: Limits) -> Sequence[Order]:
    """A worker and the one that it is to replace are both there."""
    wanted = max([LIVE, *(w.health for w in old)])
    if fresh.health >= wanted:
        return [*(Leave(w.pid) for w in old), Replaced(slot)]
    if now_ms - fresh.started_ms <= limits.start_ms:
        return []
    what = "ready" if wanted == READY else "live"
    why = f"the new worker of slot {slot} was not {what} within {limits.start_ms / 1000:g} s"
    return [Kill(fresh.pid, "it is not as healthy as the one it was to replace"), Abandon(why)]
