"""When which job is due, by cron expressions in UTC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from noria.errors import UsageError


@dataclass(frozen=True, slots=True)
class Due:
    """A kind of job and the time it is due (UTC milliseconds)."""

    kind: str
    time_ms: int


@dataclass(frozen=True, slots=True)
class Schedule:
    """Kind of job → cron expression."""

    crons: Mapping[str, str]

    def next(self, after_ms: int) -> list[Due]:
        """What is due first after a time: all that is due at once, in the order of `crons`; none without crons."""
        due = [Due(kind, _tick(cron, after_ms, ahead=True)) for kind, cron in self.crons.items()]
        first = min((d.time_ms for d in due), default=0)
        return [d for d in due if d.time_ms == first]

    def missed(self, now_ms: int, last: Mapping[str, int | None]) -> list[Due]:
        """Each kind that was due since its last job began; once, however often. A kind that never ran waits its turn.

        Args:
            now_ms: the present.
            last: kind → when its last job began.
        """
        due = [Due(kind, _tick(cron, now_ms, ahead=False)) for kind, cron in self.crons.items()]
        return [d for d in due if (began := last.get(d.kind)) is not None and began < d.time_ms]


def check_cron(kind: str, cron: str, where: str) -> str:
    """`cron` itself, if it is a cron expression of five fields.

    Raises:
        UsageError: naming the place.
    """
    from croniter import croniter

    if len(cron.split()) != 5 or not croniter.is_valid(cron):
        raise UsageError(
            f"{where}: {kind} = {cron!r} is no cron expression of five fields (minute hour day month weekday), such as "
            '"0 3 * * *" for every night at three, UTC; "" = never.'
        )
    return cron


def _tick(cron: str, at_ms: int, *, ahead: bool) -> int:
    from croniter import croniter

    ticks = croniter(cron, datetime.fromtimestamp(at_ms / 1000, UTC))
    found: float = ticks.get_next(float) if ahead else ticks.get_prev(float)
    return round(found * 1000)
