"""Groups of like texts: cut, identity, phrases, trend."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from scipy.spatial.distance import pdist

from noria.errors import UsageError
from noria.stats.grouping import choose_cut, distances, groups, key_phrases, same_groups, trend


def blobs(seed: int, sizes: tuple[int, ...], spread: float = 0.15) -> tuple[np.ndarray, list[str]]:
    """Unit vectors around far centres, and the centre of each."""
    rng = np.random.default_rng(seed)
    centres = np.linalg.qr(rng.normal(size=(16, 16)))[0]
    rows, kinds = [], []
    for kind, size in enumerate(sizes):
        for _ in range(size):
            row = centres[kind] + rng.normal(size=16) * spread
            rows.append(row / np.linalg.norm(row))
            kinds.append(f"k{kind}")
    return np.array(rows), kinds


def test_distances_are_scipys_cosine_distances():
    vectors, _ = blobs(1, (4, 5))
    np.testing.assert_allclose(distances(vectors), pdist(vectors, "cosine"), atol=1e-12)


def test_the_cut_learnt_on_known_kinds_finds_unknown_kinds():
    known, kinds = blobs(2, (20, 20, 20, 20))
    cut = choose_cut(distances(known), kinds)
    unknown, truth = blobs(3, (30, 12, 7))
    found = groups(distances(unknown), cut)
    assert [int((found == g).sum()) for g in range(3)] == [30, 12, 7], "numbered by size"
    for group in range(3):
        assert len({k for k, g in zip(truth, found, strict=True) if g == group}) == 1


def test_one_kind_alone_is_refused_and_so_are_kinds_that_do_not_fit():
    vectors, _ = blobs(1, (4,))
    with pytest.raises(UsageError, match="two or more"):
        choose_cut(distances(vectors), ["a"] * 4)
    with pytest.raises(UsageError, match="do not fit"):
        choose_cut(distances(vectors), ["a"] * 3)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000))
def test_the_order_of_rows_does_not_change_who_is_together(seed):
    vectors, _ = blobs(seed, (6, 5, 4), 0.4)
    order = np.random.default_rng(seed).permutation(len(vectors))
    one, other = groups(distances(vectors), 0.5), groups(distances(vectors[order]), 0.5)
    together = one[:, None] == one[None, :]
    assert (together[np.ix_(order, order)] == (other[:, None] == other[None, :])).all()


def test_nothing_and_a_single_row_make_no_group():
    assert groups(np.zeros(0), 0.5).size == 0


def test_a_group_keeps_its_name_when_members_come_and_go():
    kept, taken = same_groups({"a": ["1", "2", "3"], "b": ["7", "8"]}, [["8", "9", "7"], ["3", "4", "5", "2"]])
    assert kept == {0: "b", 1: "a"}
    assert taken == {}


def test_of_a_split_the_larger_part_keeps_the_name():
    kept, _ = same_groups({"a": list("abcdef")}, [["a", "b"], ["c", "d", "e", "f"]])
    assert kept == {1: "a"}


def test_of_a_union_the_larger_one_keeps_its_name_and_the_other_is_told_to_be_taken_in():
    kept, taken = same_groups({"small": ["1", "2"], "large": ["3", "4", "5"]}, [["1", "2", "3", "4", "5"]])
    assert kept == {0: "large"}
    assert taken == {"small": "large"}


def test_a_chance_member_is_no_identity():
    assert same_groups({"a": list("abcdefghij")}, [["a", *"0123456789"]]) == ({}, {})


names = st.dictionaries(st.sampled_from("abcd"), st.lists(st.integers(0, 30), unique=True, max_size=10), max_size=4)


@given(names, st.lists(st.lists(st.integers(0, 30), unique=True, max_size=10), max_size=5))
def test_no_two_groups_bear_one_name_and_the_same_groups_keep_theirs(before, now):
    old = {name: [str(m) for m in members] for name, members in before.items()}
    new = [[str(m) for m in members] for members in now]
    kept, taken = same_groups(old, new)
    assert len(set(kept.values())) == len(kept)
    assert not set(taken) & set(kept.values())
    disjoint: dict[str, list[str]] = {}
    used: set[str] = set()
    for name, members in old.items():
        disjoint[name] = [m for m in members if m not in used]
        used |= set(members)
    order = [name for name in disjoint if disjoint[name]]
    assert same_groups(disjoint, [disjoint[name] for name in order])[0] == dict(enumerate(order))


def test_phrases_tell_what_the_group_says_and_others_do_not():
    group = ["my badge does not open the door", "badge reader is broken", "new badge please", "the badge is lost"]
    rest = ["my vpn does not work", "the printer is broken", "please reset my password", "new laptop please"] * 10
    assert key_phrases(group, rest)[0] == "badge"


def test_a_pair_of_words_stands_for_its_words_and_a_single_text_for_nothing():
    group = ["order a parking permit", "parking permit for monday", "lost my parking permit", "zebra"]
    phrases = key_phrases(group, ["order a laptop", "lost my phone", "monday is free"] * 5)
    assert phrases[0] in ("parking permit", "parking", "permit")
    assert len({w for p in phrases for w in p.split()}) == sum(len(p.split()) for p in phrases)
    assert "zebra" not in phrases


def test_texts_without_words_have_no_phrases():
    assert key_phrases(["!!!", "???"], ["vpn"]) == ()
    assert key_phrases([], []) == ()


def test_the_trend_is_the_exact_conditional_interval():
    found = trend(30, 10)
    exact = scipy_stats.binomtest(30, 40).proportion_ci(method="exact")
    assert found.low == pytest.approx(exact.low / (1 - exact.low))
    assert found.high == pytest.approx(exact.high / (1 - exact.high))
    assert (found.ratio, found.direction) == (3, "growing")


def test_twice_as_much_in_twice_the_traffic_is_no_trend():
    assert trend(40, 20, exposure=2.0).direction == "steady"
    assert trend(40, 20).direction == "growing"
    assert trend(10, 30).direction == "shrinking"
    assert trend(5, 0).direction == "new"
    assert math.isnan(trend(0, 0).ratio)


def test_a_steady_stream_is_rarely_called_a_trend():
    rng = np.random.default_rng(5)
    calls = [trend(int(a), int(b)).direction for a, b in rng.poisson(20, (2000, 2))]
    assert np.mean([c != "steady" for c in calls]) <= 0.05
