"""At most so many requests a minute of each caller."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

_MOST_CALLERS = 100_000


class RateLimit:
    """A token bucket for each caller: a minute's worth may come at once, then they drip in evenly.

    Kept in this process: several processes let through as many times more.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, caller: str, per_minute: int) -> float:
        """Takes one request of a caller; 0 when it may go on, else the seconds until it may. 0 a minute = no limit."""
        if per_minute <= 0:
            return 0.0
        now = self._clock()
        left, since = self._left.pop(caller, (float(per_minute), now))
        left = min(float(per_minute), left + (now - since) * per_minute / 60)
        allowed = left >= 1
        self._left[caller] = (left - 1 if allowed else left, now)
        if len(self._left) > _MOST_CALLERS:
            self._left.popitem(last=False)
        return 0.0 if allowed else (1 - left) * 60 / per_minute
