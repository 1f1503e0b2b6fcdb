"""A process set keeps answering: its rules against simulated processes that start slowly, die, hang and fail."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.release.deploying.workers import (
    LIVE,
    READY,
    Abandon,
    GiveUp,
    Kill,
    Leave,
    Limits,
    Replaced,
    Slot,
    Start,
    Worker,
    WorkerSet,
    orders,
)

LIMITS = Limits(
    start_ms=5_000, silent_ms=3_000, drain_ms=2_000, first_pause_ms=500, longest_pause_ms=8_000, steady_ms=10_000
)
TICK_MS = 100


@dataclass
class World:
    """Processes that obey, some of them badly. fate: what the next process does: "ok", "dies", "never", "sick"."""

    size: int
    fates: list[str] = field(default_factory=list)
    now_ms: int = 0
    next_pid: int = 1
    seen: list[object] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.set = WorkerSet(tuple(Slot() for _ in range(self.size)))
        self.fate: dict[int, str] = {}

    def tick(self) -> None:
        for order in orders(self.set, self.now_ms, LIMITS):
            self.seen.append(order)
            self.set = self.set.after(order, self.now_ms)
            if isinstance(order, Start):
                fate = self.fates.pop(0) if self.fates else "ok"
                self.fate[self.next_pid] = fate
                self.set = self.set.with_worker(Worker(self.next_pid, order.slot, self.now_ms, replaces=order.replaces))
                self.next_pid += 1
            elif isinstance(order, Kill) and order.pid in self.set.workers:
                self.end(order.pid)
        for worker in list(self.set.workers.values()):
            self.live(worker)
        self.now_ms += TICK_MS

    def live(self, worker: Worker) -> None:
        age, fate = self.now_ms - worker.started_ms, self.fate[worker.pid]
        if worker.leaving_ms is not None:
            if fate != "clings" and self.now_ms - worker.leaving_ms > 500:
                self.end(worker.pid)
        elif fate == "dies" and age > 300:
            self.end(worker.pid)
        elif fate in {"ok", "clings"} and age > 700:
            self.set = self.set.with_worker(replace(worker, health=READY, heard_ms=self.now_ms))
        elif fate == "sick" and age > 700:
            self.set = self.set.with_worker(replace(worker, health=LIVE, heard_ms=self.now_ms))

    def end(self, pid: int) -> None:
        self.set = self.set.without(pid, self.now_ms, LIMITS)

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds * 1000 / TICK_MS)):
            self.tick()

    @property
    def ready(self) -> int:
        return sum(w.health == READY and w.leaving_ms is None for w in self.set.workers.values())

    @property
    def served(self) -> set[int]:
        """Slots with a worker that is ready and stays."""
        return {w.slot for w in self.set.workers.values() if w.health == READY and w.leaving_ms is None}

    def of(self, kind: type) -> list[object]:
        return [order for order in self.seen if isinstance(order, kind)]


def test_every_slot_gets_a_worker():
    world = World(3)
    world.run(2)
    assert world.ready == 3
    assert world.seen == [Start(0), Start(1), Start(2)]


def test_a_dead_worker_is_replaced_after_a_pause_that_doubles_while_it_dies_quickly():
    world = World(1, ["ok", "dies", "dies", "dies"])
    world.run(12)
    world.end(1)
    starts = []
    for _ in range(200):
        before = len(world.of(Start))
        world.tick()
        if len(world.of(Start)) > before:
            starts.append(world.now_ms)
    assert world.ready == 1
    pauses = [b - a for a, b in itertools.pairwise(starts)]
    assert pauses == sorted(pauses)
    assert pauses[2] - pauses[1] > pauses[1] - pauses[0] > 0


def test_a_worker_that_cannot_even_be_started_is_tried_again_after_a_pause():
    empty = WorkerSet((Slot(),))
    failed = empty.failed(0, 1_000, LIMITS)
    assert orders(empty, 1_000, LIMITS) == [Start(0)]
    assert orders(failed, 1_400, LIMITS) == []
    assert orders(failed, 1_500, LIMITS) == [Start(0)]
    assert failed.failed(0, 1_500, LIMITS).slots[0].not_before_ms == 2_500


def test_a_worker_that_stops_answering_is_killed_and_replaced():
    world = World(2)
    world.run(2)
    world.fate[1] = "never"
    world.run(6)
    assert [order.pid for order in world.of(Kill)] == [1]
    assert world.ready == 2


def test_a_restart_replaces_every_worker_and_never_has_fewer_that_are_ready():
    world = World(3)
    world.run(2)
    first = set(world.set.workers)
    world.set = world.set.restarted()
    for _ in range(150):
        world.tick()
        assert world.ready >= 3
        assert len(world.set.workers) <= 4
    assert not world.set.due
    assert first.isdisjoint(world.set.workers)
    assert len(world.of(Start)) == 6
    assert world.of(Replaced) == [Replaced(0), Replaced(1), Replaced(2)]


@pytest.mark.parametrize("fate", ["dies", "never", "sick"])
def test_a_restart_to_workers_that_fail_is_abandoned_and_the_old_ones_go_on(fate):
    world = World(2, ["ok", "ok", fate])
    world.run(2)
    world.set = world.set.restarted()
    for _ in range(150):
        world.tick()
        assert world.ready >= 2
    assert set(world.set.workers) == {1, 2}
    (abandoned,) = world.of(Abandon)
    assert "slot 0" in abandoned.why
    assert not world.of(Leave)


def test_before_the_first_release_a_restart_asks_no_more_than_that_workers_answer():
    world = World(2, ["sick"] * 4)
    world.run(2)
    world.set = world.set.restarted()
    world.run(10)
    assert not world.set.due
    assert not world.of(Abandon)


def test_a_worker_that_clings_is_killed_when_its_time_is_over():
    world = World(1, ["clings"])
    world.run(2)
    world.set = replace(world.set, stopping=True)
    world.run(1)
    assert world.set.workers
    world.run(2)
    assert not world.set.workers
    assert len(world.of(Kill)) == 1


def test_a_set_whose_workers_never_answer_gives_up():
    world = World(2, ["dies"] * 20)
    world.run(20)
    assert "2 workers ended 3 times" in world.of(GiveUp)[0].why
    assert len(world.of(Start)) == 6


def test_a_set_that_answered_once_never_gives_up():
    world = World(1, ["ok", *["dies"] * 8])
    world.run(2)
    world.end(1)
    world.run(60)
    assert not world.of(GiveUp)
    assert world.ready == 1


@given(
    size=st.integers(1, 4),
    fates=st.lists(st.sampled_from(["ok", "ok", "dies", "never", "sick", "clings"]), max_size=12),
    seed=st.integers(0, 2**32),
)
def test_whatever_happens_a_set_answers_again_and_restarts_cost_no_ready_worker(size, fates, seed):
    chance = random.Random(seed)
    world = World(size, fates)
    for _ in range(300):
        if chance.random() < 0.02:
            world.set = world.set.restarted()
        if chance.random() < 0.01 and world.set.workers:
            world.end(chance.choice(sorted(world.set.workers)))
        before = world.served
        world.tick()
        assert world.served >= before
        for slot in range(size):
            assert len(world.set.of_slot(slot)) <= 2
    if world.of(GiveUp):
        return
    world.fates = []
    for pid in world.set.workers:
        world.fate[pid] = "ok"
    world.run(60)
    assert world.ready == size
    assert not world.set.due
    world.set = replace(world.set, stopping=True)
    world.run(4)
    assert not world.set.workers
