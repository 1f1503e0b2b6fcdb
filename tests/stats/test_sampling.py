"""Samples are repeatable, in order, without repetition, and fair."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.errors import UsageError
from noria.stats import inclusion_probability, simple_random

sizes = st.integers(0, 300).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n)))


@given(size=sizes, seed=st.integers(0, 2**63))
def test_a_sample_is_repeatable_and_in_order(size, seed) -> None:
    """The same numbers give the same rising positions, each once, inside the range."""
    n, count = size
    drawn = simple_random(n, count, seed)
    assert drawn.tolist() == simple_random(n, count, seed).tolist()
    assert len(drawn) == count
    assert (np.diff(drawn) > 0).all()
    assert ((drawn >= 0) & (drawn < n)).all()


@given(size=sizes, seed=st.integers(0, 2**32))
def test_a_larger_sample_contains_the_smaller_one(size, seed) -> None:
    """Asking for more labels later keeps those already asked for."""
    n, count = size
    assert set(simple_random(n, count, seed).tolist()) <= set(simple_random(n, min(n, count + 5), seed).tolist())


def test_a_sample_stays_the_same_for_years() -> None:
    """Written down once: a new numpy must not draw others."""
    assert simple_random(1000, 8, seed=20_260_101).tolist() == [38, 237, 525, 578, 582, 648, 833, 937]


def test_every_position_and_every_pair_has_the_same_chance() -> None:
    """4,000 draws of 3 out of 10: within four standard errors of 3/10 and of 3/10 · 2/9."""
    together = np.zeros((10, 10))
    for seed in range(4000):
        drawn = simple_random(10, 3, seed)
        together[np.ix_(drawn, drawn)] += 1 / 4000
    for share, expected in ((np.diag(together), 0.3), (together[np.triu_indices(10, 1)], 0.3 * 2 / 9)):
        assert np.abs(share - expected).max() < 4 * math.sqrt(expected * (1 - expected) / 4000)
    assert inclusion_probability(10, 3) == 0.3


def test_nothing_and_everything_can_be_drawn() -> None:
    """Size 0, size n, and none to draw from."""
    assert simple_random(5, 5, 1).tolist() == [0, 1, 2, 3, 4]
    assert simple_random(5, 0, 1).tolist() == []
    assert simple_random(0, 0, 1).tolist() == []
    assert math.isnan(inclusion_probability(0, 0))


@pytest.mark.parametrize(("n", "size", "seed"), [(5, 6, 1), (-1, 0, 1), (5, -1, 1), (5, 2, -1)])
def test_impossible_draws_are_refused(n, size, seed) -> None:
    """More than there are, negative numbers."""
    with pytest.raises(UsageError):
        simple_random(n, size, seed)
