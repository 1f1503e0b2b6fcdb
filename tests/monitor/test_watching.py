"""Detectors between turns: nothing is forgotten, slices are watched, changes are placed again, one budget for all."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from tests.monitor.test_monitor import judged, traffic

from noria.monitor.alarm import SHARES, AlarmPolicy, Watched, advance, findings, placed_again
from noria.monitor.watching.placing import place
from noria.monitor.watching.series import Rows
from noria.records import DAY_MS, Judged

DROP = 30


def two_drops(seed: int, second: int = 36) -> list[Judged]:
    return traffic(seed, 50, lambda d: 0.9 if d < DROP else 0.65 if d < second else 0.35)


@pytest.mark.parametrize("every", [1, 9])
def test_turns_find_what_one_look_at_everything_finds(every: int) -> None:
    """Day by day or in leaps, with the memory written as JSON between turns: the same findings to the last bit."""
    rows = two_drops(1)
    watched, found = Watched(), []
    for day in range(every, 50 + every, every):
        known = [r for r in rows if r.label.time_ms < day * DAY_MS]
        fresh, watched = advance(known, [0, 10 * DAY_MS], AlarmPolicy(), watched, {}, found)
        watched = Watched.from_json(json.loads(json.dumps(watched.to_json())))
        found += fresh
    whole = findings(rows, [0, 10 * DAY_MS], AlarmPolicy())
    assert whole
    assert sorted(found, key=lambda f: f.finding_id) == sorted(whole, key=lambda f: f.finding_id)


def test_an_intent_that_breaks_is_told_although_it_is_few_queries() -> None:
    """One intent in twelve falls from 95 to 10 %: a finding of that intent, within two weeks."""
    rng = np.random.default_rng(0)
    rows = []
    for day in range(70):
        for n in range(40):
            intent = f"i{rng.integers(12)}"
            right = rng.random() < (0.1 if intent == "i3" and day >= 45 else 0.95)
            j = judged(len(rows), day * DAY_MS + n * 1_000_000, intent=intent, predicted=intent if right else "other")
            rows.append(j)
    found = findings(rows, [0], AlarmPolicy())
    of_intent = found[0]
    assert of_intent.slice == "intent=i3"
    assert 45 * DAY_MS <= of_intent.raised_ms < 60 * DAY_MS
    assert of_intent.inception_low_ms <= 45 * DAY_MS <= of_intent.inception_high_ms
    assert "with intent i3 fell" in of_intent.sentence


def test_a_finding_is_placed_again_and_then_stays() -> None:
    """With the labels of two days more, then for good; it counts the queries before its inception."""
    rows = traffic(4, 50, lambda d: 0.85 if d < DROP else 0.6)
    queries = {f"1970-01-{d:02d}": 100 for d in range(1, 32)}
    [first, *_] = findings(rows, [0], AlarmPolicy(), queries)
    assert first.provisional
    later = first.raised_ms + 2 * DAY_MS
    [again] = placed_again(
        [first], [r for r in rows if r.label.time_ms <= later], AlarmPolicy(), queries, until_ms=later
    )
    assert not again.provisional
    assert again.located_ms == later
    assert again.inception_low_ms <= DROP * DAY_MS <= again.inception_high_ms
    assert again.inception_queries == round(again.inception_ms / DAY_MS * 100)
    assert again.agrees
    after = [r for r in rows if r.label.time_ms <= later + 5 * DAY_MS]
    assert placed_again([again], after, AlarmPolicy(), queries, until_ms=later + 5 * DAY_MS) == []


def test_a_finding_is_placed_for_good_although_turns_were_out_for_weeks() -> None:
    rows = traffic(4, 80, lambda d: 0.85 if d < DROP else 0.6)
    [first, *_] = findings([r for r in rows if r.label.time_ms < 40 * DAY_MS], [0], AlarmPolicy())
    assert first.provisional
    late = first.raised_ms + 20 * DAY_MS
    [again] = placed_again([first], [r for r in rows if r.label.time_ms <= late], AlarmPolicy(), {}, until_ms=late)
    assert (again.provisional, again.located_ms) == (False, first.raised_ms + 2 * DAY_MS)


def test_soon_after_an_alarm_the_set_is_a_wider_one() -> None:
    """Of the same labels: the same beginning, and a set that holds the settled one."""
    hour, rng = np.arange(40 * 24), np.random.default_rng(6)
    good = (rng.random(len(hour)) < np.where(hour < DROP * 24, 0.85, 0.65)).astype(float)
    time_ms = hour * DAY_MS // 24
    weekend, same = time_ms // DAY_MS % 7 >= 5, np.ones(len(hour))
    rows = Rows(time_ms, time_ms, good, same, rng.random(len(hour)), weekend, np.zeros(len(hour), dtype=np.int64))
    settled, soon = place(rows), place(rows, provisional=True)
    assert soon.inception_ms == settled.inception_ms
    assert soon.low_ms <= settled.low_ms <= DROP * DAY_MS <= settled.high_ms <= soon.high_ms
    assert soon.high_ms - soon.low_ms > settled.high_ms - settled.low_ms


@pytest.mark.parametrize("rate", [0.97, 0.99])
def test_a_few_failures_in_a_row_are_no_further_fall(rate: float) -> None:
    """Where failures are rare, two next to each other are no second change: of ten streams hardly one shows one."""
    shown = 0
    for seed in range(10):
        rng = np.random.default_rng(seed)
        time_ms = np.sort(rng.integers(0, 56 * DAY_MS, 3000))
        broken = time_ms >= 46 * DAY_MS
        good = (rng.random(3000) < np.where(broken, 1 - 4 * (1 - rate), rate)).astype(float)
        ones, no = np.ones(3000), np.zeros(3000, dtype=bool)
        found = place(Rows(time_ms, time_ms, good, ones, ones, no, no.astype(np.int64)))
        shown += bool(found.others)
        assert found.agrees is not False
    assert shown <= 2


def test_a_second_fall_during_an_open_finding_is_added_to_it() -> None:
    """Six days after the first: told beside it, the first inception stays."""
    rows = two_drops(3)
    first = findings([r for r in rows if r.label.time_ms < 35 * DAY_MS], [0], AlarmPolicy())[0]
    now = 44 * DAY_MS
    [again] = placed_again([first], [r for r in rows if r.label.time_ms < now], AlarmPolicy(), {}, until_ms=now)
    assert again.inception_low_ms <= DROP * DAY_MS <= again.inception_high_ms
    assert len(again.others) == 1
    assert abs(again.others[0] - 36 * DAY_MS) <= DAY_MS
    assert "Further falls began about 1970-02-06" in again.sentence


def test_one_budget_is_spread_over_everything_and_told() -> None:
    assert sum(SHARES.values()) == pytest.approx(1)
    rows = traffic(4, 50, lambda d: 0.85 if d < DROP else 0.6)
    [first, *_] = findings(rows, [0], AlarmPolicy(false_alarms_a_year=4.0))
    assert first.per_year == 1.0
    assert "may raise 1 false alarms a year" in first.sentence


def test_a_smaller_budget_alarms_no_sooner() -> None:
    rows = traffic(4, 50, lambda d: 0.85 if d < DROP else 0.6)
    few, many = (findings(rows, [0], AlarmPolicy(false_alarms_a_year=b))[0].raised_ms for b in (0.1, 10.0))
    assert many < few


def test_labels_of_one_account_make_no_slice_of_it() -> None:
    """It would be the same series twice; two accounts are two slices with half of the part each."""
    rows = traffic(4, 50, lambda d: 0.85 if d < DROP else 0.4)
    assert not [f for f in findings(rows, [0], AlarmPolicy()) if f.slice.startswith("account")]
    split = [replace(r, task=replace(r.task, account="bolt" if i % 2 else "acme")) for i, r in enumerate(rows)]
    split = [r if r.task.account == "acme" else replace(r, label=replace(r.label, intent="vpn")) for r in split]
    _, watched = advance(split, [0], AlarmPolicy(), Watched(), {})
    assert {"success|account=acme", "success|account=bolt"} <= set(watched.lanes)
