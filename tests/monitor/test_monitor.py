"""Production quality from labels, and alarms that find a planted change and stay quiet without one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from noria.monitor import AlarmPolicy, by_day
from noria.monitor.alarm import findings
from noria.monitor.quality import rates
from noria.records import Decision, Judged, Label, LabelTask, Relevance
from noria.stats.design import chances, floor_of, write_design

DAY_MS = 86_400_000


def judged(
    number: int,
    time_ms: int,
    relevance: Relevance = "in_scope",
    intent: str | None = "vpn",
    *,
    predicted: str = "vpn",
    decision: Decision = "answer",
    helpful: bool | None = None,
) -> Judged:
    judged_of = (f"t{number}", f"p{number}", "acme", "x", predicted, decision, (), "r1", time_ms)
    task = LabelTask(*judged_of, "s", 0.1, 1, "d", ("vpn",), 0)
    return Judged(task, Label(f"l{number}", f"t{number}", f"p{number}", "ann", relevance, intent, (), helpful, time_ms))


def test_metrics_are_those_of_the_glossary() -> None:
    """Counted by hand on eight labels of every kind."""
    rows = [
        judged(0, 0, helpful=True),
        judged(1, 0, helpful=False, intent="wifi"),
        judged(2, 0, decision="handoff"),
        judged(3, 0, decision="clarify"),
        judged(4, 0, "new_domain", "phone"),
        judged(5, 0, "new_domain", "phone", decision="handoff"),
        judged(6, 0, "irrelevant", None),
        judged(7, 0, "small_talk", None),
    ]
    assert rates(rows) == {
        "success": (1, 4),
        "coverage": (2, 4),
        "preciseness": (1, 4),
        "helpfulness": (1, 2),
        "new_domain": (2, 8),
        "irrelevant": (1, 8),
    }


def test_days_without_labels_say_so() -> None:
    """A day with predictions but no labels is there, with n = 0 and no value."""
    days = by_day([judged(0, DAY_MS)], {"1970-01-01": 7, "1970-01-02": 9})
    assert [(d.day, d.predictions, d.labels) for d in days] == [("1970-01-01", 7, 0), ("1970-01-02", 9, 1)]
    assert days[0].rates["success"].n == 0
    assert days[0].rates["success"].value != days[0].rates["success"].value
    assert days[1].rates["success"].low < days[1].rates["success"].value


def traffic(seed: int, days: int, rate_of_day, new_of_day=lambda d: 0.0) -> list[Judged]:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(seed)
    rows = []
    for day in range(days):
        for _ in range(40):
            time_ms = day * DAY_MS + int(rng.integers(DAY_MS))
            if rng.random() < new_of_day(day):
                rows.append(judged(len(rows), time_ms, "new_domain", "phone", decision="handoff"))
            else:
                rows.append(judged(len(rows), time_ms, intent="vpn" if rng.random() < rate_of_day(day) else "wifi"))
    return rows


@pytest.mark.parametrize("seed", range(4))
def test_a_drop_is_found_and_its_inception_lies_in_the_interval(seed: int) -> None:
    """85 % to 60 % on day 30: one finding, its interval holds the day."""
    rows = traffic(seed, 50, lambda d: 0.85 if d < 30 else 0.6)
    found = [f for f in findings(rows, [0], AlarmPolicy()) if f.metric == "success"]
    assert found
    first = found[0]
    assert 30 * DAY_MS <= first.raised_ms < 40 * DAY_MS
    assert first.inception_low_ms <= 30 * DAY_MS <= first.inception_high_ms
    assert first.after < first.before
    assert "fell from" in first.sentence


def test_without_a_change_alarms_keep_their_budget() -> None:
    """120 quiet days, ten times: no more false alarms than the budget of that time."""
    policy = AlarmPolicy(false_alarms_a_year=1.0)
    streams = [traffic(seed, 120, lambda d: 0.8) for seed in range(10)]
    raised = [f for rows in streams for f in findings(rows, [0], policy)]
    assert len(raised) <= len(streams) * 120 / 365 * policy.false_alarms_a_year


def test_a_new_domain_raises_its_own_alarm() -> None:
    """A fifth of new-domain requests from day 25 on is found as such, while success in scope stays quiet."""
    rows = traffic(3, 45, lambda d: 0.85, lambda d: 0.2 if d >= 25 else 0.02)
    found = findings(rows, [0], AlarmPolicy())
    assert {f.metric for f in found} == {"new_domain"}
    assert found[0].inception_low_ms <= 25 * DAY_MS <= found[0].inception_high_ms


def test_a_worse_release_is_held_against_the_time_before() -> None:
    """A drop on the very day of a release is found although the reference starts anew there."""
    rows = traffic(5, 50, lambda d: 0.85 if d < 30 else 0.65)
    assert [f for f in findings(rows, [0, 30 * DAY_MS], AlarmPolicy()) if f.metric == "success"]


def test_more_labels_do_not_change_old_findings() -> None:
    """A finding keeps its id when later labels come in."""
    rows = traffic(1, 60, lambda d: 0.85 if d < 30 else 0.6)
    early = findings([r for r in rows if r.task.query_time_ms < 45 * DAY_MS], [0], AlarmPolicy())
    late = findings(rows, [0], AlarmPolicy())
    assert {f.finding_id for f in early} <= {f.finding_id for f in late}


def weighted_traffic(seed: int, days: int, switch: int, rate_of_day) -> list[Judged]:  # type: ignore[no-untyped-def]
    """Forty labels a day of a thousand queries: uniform until `switch`, then most of them where answers are unsure."""
    rng = np.random.default_rng(seed)
    rows = []
    for day in range(days):
        sure = rng.random(1000) < 0.7
        right = rng.random(1000) < np.where(sure, 0.97, 0.5) * rate_of_day(day)
        pi = chances(np.where(sure, 0.17, 0.5), 40) if day >= switch else np.full(1000, 0.04)
        design = write_design("active-1", floor_of(40, 1000)) if day >= switch else "uniform-1"
        for i in np.flatnonzero(rng.random(1000) < pi).tolist():
            j = judged(len(rows), day * DAY_MS + i, intent="vpn" if right[i] else "wifi")
            rows.append(replace(j, task=replace(j.task, inclusion_probability=float(pi[i]), design=design)))
    return rows


def test_another_way_of_drawing_raises_no_alarm() -> None:
    """Unsure answers are labelled first from day 30 on, and quality stays: no more alarms than the run length allows.

    Among the labels the rate falls by ten points: without weights every stream would be in alarm.
    """
    streams = [weighted_traffic(seed, 90, 30, lambda d: 1.0) for seed in range(6)]
    raised = [f for rows in streams for f in findings(rows, [0], AlarmPolicy())]
    assert len(raised) <= len(streams) * 90 / 365 * 2
    blind = [[replace(j, task=replace(j.task, design="uniform-1")) for j in rows] for rows in streams]
    assert all(findings(rows, [0], AlarmPolicy()) for rows in blind)


@pytest.mark.parametrize("seed", range(3))
def test_a_drop_is_found_under_a_weighted_design(seed: int) -> None:
    """83 % to 62 % on day 40, all drawn by uncertainty: found within ten days, the interval holds the day."""
    rows = weighted_traffic(seed, 60, 0, lambda d: 1.0 if d < 40 else 0.75)
    found = findings(rows, [0], AlarmPolicy())
    assert found
    assert 40 * DAY_MS <= found[0].raised_ms < 52 * DAY_MS
    assert found[0].inception_low_ms <= 40 * DAY_MS <= found[0].inception_high_ms
    assert found[0].before == pytest.approx(0.83, abs=0.04)


def test_weighted_labels_without_a_failure_raise_nothing() -> None:
    """All right or all in scope, with weights whose sums round: no alarm, no failure."""
    for seed in range(5):
        rows = weighted_traffic(seed, 40, 0, lambda d: 1.0)
        right = [replace(j, label=replace(j.label, intent="vpn")) for j in rows]
        assert findings(right, [0], AlarmPolicy()) == []


def test_explored_tasks_are_no_evidence() -> None:
    """Labels that were picked because users complained neither enter a day's figures nor raise an alarm."""
    rows = traffic(1, 60, lambda d: 0.85 if d < 30 else 0.4)
    picked = [replace(j, task=replace(j.task, purpose="explore")) for j in rows]
    assert findings(picked, [0], AlarmPolicy()) == []
    assert by_day(picked, {"1970-01-01": 5})[0].labels == 0


def test_a_days_labels_weigh_one_over_their_chance() -> None:
    """Unsure answers drawn four times as often count a quarter: 36 sure ones right, 24 of 40 unsure ones wrong."""
    sure = [judged(i, 0) for i in range(36)]
    unsure = [judged(100 + i, 0, intent="wifi" if i < 24 else "vpn") for i in range(40)]
    unsure = [replace(j, task=replace(j.task, inclusion_probability=0.4)) for j in unsure]
    rate = by_day([*sure, *unsure], {})[0].rates["success"]
    assert rate.value == pytest.approx((36 + 16 / 4) / (36 + 40 / 4))
    assert rate.low < rate.value < rate.high
    assert rate.n < 76
    assert rate.k / rate.n == pytest.approx(rate.value, abs=0.02)


def test_no_labels_no_findings() -> None:
    """An empty history is a normal result."""
    assert findings([], [], AlarmPolicy()) == []
