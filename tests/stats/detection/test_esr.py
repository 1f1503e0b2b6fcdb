"""The detector: resumable to the bit, false alarms as rare as promised, drops found."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.errors import UsageError
from noria.stats import ESRState, baseline, e_sr, wilson

streams = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), max_size=150)


def reference(y, m0, A, bets=(0.05, 0.1, 0.2, 0.4, 0.8)):
    """The recursion as published, on arrays."""
    bets = np.array(bets)
    M = np.zeros(len(bets))
    for i, (v, m) in enumerate(zip(y, np.broadcast_to(m0, len(y)), strict=True)):
        M = (M + 1) * (1 + bets * (m - v))
        if M.mean() >= A:
            return i
    return None


@given(rows=streams, cut=st.integers(0, 150))
def test_a_restart_forgets_nothing(rows, cut) -> None:
    """The state, written as JSON and read again anywhere, alarms at the same label as one run over all."""
    state, alarm = ESRState(), None
    for i, (y, m0) in enumerate(rows):
        if i == cut:
            state = ESRState(tuple(json.loads(json.dumps(state.M))))
        state = state.step(y, m0)
        if alarm is None and sum(state.M) >= 25 * len(state.M):
            alarm = i
            assert state.value >= 25 * (1 - 1e-12)
    assert e_sr([y for y, _ in rows], [m0 for _, m0 in rows], 25) == alarm


@given(rows=streams)
def test_sums_are_those_of_the_published_recursion(rows) -> None:
    """After every label, for every bet."""
    state, M = ESRState(), np.zeros(5)
    for y, m0 in rows:
        state = state.step(y, m0)
        M = (M + 1) * (1 + np.array(state.bets) * (m0 - y))
        assert pytest.approx(M.tolist()) == state.M
        assert state.value == pytest.approx(M.mean())


@pytest.mark.parametrize("seed", range(5))
def test_alarms_are_those_of_the_published_recursion(seed) -> None:
    """One acceptable mean for all, and one for each label."""
    rng = np.random.default_rng(seed)
    y = (rng.random(600) < np.where(np.arange(600) < 300, 0.8, 0.6)).astype(float)
    m0 = np.where(np.arange(600) % 7 < 5, 0.8, 0.75)
    assert e_sr(y, 0.8, 500) == reference(y, 0.8, 500)
    assert e_sr(y, m0, 500) == reference(y, m0, 500)
    assert e_sr(y, m0, 500, (0.3,)) == reference(y, m0, 500, (0.3,))


@pytest.mark.parametrize(("A", "mean"), [(30, 0.8), (100, 0.9)])
def test_false_alarms_are_as_rare_as_promised(A, mean) -> None:
    """400 streams exactly at the acceptable mean, the worst case: the average run is at least A labels."""
    rng = np.random.default_rng(3)
    runs = []
    for _ in range(400):
        alarm = e_sr((rng.random(40 * A) < mean).astype(float), mean, A)
        runs.append(40 * A if alarm is None else alarm + 1)
    assert np.mean(runs) >= A


def test_a_drop_is_found_and_quiet_streams_stay_quiet() -> None:
    """80 % to 60 % after 500 labels, 40 streams: found in about 100 labels; before it hardly an alarm."""
    rng = np.random.default_rng(8)
    rate = np.where(np.arange(1500) < 500, 0.8, 0.6)
    alarms = [e_sr((rng.random(1500) < rate).astype(float), 0.77, 10_000) for _ in range(40)]
    assert all(alarm is not None for alarm in alarms)
    assert sum(alarm < 500 for alarm in alarms) <= 1
    assert 500 < np.median(alarms) < 620


@given(rows=streams, worse=st.floats(0, 1))
def test_worse_outcomes_never_alarm_later(rows, worse) -> None:
    """Lower every outcome: the alarm comes no later."""
    y, m0 = [y for y, _ in rows], [m0 for _, m0 in rows]
    alarm, sooner = e_sr(y, m0, 20), e_sr([v * worse for v in y], m0, 20)
    assert alarm is None or (sooner is not None and sooner <= alarm)


def test_no_labels_no_alarm() -> None:
    """An empty stream is a normal result, with one mean or with none."""
    assert e_sr([], 0.8, 100) is None
    assert e_sr([], [], 100) is None
    assert ESRState().value == 0


@pytest.mark.parametrize(
    ("y", "m0", "A"), [([2], 0.8, 10), ([1], 1.2, 10), ([1, 0], [0.8], 10), ([1], 0.8, 1), ([np.nan], 0.8, 10)]
)
def test_a_stream_outside_its_limits_is_refused(y, m0, A) -> None:
    """Outcomes and means are 0 to 1, of equal length; a run length is above 1."""
    with pytest.raises(UsageError):
        e_sr(y, m0, A)


@pytest.mark.parametrize(
    ("M", "bets"),
    [((0.0,), (0.1, 0.2)), ((), ()), ((0.0,), (1.0,)), ((0.0,), (0.0,)), ((-1.0,), (0.1,)), ((np.nan,), (0.1,))],
)
def test_a_broken_state_is_refused(M, bets) -> None:
    """One sum of 0 or more for each bet, bets between 0 and 1."""
    with pytest.raises(UsageError):
        ESRState(M, bets)


def test_a_step_outside_its_limits_is_refused() -> None:
    """Outcome and mean are 0 to 1."""
    with pytest.raises(UsageError, match="outcome"):
        ESRState().step(1.5, 0.8)


@given(n=st.integers(1, 2000), data=st.data())
def test_the_baseline_is_the_rate_less_a_standard_error(n, data) -> None:
    """At the bound, the rate is one standard error (of the bound) away; never above the rate, never 1."""
    k = data.draw(st.integers(0, n))
    low, rate = baseline(k, n), k / n
    assert 0 <= low <= rate
    assert low < 1
    assert rate - low == pytest.approx((low * (1 - low) / n) ** 0.5, abs=1e-7)
    assert wilson(k, n, 0.6826894921370859).low == pytest.approx(low, abs=1e-12)


def test_the_baseline_of_nothing_holds_nothing_against_anyone() -> None:
    """With n = 0 it is 0; impossible counts are refused."""
    assert baseline(0, 0) == 0
    with pytest.raises(UsageError):
        baseline(3, 2)


def test_heavier_labels_count_for_more_and_stakes_stay_affordable() -> None:
    """A weight of 2 is a stake twice as high, a weight of 0 none; at the heaviest weight no sum turns negative."""
    y = [0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0]
    assert e_sr(y, 0.5, 50, bets=(0.2,), weight=2.0, heaviest=2.0) == e_sr(y, 0.5, 50, bets=(0.4,))
    assert e_sr(y, 0.5, 50, weight=0.0) is None
    assert e_sr([1] * 50, 0.5, 1e9, weight=5.0, heaviest=5.0) is None
    for wrong in ({"weight": 3.0, "heaviest": 2.0}, {"heaviest": 0.5}, {"weight": [1.0]}):
        with pytest.raises(UsageError):
            e_sr(y, 0.5, 50, **wrong)
