"""Streams without labels: quiet ones stay quiet within the promise, changes are found; one budget for all."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2

from noria.errors import UsageError
from noria.stats.detection.budget import e_bh, run_lengths
from noria.stats.detection.expected import calibrate
from noria.stats.detection.glr import LOOKS, dispersion, dispersions, mean_glr, shape_glr, spreads
from noria.stats.detection.vectors import direction_run_length, direction_z, halves, novelty

MIX = np.array([0.4, 0.3, 0.2, 0.1])


def test_a_single_span_is_the_likelihood_ratio_test_of_two_samples():
    """One window, one span: the chance of the G-test of the two rows."""
    one, two = np.array([400, 300, 200, 100]), np.array([30, 35, 20, 15])
    table = np.array([one, two], dtype=float)
    expected = table.sum(1, keepdims=True) * table.sum(0) / table.sum()
    g = 2 * (table * np.log(table / expected)).sum()
    evidence = shape_glr(one, [two], spans=(1,))
    assert evidence.run_length[0] == pytest.approx(1 / (LOOKS * chi2.sf(g, 3)))


def test_quiet_streams_keep_the_run_length():
    """60 streams of 500 windows without change at a run length of 1,000: no more alarms than promised."""
    alarms = {"shape": 0, "mean": 0}
    for seed in range(60):
        rng = np.random.default_rng(seed)
        before, counts = rng.multinomial(20_000, MIX), rng.multinomial(60, MIX, 500)
        alarms["shape"] += shape_glr(before, counts).alarm(1000) is not None
        values = rng.normal(size=(500, 20)).sum(axis=1)
        old = rng.normal(size=7000)
        reference = [len(old), old.sum(), (old**2).sum()]
        alarms["mean"] += mean_glr(reference, [20] * 500, values).alarm(1000) is not None
    assert max(alarms.values()) <= 60 * 500 / 1000


def test_a_mean_keeps_the_run_length_also_where_its_reference_is_short():
    """Sixteen and forty days of reference: the spread learnt from them is itself uncertain (Student's, not normal)."""
    alarms, streams, windows = 0, 150, 70
    for seed in range(streams):
        rng = np.random.default_rng(seed)
        old, weekend = (rng.normal(size=n) for n in (40, 16)), np.arange(windows) % 7 >= 5
        reference = [[len(v), v.sum(), (v**2).sum()] for v in old]
        n = np.column_stack([~weekend, weekend]).astype(float)
        alarms += (
            mean_glr(reference, n, n * rng.normal(size=(windows, 1)), spans=(1, 2, 3, 4, 6)).alarm(500) is not None
        )
    assert alarms <= streams * windows / 500


def test_a_change_of_shape_and_of_mean_is_found():
    rng = np.random.default_rng(1)
    counts = np.vstack([rng.multinomial(60, MIX, 100), rng.multinomial(60, MIX[::-1], 20)])
    evidence = shape_glr(rng.multinomial(20_000, MIX), counts)
    assert evidence.alarm(10_000) in {100, 101, 102}
    sums = np.concatenate([rng.normal(0, 3, 100), rng.normal(5, 3, 20)])
    assert 100 <= (mean_glr([5000, 0.0, 5000 * 0.9], [10] * 120, sums).alarm(10_000) or 0) <= 106


def test_a_weekend_rhythm_is_no_change():
    """Another mix on every weekend: in strata quiet, without strata in alarm."""
    rng = np.random.default_rng(3)
    weekend = (np.arange(28) % 7 >= 5).astype(int)
    cells = np.zeros((28, 2, 4))
    for day, end in enumerate(weekend):
        cells[day, end] = rng.multinomial(400, MIX[::-1] if end else MIX)
    before = np.array([rng.multinomial(9000, MIX), rng.multinomial(3600, MIX[::-1])])
    assert shape_glr(before, cells).alarm(10_000) is None
    assert shape_glr(before.sum(0), cells.sum(1)).alarm(10_000) is not None


def test_scatter_beyond_chance_is_seen():
    rng = np.random.default_rng(4)
    even = rng.multinomial(100, MIX, 300)
    assert dispersion(even.sum(0), even) == pytest.approx(1, abs=0.15)
    assert dispersion(3 * even.sum(0), 3 * even) == pytest.approx(3, abs=0.3)


def drifting(rng, windows, stays):
    """Windows of 200 queries whose mix wanders about MIX; a deviation halves within a few windows where it `stays`."""
    leaning = np.zeros((windows, 4))
    for t in range(windows):
        fresh = rng.normal(size=4) * 0.2
        leaning[t] = fresh if t == 0 else stays * leaning[t - 1] + fresh * np.sqrt(1 - stays**2)
    shares = MIX * np.exp(leaning)
    return np.array([rng.multinomial(200, share / share.sum()) for share in shares])


def test_what_lasts_for_some_windows_is_no_change():
    """Forty streams that wander for hours, some 12 alarms promised: one spread for all tells of nearly each stream."""
    alarms = {"one spread": 0, "one for each span": 0}
    for seed in range(40):
        cells = drifting(np.random.default_rng(seed), 636, 0.5)
        old, new = cells[:336], cells[336:]
        before = old.sum(0)
        alarms["one spread"] += shape_glr(before, new, dispersion=dispersion(before, old)).alarm(1000) is not None
        alarms["one for each span"] += shape_glr(before, new, dispersion=dispersions(old)).alarm(1000) is not None
    assert alarms["one spread"] > 30
    assert alarms["one for each span"] <= 18


def test_a_mean_that_lasts_for_some_windows_is_no_change():
    alarms = {"one spread": 0, "one for each span": 0}
    for seed in range(60):
        rng, level = np.random.default_rng(seed), np.zeros(400)
        for t in range(1, 400):
            level[t] = 0.5 * level[t - 1] + rng.normal()
        old, new = level[:200], level[200:]
        reference, ones = [len(old), old.sum(), (old**2).sum()], np.ones(200)
        alarms["one spread"] += mean_glr(reference, ones, new).alarm(1000) is not None
        alarms["one for each span"] += (
            mean_glr(reference, ones, new, dispersion=spreads(ones, old)).alarm(1000) is not None
        )
    assert alarms["one spread"] > 40
    assert alarms["one for each span"] <= 60 * 200 / 1000 * 1.5


def test_independent_windows_scatter_alike_at_each_span():
    rng = np.random.default_rng(8)
    told = np.median([dispersions(rng.multinomial(100, MIX, 336)) for _ in range(20)], axis=0)
    assert told.max() < 1.3
    assert (np.diff(told) >= 0).all()
    assert np.median([spreads(np.ones(336), rng.normal(size=336)) for _ in range(20)], axis=0).max() < 1.5


@pytest.mark.parametrize("wrong", [0.5, (1.0, 2.0), float("nan")])
def test_a_dispersion_below_one_or_for_other_spans_is_refused(wrong):
    with pytest.raises(UsageError, match="one or one for each span"):
        shape_glr([5, 5], [[1, 1]], dispersion=wrong, spans=(1, 2, 3))


def test_a_new_cluster_moves_the_direction_and_is_new():
    """A tenth of queries from elsewhere: z beyond 3.9 and further away; without it z looks like a standard normal."""
    rng = np.random.default_rng(5)
    known = halves(rng.normal(size=(4000, 32)))
    quiet = [direction_z(rng.normal(size=(600, 32)), known) for _ in range(200)]
    assert abs(np.mean(quiet)) < 0.25
    assert np.std(quiet) == pytest.approx(1, abs=0.2)
    new = rng.normal(size=(600, 32))
    new[rng.random(600) < 0.1] += 1.5
    assert direction_z(new, known) > 3.9
    assert novelty(5 + np.zeros((1, 32)), -np.ones((4, 32)))[0] == pytest.approx(2)
    assert direction_run_length(3.9) > 10_000 > direction_run_length(3.8)
    assert direction_z(new[:5], known) == 0


@given(looks=st.dictionaries(st.sampled_from("abcdef"), st.floats(1e3, 1e6), min_size=1), per_year=st.floats(0.1, 20))
def test_all_series_together_keep_the_budget(looks, per_year):
    lengths = run_lengths(per_year, looks)
    assert sum(looks[name] / lengths[name] for name in looks) <= per_year * (1 + 1e-9)


def test_e_bh_as_published():
    """The largest k with k e-values of at least n / (alpha k)."""
    rng = np.random.default_rng(6)
    for _ in range(50):
        e = dict(enumerate(rng.exponential(20, 12)))
        told = e_bh({str(k): v for k, v in e.items()}, 0.2)
        best = max((k for k in range(1, 13) if sorted(e.values())[-k] >= 12 / (0.2 * k)), default=0)
        assert len(told) == best
    with pytest.raises(UsageError):
        e_bh({}, 1.5)


def test_expected_quality_follows_a_shift_of_mix_and_covers():
    """Over-confident agent, harder mix: the estimate is near the truth, where raw confidence is not."""
    rng = np.random.default_rng(7)
    covered, ours, raw = [], [], []
    for _ in range(100):
        known, later = rng.beta(5, 2, 800), rng.beta(3, 2, 4000)
        fit = calibrate(known, rng.random(800) < known**1.5)
        expected = fit.expect(later)
        truth = float((later**1.5).mean())
        covered.append(expected.low <= truth <= expected.high)
        ours.append(abs(expected.value - truth))
        raw.append(abs(float(later.mean()) - truth))
    assert np.mean(ours) < np.mean(raw) / 3
    assert np.mean(covered) >= 0.85
    assert np.isnan(fit.expect([]).value)
