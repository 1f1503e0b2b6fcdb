"""The cheapest cut, by trying all cuts; ramps both ways; the beginning of a new kind of query."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from noria.errors import UsageError
from noria.stats import locate
from noria.stats.detection.vectors import halves
from noria.stats.inception.onset import onset
from noria.stats.inception.partition import lines, partition, rates, squares
from noria.stats.inception.vectors import best_cut, locate_vectors


def total(cost, cuts, n, penalty):
    """Cost of one way to cut."""
    edges = [0, *cuts, n]
    return sum(float(cost(np.array([a]), b)[0]) for a, b in itertools.pairwise(edges)) + penalty * len(cuts)


@settings(max_examples=60, deadline=None)
@given(
    values=st.lists(st.integers(0, 6), min_size=4, max_size=9),
    penalty=st.floats(0.5, 8),
    shortest=st.integers(1, 3),
    kind=st.sampled_from(["level", "line", "rate"]),
)
def test_no_other_cut_is_cheaper(values, penalty, shortest, kind):
    """Every way to cut up to nine values, for each cost, pruned or not."""
    x, n = np.array(values, dtype=float), len(values)
    cost = {
        "level": squares(x[:, None]),
        "line": lines(x, np.ones(n)),
        "rate": rates(x[:, None], np.full((n, 1), 6.0)),
    }[kind]
    every = (
        cuts
        for size in range(n)
        for cuts in itertools.combinations(range(1, n), size)
        if all(b - a >= shortest for a, b in itertools.pairwise([0, *cuts, n]))
    )
    least = min(total(cost, cuts, n, penalty) for cuts in every)
    found = partition(cost, n, penalty, shortest)
    assert total(cost, found, n, penalty) == pytest.approx(least, abs=1e-6)


def test_a_line_costs_what_a_fit_leaves():
    rng = np.random.default_rng(0)
    y, t = rng.normal(size=30), np.arange(30)
    left = y[4:25] - np.polyval(np.polyfit(t[4:25], y[4:25], 1), t[4:25])
    assert lines(y, np.ones(30))(np.array([4]), 25)[0] == pytest.approx((left**2).sum())


def test_nothing_to_cut_and_wrong_settings():
    assert partition(squares(np.zeros((0, 1))), 0, 1.0) == ()
    with pytest.raises(UsageError):
        partition(squares(np.zeros((3, 1))), 3, -1.0)


def test_rises_are_found_when_asked_for():
    """A rise is no drop; "up" finds it where the mirrored drop is, "both" finds either."""
    k, n = np.array([4] * 30 + [10] * 30), np.full(60, 20)
    up, mirrored = locate(k, n, (0, 5), direction="up"), locate(n - k, n, (0, 5))
    assert up is not None
    assert mirrored is not None
    assert (up.index, up.low, up.high) == (mirrored.index, mirrored.low, mirrored.high)
    assert up.index == 30
    assert locate(k, n, (0, 5)) is None
    assert locate(k, n, (0, 5), direction="both") == up


def test_the_shape_is_told_where_the_data_tell_it():
    """A sharp step is sudden; a long ramp with many labels gradual; few labels leave it open."""
    n = np.full(200, 400)
    step = np.where(np.arange(200) < 100, 0.8, 0.6)
    ramp = 0.8 - 0.2 * np.clip((np.arange(200) - 70) / 60, 0, 1)
    found = [locate(np.round(rate * n), n, (0, 24, 48, 72)) for rate in (step, ramp)]
    assert [f.shape for f in found if f] == ["sudden", "gradual"]
    rng = np.random.default_rng(0)
    few = locate(rng.binomial(2, step), np.full(200, 2), (0, 24, 48, 72))
    assert few is not None
    assert few.shape == "either"


@pytest.mark.parametrize("length", [1, 60])
def test_a_new_kind_of_query_is_placed(length):
    """A twelfth of queries from elsewhere, at once or over 60 hours: near the set, within half a day in the median."""
    errors = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        hour = np.repeat(np.arange(300), 40)
        share = 0.08 * np.clip((hour - 150 + 1) / length, 0, 1)
        vectors = rng.normal(size=(len(hour), 24)) + 3.0 * (rng.random(len(hour)) < share)[:, None]
        found = locate_vectors(vectors, hour, halves(rng.normal(size=(4000, 24))))
        assert found is not None
        errors.append(abs(found.index - 150))
        assert found.low - 3 <= 150 <= found.high + 3
    assert np.median(errors) <= (2 if length == 1 else 8)


def test_no_queries_no_cut():
    assert best_cut(np.zeros((0, 2)), np.zeros(0, dtype=np.int64), 3) is None
    assert locate_vectors(np.zeros((0, 2)), [], halves(np.random.default_rng(0).normal(size=(80, 2)))) is None


def test_the_beginning_of_something_rare_is_held_by_its_set():
    """From one in 500 to 6 % over five days or at once, 60 queries an hour: held in 95 of 100, most within 6 hours."""
    for length in (1, 120):
        held, errors = [], []
        for seed in range(25):
            rng = np.random.default_rng(seed)
            share = 0.002 + 0.06 * np.clip((np.arange(220) - 90 + 1) / length, 0, 1)
            found = onset(rng.binomial(60, share), np.full(220, 60), chance=0.002, ramps=(0, 48, 96, 120, 144))
            assert found is not None
            held.append(found.low <= 90 <= found.high)
            errors.append(abs(found.index - 90))
        assert np.mean(held) >= 0.95
        assert np.median(errors) <= (1 if length == 1 else 6)


def test_a_beginning_of_nothing_is_none():
    assert onset([0, 0, 0], [5, 5, 5], chance=0.01) is None
    for wrong in ({"k": [3]}, {"chance": 0.0}, {"ramps": ()}):
        with pytest.raises(UsageError):
            onset(**{"k": [1], "n": [2], "chance": 0.1, **wrong})
