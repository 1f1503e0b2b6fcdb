"""The inception: same as the published scan, covered by its set, silent where nothing fell."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.errors import UsageError
from noria.stats import locate

HOURS = (0, 24, 48, 72, 120, 168)


def scan(k, n, ramps, c=3.68):
    """The scan as published, with a table of windows by windows."""
    T, p = len(n), k.sum(0) / np.maximum(n.sum(0), 1)
    d, N, t = (n * p - k).sum(1), np.maximum(n.sum(0), 1), np.arange(len(n))
    best = np.full((len(ramps), T), -np.inf)
    for r, L in enumerate(ramps):
        W = (t[None] >= t[:, None]) if L == 0 else np.clip((t[None] - t[:, None] + 1) / L, 0, 1)
        W = W.astype(float)
        U = W @ d
        V = ((W**2 @ n - (W @ n) ** 2 / N) * p * (1 - p)).sum(1)
        ok = (U > 1e-9) & (V > 1e-9)
        best[r, ok] = U[ok] ** 2 / (2 * V[ok])
    gain = best.max(0)
    s = int(gain.argmax())
    inside = np.flatnonzero(gain.max() - gain <= c)
    return s, int(inside[0]), int(inside[-1]), ramps[int(best[:, s].argmax())]


def traffic(rng, rate, labels):
    """Successes and labels for a rate by window, or by window and stratum."""
    n = rng.poisson(labels, rate.shape)
    return rng.binomial(n, rate), n


@pytest.mark.parametrize("seed", range(6))
def test_it_finds_what_the_published_scan_finds(seed) -> None:
    """Steps and ramps, with and without strata, with windows that have no labels."""
    rng = np.random.default_rng(seed)
    length = (0, 48, 120)[seed % 3]
    weight = np.clip((np.arange(300) - 170 + 1) / max(length, 1), 0, 1)[:, None]
    base = np.array([[0.7, 0.85, 0.9]]) if seed % 2 else np.array([[0.8]])
    k, n = traffic(rng, base - 0.12 * weight, rng.choice([0, 2, 6], size=(300, 1)))
    found = locate(k, n, HOURS)
    assert found is not None
    assert (found.index, found.low, found.high, found.ramp) == scan(k, n, HOURS)


def test_one_stratum_is_the_same_as_none() -> None:
    """(windows,) and (windows, 1) give the same answer; so do two equal halves."""
    k, n = traffic(np.random.default_rng(1), np.where(np.arange(90) < 60, 0.85, 0.65), 20)
    assert locate(k, n, (0, 7)) == locate(k[:, None], n[:, None], (0, 7))
    both = np.stack([k, k], 1), np.stack([n, n], 1)
    assert locate(2 * k, 2 * n, (0, 7)) == locate(*both, (0, 7))


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


@given(rows=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=40), c=st.floats(0.5, 6))
def test_whatever_comes_the_answer_is_in_order(rows, c) -> None:
    """Always low <= index <= high inside the windows, rates 0 to 1 or unknown; a wider set holds the narrower."""
    k, n = [min(row) for row in rows], [max(row) for row in rows]
    found, wider = locate(k, n, (0, 3, 8), c), locate(k, n, (0, 3, 8), c + 1)
    assert (found is None) == (wider is None)
    if found is not None and wider is not None:
        assert 0 <= wider.low <= found.low <= found.index <= found.high <= wider.high < len(n)
        assert found.index == wider.index
        assert all(math.isnan(rate) or 0 <= rate <= 1 for rate in (found.before, found.after))


@pytest.mark.parametrize(
    ("k", "n", "ramps", "c"),
    [
        ([1, 2], [3], (0,), 3.68),
        ([3], [2], (0,), 3.68),
        ([1], [np.inf], (0,), 3.68),
        ([1], [2], (), 3.68),
        ([1], [2], (-1,), 3.68),
        ([1], [2], (0,), 0),
        (1, 2, (0,), 3.68),
    ],
)
def test_what_cannot_be_scanned_is_refused(k, n, ramps, c) -> None:
    """Shapes, counts, ramps and widths outside their limits."""
    with pytest.raises(UsageError):
        locate(k, n, ramps, c)
