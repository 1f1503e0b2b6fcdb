"""Any series: steps, trends and rhythm told apart, noise with memory stays quiet, and the sets hold the truth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from noria.errors import UsageError
from noria.stats.inception import series
from noria.stats.inception.series import changes


def noise(rng, n, memory=0.0):
    """Unit noise whose neighbours correlate."""
    steps, out = rng.normal(size=n), np.zeros(n)
    for i in range(n):
        out[i] = memory * (out[i - 1] if i else 0.0) + np.sqrt(1 - memory**2) * steps[i]
    return out


@pytest.mark.parametrize("memory", [0.0, 0.5])
def test_noise_alone_shows_no_change(memory):
    """60 series of 300: at most one change in all of them."""
    assert sum(len(changes(noise(np.random.default_rng(s), 300, memory)).found) for s in range(60)) <= 1


def test_a_step_is_found_and_its_set_holds_the_truth():
    """Two standard deviations at 180 of 300, 60 times: always one change, its set covers in 95 %."""
    held = []
    for seed in range(60):
        found = changes(noise(np.random.default_rng(seed), 300) + 2.0 * (np.arange(300) >= 180)).found
        assert len(found) == 1
        assert found[0].alarm is not None
        assert found[0].index <= found[0].alarm < 280
        held.append(found[0].low <= 180 <= found[0].high)
    assert np.mean(held) >= 0.93


def test_several_changes_and_a_way_back():
    level = np.repeat([0.0, 3.0, 0.0, -3.0], 60)
    found = changes(noise(np.random.default_rng(2), 240) + level).found
    assert [round(change.index, -1) for change in found] == [60, 120, 180]
    assert found[0].before == pytest.approx(0, abs=0.5)
    assert found[0].after == pytest.approx(3, abs=0.5)


def test_a_straight_trend_is_no_change_and_a_kink_is_one():
    rng, t = np.random.default_rng(3), np.arange(200)
    assert changes(noise(rng, 200) + 0.2 * t).found == ()
    told = changes(noise(rng, 200) + np.where(t < 100, 0.2 * t, 20 - 0.2 * (t - 100)))
    assert told.model == "trend"
    assert len(told.found) == 1
    assert abs(told.found[0].index - 100) <= 8


def test_a_rhythm_is_no_change_and_a_step_in_it_is():
    """Hours with a day's rhythm five times as large as the noise."""
    rng, hour = np.random.default_rng(4), np.arange(24 * 28)
    wave = 5 * np.sin(2 * np.pi * hour / 24)
    quiet, told = changes(noise(rng, len(hour)) + wave, periods=(24, 168)), None
    assert (quiet.period, quiet.found) == (24, ())
    told = changes(noise(rng, len(hour)) + wave + 2.0 * (hour >= 400), periods=(24, 168))
    assert [abs(change.index - 400) <= 6 for change in told.found] == [True]


def test_weights_tell_how_much_a_value_is_worth():
    """A wild value of a single query among hundreds is no change; of many queries it would shift the level."""
    rng = np.random.default_rng(5)
    n = np.full(100, 200.0)
    n[40:46] = 2
    rate = rng.binomial(n.astype(int), 0.8) / n
    assert changes(rate, n).found == ()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), max_size=60))
def test_whatever_comes_the_answer_is_in_order(values):
    for change in changes(values).found:
        assert 0 < change.low <= change.index <= change.high < len(values)
        assert change.alarm is None or change.index <= change.alarm < len(values)


def test_flat_and_short_series_show_nothing_and_gaps_are_refused():
    assert changes([1.0] * 50).found == ()
    assert changes([]).found == ()
    assert changes([1.0, 9.0]).found == ()
    with pytest.raises(UsageError):
        changes([1.0, np.nan] * 10)
    with pytest.raises(UsageError):
        changes([1.0] * 20, 0.0)


@pytest.mark.parametrize("unit", [1e-300, 1e-14, 1e300])
def test_the_unit_of_the_figures_does_not_matter(unit):
    x = np.random.default_rng(0).normal(size=120) + np.where(np.arange(120) < 70, 0, 3)
    plain, other = changes(x), changes(x * unit)
    assert [c.index for c in other.found] == [c.index for c in plain.found] == [70]
    assert other.found[0].after == pytest.approx(plain.found[0].after * unit)


def test_a_gap_does_not_shift_the_rhythm():
    """A wave of 24 hours with five hours missing now and then is a rhythm, and no change."""
    at = np.cumsum(1 + 5 * np.isin(np.arange(480), [90, 180, 333]))
    x = 5 * np.sin(2 * np.pi * at / 24) + np.random.default_rng(0).normal(size=480) * 0.3
    told = changes(x, periods=[24], at=at)
    assert (told.period, told.found) == (24, ())
    assert changes(x, periods=[24]).period == 0


def test_a_long_series_is_cut_to_the_row(monkeypatch):
    """First at every so-manieth row, then at each: the same cuts as by the exact search."""
    x = np.random.default_rng(5).normal(size=3000)
    x[1013:] += 2
    x[2221:] -= 3
    exact = changes(x)
    monkeypatch.setattr(series, "_PLACES", 300)
    assert changes(x) == exact
    assert [c.index for c in exact.found] == pytest.approx([1013, 2221], abs=5)


@pytest.mark.parametrize("rows", [1, 2, 4])
def test_a_spike_is_no_change_however_high(rows):
    """Fewer rows than a segment has; five rows are a change and the way back."""
    x = np.random.default_rng(0).normal(size=480)
    x[200 : 200 + rows] += 30
    assert changes(x).found == ()
    x[200:205] = 30
    assert [c.index for c in changes(x).found] == [200, 205]
