"""Thresholds keep their constraint as often as they promise, and say when the rows are too few."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from noria.errors import UsageError
from noria.stats.selection.certainty import binomial_p, hoeffding_bentkus_p, rows_needed
from noria.stats.selection.operating import NotEnoughRows, OperatingPoint, choose_limit, choose_threshold, curve


def world(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores from 0 to 1; a row is right with the chance 0.5 + score / 2."""
    rng = np.random.default_rng(seed)
    score = rng.random(n)
    return score, rng.random(n) < 0.5 + score / 2


def true_preciseness(threshold: float) -> float:
    return 0.5 + (1 + threshold) / 4


def test_the_promise_is_broken_less_often_than_delta():
    """500 worlds of 1,000 rows: preciseness 0.9 is wanted, of which threshold 0.6 is the edge; delta is 10 %."""
    broken = found = 0
    for seed in range(500):
        point = choose_threshold("answer", *world(1000, seed), at_least=0.9, delta=0.1)
        if isinstance(point, OperatingPoint):
            found += 1
            broken += true_preciseness(point.threshold) < 0.9
    assert found > 400
    assert broken <= stats.binom.ppf(0.999, 500, 0.1)


def test_more_rows_get_nearer_to_the_edge_and_never_cross_it_by_much():
    points = [choose_threshold("answer", *world(n, 1), at_least=0.9) for n in (500, 5000, 50_000)]
    thresholds = [p.threshold for p in points if isinstance(p, OperatingPoint)]
    assert thresholds == sorted(thresholds, reverse=True)
    assert 0.58 <= thresholds[-1] <= 0.65


def test_a_point_tells_its_figures():
    score, right = world(3000, 2)
    point = choose_threshold("answer", score, right, at_least=0.85)
    assert isinstance(point, OperatingPoint)
    accepted = score >= point.threshold
    assert point.n == accepted.sum()
    assert point.risk == pytest.approx(1 - right[accepted].mean())
    assert point.risk < point.bound < 0.15 + 1e-9
    assert point.coverage == pytest.approx(accepted.mean())
    assert "at least 85 %" in point.sentence


def test_coverage_counts_the_eligible_rows_alone():
    score, right = world(3000, 2)
    eligible = np.arange(3000) % 2 == 0
    point = choose_threshold("answer", score, right, eligible, at_least=0.85)
    assert isinstance(point, OperatingPoint)
    assert point.coverage == pytest.approx((score[eligible] >= point.threshold).mean())


def test_too_few_rows_are_told_with_how_many_it_takes_and_so_many_do():
    score, right = world(40, 0)
    refused = choose_threshold("answer", score, right, at_least=0.9)
    assert isinstance(refused, NotEnoughRows)
    assert refused.needed is not None
    assert f"needs about {refused.needed}" in refused.sentence
    perfect = np.ones(20, bool)
    few = choose_threshold("answer", np.full(20, 0.99), perfect, at_least=0.9)
    assert isinstance(few, NotEnoughRows)
    assert few.needed is not None
    enough = choose_threshold("answer", np.full(few.needed, 0.99), np.ones(few.needed, bool), at_least=0.9)
    assert isinstance(enough, OperatingPoint)


def test_where_no_threshold_is_precise_enough_no_number_of_rows_is_promised():
    rng = np.random.default_rng(0)
    refused = choose_threshold("answer", rng.random(2000), rng.random(2000) < 0.5, at_least=0.99)
    assert isinstance(refused, NotEnoughRows)
    coin = choose_threshold("answer", np.full(2000, 0.5), np.arange(2000) % 2 == 0, at_least=0.99)
    assert isinstance(coin, NotEnoughRows)
    assert coin.needed is None
    assert "the best of 2000 rows is 50.0 %" in coin.sentence


@pytest.mark.parametrize("rows", [0, 1])
def test_hardly_any_rows_are_not_enough(rows):
    assert isinstance(choose_threshold("answer", [0.5] * rows, [True] * rows, at_least=0.9), NotEnoughRows)
    assert isinstance(choose_limit("scope", [0.5] * rows, at_most=0.04), NotEnoughRows)
    assert len(curve([0.5] * rows, [True] * rows)) == rows


def test_a_limit_is_broken_less_often_than_delta():
    broken = 0
    for seed in range(500):
        scores = np.random.default_rng(seed).normal(size=400)
        point = choose_limit("scope", scores, at_most=0.05, delta=0.1)
        assert isinstance(point, OperatingPoint)
        broken += stats.norm.cdf(point.threshold) > 0.05
    assert 0 < broken <= stats.binom.ppf(0.999, 500, 0.1)


def test_a_limit_of_too_few_rows_says_how_many_it_takes():
    refused = choose_limit("scope", np.arange(50.0), at_most=0.04)
    assert isinstance(refused, NotEnoughRows)
    assert refused.needed == math.ceil(math.log(0.05) / math.log(0.96))
    assert isinstance(choose_limit("scope", np.arange(float(refused.needed)), at_most=0.04), OperatingPoint)


def test_a_curve_falls_in_threshold_and_rises_in_coverage():
    score, right = world(500, 3)
    points = curve(score, right)
    assert [p.threshold for p in points] == sorted((p.threshold for p in points), reverse=True)
    assert [p.coverage for p in points] == sorted(p.coverage for p in points)
    assert points[-1].coverage == 1
    assert points[-1].preciseness == pytest.approx(right.mean())
    assert all(p.low <= p.preciseness <= p.high for p in points)


@given(n=st.integers(1, 300), share=st.floats(0, 1), most=st.floats(0.01, 0.99))
def test_p_values_are_scipys_and_the_general_one_is_never_smaller(n, share, most):
    errors = int(share * n)
    exact = binomial_p(errors, n, most)
    assert exact == pytest.approx(stats.binom.cdf(errors, n, most), abs=1e-12)
    assert hoeffding_bentkus_p(errors / n, n, most) >= exact - 1e-9


def test_the_general_p_value_rejects_wrongly_at_most_as_often_as_it_says():
    rng = np.random.default_rng(0)
    # Losses between 0 and 1 whose mean is the very risk to be ruled out.
    samples = rng.beta(0.4, 1.6, (2000, 100))
    wrong = sum(hoeffding_bentkus_p(float(s.mean()), 100, 0.2) <= 0.1 for s in samples)
    assert wrong <= stats.binom.ppf(0.999, 2000, 0.1)


@given(rate=st.floats(0, 0.2), most=st.floats(0.05, 0.5))
def test_the_rows_needed_are_enough(rate, most):
    needed = rows_needed(rate, most, 0.05)
    if rate >= most:
        assert needed is None
    elif needed is not None:
        assert binomial_p(math.ceil(rate * needed - 1e-9), needed, most) <= 0.05


@pytest.mark.parametrize(("at_least", "delta"), [(0.0, 0.05), (1.0, 0.05), (0.9, 0.0)])
def test_impossible_constraints_are_refused(at_least, delta):
    with pytest.raises(UsageError, match="must lie above 0 and below 1"):
        choose_threshold("answer", [0.5], [True], at_least=at_least, delta=delta)
