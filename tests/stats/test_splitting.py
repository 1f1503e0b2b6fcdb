"""Sides: nothing leaks, no row changes, whatever comes in whatever portions."""

from __future__ import annotations

import hashlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.stats.splitting import Assigned, SplitPolicy, SplitRow, assign, leaks, side_of

POLICY = SplitPolicy("s")
groups = st.lists(
    st.tuples(st.sampled_from(["account", "near"]), st.sampled_from("abcdef")), max_size=3, unique=True
).map(tuple)
streams = st.lists(st.tuples(st.integers(0, 40), groups), max_size=30).map(
    lambda rows: [SplitRow(f"r{n:02}", time, own) for n, (time, own) in enumerate(sorted(rows))]
)
policies = st.sampled_from(
    [
        SplitPolicy("s", 0.3, 0.3),
        SplitPolicy("t", 0.0, 0.5, fresh_from_ms=25),
        SplitPolicy("s", val_from_ms=10, test_from_ms=20),
        SplitPolicy("s", val_from_ms=10, test_from_ms=20, fresh_from_ms=30),
    ]
)


@given(rows=streams, policy=policies)
def test_nothing_leaks(rows, policy):
    """Whatever the groups, no group has rows on two sides, and fresh rows are newer than all others."""
    assert leaks(rows, assign(rows, policy).sides) == []


@given(rows=streams, policy=policies, cuts=st.lists(st.integers(0, 30), max_size=4))
def test_increments_give_the_sides_of_a_full_run(rows, policy, cuts):
    """Day by day or at once, each row gets the same side, and the groups are known by the same sides."""
    whole = assign(rows, policy)
    sides, known = {}, {}
    bounds = [0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]
    for start, end in itertools.pairwise(bounds):
        part = assign(rows[start:end], policy, known)
        sides |= part.sides
        known = part.groups
    assert (sides, known) == (dict(whole.sides), dict(whole.groups))


@given(rows=streams, late=streams, policy=policies)
def test_what_comes_later_moves_nothing(rows, late, policy):
    """Also rows that come late, with times of the past, leave every side as it was, and leak nothing by groups."""
    first = assign(rows, policy)
    more = [SplitRow(f"late-{row.id}", row.time_ms, row.groups) for row in late]
    second = assign(more, policy, first.groups)
    assert second.groups | first.groups == second.groups
    found = leaks([*rows, *more], {**first.sides, **second.sides})
    assert [leak for leak in found if not leak.what.startswith("time")] == []


def test_groups_that_join_keep_their_sides():
    """A row between a group of train and one of test goes to neither; what comes with it follows the first group."""
    policy = SplitPolicy("s", val_share=0.0, test_share=0.5)
    names = [f"g{n}" for n in range(20)]
    train = next(n for n in names if side_of(("near", n), 0, policy) == "train")
    test = next(n for n in names if side_of(("near", n), 0, policy) == "test")
    rows = [
        SplitRow("a", 1, (("near", train),)),
        SplitRow("b", 2, (("near", test),)),
        SplitRow("c", 3, (("near", train), ("near", test), ("near", "new"))),
        SplitRow("d", 4, (("near", "new"),)),
    ]
    assert dict(assign(rows, policy).sides) == {"a": "train", "b": "test", "c": "none", "d": "train"}


def test_shares_are_kept_and_salts_are_independent():
    """Of many groups the shares are what the policy says, and another salt draws anew."""
    rows = [SplitRow(str(n), 0, (("account", str(n)),)) for n in range(20_000)]
    one, two = assign(rows, SplitPolicy("one")), assign(rows, SplitPolicy("two"))
    for side, share in (("train", 0.8), ("val", 0.1), ("test", 0.1)):
        assert abs(sum(s == side for s in one.sides.values()) / len(rows) - share) < 0.01
    both = sum(one.sides[r.id] == two.sides[r.id] == "test" for r in rows)
    assert abs(both / len(rows) - 0.01) < 0.004


def test_the_hash_is_plain_sha256():
    """Any program can tell a side: the first 8 bytes of sha256 over salt, kind and name as a share."""
    place = int.from_bytes(hashlib.sha256(b"s\0account\0acme").digest()[:8], "big") / 2**64
    expected = "test" if place < 0.1 else "val" if place < 0.2 else "train"
    assert side_of(("account", "acme"), 0, POLICY) == expected


def test_a_split_by_time_goes_by_the_first_sight_of_a_group():
    """An account that was there before the cut stays on its side after it."""
    policy = SplitPolicy("s", val_from_ms=10, test_from_ms=20, fresh_from_ms=30)
    rows = [
        SplitRow("old", 5, (("account", "a"),)),
        SplitRow("val", 10, (("account", "b"),)),
        SplitRow("again", 25, (("account", "a"),)),
        SplitRow("test", 25, (("account", "c"),)),
        SplitRow("fresh", 30, (("account", "a"), ("near", "1"))),
        SplitRow("repeated", 31, (("account", "c"), ("near", "1"))),
    ]
    sides = assign(rows, policy).sides
    assert [sides[r.id] for r in rows] == ["train", "val", "train", "test", "fresh", "fresh"]
    near = [SplitRow("x", 5, (("near", "1"),)), SplitRow("y", 35, (("near", "1"),))]
    assert dict(assign(near, policy).sides) == {"x": "train", "y": "none"}


def test_leaks_are_told_with_group_counts_and_rows():
    """A planted leak of each kind is found."""
    rows = [
        SplitRow("a", 1, (("account", "acme"), ("near", "7"))),
        SplitRow("b", 2, (("account", "acme"),)),
        SplitRow("c", 3, (("near", "7"),)),
        SplitRow("d", 9, ()),
    ]
    found = leaks(rows, {"a": "train", "b": "test", "c": "fresh", "d": "val"})
    assert [leak.what for leak in found] == [
        "account acme",
        "near 7",
        "time: a fresh row is not newer than every other",
    ]
    assert (found[0].sides, found[0].ids) == ({"train": 1, "test": 1}, ("a", "b"))
    assert leaks(rows, {"a": "train", "b": "none", "c": "none", "d": "val"}) == []


@pytest.mark.parametrize("bad", [{"val_share": 0.6, "test_share": 0.6}, {"test_share": -0.1},
                                 {"val_from_ms": 5, "test_from_ms": 4}])  # fmt: skip
def test_a_policy_that_cannot_be_is_refused(bad):
    with pytest.raises(ValueError, match="must"):
        SplitPolicy("s", **bad)


def test_no_rows():
    assert assign([], POLICY) == Assigned({}, {})
    assert leaks([], {}) == []
