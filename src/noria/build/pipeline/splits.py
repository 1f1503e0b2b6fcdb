"""Sides of a feed's clean rows (train, validation, test, fresh): given once, never changed, checked for leaks."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from noria.build.cleaning.narrow import pieces
from noria.build.parsing import to_ms
from noria.build.pipeline.feed import Feed
from noria.errors import DataError, NotFound, Problem, UsageError
from noria.records import DataVersion
from noria.stats.splitting import Group, Side, SplitPolicy, SplitRow, assign, leaks
from noria.stores.lake import Lake

_FRESH_APART = ("near",)


@dataclass(frozen=True, slots=True)
class Sided:
    """The version of the table of sides, and how many rows of the clean table are on each side."""

    version: DataVersion | None
    counts: Mapping[str, int]


def give_sides(lake: Lake, feed: Feed, clean: DataVersion | None, time_ms: int) -> Sided:
    """Puts clean rows that have no side yet on one, in the table `splits/NAME`, and checks that nothing leaks.

    Rows that repeat each other nearly stay together, and rows that share a value of one of the feed's `groups`. A row
    that would tie two sides together is on none. What a deleted row taught about its groups stays.

    Raises:
        DataError: more groups have rows on several sides than the contract allows; nothing was written.
        UsageError: the feed's settings are not those that its sides were made with.
    """
    if feed.split is None or clean is None:
        return Sided(None, {})
    policy, groups = _policy(feed), feed.split.groups
    before, known = _read(lake, feed, policy)
    _, batches = lake.scan_table("clean", feed.name, clean.version, columns=["id", "time_ms", "near_of", *groups])
    rows = pa.Table.from_batches(list(pieces(batches)))
    roots = _roots(rows)
    old = pc.is_in(rows["id"], value_set=known["id"].combine_chunks())
    fresh = _split_rows(rows.filter(pc.invert(old)), groups, roots)
    sides = dict(zip(known["id"].to_pylist(), known["side"].to_pylist(), strict=True))
    # By the rows as they are now: an older row that came late is the first of its like.
    alike = {("near", roots.get(i, i)): sides[i] for i in [*roots, *roots.values()] if sides.get(i, "none") != "none"}
    made = assign(fresh, policy, alike | _known_groups(known, groups, fresh))
    sides |= made.sides
    _check(feed, rows, roots, fresh, sides)
    counts = Counter(sides[i] for i in rows["id"].to_pylist())
    version = _write(lake, feed, before, fresh, made.sides, clean, time_ms, _made_with(feed, policy))
    return Sided(version, {f"side_{side}": n for side, n in sorted(counts.items())})


def _policy(feed: Feed) -> SplitPolicy:
    split = feed.split
    assert split is not None  # noqa: S101 - the caller looked
    val, test, fresh = (to_ms(at) if at else None for at in (split.val_from, split.test_from, split.fresh_from))
    try:
        return SplitPolicy(split.salt or feed.name, split.val_share, split.test_share, val, test, fresh)
    except ValueError as error:
        raise UsageError(f"feed {feed.name} [split]: {error}") from None


def _schema(feed: Feed) -> pa.Schema:
    groups = feed.split.groups if feed.split else ()
    names = ("id", "side", "near", *(f"group_{g}" for g in groups))
    return pa.schema([*((n, pa.string()) for n in names), ("time_ms", pa.int64())])


def _made_with(feed: Feed, policy: SplitPolicy) -> str:
    assert feed.split is not None  # noqa: S101 - the caller looked
    return json.dumps({**asdict(policy), "groups": feed.split.groups}, sort_keys=True)


def _read(lake: Lake, feed: Feed, policy: SplitPolicy) -> tuple[DataVersion, pa.Table]:
    """The sides so far."""
    schema = _schema(feed)
    try:
        newest = lake.commits("splits", feed.name)[0]
        note: Any = newest.facts.get("note", {})
        if note.get("policy") != _made_with(feed, policy):
            raise UsageError(
                f"feed {feed.name} [split] is not what its sides were made with, and a row never changes its side: "
                "take the settings back, or make another feed."
            )
        version, table = lake.read_table("splits", feed.name, columns=schema.names)
    except NotFound:
        return DataVersion("splits", feed.name, 0, 0, ""), schema.empty_table()
    return version, table.cast(schema)


def _roots(rows: pa.Table) -> dict[str, str]:
    """Of rows that nearly repeat an earlier one, the first of their chain."""
    held = rows.filter(pc.is_valid(rows["near_of"]))
    before = dict(zip(held["id"].to_pylist(), held["near_of"].to_pylist(), strict=True))
    roots = {}
    for row in before:
        at, seen = row, {row}
        while at in before and before[at] not in seen:
            at = before[at]
            seen.add(at)
        roots[row] = at
    return roots


def _split_rows(rows: pa.Table, groups: Iterable[str], roots: Mapping[str, str]) -> list[SplitRow]:
    names = list(groups)
    columns = [pc.cast(rows[g], pa.string()).to_pylist() for g in names]
    times = pc.fill_null(rows["time_ms"], 0).to_pylist()
    made = []
    for at, id_ in enumerate(rows["id"].to_pylist()):
        own = [(n, c[at]) for n, c in zip(names, columns, strict=True) if c[at] is not None]
        made.append(SplitRow(id_, times[at], (("near", roots.get(id_, id_)), *own)))
    return made


def _known_groups(known: pa.Table, groups: Iterable[str], fresh: Iterable[SplitRow]) -> dict[Group, Side]:
    """The sides of the groups that fresh rows belong to."""
    wanted: dict[str, set[str]] = {}
    for row in fresh:
        for kind, name in row.groups:
            wanted.setdefault(kind, set()).add(name)
    found: dict[Group, Side] = {}
    settled = known.filter(pc.not_equal(known["side"], "none"))
    for kind in ("near", *groups):
        column = "near" if kind == "near" else f"group_{kind}"
        rows = settled.filter(pc.is_in(settled[column], value_set=pa.array(sorted(wanted.get(kind, ())), pa.string())))
        for name, side in zip(rows[column].to_pylist(), rows["side"].to_pylist(), strict=True):
            if side != "fresh" or kind in _FRESH_APART:
                found.setdefault((kind, name), side)
    return found


def _check(
    feed: Feed, rows: pa.Table, roots: Mapping[str, str], fresh: list[SplitRow], sides: Mapping[str, Side]
) -> None:
    """Looks at all rows that share a group with a fresh one, and at all near duplicates.

    Raises:
        DataError: too many groups leak.
    """
    assert feed.split is not None  # noqa: S101 - the caller looked
    looked = pc.is_in(rows["id"], value_set=pa.array([*roots, *roots.values()], pa.string()))
    for column in feed.split.groups:
        names = {name for row in fresh for kind, name in row.groups if kind == column}
        among = pa.array(sorted(names), pa.string())
        looked = pc.or_(looked, pc.is_in(pc.cast(rows[column], pa.string()), value_set=among))
    told = _split_rows(rows.filter(looked), feed.split.groups, roots)
    found = leaks(told, sides, fresh_apart=_FRESH_APART)
    if len(found) > feed.contract.max_leaks:
        where = f"splits/{feed.name}"
        problems = [
            Problem(
                where, None, None, f"{leak.what} has rows on several sides {dict(leak.sides)}: {', '.join(leak.ids)}."
            )
            for leak in found[:10]
        ]
        raise DataError(
            problems,
            f"{len(found)} groups leak between sides, the contract allows {feed.contract.max_leaks}; nothing was "
            "published. Rows that were taken for unlike turned out to be alike: look at them, then raise max_leaks.",
        )


def _write(
    lake: Lake, feed: Feed, before: DataVersion, fresh: list[SplitRow], sides: Mapping[str, Side], clean: DataVersion,
    time_ms: int, policy: str,
) -> DataVersion:  # fmt: skip
    if not fresh:
        return before
    schema = _schema(feed)
    columns: dict[str, list[Any]] = {name: [] for name in schema.names}
    for row in fresh:
        of = dict(row.groups)
        columns["id"].append(row.id)
        columns["side"].append(sides[row.id])
        columns["time_ms"].append(row.time_ms)
        columns["near"].append(of["near"])
        for name in schema.names:
            if name.startswith("group_"):
                columns[name].append(of.get(name.removeprefix("group_")))
    note = {"feed": feed.name, "policy": policy}
    return lake.write_table(
        "splits", feed.name, pa.table(columns, schema=schema), mode="append", keys=("id",), note=note,
        time_ms=time_ms, inputs=(clean,), expect=before,
    ).version  # fmt: skip


def forget_sides(lake: Lake, feed: Feed, ids: pa.Array, time_ms: int) -> int:
    """Takes rows out of the table of sides, for an erasure; how many."""
    try:
        version, table = lake.read_table("splits", feed.name)
    except NotFound:
        return 0
    rest = table.filter(pc.invert(pc.is_in(table["id"], value_set=ids)))
    if len(rest) == len(table):
        return 0
    note = {**lake.commits("splits", feed.name)[0].facts.get("note", {}), "erasure": "rows of one person"}  # type: ignore[dict-item]
    lake.write_table("splits", feed.name, rest, mode="replace", note=note, time_ms=time_ms, expect=version)
    return len(table) - len(rest)
