"""Estimates from unequal draws are right on average and cover; the plain mean of the same labels is not."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.errors import UsageError
from noria.stats import active_mean, hajek

draws = st.lists(st.tuples(st.floats(0, 1), st.floats(0.01, 1)), min_size=1, max_size=80)


def population(seed: int, size: int = 4000, rate: float = 0.785):
    """Confidences, outcomes that follow them loosely, and chances: least sure first over a floor of a fifth."""
    rng = np.random.default_rng(seed)
    f = np.clip(rng.beta(6, 1.6, size) * rate / 0.79, 0.02, 0.98)
    y = (rng.random(size) < np.clip(f + rng.normal(0, 0.1, size), 0, 1)).astype(float)
    u = np.sqrt(f * (1 - f))
    pi = np.minimum(400 * (0.8 * u / u.sum() + 0.2 / size), 1)
    return rng, f, y, pi


def covered(estimates, truth: float) -> float:
    return float(np.mean([e.low <= truth <= e.high for e in estimates]))


def test_the_difference_estimator_covers_and_has_no_bias() -> None:
    """1,000 draws of about 400 labels: off by less than three standard errors, inside in about 95 %."""
    rng, f, y, pi = population(4)
    drawn = [np.flatnonzero(rng.random(len(f)) < pi) for _ in range(1000)]
    found = [active_mean(f, pi, at, y[at]) for at in drawn]
    values = np.array([e.value for e in found])
    assert abs(values.mean() - y.mean()) < 3 * values.std() / math.sqrt(1000)
    assert 0.93 < covered(found, y.mean()) < 0.97


def test_the_weighted_mean_covers_where_the_plain_one_does_not() -> None:
    """1,000 draws: Hájek holds the truth in about 95 %; the plain mean is two points too low on average."""
    rng, f, y, pi = population(5)
    drawn = [np.flatnonzero(rng.random(len(f)) < pi) for _ in range(1000)]
    found = [hajek(y[at], pi[at]) for at in drawn]
    assert 0.93 < covered(found, y.mean()) < 0.97
    assert abs(np.mean([e.value for e in found]) - y.mean()) < 0.003
    assert np.mean([y[at].mean() for at in drawn]) < y.mean() - 0.02


def test_good_guesses_narrow_the_interval() -> None:
    """Guesses near the truth give less than half the width; useless ones still cover."""
    rng, _, y, pi = population(6)
    at = np.flatnonzero(rng.random(len(y)) < pi)
    good, useless = (active_mean(guess, pi, at, y[at]) for guess in (0.1 + 0.8 * y, np.full(len(y), 0.5)))
    assert good.high - good.low < 0.5 * (useless.high - useless.low)
    assert useless.low <= y.mean() <= useless.high


def test_few_failures_do_not_prove_perfection() -> None:
    """2,000 draws of about 40 labels at 97 %: the weighted mean still covers in at least 92 %."""
    rng, _, y, pi = population(7, 1000, rate=1.1)
    y = (rng.random(len(y)) < 0.97).astype(float)
    pi = pi * 40 / pi.sum()
    drawn = [np.flatnonzero(rng.random(len(y)) < pi) for _ in range(2000)]
    assert covered([hajek(y[at], pi[at]) for at in drawn], y.mean()) > 0.92
    perfect = hajek([1] * 10, [0.1] * 10)
    assert (perfect.value, perfect.high) == (1, 1)
    assert perfect.low == pytest.approx(0.7225, abs=1e-4)


@given(rows=draws, level=st.floats(0.5, 0.99))
def test_the_weighted_mean_is_in_order(rows, level) -> None:
    """Values are low <= value <= high within 0 to 1; at least one effective label and not more than there are."""
    y, pi = zip(*rows, strict=True)
    found = hajek(y, pi, level)
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.n == len(rows)
    assert 1 - 1e-9 <= found.n_effective <= len(rows) + 1e-9


@given(rows=st.lists(st.tuples(st.floats(0, 1), st.floats(0.01, 1), st.floats(0, 1), st.booleans()), max_size=80))
def test_the_difference_estimator_is_in_order(rows) -> None:
    """Values are low <= value <= high within 0 to 1; positions and truth values mean the same."""
    f, pi, y, drawn = (np.array([row[i] for row in rows]) for i in range(4))
    drawn = drawn.astype(bool)
    found = active_mean(f, pi, drawn, y[drawn])
    assert found.n == drawn.sum()
    if found.n:
        assert 0 <= found.low <= found.value <= found.high <= 1
        assert found == active_mean(f, pi, np.flatnonzero(drawn), y[drawn])


def test_when_everything_is_labelled_there_is_nothing_to_guess() -> None:
    """All chances 1: both give the mean itself, without width."""
    y = [1, 0, 1, 1]
    for found in (hajek(y, [1] * 4), active_mean([0.2] * 4, [1] * 4, range(4), y)):
        assert (found.value, found.low, found.high) == pytest.approx((0.75, 0.75, 0.75))


def test_equal_chances_give_the_plain_mean() -> None:
    """Hájek with one chance for all, and its standard error with the finite population taken into account."""
    y = [1] * 60 + [0] * 40
    found = hajek(y, [0.25] * 100)
    assert found.value == pytest.approx(0.6)
    assert found.n_effective == pytest.approx(100)
    assert found.high - found.value == pytest.approx(1.959964 * math.sqrt(0.75 * 0.24 / 100), abs=1e-6)


@pytest.mark.parametrize("found", [hajek([], []), active_mean([0.5, 0.5], [0.1, 0.1], [], [])])
def test_no_labels_mean_nothing_is_known(found) -> None:
    """With n = 0: no value, the whole range."""
    assert math.isnan(found.value)
    assert (found.low, found.high, found.n, found.n_effective) == (0, 1, 0, 0)


def test_one_label_bounds_nothing() -> None:
    """With n = 1 the difference estimator gives 0 to 1."""
    found = active_mean([0.5, 0.5], [0.5, 0.5], [0], [1])
    assert (found.low, found.high, found.n) == (0, 1, 1)


@pytest.mark.parametrize(
    ("f", "pi", "labelled", "y"),
    [
        ([0.5, 0.5], [0.5, 0.0], [0], [1]),
        ([0.5, 0.5], [0.5], [0], [1]),
        ([0.5, 0.5], [0.5, 0.5], [0, 0], [1, 1]),
        ([0.5, 0.5], [0.5, 0.5], [2], [1]),
        ([0.5, 0.5], [0.5, 0.5], [-1], [1]),
        ([0.5, 0.5], [0.5, 0.5], [0.0], [1]),
        ([0.5, 0.5], [0.5, 0.5], [True], [1]),
        ([0.5, 0.5], [0.5, 0.5], [0, 1], [1]),
        ([0.5, 1.5], [0.5, 0.5], [0], [1]),
        ([0.5, 0.5], [0.5, 0.5], [0], [2]),
    ],
)
def test_what_cannot_be_estimated_is_refused(f, pi, labelled, y) -> None:
    """A chance of 0, other lengths, positions twice or not there, values outside 0 to 1."""
    with pytest.raises(UsageError):
        active_mean(f, pi, labelled, y)


@pytest.mark.parametrize(("y", "pi"), [([1], [0]), ([1, 0], [0.5]), ([1], [1.5]), ([-1], [0.5])])
def test_weights_that_do_not_exist_are_refused(y, pi) -> None:
    """A chance of 0 or above 1, other lengths, an outcome outside 0 to 1."""
    with pytest.raises(UsageError):
        hajek(y, pi)
