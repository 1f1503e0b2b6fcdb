"""The lengths of windows, each made of whole windows of the one before, and the tables that hold them."""

from __future__ import annotations

from collections.abc import Iterator

from noria.records import HOUR_MS

LEVELS = (1, 2, 4, 8, 24, 168, 336, 672)
"""Hours. Each doubles the one before, but where the calendar asks for a day of three and a week of seven parts."""
SHORT = LEVELS[:4]
LONG = LEVELS[4:]
_MONDAY_MS = 4 * 24 * HOUR_MS  # 5 January 1970: weeks begin on Monday
_BLOCK = 672
_YEAR = 13 * _BLOCK


def start_of(level: int, time_ms: int) -> int:
    """The start of the window of a level (hours) that a time lies in."""
    length = level * HOUR_MS
    return _MONDAY_MS + (time_ms - _MONDAY_MS) // length * length


def table_of(level: int, time_ms: int) -> str:
    """The table that holds a window: four weeks of short ones, 52 weeks of long ones.

    So a day's run reads and writes a table that does not grow with the years.
    """
    if level in SHORT:
        return f"hours-{(time_ms - _MONDAY_MS) // (_BLOCK * HOUR_MS):05d}"
    return f"days-{(time_ms - _MONDAY_MS) // (_YEAR * HOUR_MS):04d}"


def cover(since_ms: int, until_ms: int) -> Iterator[tuple[int, int]]:
    """The fewest windows (level, start) that make up a span, in order of time; it is widened to whole hours."""
    at, end = start_of(1, since_ms), -start_of(1, -until_ms)
    while at < end:
        fits = (lv for lv in reversed(LEVELS) if start_of(lv, at) == at and at + lv * HOUR_MS <= end)
        level = next(fits)
        yield level, at
        at += level * HOUR_MS


def tables_between(long: bool, since_ms: int, until_ms: int) -> list[str]:  # noqa: FBT001 - which of two families
    """The tables that may hold windows of a span, in order of time."""
    level = LONG[0] if long else SHORT[0]
    step = (_YEAR if long else _BLOCK) * HOUR_MS
    names = []
    at = since_ms
    while at < until_ms:
        names.append(table_of(level, at))
        at += step - (at - _MONDAY_MS) % step
    return names
