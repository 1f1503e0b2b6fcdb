"""Groups that are found anew each time keep the identity of those that held the same members before."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence


def same_groups(
    before: Mapping[str, Collection[str]], now: Sequence[Collection[str]], *, share: float = 0.3
) -> tuple[dict[int, str], dict[str, str]]:
    """(position → name it keeps, name → name that took it in), by shared members.

    Pairs are matched one to one, those with most members in common first. A group that split gives its name to the
    part with most of its members; of several that grew together the one with most members there keeps its name, and
    the others are told to have been taken in.

    Args:
        before: name → members, of earlier groups.
        now: members of each group found now.
        share: least part of the smaller of the two that must be in common (0 to 1).

    >>> same_groups({"a": ["1", "2", "3"], "b": ["4"]}, [["2", "3", "4", "5"]])
    ({0: 'a'}, {'b': 'a'})
    """
    held: dict[str, list[str]] = {}
    for name in sorted(before):
        for member in before[name]:
            held.setdefault(member, []).append(name)
    common: dict[tuple[str, int], int] = {}
    for position, members in enumerate(now):
        for member in members:
            for name in held.get(member, ()):
                common[name, position] = common.get((name, position), 0) + 1
    pairs = sorted(
        (
            (count, name, position)
            for (name, position), count in common.items()
            if count >= share * min(len(before[name]), len(now[position]))
        ),
        key=lambda pair: (-pair[0], pair[1], pair[2]),
    )
    kept: dict[int, str] = {}
    used: set[str] = set()
    for _, name, position in pairs:
        if name not in used and position not in kept:
            kept[position] = name
            used.add(name)
    taken = {name: kept[position] for _, name, position in reversed(pairs) if name not in used}
    return kept, taken
