"""Label tasks are drawn with a known chance each, within a budget, and no prediction is left without one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from noria.connect.builtin_desk import BuiltinDesk
from noria.label import SamplingPolicy, send
from noria.label.drawing.expectation import learn
from noria.label.drawing.sampling import DAY_MS, Waiting, draw, explore
from noria.label.drawing.strata import stratum
from noria.records import Answer, Feedback, Judged, Prediction, Query, Settled, version_of_scope
from noria.stats.design import coins, read_floor
from noria.stores import Stores

ANSWER = Answer("answer", "vpn", 0.9, 2.0, True, scores={"known": 1.0}, thresholds={"scope": 0.0})
ALONE = SamplingPolicy(several_share=0.0)


def prediction(number: int, time_ms: int = 0, answer: Answer = ANSWER, text: str = "") -> Prediction:
    query = Query(f"q{number}", "acme", "s", text or f"text {number}", time_ms + number)
    return Prediction(f"p{number:05d}", query, answer, "r0001", 1.0)


def waiting(
    rows: Sequence[Prediction],
    right: Sequence[float] | None = None,
    *,
    seed: int = 1,
    thumb: Mapping[str, int] | None = None,
) -> Waiting:
    expected = np.array(right if right is not None else [0.9] * len(rows))
    return Waiting(rows, expected, np.full(len(rows), 0.999), thumb or {}, seed, ("vpn", "wifi"), 77)


@pytest.fixture
def stores(tmp_path: Path) -> Stores:
    return Stores(
        lake=tmp_path / "lake",
        blobs=tmp_path / "blobs",
        journal=f"sqlite:///{tmp_path / 'journal.db'}",
        tracker=f"sqlite:///{tmp_path / 'tracker.db'}",
        artifacts=tmp_path / "artifacts",
    )


def test_every_prediction_is_drawn_with_the_chance_that_is_stored() -> None:
    """Over 2,000 seeds: how often each is drawn is its chance, and the budget is met on average."""
    rows = [prediction(i) for i in range(20)]
    right = np.linspace(0.5, 0.999, 20)
    hits, chance = np.zeros(20), {}
    for seed in range(2000):
        for task in draw(waiting(rows, right, seed=seed), 5, ALONE):
            number = int(task.prediction_id[1:])
            hits[number] += 1
            chance[number] = task.inclusion_probability
    pi = np.array([chance[i] for i in range(20)])
    assert pi.sum() == pytest.approx(5)
    assert (np.diff(pi) <= 0).all()
    assert np.abs(hits / 2000 - pi).max() < 4 * (0.25 / 2000) ** 0.5


def test_a_draw_is_repeatable_from_its_seed() -> None:
    """The same predictions, expectations and seed give the same tasks: golden."""
    rows = [prediction(i) for i in range(50)]
    right = [0.5 + i / 101 for i in range(50)]
    first = draw(waiting(rows, right, seed=20_260_101), 6, SamplingPolicy())
    assert first == draw(waiting(rows, right, seed=20_260_101), 6, SamplingPolicy())
    assert first != draw(waiting(rows, right, seed=8), 6, SamplingPolicy())
    assert [(t.prediction_id, round(t.inclusion_probability, 4)) for t in first] == [
        ("p00000", 0.1439),
        ("p00004", 0.1435),
        ("p00011", 0.141),
        ("p00012", 0.1405),
        ("p00015", 0.1385),
        ("p00029", 0.1222),
        ("p00037", 0.1056),
    ]


def test_a_task_proves_that_it_was_drawn() -> None:
    """Seed, id and stored chance are enough to throw its coin again, and the floor tells the evenly spread part."""
    rows = [prediction(i) for i in range(400)]
    tasks = draw(waiting(rows, np.linspace(0.5, 0.999, 400)), 100, SamplingPolicy())
    for task in tasks:
        coin = coins([task.prediction_id], task.seed)[0]
        floor = read_floor(task.design)
        assert floor == pytest.approx(0.2 * 100 / 400)
        assert coin < task.inclusion_probability
        assert task.show_prediction or coin < floor
    assert 0 < sum(not t.show_prediction for t in tasks) < 20


def test_a_share_of_tasks_asks_several_people() -> None:
    """About the share of the policy, by a coin of its own."""
    rows = [prediction(i) for i in range(1000)]
    tasks = draw(waiting(rows), 1000, SamplingPolicy(several_share=0.2, several=3))
    assert {t.annotators for t in tasks} == {1, 3}
    assert abs(np.mean([t.annotators == 3 for t in tasks]) - 0.2) < 0.05


def test_a_task_carries_what_was_known_when_it_was_drawn() -> None:
    """Figures of the agent, expectation, stratum and version of the scope."""
    task = draw(waiting([prediction(3)], [0.7], thumb={"p00003": -1}), 1, ALONE)[0]
    assert (task.confidence, task.scope_score, task.expected_right) == (0.9, 2.0, 0.7)
    assert (task.purpose, task.annotators, task.created_ms) == ("estimate", 1, 77)
    assert task.stratum == "scope in/confidence high/feedback bad/topic known"
    assert task.scope_version == version_of_scope(("wifi", "vpn"))


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({}, "scope in/confidence high/feedback none/topic known"),
        ({"scope_score": 0.5, "intent_confidence": 0.7}, "scope near/confidence mid/feedback none/topic known"),
        ({"scope_score": -1.0, "intent_confidence": 0.1}, "scope out/confidence low/feedback none/topic new"),
        ({"scores": {"known": 0.2}}, "scope in/confidence high/feedback none/topic new"),
        ({"thresholds": {}, "scores": {}}, "scope in/confidence high/feedback none/topic known"),
        ({"thresholds": {}, "in_scope": False}, "scope out/confidence high/feedback none/topic new"),
    ],
)
def test_strata_are_told_in_words(change, name) -> None:
    """Bands of scope score, confidence and novelty, also for agents that tell less."""
    assert stratum(prediction(1, answer=replace(ANSWER, **change)), 0) == name


def test_exploring_takes_bad_feedback_new_topics_and_doubt_in_turns() -> None:
    """One of each first, none twice, none that says the same, none that was drawn."""
    foreign = replace(ANSWER, scope_score=-3.0)
    texts = ["a b", "c d", "badge lost today", "badge lost", "lost badge help", "e f", "e f", "g h"]
    rows = [prediction(i, answer=foreign if i in (2, 3, 4, 5) else ANSWER, text=t) for i, t in enumerate(texts)]
    there = waiting(rows, [0.9, 0.5, 0.9, 0.9, 0.9, 0.9, 0.9, 0.6], thumb={"p00000": -1})
    taken = [t for t in draw(there, 8, ALONE) if t.prediction_id == "p00007"]
    picked = explore(there, 5, taken, ALONE)
    assert [t.prediction_id for t in picked] == ["p00000", "p00002", "p00001", "p00005"]
    assert {(t.purpose, t.inclusion_probability, t.design) for t in picked} == {("explore", 1.0, "explore-1")}
    assert explore(there, 0, [], ALONE) == []


def judged(number: int, *, right: bool, confidence: float) -> Judged:
    row = prediction(number, answer=replace(ANSWER, intent_confidence=confidence))
    task = draw(waiting([row], [confidence]), 1, ALONE)[0]
    settled = Settled(
        task.task_id, task.prediction_id, "settled", "in_scope", "vpn" if right else "wifi", (), None, ("l",), ("ann",),
        1.0, None, 9,
    )  # fmt: skip
    return Judged(task, settled)


def test_labels_teach_what_the_agents_confidence_is_worth() -> None:
    """An agent that says 0.95 and is right every other time is taken at its record; too few labels teach nothing."""
    rng = np.random.default_rng(3)
    past = [
        judged(i, right=rng.random() < (0.5 if i % 2 else 0.1), confidence=0.95 if i % 2 else 0.4) for i in range(400)
    ]
    sure, unsure = (prediction(i, answer=replace(ANSWER, intent_confidence=c)) for i, c in enumerate((0.95, 0.4)))
    right, in_scope = learn(past, {}, 200).of([sure, unsure], {})
    assert right == pytest.approx([0.5, 0.1], abs=0.08)
    assert (in_scope > 0.95).all()
    assert learn(past, {}, 401).proxy is None
    assert learn([replace(j, task=replace(j.task, purpose="explore")) for j in past], {}, 200).proxy is None
    assert learn([replace(j, task=replace(j.task, expected_right=0.0)) for j in past], {}, 200).proxy is None


def test_without_labels_the_agents_word_is_taken() -> None:
    """Its confidence, kept off 0 and 1."""
    rows = [prediction(i, answer=replace(ANSWER, intent_confidence=c)) for i, c in enumerate((0.0, 0.4, 1.0))]
    right, in_scope = learn([], {}, 200).of(rows, {})
    assert right.tolist() == in_scope.tolist() == pytest.approx([0.001, 0.4, 0.999])


def test_turning_more_often_asks_no_more_of_people(stores: Stores) -> None:
    """Four turns a day for three days ask for the budget on average, and every window is drawn from once."""
    desk = BuiltinDesk(stores.journal)
    policy = SamplingPolicy(daily_budget=10)
    stores.journal.add_predictions([prediction(i, time_ms=i * DAY_MS // 100) for i in range(300)])
    drawn, picked = [], []
    for step in range(1, 13):
        now = step * DAY_MS // 4
        receipt = send(stores, desk, policy, scope=("vpn",), until_ms=now, time_ms=now)
        drawn.append(receipt.counts["tasks"])
        picked.append(receipt.counts["explore"])
    # Coins may go beyond a draw's part of the budget; the next draw gives it back.
    tasks = stores.journal.open_tasks(1000)
    assert 25 <= sum(t.annotators for t in tasks) <= 10 * 3 + 10 + 6
    assert sum(picked) <= 2 * 3 + 2
    assert len({t.prediction_id for t in tasks}) == len(tasks) == sum(drawn) + sum(picked)


def test_a_spent_budget_leaves_the_window_open(stores: Stores) -> None:
    """Predictions that could not be drawn from today are in tomorrow's draw, with the chance of that draw."""
    desk = BuiltinDesk(stores.journal)
    policy = SamplingPolicy(daily_budget=5, explore_share=0, several_share=0)
    stores.journal.add_predictions([prediction(i) for i in range(5)])
    assert send(stores, desk, policy, scope=(), until_ms=100, time_ms=100).counts["tasks"] == 5
    stores.journal.add_predictions([prediction(i, time_ms=200) for i in range(10, 20)])
    held = send(stores, desk, policy, scope=(), until_ms=300, time_ms=300)
    assert held.counts["tasks"] == 0
    assert "10 predictions wait" in held.warnings[0]
    later = send(stores, desk, policy, scope=(), until_ms=DAY_MS, time_ms=DAY_MS)
    assert later.counts["predictions"] == 10
    late = [t for t in stores.journal.open_tasks(100) if t.query_time_ms >= 200]
    assert late
    assert all(t.inclusion_probability == pytest.approx(0.5, abs=0.01) for t in late)


def test_what_users_let_on_moves_the_draw(stores: Stores) -> None:
    """Feedback that came before the draw stands in the stratum of the task."""
    desk = BuiltinDesk(stores.journal)
    stores.journal.add_predictions([prediction(i) for i in range(4)])
    stores.journal.add_feedback([Feedback("e1", "p00001", "ticket_created", 50)])
    send(stores, desk, SamplingPolicy(), scope=(), until_ms=100, time_ms=100)
    bands = {t.prediction_id: t.stratum.split("/")[2] for t in stores.journal.open_tasks()}
    assert bands == {f"p0000{i}": "feedback bad" if i == 1 else "feedback none" for i in range(4)}
