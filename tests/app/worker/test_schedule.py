"""When jobs are due, and what is made up for."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.app.worker import Schedule, check_cron, job_id
from noria.app.worker.schedule import Due
from noria.app.worker.working import work
from noria.errors import UsageError

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
SCHEDULE = Schedule({"gather": "*/15 * * * *", "turn": "0 3 * * *"})


def test_what_is_due_next_is_the_earliest_and_all_of_that_minute() -> None:
    """In UTC, strictly after the time that is asked about."""
    assert SCHEDULE.next(0) == [Due("gather", HOUR_MS // 4)]
    assert SCHEDULE.next(3 * HOUR_MS - 1) == [Due("gather", 3 * HOUR_MS), Due("turn", 3 * HOUR_MS)]
    assert SCHEDULE.next(3 * HOUR_MS) == [Due("gather", 3 * HOUR_MS + HOUR_MS // 4)]
    assert Schedule({}).next(0) == []


def test_what_was_missed_is_done_once_and_what_never_ran_waits() -> None:
    """A worker that was down for three nights turns once; a new home does not turn before its time."""
    now = 5 * DAY_MS
    missed = SCHEDULE.missed(now, {"gather": now, "turn": DAY_MS + 3 * HOUR_MS})
    assert missed == [Due("turn", 4 * DAY_MS + 3 * HOUR_MS)]
    assert SCHEDULE.missed(now, {"gather": None, "turn": None}) == []


@given(st.integers(0, 4_000_000_000_000))
def test_the_next_time_is_ahead_and_at_most_a_period_away(now: int) -> None:
    """Whatever the time."""
    (first, *_) = Schedule({"turn": "0 3 * * *"}).next(now)
    assert now < first.time_ms <= now + DAY_MS
    assert first.time_ms % DAY_MS == 3 * HOUR_MS


@pytest.mark.parametrize("cron", ["every night", "0 3 * *", "61 * * * *", "0 3 * * * *"])
def test_a_slip_in_a_cron_expression_is_told(cron: str) -> None:
    """With the place and an example."""
    with pytest.raises(UsageError, match=r"noria.toml \[worker\]: turn = .* five fields"):
        check_cron("turn", cron, "noria.toml [worker]")


def test_a_time_makes_one_job_of_a_kind() -> None:
    """The id is made of both, and can be read."""
    assert job_id("turn", 3 * HOUR_MS + 7) == "turn-19700101T030000.007Z"


class _Jobs:
    """Jobs that only say that they ran; one kind fails."""

    def __init__(self, clock: list[int], stop: threading.Event, last: dict[str, int | None]) -> None:
        self.ran: list[tuple[str, int]] = []
        self._clock, self._stop, self._last = clock, stop, last

    def launch(self) -> list[str]:
        return []

    def known(self, kind: str) -> int | None:
        return self._last.get(kind)

    def forget(self, before_ms: int) -> int:
        return 0

    def run(self, kind: str, _job_id: str, now_ms: int) -> None:
        self.ran.append((kind, now_ms))
        if len(self.ran) == 3:  # the next is due a quarter of an hour later, by the real clock that `stop` waits on
            self._stop.set()
        if kind == "gather":
            raise ValueError("the desk is gone")


def test_a_job_that_fails_does_not_end_the_worker() -> None:
    """What was missed comes first; then each at its time, the ones beside it too."""
    now = [3 * HOUR_MS - 20]
    stop = threading.Event()
    jobs = _Jobs(now, stop, {"turn": -DAY_MS, "gather": 3 * HOUR_MS - 20})

    def clock() -> int:
        now[0] += 5
        return now[0]

    done = work(jobs, SCHEDULE, clock, stop)  # type: ignore[arg-type]
    assert jobs.ran[0] == ("turn", -DAY_MS + 3 * HOUR_MS)
    assert jobs.ran[1:3] == [("gather", 3 * HOUR_MS), ("turn", 3 * HOUR_MS)]
    assert done == 2
