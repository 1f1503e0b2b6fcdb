"""Draws with known chances: the budget is kept, nobody is left out, and anyone can throw the coins again."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.errors import UsageError
from noria.stats.design import chances, coins, floor_of, folds, spread_out, uncertainty

populations = st.lists(st.floats(0, 1), min_size=1, max_size=60)


@given(f=populations, part=st.floats(0.001, 1.5), floor_share=st.floats(0.01, 1))
def test_chances_add_up_to_the_budget_and_keep_the_floor(f, part, floor_share) -> None:
    """The sum is the expected number of labels, every chance lies between the floor and 1."""
    expected = part * len(f)
    pi = chances(uncertainty(f), expected, floor_share)
    assert pi.sum() == pytest.approx(min(expected, len(f)))
    assert (pi >= floor_of(expected, len(f), floor_share) - 1e-12).all()
    assert (pi <= 1).all()


@given(f=populations, part=st.floats(0.001, 0.99))
def test_the_less_certain_are_likelier_to_be_drawn(f, part) -> None:
    """Chances rise with uncertainty, and equal uncertainty has equal chances, also at the cap of 1."""
    u = uncertainty(f)
    pi = chances(u, part * len(f))
    order = np.argsort(u, kind="stable")
    assert (np.diff(pi[order]) >= -1e-12).all()


def test_without_a_cap_the_chances_are_the_formula() -> None:
    """Chances are n [0.8 u / sum u + 0.2 / N], worked by hand."""
    u = np.array([0.1, 0.2, 0.3, 0.4])
    assert chances(u, 1.5) == pytest.approx(1.5 * (0.8 * u / u.sum() + 0.2 / 4))


@pytest.mark.parametrize(("u", "expected", "floor_share"), [([0.1], 0, 0.2), ([0.1], 1, 0), ([0.0, 0.1], 1, 0.2)])
def test_a_design_that_leaves_someone_out_is_refused(u, expected, floor_share) -> None:
    """No labels, no floor, no uncertainty."""
    with pytest.raises(UsageError):
        chances(u, expected, floor_share)


def test_a_coin_can_be_thrown_again_by_anyone() -> None:
    """The first 53 bits of the sha256 of seed, purpose and key; golden, so that old tasks stay checkable."""
    digest = hashlib.sha256(b"7/draw/p1").hexdigest()
    assert coins(["p1"], 7)[0] == int(digest[:14], 16) // 8 / 2**53
    assert coins(["p00001", "p00002"], 20_260_101).tolist() == [0.885214968154194, 0.9680584689007457]


def test_a_coin_depends_on_nothing_else() -> None:
    """Order and company do not matter; seed and purpose do."""
    keys = [f"p{i}" for i in range(50)]
    assert coins(keys[::-1], 1).tolist() == coins(keys, 1).tolist()[::-1]
    assert not np.isin(coins(keys, 1), np.concatenate([coins(keys, 2), coins(keys, 1, "blind")])).any()


def test_coins_are_even_and_independent() -> None:
    """20,000 coins: mean and correlation with another purpose within four standard errors."""
    keys = [f"p{i}" for i in range(20_000)]
    a, b = coins(keys, 3), coins(keys, 3, "blind")
    assert abs(a.mean() - 0.5) < 4 / np.sqrt(12 * 20_000)
    assert abs(np.corrcoef(a, b)[0, 1]) < 4 / np.sqrt(20_000)
    assert np.bincount(folds(keys, 5)).min() > 3_700


def test_a_small_coin_is_the_uniform_part() -> None:
    """Coins below the floor pick everybody alike: over 3,000 seeds, sure and unsure ones equally often."""
    pi = chances(uncertainty([0.5, 0.99, 0.9, 0.999]), 1.0)
    floor = floor_of(1.0, 4)
    thrown = np.array([coins(["a", "b", "c", "d"], seed) for seed in range(3_000)])
    assert np.abs((thrown < floor).mean(axis=0) - 0.05).max() < 4 * np.sqrt(0.05 * 0.95 / 3_000)
    assert np.abs((thrown < pi).mean(axis=0) - pi).max() < 4 * np.sqrt(0.25 / 3_000)


def test_what_is_chosen_to_explore_is_unlike() -> None:
    """The highest first, then the next that says something else; a near copy is passed over."""
    texts = ["my badge is lost", "my badge is lost again", "order a screen", "", "ORDER a SCREEN"]
    assert spread_out([5, 4, 3, 2, 1], texts, 3) == [0, 2, 3]
    assert spread_out([5, 4, 3, 2, 1], texts, 10) == [0, 2, 3]
    assert spread_out([], [], 3) == []
