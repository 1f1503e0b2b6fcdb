"""Whether something is asked more often than it was: the ratio of two counts, with an interval."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from noria.stats.intervals import clopper_pearson

Direction = Literal["growing", "shrinking", "steady", "new"]


@dataclass(frozen=True, slots=True)
class Trend:
    """How a count moved: `ratio` now ÷ before, `low` to `high` its interval; `direction` only where that is proved."""

    ratio: float
    low: float
    high: float
    direction: Direction


def trend(now: int, before: int, *, exposure: float = 1.0, level: float = 0.95) -> Trend:
    """The trend of a Poisson count by the exact conditional test (Przyborowski and Wilenski 1940).

    Args:
        now: count of the later span.
        before: count of the earlier one; 0 makes it "new".
        exposure: all traffic of the later span ÷ all traffic of the earlier one, so that a busy week is no trend.
        level: two-sided confidence.

    >>> found = trend(30, 10)
    >>> found.ratio, round(found.low, 2), round(found.high, 2), found.direction
    (3.0, 1.43, 6.88, 'growing')
    """
    if now + before == 0:
        return Trend(math.nan, 0.0, math.inf, "steady")
    share = clopper_pearson(now, now + before, level)
    low, high = _odds(share.low) / exposure, _odds(share.high) / exposure
    if before == 0:
        return Trend(math.inf, low, math.inf, "new")
    direction: Direction = "growing" if low > 1 else "shrinking" if high < 1 else "steady"
    return Trend(now / before / exposure, low, high, direction)


def _odds(share: float) -> float:
    return math.inf if share >= 1 else share / (1 - share)
