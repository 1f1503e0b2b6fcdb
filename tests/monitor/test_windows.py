"""Windows kept hour by hour: exact, incremental, right after late events, the same as a rebuild."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event
from tests.house import examples, open_stores

from noria.monitor import by_day
from noria.monitor.windows.keeping import KIND, rebuild_windows, update_windows
from noria.monitor.windows.ladder import LEVELS, cover, start_of, table_of, tables_between
from noria.monitor.windows.policy import WindowPolicy
from noria.monitor.windows.reading import by_slice, series
from noria.records import DAY_MS, HOUR_MS, Answer, Candidate, Feedback, Label, LabelTask, Prediction, Query, Settled
from noria.stats import hajek
from noria.stats.mergeable import quantile, rate_from_sums, rate_sums
from noria.stores import Stores

START_MS = 1_767_571_200_000  # 5 January 2026, a Monday
POLICY = WindowPolicy(embed_an_hour=5)


def embed(texts):
    """A vector that tells of its text, with fractions, so that the order of a sum shows."""
    return np.array([[len(t) / 7, t.count("a") / 3, 0.1] for t in texts])


def prediction(number: int, time_ms: int, rnd: random.Random) -> Prediction:
    query = Query(
        f"q{number}", rnd.choice(["acme", "birch"]), f"s{number // 2}", f"my vpn {number % 11} fails " * (number % 4),
        time_ms, rnd.choice(["chat", "mail"]), rnd.choice(["en", ""]),
    )  # fmt: skip
    answer = Answer(
        rnd.choice(["answer", "answer", "clarify", "handoff"]), rnd.choice(["vpn", "printer"]), rnd.random(),
        rnd.gauss(1, 1), True,
    )  # fmt: skip
    return Prediction(f"p{number}", query, answer, rnd.choice(["r1", "r2"]), 10 * rnd.random())


def traffic(n: int, days: float, seed: int = 1) -> list[Prediction]:
    rnd = random.Random(seed)
    return [prediction(i, START_MS + int(rnd.random() * days * DAY_MS), rnd) for i in range(n)]


def label(stores: Stores, p: Prediction, rnd: random.Random) -> None:
    """A task on a prediction, drawn with its own chance, and its settled label."""
    name = p.prediction_id
    stores.journal.add_tasks([
        LabelTask(f"t-{name}", name, p.query.account, p.query.text, p.answer.intent, p.answer.decision, (), p.release,
                  p.query.time_ms, "s", rnd.choice([0.1, 0.3, 0.7]), 1, "d", ("vpn", "printer"), 0),
    ])  # fmt: skip
    relevance = rnd.choice(["in_scope", "in_scope", "in_scope", "new_domain", "irrelevant"])
    intent = rnd.choice(["vpn", "printer"]) if relevance == "in_scope" else None
    stores.journal.add_labels([
        Label(f"l-{name}", f"t-{name}", name, "ann", relevance, intent, (), rnd.choice([True, False, None]), 9),
    ])  # fmt: skip
    stores.journal.settle(settled)


def settled(task, labels):
    said = labels[-1]
    return Settled(task.task_id, task.prediction_id, "settled", said.relevance, said.intent, (), said.helpful,
                   (said.label_id,), ("ann",), 1.0, None, said.time_ms)  # fmt: skip


def tables(stores: Stores) -> dict[str, str]:
    """Name → hash of the rows."""
    return {t.name: t.sha256 for t in stores.lake.tables() if t.kind == KIND}


@pytest.fixture
def stores(tmp_path):
    made = open_stores(tmp_path)
    yield made
    made.close()


# --- The ladder -----------------------------------------------------------------------------------------------------


@given(st.integers(0, 4_000), st.integers(1, 1_500))
def test_any_span_is_covered_by_few_windows_without_gap_or_overlap(hour, length):
    since, until = START_MS + hour * HOUR_MS, START_MS + (hour + length) * HOUR_MS
    windows = list(cover(since, until))
    at = since
    for level, start in windows:
        assert start == at
        assert start_of(level, start) == start
        at += level * HOUR_MS
    assert at == until
    assert len(windows) <= 30


@given(st.integers(-10_000_000_000_000, 10_000_000_000_000))
def test_each_window_lies_in_one_of_the_next_longer_ones(time_ms):
    for shorter, longer in itertools.pairwise(LEVELS):
        inner = start_of(shorter, time_ms)
        assert start_of(longer, inner) <= inner
        assert inner + shorter * HOUR_MS <= start_of(longer, inner) + longer * HOUR_MS


def test_weeks_begin_on_monday_and_a_span_names_every_table():
    assert start_of(168, START_MS + 3 * DAY_MS) == START_MS
    days = range(START_MS, START_MS + 70 * DAY_MS, DAY_MS)
    for long, level in ((False, 1), (True, 24)):
        assert tables_between(long, days[0], days[-1] + 1) == list(dict.fromkeys(table_of(level, d) for d in days))


# --- Sums -----------------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.booleans(), st.sampled_from([0.05, 0.2, 0.9, 1.0])), min_size=2, max_size=300))
def test_a_rate_from_sums_is_the_one_from_the_labels_themselves(rows):
    good, chance = [float(g) for g, _ in rows], [c for _, c in rows]
    half = len(rows) // 2
    summed = rate_sums(good[:half], chance[:half]).sum(axis=0) + rate_sums(good[half:], chance[half:]).sum(axis=0)
    told = rate_from_sums(summed)
    if len(set(chance)) > 1:
        whole = hajek(good, chance)
        assert (told.value, told.low, told.high) == pytest.approx((whole.value, whole.low, whole.high), abs=1e-6)
        assert told.n_effective == pytest.approx(whole.n_effective)


def test_a_quantile_from_bins_lies_in_the_right_bin():
    edges = [1.0, 2.0, 4.0]
    assert quantile([0, 10, 0, 0], edges, 0.5) == pytest.approx(1.5)
    assert quantile([0, 5, 5, 0], edges, 0.95) == pytest.approx(3.8)
    assert np.isnan(quantile([0, 0, 0, 0], edges, 0.5))


# --- Kept in the lake -----------------------------------------------------------------------------------------------


def test_windows_hold_every_query_once_in_all_traffic_and_each_slice(stores):
    rows = traffic(400, 9)
    stores.journal.add_predictions(rows)
    update_windows(stores, POLICY, time_ms=1, embed=embed)
    since, until = START_MS + 5 * HOUR_MS, START_MS + 8 * DAY_MS + 3 * HOUR_MS
    inside = [p for p in rows if since <= p.query.time_ms < until]

    def asked(kind, **which):
        return {m.value: m.predictions for m in by_slice(stores, since_ms=since, until_ms=until, kind=kind, **which)}

    def counted(pick, within=inside):
        return {v: sum(pick(p) == v for p in within) for v in {pick(p) for p in within}}

    assert asked("all") == {"": len(inside)}
    assert asked("account") == counted(lambda p: p.query.account)
    assert asked("intent") == counted(lambda p: p.answer.intent)
    assert asked("channel") == counted(lambda p: p.query.channel)
    assert asked("language") == counted(lambda p: p.query.language)
    assert asked("release") == counted(lambda p: p.release)
    acme = [p for p in inside if p.query.account == "acme"]
    assert asked("intent", account="acme") == counted(lambda p: p.answer.intent, acme)
    whole = by_slice(stores, since_ms=since, until_ms=until)[0]
    assert whole.decisions["answer"] == sum(p.answer.decision == "answer" for p in inside)
    assert whole.confidence == pytest.approx(np.mean([p.answer.intent_confidence for p in inside]))
    assert whole.length == pytest.approx(np.mean([len(p.query.text) for p in inside]))
    assert whole.latency_p95_ms == pytest.approx(np.quantile([p.latency_ms for p in inside], 0.95), rel=0.25)
    assert whole.bins["confidence"].sum() == whole.bins["scope"].sum() == len(inside)


def test_quality_of_a_day_is_what_the_labels_of_the_day_tell(stores):
    rows, rnd = traffic(300, 3), random.Random(5)
    stores.journal.add_predictions(rows)
    for p in rows[:150]:
        label(stores, p, rnd)
    update_windows(stores, POLICY, time_ms=1)
    days = {d.day: d for d in by_day(stores.journal.judged(0, 2**60), stores.journal.counts_by_day())}
    told = series(stores, 24, since_ms=START_MS, until_ms=START_MS + 3 * DAY_MS)
    assert len(told) == len(days) == 3
    for window, day in zip(told, days.values(), strict=True):
        assert (window.predictions, window.labels) == (day.predictions, day.labels)
        for name, rate in day.rates.items():
            estimate = window.metrics[name]
            assert (estimate.value, estimate.low, estimate.high) == pytest.approx((rate.value, rate.low, rate.high))


def test_late_events_day_after_day_give_the_rows_of_a_full_rebuild(tmp_path):
    """Queries, thumbs and labels that come late, a label that changes, and an hour between two runs."""
    rows, rnd = traffic(120, 40), random.Random(7)
    early, late = rows[:100], rows[100:]
    kept, fresh = open_stores(tmp_path / "kept"), open_stores(tmp_path / "fresh")
    for stores, every in ((kept, True), (fresh, False)):
        rnd.seed(7)
        for part in (early[:50], early[50:], late):
            stores.journal.add_predictions(part)
            stores.journal.add_feedback(
                [Feedback(f"e-{p.prediction_id}", p.prediction_id, "helpful", 5) for p in part[::5]]
            )
            for p in part[::4]:
                label(stores, p, rnd)
            if every:
                update_windows(stores, POLICY, time_ms=1, embed=embed)
        stores.journal.add_feedback([Feedback("turned", rows[0].prediction_id, "not_helpful", 99)])
        name = rows[0].prediction_id
        stores.journal.add_labels([Label("again", f"t-{name}", name, "bob", "irrelevant", None, (), None, 50)])
        stores.journal.settle(settled)
    update_windows(kept, POLICY, time_ms=2, embed=embed)
    rebuild_windows(fresh, POLICY, time_ms=3, embed=embed)
    assert len(tables(kept)) == 3  # two blocks of four weeks, one of a year
    assert tables(kept) == tables(fresh)
    rebuild_windows(kept, POLICY, time_ms=4, embed=embed)
    assert tables(kept) == tables(fresh)
    kept.close()
    fresh.close()


def test_a_run_reads_the_hours_that_changed_and_nothing_else(stores):
    stores.journal.add_predictions(traffic(60, 30))
    update_windows(stores, POLICY, time_ms=1)
    asked: list[tuple[object, ...]] = []
    listening = stores.journal._engine
    event.listen(
        listening, "before_cursor_execute",
        lambda c, cursor, sql, parameters, *_: asked.append(parameters) if "FROM predictions" in sql else None,
    )  # fmt: skip
    versions = {t.name: t.version for t in stores.lake.tables()}
    day = START_MS + 29 * DAY_MS
    stores.journal.add_predictions([prediction(9_000 + i, day + i * HOUR_MS, random.Random(i)) for i in range(24)])
    receipt = update_windows(stores, POLICY, time_ms=2)
    assert receipt.counts["hours"] == 24
    read = [p for p in asked if any(isinstance(v, int) for v in p)]
    assert read
    assert all(day <= v <= day + DAY_MS for p in read for v in p if isinstance(v, int))
    moved = {t.name for t in stores.lake.tables() if versions[t.name] != t.version}
    assert moved == {table_of(1, day), table_of(24, day)}
    assert update_windows(stores, POLICY, time_ms=3).counts == {"hours": 0, "windows": 0}


def test_what_a_run_left_undone_the_next_one_does(stores, monkeypatch):
    stores.journal.add_predictions(traffic(20, 1))
    with monkeypatch.context() as patch:
        patch.setattr(type(stores.lake), "write_table", lambda *a, **k: (_ for _ in ()).throw(OSError("disk full")))
        with pytest.raises(OSError, match="disk full"):
            update_windows(stores, POLICY, time_ms=1)
    assert update_windows(stores, POLICY, time_ms=2).counts["hours"] > 0
    assert by_slice(stores, since_ms=START_MS, until_ms=START_MS + DAY_MS)[0].predictions == 20


def test_windows_without_traffic_are_not_there(stores):
    assert update_windows(stores, POLICY, time_ms=1).counts == {"hours": 0, "windows": 0}
    assert series(stores, 24, since_ms=START_MS, until_ms=START_MS + DAY_MS) == []
    assert by_slice(stores, since_ms=START_MS, until_ms=START_MS + DAY_MS) == []


def test_words_that_the_training_examples_lack_are_counted(stores):
    data = stores.lake.write_examples("it", examples(), mode="append", note={}, time_ms=1)
    candidate = Candidate("t", "run", "0" * 64, data, None, {}, {}, 1)
    stores.journal.record_release(kind="release", time_ms=1, release="r7", candidate=candidate, evidence={})
    known = replace(prediction(1, START_MS, random.Random(1)), release="r7")
    texts = ("help with vpn please", "zebra giraffe", "help zebra", "[erased]")
    stores.journal.add_predictions([
        replace(known, prediction_id=f"p{i}", query=replace(known.query, text=text)) for i, text in enumerate(texts)
    ])  # fmt: skip
    update_windows(stores, POLICY, time_ms=1)
    told = series(stores, 1, since_ms=START_MS, until_ms=START_MS + HOUR_MS)[0]
    assert told.unseen == pytest.approx((0 + 1 + 0.5) / 3)
    assert told.bins["unseen"].tolist() == [1, 0, 0, 1, 1]
    assert told.length == pytest.approx(np.mean([len(t) for t in texts[:3]]))


def test_another_encoder_begins_the_sums_of_vectors_anew(stores):
    """Vectors of two lengths do not add up: a window that holds both keeps those of the later one."""
    stores.journal.add_predictions(traffic(40, 1))
    update_windows(stores, POLICY, time_ms=1, embed=embed)
    later = replace(prediction(99, START_MS + DAY_MS - HOUR_MS, random.Random(1)), prediction_id="late")
    stores.journal.add_predictions([later])
    update_windows(stores, POLICY, time_ms=2, embed=lambda texts: np.ones((len(texts), 5)))
    held = stores.lake.read_table(KIND, table_of(24, START_MS))[1].to_pylist()
    (day,) = [row for row in held if row["level"] == 24 and row["embedded"]]
    assert day["embedding"] == [float(day["embedded"])] * 5
    assert day["predictions"] == 41
