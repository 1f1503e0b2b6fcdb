"""Intervals for shares agree with scipy, contain the point, and move the way they should."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from noria.errors import UsageError
from noria.stats import clopper_pearson, newcombe, wilson
from noria.stats.intervals import as_flags, as_numbers, one_sided, score_bounds, two_sided

counts = st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
levels = st.floats(0.5, 0.999)
makers = pytest.mark.parametrize("maker", [wilson, clopper_pearson])


@pytest.mark.parametrize(("maker", "method"), [(wilson, "wilson"), (clopper_pearson, "exact")])
@pytest.mark.parametrize(("k", "n"), [(0, 1), (1, 1), (0, 30), (30, 30), (3, 17), (250, 1000), (99_990, 100_000)])
@pytest.mark.parametrize("level", [0.8, 0.95, 0.999])
def test_ends_are_those_of_scipy(maker, method, k, n, level) -> None:
    """Both ends, also for no and for only successes."""
    theirs = binomtest(k, n).proportion_ci(level, method=method)
    ours = maker(k, n, level)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)
    assert (ours.k, ours.n, ours.value) == (k, n, k / n)


@makers
@given(count=counts, level=levels)
def test_the_point_lies_inside(maker, count, level) -> None:
    """0 <= low <= value <= high <= 1."""
    rate = maker(*count, level)
    assert 0 <= rate.low <= rate.value <= rate.high <= 1


@given(share=st.floats(0, 1), n=st.floats(0.5, 1e9))
@example(share=1e-20, n=10)
@example(share=1 - 2**-53, n=10)
def test_the_point_lies_inside_for_broken_counts_too(share, n) -> None:
    """Shares so near an end that rounding could push the bound past them."""
    low, high = score_bounds(share, n, 1.96)
    assert 0 <= low <= share <= high <= 1


@makers
@given(count=counts, level=levels)
def test_failures_mirror_successes(maker, count, level) -> None:
    """The interval of n - k is that of k turned round."""
    k, n = count
    one, other = maker(k, n, level), maker(n - k, n, level)
    assert (other.low, other.high) == pytest.approx((1 - one.high, 1 - one.low), abs=1e-9)


@makers
@given(count=counts, level=levels)
def test_one_more_success_moves_both_ends_up(maker, count, level) -> None:
    """Both ends rise with k; a higher level holds the lower one inside."""
    k, n = count
    rate, wider = maker(k, n, level), maker(k, n, (1 + level) / 2)
    assert wider.low <= rate.low <= rate.high <= wider.high
    if k < n:
        more = maker(k + 1, n, level)
        assert more.low >= rate.low
        assert more.high >= rate.high


@makers
def test_no_trials_mean_nothing_is_known(maker) -> None:
    """With n = 0: no value, the whole range."""
    rate = maker(0, 0)
    assert math.isnan(rate.value)
    assert (rate.low, rate.high, rate.k, rate.n) == (0.0, 1.0, 0, 0)


@makers
@pytest.mark.parametrize(("k", "n", "level"), [(3, 2, 0.95), (-1, 2, 0.95), (1.5, 2, 0.95), (1, 2, 0), (1, 2, 95)])
def test_impossible_counts_and_levels_are_refused(maker, k, n, level) -> None:
    """The message names the value."""
    with pytest.raises(UsageError, match=r"-1|3|1\.5|0|95"):
        maker(k, n, level)


def covered(maker, n: int, p: float) -> float:
    """The exact chance that the interval holds p."""
    rates = [maker(k, n) for k in range(n + 1)]
    holds = np.array([rate.low <= p <= rate.high for rate in rates])
    return float(binom.pmf(np.arange(n + 1), n, p) @ holds)


@pytest.mark.parametrize("n", [20, 60])
def test_coverage_is_what_it_says(n) -> None:
    """Computed exactly over many rates: Clopper-Pearson never below 95 %, Wilson close to it on average."""
    grid = np.linspace(0.02, 0.98, 49)
    exact, score = ([covered(maker, n, p) for p in grid] for maker in (clopper_pearson, wilson))
    assert min(exact) >= 0.95
    assert 0.945 < np.mean(score) < 0.96


@pytest.mark.parametrize(
    ("k1", "n1", "k2", "n2", "low", "high"),
    [(56, 70, 48, 80, 0.0524, 0.3339), (9, 10, 3, 10, 0.1705, 0.8090), (10, 10, 0, 20, 0.6791, 1.0)],
)
def test_differences_are_those_of_the_paper(k1, n1, k2, n2, low, high) -> None:
    """Newcombe 1998, table II, method 10."""
    found = newcombe(k1, n1, k2, n2)
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)


@given(one=counts, two=counts, level=levels)
def test_a_difference_turns_round_with_its_shares(one, two, level) -> None:
    """Contains the point, stays in -1 to 1, and changes sign when the two change places."""
    there, back = newcombe(*one, *two, level), newcombe(*two, *one, level)
    assert -1 <= there.low <= there.value <= there.high <= 1
    assert (back.value, back.low, back.high) == pytest.approx((-there.value, -there.high, -there.low), abs=1e-9)


def test_a_difference_from_nothing_is_not_known() -> None:
    """No trials on one side: no value, the whole range."""
    found = newcombe(3, 5, 0, 0)
    assert math.isnan(found.value)
    assert (found.low, found.high) == (-1.0, 1.0)


def test_quantiles_are_the_normal_ones() -> None:
    """1.645 on one side, 1.960 on both; a one-sided level of a half says nothing."""
    assert (one_sided(0.95), two_sided(0.95)) == pytest.approx((1.6448536, 1.9599640), abs=1e-7)
    with pytest.raises(UsageError, match="one-sided"):
        one_sided(0.5)


@pytest.mark.parametrize("values", [[0.5, math.nan], [0.5, 1.1], [[0.5]], 0.5])
def test_numbers_out_of_place_are_refused(values) -> None:
    """NaN, values beyond a limit, other shapes."""
    with pytest.raises(UsageError, match="share"):
        as_numbers("share", values, 0, 1)


def test_what_is_neither_true_nor_false_is_refused() -> None:
    """0.5 is no truth value; 1 is; no values at all are fine."""
    with pytest.raises(UsageError, match="right"):
        as_flags("right", [0, 0.5])
    assert as_flags("right", [1, 0]).tolist() == [True, False]
    assert as_flags("right", []).tolist() == []
