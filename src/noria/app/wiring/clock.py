"""The clock and the ids of the outside: read here, passed in everywhere else."""

from __future__ import annotations

import time
import uuid


def now_ms() -> int:
    """The present, in UTC milliseconds."""
    return time.time_ns() // 1_000_000


def new_id() -> str:
    """A new unique id."""
    return uuid.uuid4().hex
