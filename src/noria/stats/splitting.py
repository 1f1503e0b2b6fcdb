"""Which rows learn, choose and judge: sides that leak nothing to each other and that no row ever changes.

Rows are taken one by one in order of time. A row goes where the groups go that it belongs to (its account, its
requester, its near duplicates); groups that nobody has seen go by time, or by a salted hash of the group. So a year of
daily increments gives the same sides as one run over the whole year, and a side stays when data grow.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Side = Literal["train", "val", "test", "fresh", "none"]
Group = tuple[str, str]
"""Kind and name: ("account", "acme"), ("near", "17")."""


@dataclass(frozen=True, slots=True)
class SplitRow:
    """A row to be put on a side.

    time_ms: when it came, UTC milliseconds. groups: whom it must not be parted from, the most telling first; without
    any it is a group of its own.
    """

    id: str
    time_ms: int
    groups: tuple[Group, ...] = ()


@dataclass(frozen=True, slots=True)
class SplitPolicy:
    """How sides are chosen. A policy is never changed: another salt, share or time makes another split.

    Args:
        salt: makes splits of one table independent of each other.
        val_share: of the groups, 0 to 1.
        test_share: of the groups, 0 to 1.
        val_from_ms: groups first seen from then on are validation; with `test_from_ms`, instead of shares.
        test_from_ms: groups first seen from then on are test.
        fresh_from_ms: rows from then on are fresh, or on no side where they repeat an earlier one.
        fresh_apart: kinds of groups that a fresh row must not share with another side. Others, such as the account,
            it shares by nature: the same people come again.
    """

    salt: str
    val_share: float = 0.1
    test_share: float = 0.1
    val_from_ms: int | None = None
    test_from_ms: int | None = None
    fresh_from_ms: int | None = None
    fresh_apart: tuple[str, ...] = ("near",)

    def __post_init__(self) -> None:
        """Raises ValueError for shares that are none and for times in the wrong order."""
        if not (0 <= self.val_share <= 1 and 0 <= self.test_share <= 1 and self.val_share + self.test_share <= 1):
            raise ValueError(f"shares must be 0 to 1 together, not {self.val_share} and {self.test_share}.")
        times = [t for t in (self.val_from_ms, self.test_from_ms, self.fresh_from_ms) if t is not None]
        if times != sorted(times):
            raise ValueError("validation must begin before test, and test before fresh.")


@dataclass(frozen=True, slots=True)
class Assigned:
    """The sides of rows by id, and of all groups that are known now; keep `groups` for the next increment."""

    sides: Mapping[str, Side]
    groups: Mapping[Group, Side] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Leak:
    """A group with rows on several sides, or a side with rows from a time that is another's; with rows to look at."""

    what: str
    sides: Mapping[Side, int]
    ids: tuple[str, ...]


def assign(rows: Iterable[SplitRow], policy: SplitPolicy, known: Mapping[Group, Side] | None = None) -> Assigned:
    """Puts rows on sides.

    A row that belongs to groups of different sides would carry one side's content into the other, so it goes to none;
    its other groups go with the first of its groups.

    Args:
        rows: in any order; taken in order of time, then id.
        policy: how groups are put on sides.
        known: the sides of groups from earlier increments, which stay.

    >>> policy = SplitPolicy("it", val_share=0.5, test_share=0.5)
    >>> first = assign([SplitRow("a", 1, (("near", "g1"),))], policy)
    >>> later = assign([SplitRow("b", 2, (("near", "g1"),))], policy, first.groups)
    >>> later.sides["b"] == first.sides["a"]
    True
    """
    groups: dict[Group, Side] = dict(known or {})
    sides: dict[str, Side] = {}
    for row in sorted(rows, key=lambda row: (row.time_ms, row.id)):
        own = row.groups or (("row", row.id),)
        fresh = policy.fresh_from_ms is not None and row.time_ms >= policy.fresh_from_ms
        if fresh:
            own = tuple(group for group in own if group[0] in policy.fresh_apart) or (("row", row.id),)
        met = [groups[group] for group in own if group in groups]
        home: Side = met[0] if met else "fresh" if fresh else side_of(own[0], row.time_ms, policy)
        for group in own:
            groups.setdefault(group, home)
        apart = len(set(met)) > 1 or (fresh and home != "fresh")
        sides[row.id] = "none" if apart else home
    return Assigned(sides, groups)


def side_of(group: Group, time_ms: int, policy: SplitPolicy) -> Side:
    """The side of a group that nobody has seen before `time_ms`.

    >>> side_of(("near", "g1"), 5, SplitPolicy("it", test_from_ms=4))
    'test'
    """
    if policy.val_from_ms is not None or policy.test_from_ms is not None:
        if policy.test_from_ms is not None and time_ms >= policy.test_from_ms:
            return "test"
        return "val" if policy.val_from_ms is not None and time_ms >= policy.val_from_ms else "train"
    text = "\0".join((policy.salt, *group))
    place = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / 2**64
    if place < policy.test_share:
        return "test"
    return "val" if place < policy.test_share + policy.val_share else "train"


def leaks(
    rows: Sequence[SplitRow], sides: Mapping[str, Side], *, fresh_apart: Sequence[str] = ("near",), at_most: int = 5
) -> list[Leak]:
    """What one side could know of another: groups with rows on several sides, and fresh rows older than those others.

    Args:
        rows: all of them.
        sides: by id; rows on "none" or not named leak nothing.
        fresh_apart: kinds of groups that fresh rows must not share.
        at_most: ids that a finding shows.

    >>> rows = [SplitRow("a", 1, (("near", "g1"),)), SplitRow("b", 2, (("near", "g1"),))]
    >>> [leak.ids for leak in leaks(rows, {"a": "train", "b": "test"})]
    [('a', 'b')]
    """
    seen: dict[Group, dict[Side, list[str]]] = defaultdict(lambda: defaultdict(list))
    newest, oldest_fresh = None, None
    for row in rows:
        side = sides.get(row.id, "none")
        if side == "none":
            continue
        if side == "fresh":
            oldest_fresh = row if oldest_fresh is None or row.time_ms < oldest_fresh.time_ms else oldest_fresh
        else:
            newest = row if newest is None or row.time_ms > newest.time_ms else newest
        for group in row.groups:
            if side != "fresh" or group[0] in fresh_apart:
                seen[group][side].append(row.id)
    found = [
        Leak(f"{kind} {name}", {s: len(ids) for s, ids in held.items()}, _shown(held.values(), at_most))
        for (kind, name), held in sorted(seen.items())
        if len(held) > 1
    ]
    if newest is not None and oldest_fresh is not None and newest.time_ms >= oldest_fresh.time_ms:
        told: dict[Side, int] = {"fresh": 1, sides[newest.id]: 1}
        found.append(Leak("time: a fresh row is not newer than every other", told, (oldest_fresh.id, newest.id)))
    return found


def _shown(held: Iterable[Sequence[str]], at_most: int) -> tuple[str, ...]:
    """Ids of every side in turn, so that a finding shows at least one of each."""
    columns = [list(ids) for ids in held]
    turns = (ids[n] for n in range(max(map(len, columns))) for ids in columns if n < len(ids))
    return tuple(id_ for id_, _ in zip(turns, range(at_most), strict=False))
