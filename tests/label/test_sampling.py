"""Label tasks are drawn with a known, equal chance, within a budget, and no prediction is left without one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from noria.connect.builtin_desk import BuiltinDesk
from noria.label import SamplingPolicy, corrected, for_gate, gather, send
from noria.label.sampling import DAY_MS, draw
from noria.records import Answer, Judged, Label, LabelTask, Prediction, Query, Relevance
from noria.stores import Stores

ANSWER = Answer("answer", "vpn", 0.9, 2.0, True)


def prediction(number: int, time_ms: int = 0) -> Prediction:
    query = Query(f"q{number}", "acme", "s", f"text {number}", time_ms + number)
    return Prediction(f"p{number:05d}", query, ANSWER, "r0001", 1.0)


@pytest.fixture
def stores(tmp_path: Path) -> Stores:
    return Stores(
        lake=tmp_path / "lake",
        blobs=tmp_path / "blobs",
        journal=f"sqlite:///{tmp_path / 'journal.db'}",
        tracker=f"sqlite:///{tmp_path / 'tracker.db'}",
        artifacts=tmp_path / "artifacts",
    )


def test_every_prediction_has_the_same_chance() -> None:
    """Over many seeds each prediction is drawn about equally often, and the stored chance is that share."""
    rows = [prediction(i) for i in range(20)]
    hits = np.zeros(20)
    for seed in range(2000):
        tasks = draw(rows, 5, stratum="s", seed=seed, scope=("vpn",), time_ms=0)
        assert len(tasks) == 5
        assert all(t.inclusion_probability == 0.25 for t in tasks)
        hits[[int(t.prediction_id[1:]) for t in tasks]] += 1
    # four standard errors of a share of 1/4 over 2,000 draws
    assert np.abs(hits / 2000 - 0.25).max() < 4 * (0.25 * 0.75 / 2000) ** 0.5


def test_a_draw_is_repeatable_from_its_seed() -> None:
    """The same predictions and seed give the same tasks."""
    rows = [prediction(i) for i in range(50)]
    first = draw(rows, 10, stratum="s", seed=7, scope=(), time_ms=0)
    assert first == draw(rows, 10, stratum="s", seed=7, scope=(), time_ms=0)
    assert first != draw(rows, 10, stratum="s", seed=8, scope=(), time_ms=0)


def test_turning_more_often_asks_no_more_of_people(stores: Stores) -> None:
    """Four turns a day for three days draw no more than the budget, and every window is drawn from once."""
    desk = BuiltinDesk(stores.journal)
    policy = SamplingPolicy(daily_budget=10)
    stores.journal.add_predictions([prediction(i, time_ms=i * DAY_MS // 100) for i in range(300)])
    drawn = []
    for step in range(1, 13):
        now = step * DAY_MS // 4
        receipt = send(stores, desk, policy, scope=("vpn",), until_ms=now, time_ms=now)
        drawn.append(receipt.counts["tasks"])
    assert sum(drawn) <= 10 * 3 + 10
    tasks = stores.journal.open_tasks(1000)
    assert len({t.prediction_id for t in tasks}) == len(tasks) == sum(drawn)


def test_a_spent_budget_leaves_the_window_open(stores: Stores) -> None:
    """Predictions that could not be drawn from today are in tomorrow's draw."""
    desk = BuiltinDesk(stores.journal)
    policy = SamplingPolicy(daily_budget=5)
    stores.journal.add_predictions([prediction(i) for i in range(10)])
    assert send(stores, desk, policy, scope=(), until_ms=100, time_ms=100).counts["tasks"] == 5
    stores.journal.add_predictions([prediction(i, time_ms=200) for i in range(10, 20)])
    held = send(stores, desk, policy, scope=(), until_ms=300, time_ms=300)
    assert held.counts["tasks"] == 0
    assert "10 predictions wait" in held.warnings[0]
    later = send(stores, desk, policy, scope=(), until_ms=DAY_MS, time_ms=DAY_MS)
    assert later.counts == {"predictions": 10, "tasks": 4, "budget_left": 0} or later.counts["tasks"] == 5
    late = [t for t in stores.journal.open_tasks(100) if t.query_time_ms >= 200]
    assert {t.inclusion_probability for t in late} == {later.counts["tasks"] / 10}


def label(task: LabelTask, relevance: Relevance, intent: str | None, time_ms: int = 5) -> Label:
    return Label(f"l-{task.task_id}", task.task_id, task.prediction_id, "ann", relevance, intent, (), None, time_ms)


def test_gathering_twice_counts_once(stores: Stores) -> None:
    """Labels made at the desk come in once, however often they are collected."""
    desk = BuiltinDesk(stores.journal)
    stores.journal.add_predictions([prediction(i) for i in range(3)])
    send(stores, desk, SamplingPolicy(), scope=("vpn",), until_ms=100, time_ms=100)
    for task in stores.journal.open_tasks():
        desk.submit(label(task, "in_scope", "vpn"))
    gather(stores, desk)
    gather(stores, desk)
    assert len(stores.journal.judged(0, 1000)) == 3
    assert desk.status().open == 0


def test_labels_become_examples_of_what_the_query_was() -> None:
    """In scope: the right intent; new domain: out of scope until its intent is accepted; the rest: reserved intents."""
    tasks = draw([prediction(i) for i in range(5)], 5, stratum="s", seed=1, scope=("vpn",), time_ms=0)
    said: list[tuple[Relevance, str | None]] = [
        ("in_scope", "vpn"), ("new_domain", "phone"), ("irrelevant", None), ("small_talk", None), ("in_scope", "gone"),
    ]  # fmt: skip
    judged = [Judged(t, label(t, r, i)) for t, (r, i) in zip(tasks, said, strict=True)]
    assert [e.intent for e in corrected(judged, {"vpn"})] == ["vpn", "oos", "irrelevant", "small_talk"]
    assert [e.intent for e in corrected(judged, {"vpn"}, {"phone"})][1] == "phone"
    assert {e.origin for e in corrected(judged, {"vpn"})} <= {f"label:{j.label.label_id}" for j in judged}


def test_a_fixed_fifth_of_labels_is_kept_for_the_gate() -> None:
    """Which labels are kept depends on the task alone, and they are about a fifth."""
    rows = [prediction(i) for i in range(5000)]
    tasks = draw(rows, 5000, stratum="s", seed=1, scope=(), time_ms=0)
    kept = [for_gate(Judged(t, label(t, "in_scope", "vpn"))) for t in tasks]
    assert abs(sum(kept) / 5000 - 0.2) < 0.02
    assert kept == [for_gate(Judged(t, label(t, "irrelevant", None, 99))) for t in tasks]
