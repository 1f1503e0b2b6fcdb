"""Pareto fronts, how firm a choice by weights is, and the winner's curse over thousands of runs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from noria.errors import UsageError
from noria.stats.selection.optimism import optimism
from noria.stats.selection.pareto import pareto_front, weight_range, wins

tables = hnp.arrays(np.float64, st.tuples(st.integers(1, 30), st.integers(1, 4)), elements=st.integers(0, 5))


def beats(a: np.ndarray, b: np.ndarray) -> bool:
    return bool((a >= b).all() and (a > b).any())


@given(table=tables)
def test_the_front_is_what_nothing_beats(table):
    expected = [i for i, row in enumerate(table) if not any(beats(other, row) for other in table)]
    assert pareto_front(table) == expected


def test_a_run_that_was_not_measured_is_on_no_front():
    assert pareto_front([[1.0, np.nan], [0.5, 0.5]]) == [1]


@given(table=tables, seed=st.integers(0, 100))
def test_the_winner_for_any_weights_above_zero_is_on_the_front(table, seed):
    shares = wins(table, np.ones(table.shape[1]), spread=0.5, draws=50, seed=seed)
    assert shares.sum() == pytest.approx(1)
    assert set(np.flatnonzero(shares > 0)) <= set(pareto_front(table))


def test_a_winner_in_everything_wins_whatever_the_weights():
    table = [[1.0, 1.0], [0.9, 0.2]]
    assert wins(table, [1, 1], spread=1.0, draws=200, seed=0).tolist() == [1.0, 0.0]
    assert weight_range(table, [1, 1], 0, 0) == (0.0, float("inf"))


def test_outside_the_range_of_a_weight_another_wins():
    table = np.array([[0.9, 0.1], [0.5, 0.6], [0.2, 0.8]])
    weights = np.array([2.0, 1.0])
    winner = int((table @ weights).argmax())
    low, high = weight_range(table, weights, winner, 1)
    assert low <= 1 <= high
    for factor, stays in ((high * 0.99, True), (high * 1.01, False)):
        assert (int((table @ (weights * [1, factor])).argmax()) == winner) is stays


@pytest.mark.parametrize(("runs", "spread"), [(50, 0.01), (3000, 0.01), (3000, 0.0)])
def test_the_optimism_told_is_the_optimism_there_is(runs, spread):
    """Worlds in which the truth is known: runs near 0.9, each measured on 1,000 rows."""
    noise = np.sqrt(0.9 * 0.1 / 1000)
    real, told = [], []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        true = 0.9 + spread * rng.standard_normal(runs)
        seen = true + noise * rng.standard_normal(runs)
        best = int(seen.argmax())
        real.append(seen[best] - true[best])
        told.append(optimism(seen, np.full(runs, noise), draws=100, seed=seed).expected)
    assert np.mean(told) == pytest.approx(np.mean(real), rel=0.15)
    # Thousands of equal runs: the best looks better than it is by some three and a half standard errors.
    if spread == 0 and runs == 3000:
        assert 3 < np.mean(real) / noise < 4


def test_a_single_run_is_no_winner_of_anything():
    assert abs(optimism([0.9], [0.01], draws=4000).expected) < 0.001


def test_noise_that_all_runs_share_does_not_choose():
    values = 0.9 + 0.01 * np.random.default_rng(0).standard_normal(500)
    errors = np.full(500, 0.01)
    assert optimism(values, errors, shared=0.9).expected < optimism(values, errors).expected / 2


def test_standard_errors_that_are_no_such_are_refused():
    with pytest.raises(UsageError, match="above 0"):
        optimism([0.9, 0.8], [0.01, 0.0])
