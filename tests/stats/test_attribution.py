"""A change of a rate is split exactly into mix and within, and names what changed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.stats.attribution import split_change
from noria.stats.mergeable import rate_sums

SIDE = st.dictionaries(
    st.sampled_from("abcde"),
    st.lists(st.tuples(st.booleans(), st.sampled_from([0.1, 0.4, 1.0])), min_size=1, max_size=30),
    min_size=1,
)


def sums(side):
    return {name: rate_sums([g for g, _ in rows], [c for _, c in rows]).sum(axis=0) for name, rows in side.items()}


def made(**rows):
    """Slice → (right, all), every label with the chance 1."""
    return {name: rate_sums([1] * k + [0] * (n - k), [1.0] * n).sum(axis=0) for name, (k, n) in rows.items()}


@given(SIDE, SIDE)
def test_mix_and_within_add_up_to_the_change(before, after):
    split = split_change(sums(before), sums(after))
    every = [row for side in (before, after) for rows in side.values() for row in rows]
    assert every
    assert split.mix + split.within == pytest.approx(split.after - split.before, abs=1e-12)
    assert sum(p.mix + p.within for p in split.parts.values()) == pytest.approx(split.after - split.before, abs=1e-12)
    assert sum(p.share_before for p in split.parts.values()) == pytest.approx(1)
    for side, rate in ((before, split.before), (after, split.after)):
        weight = {c: 1 / c for c in (0.1, 0.4, 1.0)}
        good = sum(weight[c] for rows in side.values() for g, c in rows if g)
        assert rate == pytest.approx(good / sum(weight[c] for rows in side.values() for _, c in rows))


def test_the_split_is_the_shapley_value():
    """Against the mean over all orders in which shares and each slice's rate may change."""
    import itertools

    before, after = made(a=(30, 50), b=(45, 50), c=(5, 20)), made(a=(10, 40), b=(20, 25), c=(30, 60))
    shares = [np.array([s[n][2] for n in "abc"]) for s in (before, after)]
    rates = [np.array([s[n][3] / s[n][2] for n in "abc"]) for s in (before, after)]
    shares = [s / s.sum() for s in shares]
    value = dict.fromkeys(["mix", 0, 1, 2], 0.0)
    orders = list(itertools.permutations(["mix", 0, 1, 2]))
    for order in orders:
        share, rate = shares[0].copy(), rates[0].copy()
        for player in order:
            was = share @ rate
            if player == "mix":
                share = shares[1].copy()
            else:
                rate[player] = rates[1][player]
            value[player] += (share @ rate - was) / len(orders)
    split = split_change(before, after)
    assert split.mix == pytest.approx(value["mix"])
    assert [split.parts[n].within for n in "abc"] == pytest.approx([value[0], value[1], value[2]])


def test_a_pure_shift_of_the_mix_is_no_slice_getting_worse():
    split = split_change(made(easy=(90, 100), hard=(20, 50)), made(easy=(45, 50), hard=(40, 100)))
    assert split.within == pytest.approx(0)
    assert split.mix == pytest.approx(split.after - split.before)
    assert split.parts["hard"].mix < 0
    assert split.parts["easy"].mix < 0  # less of what goes well lowers the rate as well


def test_the_slice_that_broke_stands_out():
    before = made(vpn=(90, 100), printer=(85, 100), phone=(80, 100))
    split = split_change(before, made(vpn=(40, 100), printer=(83, 100), phone=(82, 100)))
    assert min(split.parts, key=lambda n: split.parts[n].within) == "vpn"
    assert split.parts["vpn"].z < -5
    assert abs(split.parts["printer"].z) < 1


def test_a_new_slice_is_mix_and_no_labels_no_split():
    split = split_change(made(old=(90, 100)), made(old=(90, 100), new=(0, 50)))
    assert split.parts["new"].within == 0
    assert split.parts["new"].mix < 0
    assert np.isnan(split.parts["new"].before)
    assert split_change({}, made(old=(1, 2))) is None


def test_a_handful_of_labels_proves_nothing():
    split = split_change(made(few=(3, 3), many=(90, 100)), made(few=(0, 3), many=(90, 100)))
    assert split.parts["few"].within < 0
    assert split.parts["few"].z > -3


def test_a_change_that_is_the_same_everywhere_is_nobodys():
    same = split_change(made(a=(90, 100), b=(90, 100), c=(90, 100)), made(a=(70, 100), b=(70, 100), c=(70, 100)))
    assert all(p.z < -3 for p in same.parts.values())
    assert all(p.apart == pytest.approx(0, abs=0.3) for p in same.parts.values())
    one = split_change(made(a=(90, 100), b=(90, 100), c=(90, 100)), made(a=(30, 100), b=(90, 100), c=(90, 100)))
    assert one.parts["a"].apart < -5
    assert one.parts["b"].apart > 0
