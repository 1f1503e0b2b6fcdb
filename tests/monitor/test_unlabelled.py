"""Streams without labels: quiet ones stay quiet, changes of confidence, decision, length and wording are told."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.house import open_stores

from noria.monitor import AlarmPolicy, check
from noria.monitor.watching.unlabelled import Mixes, watch
from noria.records import DAY_MS, HOUR_MS, Answer, Finding, Prediction, Query

PER_YEAR = {"confidence": 0.2, "decisions": 0.2, "text": 0.2}
WORDS = [f"w{i}" for i in range(200)]
START = 4 * DAY_MS  # a Monday
CHANGE = 24


def traffic(seed: int, days: int, change: str = "", *, release_day: int = 999) -> list[Prediction]:
    """150 queries a day, a third of them on weekends; from day 24 on something differs."""
    rng = np.random.default_rng(seed)
    made = []
    for day in range(days):
        late, weekend = day >= CHANGE, day % 7 >= 5
        for n in range(50 if weekend else 150):
            confidence = rng.beta(5, 3 if weekend else 2)
            if late and change == "confidence":
                confidence = rng.choice([0.05 + 0.9 * rng.random(), confidence])
            words = rng.choice(WORDS[150:] if late and change == "words" and rng.random() < 0.3 else WORDS[:150], 6)
            text = " ".join([*words, *(["and so on"] * 5 if late and change == "length" else [])])
            answers = rng.random() < (0.6 if late and change == "decisions" else 0.8)
            answer = Answer("answer" if answers else "handoff", "vpn", float(confidence), 1.0, in_scope=True)
            name, at = f"{day}-{n}", START + day * DAY_MS + n * 500_000
            release = "r1" if day < release_day else "r2"
            made.append(Prediction(name, Query(name, "acme", "s", text, at), answer, release, 1.0))
    return made


def findings(rows: list[Prediction], days: int, per_year: float = 0.2, step: int = 1) -> list[Finding]:
    """Turn by turn, with the memory as JSON between."""
    mixes, found = Mixes(), []
    for day in range(step, days + 1, step):
        end = START + day * DAY_MS
        part = [p for p in rows if mixes.seen_ms <= p.query.time_ms < end]
        told, mixes = watch(part, mixes, dict.fromkeys(PER_YEAR, per_year), days=14, until_ms=end)
        mixes = Mixes.from_json(json.loads(json.dumps(mixes.to_json())))
        found += told
    return found


@pytest.mark.parametrize("change", ["confidence", "decisions", "length", "words"])
def test_a_change_is_told_with_its_beginning(change: str) -> None:
    found = findings(traffic(1, 32, change), 32)
    told = {f.metric: f for f in found}
    assert change in told
    assert set(told) <= {change, "length", "words"} if change in ("length", "words") else set(told) == {change}
    at = START + CHANGE * DAY_MS
    first = told[change]
    assert first.inception_low_ms <= at <= first.inception_high_ms
    assert at < first.raised_ms <= at + 6 * DAY_MS
    assert first.stream != "labels"
    assert "a reason to look" in first.sentence


@pytest.mark.parametrize("shift", [0.5, 1, 1.5, 2, 2.5])
def test_a_beginning_within_a_window_is_in_the_set(shift: float) -> None:
    """Windows are of several hours; whenever in one of them it begins, the set holds it."""
    rows = traffic(7, 30, "length")
    hours = int(shift * HOUR_MS)
    late = [replace(p, query=replace(p.query, time_ms=p.query.time_ms + hours)) for p in rows]
    told = next(f for f in findings(late, 30) if f.metric == "length")
    assert told.inception_low_ms <= START + CHANGE * DAY_MS + hours <= told.inception_high_ms
    assert told.inception_low_ms <= told.inception_ms <= told.inception_high_ms <= told.raised_ms


def test_quiet_streams_keep_the_budget() -> None:
    """Five streams of 49 days at four alarms a year for each of three streams."""
    raised = sum(len(findings(traffic(seed, 49), 49, per_year=4.0, step=7)) for seed in range(5))
    assert raised <= 5 * 35 / 365 * 12


def test_another_release_begins_a_new_reference_of_what_it_decides() -> None:
    """The new one hands over more often, from its first day on: no alarm, it is its nature."""
    rows = traffic(2, 50, "decisions", release_day=CHANGE)
    assert findings(rows, 50, step=5) == []


def test_hours_that_are_not_over_are_left_for_later() -> None:
    rows = traffic(3, 3)
    _, mixes = watch(rows, Mixes(), PER_YEAR, days=14, until_ms=START + 3 * DAY_MS)
    assert mixes.seen_ms == START + 3 * DAY_MS
    assert mixes.mixes["decisions"].width == 0
    assert sum(w.moments[0] for w in mixes.mixes["decisions"].windows) == len(rows)


def test_a_first_look_at_weeks_of_history_finds_what_daily_turns_find(tmp_path: Path) -> None:
    """The reference is the first days, not all that is there, and no more than a day is held at once."""
    rows, end_ms = traffic(1, 32, "decisions"), START + 32 * DAY_MS
    told = []
    for name, days in (("daily", range(1, 33)), ("late", [32])):
        stores = open_stores(tmp_path / name)
        stores.journal.add_predictions(rows)
        found = [f for day in days for f in check(stores, AlarmPolicy(), until_ms=START + day * DAY_MS)[0]]
        assert stores.journal.get_state("monitor.alarm")["mixes"]["seen_ms"] == end_ms
        stores.close()
        told.append(found)
    assert told[0] == told[1]
    assert [f.metric for f in told[0]] == ["decisions"]
