"""The paired bound solves its own equation, mirrors, covers; McNemar's p value is the exact one."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.stats import binomtest

from noria.errors import UsageError
from noria.stats import mcnemar, tango_lower
from noria.stats.intervals import one_sided


@st.composite
def pairs(draw) -> tuple[int, int, int]:
    n = draw(st.integers(1, 500))
    b = draw(st.integers(0, n))
    return b, draw(st.integers(0, n - b)), n


def score_by_search(difference: float, b: int, c: int, n: int) -> float:
    """The score statistic with the most likely nuisance share found by a numerical search instead of a formula."""

    def loss(q):
        shares = np.array([q, q + difference, 1 - 2 * q - difference])
        seen = np.array([b, c, n - b - c])
        return -float((seen[seen > 0] * np.log(np.maximum(shares[seen > 0], 1e-300))).sum())

    ends = (max(0.0, -difference), (1 - difference) / 2)
    q = minimize_scalar(loss, bounds=ends, method="bounded", options={"xatol": 1e-12}).x
    return float((c - b - n * difference) / np.sqrt(n * (2 * q + difference * (1 - difference))))


@pytest.mark.parametrize(
    ("b", "c", "n"), [(10, 25, 500), (25, 10, 500), (0, 7, 60), (7, 0, 60), (3, 3, 40), (1, 0, 30), (40, 59, 100)]
)
@pytest.mark.parametrize("level", [0.9, 0.95, 0.999])
def test_the_bound_is_where_the_score_test_begins_to_reject(b, c, n, level) -> None:
    """At the bound the statistic, computed another way, is the normal quantile."""
    assert score_by_search(tango_lower(b, c, n, level), b, c, n) == pytest.approx(one_sided(level), abs=1e-4)


@pytest.mark.parametrize("n", [1, 30, 2000])
def test_without_disagreement_the_bound_is_known(n) -> None:
    """No pair in which only one was right: -z² / (n + z²)."""
    square = one_sided(0.95) ** 2
    assert tango_lower(0, 0, n) == pytest.approx(-square / (n + square), abs=1e-12)


@given(pair=pairs(), level=st.floats(0.51, 0.9999))
def test_the_bound_lies_below_the_point_and_the_upper_above(pair, level) -> None:
    """-1 <= lower <= point <= upper <= 1, where upper is the mirror of lower."""
    b, c, n = pair
    lower, upper = tango_lower(b, c, n, level), -tango_lower(c, b, n, level)
    assert -1 <= lower <= (c - b) / n <= upper <= 1


@given(pair=pairs(), level=st.floats(0.51, 0.99))
def test_better_counts_give_a_better_bound(pair, level) -> None:
    """One success of the challenger more, or one of the champion less, never lowers it; more confidence does."""
    b, c, n = pair
    lower = tango_lower(b, c, n, level)
    assert tango_lower(b, c, n, (1 + level) / 2) <= lower
    if b + c < n:
        assert tango_lower(b, c + 1, n, level) >= lower - 1e-12
    if b:
        assert tango_lower(b - 1, c, n, level) >= lower - 1e-12


@pytest.mark.parametrize(
    ("b", "c", "n", "level"), [(2, 2, 3, 0.95), (-1, 2, 3, 0.95), (1, 1, 3, 0.5), (1, 1.5, 3, 0.95)]
)
def test_impossible_pairs_are_refused(b, c, n, level) -> None:
    """More disagreements than pairs, negative or broken counts, a level that bounds nothing."""
    with pytest.raises(UsageError):
        tango_lower(b, c, n, level)


def test_no_pairs_bound_nothing() -> None:
    """With n = 0, and for a champion that was always right alone: -1."""
    assert tango_lower(0, 0, 0) == -1
    assert tango_lower(5, 0, 5) == -1


@pytest.mark.parametrize(
    ("only_champion", "only_challenger", "n"), [(0.04, 0.04, 200), (0.06, 0.03, 500), (0.02, 0.05, 300)]
)
def test_the_bound_covers_as_often_as_it_says(only_champion, only_challenger, n) -> None:
    """4,000 simulated comparisons: the true difference is above the bound in about 95 %."""
    rng = np.random.default_rng(17)
    bound = cache(lambda b, c: tango_lower(b, c, n))
    drawn = rng.multinomial(n, [only_champion, only_challenger, 1 - only_champion - only_challenger], 4000)
    covered = np.mean([bound(int(b), int(c)) <= only_challenger - only_champion for b, c, _ in drawn])
    assert 0.935 < covered < 0.97


@given(b=st.integers(0, 300), c=st.integers(0, 300))
@settings(max_examples=50)
def test_mcnemar_is_the_exact_binomial_test(b, c) -> None:
    """Same as scipy's test of a fair coin, and the same with the two changed."""
    expected = binomtest(b, b + c).pvalue if b + c else 1.0
    assert mcnemar(b, c) == pytest.approx(expected, rel=1e-9)
    assert mcnemar(b, c) == mcnemar(c, b)


def test_mcnemar_refuses_negative_counts() -> None:
    """-1 pairs cannot be."""
    with pytest.raises(UsageError, match="-1"):
        mcnemar(-1, 3)
