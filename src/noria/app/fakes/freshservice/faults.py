"""What goes wrong on the fake, by plan or by chance."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from typing import Literal

What = Literal["error", "lost_reply", "cut", "html", "rate_limited", "timeout"]
"""error: 502, nothing done. lost_reply: done, but a 504 is told. cut: done, and the connection breaks in the middle of
the reply. html: 200 with a page in place of JSON, nothing done. rate_limited: 429, nothing done. timeout: the
connection breaks before anything is done."""


@dataclass
class Planned:
    """The next `times` calls that match "METHOD /path" go wrong."""

    what: What
    call: str
    times: int
    retry_after: str


@dataclass
class Faults:
    """Planned faults first; then by chance: `chance` maps a fault to its probability for each call."""

    chance: dict[What, float] = field(default_factory=dict)
    seed: int = 0

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311 - no secret is made of it
        self._planned: list[Planned] = []

    def plan(self, what: What, call: str = ".*", times: int = 1, retry_after: str = "1") -> None:
        """Lets the next calls that match a pattern go wrong."""
        self._planned.append(Planned(what, call, times, retry_after))

    def next(self, call: str) -> Planned | None:
        """What is to go wrong with this call."""
        for fault in self._planned:
            if fault.times and re.search(fault.call, call):
                fault.times -= 1
                return fault
        for what, probability in self.chance.items():
            if self._random.random() < probability:
                return Planned(what, call, 0, "1")
        return None
