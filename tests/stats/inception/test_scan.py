"""The inception: same as by least squares, covered by its set, silent where nothing fell."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.errors import UsageError
from noria.stats import locate


def fitted(k, n, weight, variance, share):
    """Weighted least squares of a rate in each stratum and of one change: rates, size and log-likelihood gained."""
    rows, strata = np.nonzero(n)
    root = np.sqrt(n[rows, strata] / variance[rows, strata])
    y = k[rows, strata] / n[rows, strata] * root
    plain = np.eye(n.shape[1])[strata] * root[:, None]
    full = np.column_stack([plain, -share[strata] * weight[rows] * root])
    (_, left), (found, less) = (np.linalg.lstsq(table, y, rcond=None)[:2] for table in (plain, full))
    return found[:-1], found[-1], (left[0] - less[0]) / 2 if len(less) and found[-1] > 0 else -np.inf


def scan(k, n, ramps):
    """Steps and ramps by the score as published, then twice by least squares with variances of the likeliest change."""
    starts, t = np.arange(5, len(n) - 5), np.arange(len(n))
    profiles = np.array([[np.clip((t - s + 1) / max(L, 1), 0, 1) for s in starts] for L in ramps])
    p, N = k.sum(0) / n.sum(0), n.sum(0)
    U = profiles @ (n * p - k).sum(1)
    V = ((profiles**2 @ n - (profiles @ n) ** 2 / N) * p * (1 - p)).sum(2)
    gain, share = np.where(U > 0, U**2 / (2 * V), -np.inf), p * (1 - p)
    variance = np.broadcast_to(share, n.shape)
    for _ in range(2):
        best = profiles[np.unravel_index(gain.argmax(), gain.shape)]
        known, size, _ = fitted(k, n, best, variance, share)
        share = known * (1 - known)
        chance = known - size * best[:, None] * share
        variance = chance * (1 - chance)
        gain = np.array([[fitted(k, n, w, variance, share)[2] for w in row] for row in profiles])
    return starts, gain


def traffic(rng, rate, labels):
    """Successes and labels for a rate by window, or by window and stratum."""
    n = rng.poisson(labels, rate.shape)
    return rng.binomial(n, rate), n


@pytest.mark.parametrize("seed", range(6))
def test_it_finds_what_least_squares_find(seed) -> None:
    """Steps and ramps, with and without strata, with windows that have no labels: place, length, gain and set."""
    rng, ramps = np.random.default_rng(seed), (0, 10, 30)
    weight = np.clip((np.arange(90) - 50 + 1) / max(ramps[seed % 3], 1), 0, 1)[:, None]
    base = np.array([[0.7, 0.85, 0.9]]) if seed % 2 else np.array([[0.8]])
    k, n = traffic(rng, base - 0.3 * weight, rng.choice([0, 6, 18], size=(90, 1)))
    found, (starts, gain) = locate(k, n, ramps), scan(k, n, ramps)
    best = gain.max(axis=0)
    assert found is not None
    assert (found.index, found.ramp) == (starts[best.argmax()], ramps[gain[:, best.argmax()].argmax()])
    assert found.gain == pytest.approx(best.max(), rel=1e-6)
    inside = starts[best >= best.max() + np.log((1 - np.sqrt(0.95)) / 2)]
    assert (found.low, found.high) == (inside[0], inside[-1])


def test_one_stratum_is_the_same_as_none() -> None:
    """(windows,) and (windows, 1) give the same answer; so do two equal halves."""
    k, n = traffic(np.random.default_rng(1), np.where(np.arange(90) < 60, 0.85, 0.65), 20)
    assert locate(k, n, (0, 7)) == locate(k[:, None], n[:, None], (0, 7))
    both = np.stack([k, k], 1), np.stack([n, n], 1)
    one, two = locate(2 * k, 2 * n, (0, 7)), locate(*both, (0, 7))
    assert one is not None
    assert two is not None
    assert two.gain == pytest.approx(one.gain)
    assert replace(two, gain=one.gain) == one


@pytest.mark.parametrize(("length", "ramps"), [(0, (0, 3, 7)), (7, (0, 3, 7))])
def test_the_set_holds_the_true_beginning(length, ramps) -> None:
    """300 streams of 40 days with 40 labels, 85 % to 70 %, sudden or over a week: in the set in at least 95 %."""
    rng = np.random.default_rng(21)
    weight = np.clip((np.arange(40) - 25 + 1) / max(length, 1), 0, 1)
    held = []
    for _ in range(300):
        found = locate(*traffic(rng, 0.85 - 0.15 * weight, 40), ramps)
        held.append(found is not None and found.low <= 25 <= found.high)
    assert np.mean(held) >= 0.95


@pytest.mark.parametrize("length", [0, 40, 72])
def test_the_set_holds_the_beginning_where_failures_double(length) -> None:
    """300 streams of four bands at 10 % failures by the hour, then 20 %, three days into it: in at least 95 %."""
    rng = np.random.default_rng(77)
    weight = np.clip((np.arange(408) - 336 + 1) / max(length, 1), 0, 1)[:, None]
    rate = 1 - np.array([[0.02, 0.05, 0.11, 0.22]]) * (1 + weight)
    found = [locate(*traffic(rng, rate, 15 / 4)) for _ in range(300)]
    held = [place is not None and place.low <= 336 <= place.high for place in found]
    assert np.mean(held) >= 0.95


def test_a_surer_set_is_wider_and_one_kind_of_change_narrower() -> None:
    """At 99 % it holds the set of 95 %; where only sudden changes are tried, the threshold is shared with none."""
    k, n = traffic(np.random.default_rng(8), np.where(np.arange(200) < 120, 0.9, 0.8), 40)
    usual, sure, sudden = locate(k, n), locate(k, n, level=0.99), locate(k, n, (0,))
    assert usual is not None
    assert sure is not None
    assert sudden is not None
    assert sure.low <= usual.low <= usual.high <= sure.high
    assert sure.high - sure.low > usual.high - usual.low
    assert sudden.high - sudden.low < usual.high - usual.low


def test_a_sharp_drop_is_placed_to_the_window() -> None:
    """90 % to 40 % with 60 labels a window: the most likely window is the true one or beside it, in every stream."""
    rng = np.random.default_rng(2)
    for _ in range(30):
        found = locate(*traffic(rng, np.where(np.arange(50) < 30, 0.9, 0.4), 60), (0, 5))
        assert found is not None
        assert abs(found.index - 30) <= 1
        assert found.high - found.low <= 3
        assert found.before == pytest.approx(0.9, abs=0.05)
        assert found.after == pytest.approx(0.4, abs=0.05)


def test_a_change_of_labelling_policy_is_no_drop() -> None:
    """Hard queries labelled more often from window 60 on: found at once without strata, held apart with them."""
    n = np.array([[30, 10]] * 60 + [[10, 30]] * 40)
    k = np.array([[27, 6]] * 60 + [[9, 18]] * 40)
    mixed = locate(k.sum(1), n.sum(1), (0, 7))
    assert mixed is not None
    assert mixed.index == 60
    assert locate(k, n, (0, 7)) is None


def test_rates_are_told_for_one_mix_of_strata() -> None:
    """The mix shifts with the drop; before and after still differ by what fell within each stratum."""
    n = np.array([[30, 10]] * 60 + [[10, 30]] * 40)
    k = np.array([[27, 6]] * 60 + [[7, 12]] * 40)
    found = locate(k, n, (0, 7))
    assert found is not None
    share = np.array([2200, 1800]) / 4000
    assert found.before == pytest.approx(share @ [0.9, 0.6])
    assert found.after == pytest.approx(share @ [0.7, 0.4])


@pytest.mark.parametrize(("k", "n"), [(11, 20), (7, 25), (55, 79), (67, 129), (19, 113)])
def test_rounding_is_no_drop(k, n) -> None:
    """The same rate in every window, few labels or millions, and not exact in floats: nothing fell."""
    rng = np.random.default_rng(0)
    for most in (10, 50, 50, 50, 50, 100_000):
        size = rng.integers(0, most, 40)
        assert locate(k * size, n * size, (0, 3, 7)) is None


@pytest.mark.parametrize(
    ("k", "n"),
    [
        ([16] * 30, [20] * 30),
        ([3] * 7 + [6] * 7, [10] * 7 + [20] * 7),
        ([5] * 10 + [9] * 10, [10] * 20),
        ([0] * 5, [0] * 5),
        ([], []),
        ([10] * 5, [10] * 5),
        ([0] * 5, [10] * 5),
        ([1], [2]),
    ],
)
def test_where_nothing_fell_there_is_no_inception(k, n) -> None:
    """Constant and rising rates, no labels, no windows, only successes, only failures, a single window."""
    assert locate(k, n, (0, 3)) is None


@given(rows=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=40), level=st.floats(0.2, 0.98))
def test_whatever_comes_the_answer_is_in_order(rows, level) -> None:
    """Always low <= index <= high inside the windows, rates 0 to 1 or unknown; a wider set holds the narrower."""
    k, n = [min(row) for row in rows], [max(row) for row in rows]
    found, wider = locate(k, n, (0, 3, 8), level), locate(k, n, (0, 3, 8), level + 0.01)
    assert (found is None) == (wider is None)
    if found is not None and wider is not None:
        assert 0 <= wider.low <= found.low <= found.index <= found.high <= wider.high < len(n)
        assert found.index == wider.index
        assert all(math.isnan(rate) or 0 <= rate <= 1 for rate in (found.before, found.after))


@pytest.mark.parametrize(
    ("k", "n", "ramps", "level"),
    [
        ([1, 2], [3], (0,), 0.95),
        ([3], [2], (0,), 0.95),
        ([1], [np.inf], (0,), 0.95),
        ([1], [2], (), 0.95),
        ([1], [2], (-1,), 0.95),
        ([1], [2], (0,), 0),
        ([1], [2], (0,), 1),
        (1, 2, (0,), 0.95),
    ],
)
def test_what_cannot_be_scanned_is_refused(k, n, ramps, level) -> None:
    """Shapes, counts, ramps and levels outside their limits."""
    with pytest.raises(UsageError):
        locate(k, n, ramps, level)
