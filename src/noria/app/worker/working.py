"""The worker's day: what was missed, what is due, until it is told to stop."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from noria.app.worker.durable import Durable
from noria.app.worker.jobs import job_id
from noria.app.worker.schedule import Due, Schedule
from noria.errors import NoriaError

KEEP_MS = 90 * 86_400_000
_log = logging.getLogger("noria.worker")


def work(
    durable: Durable, schedule: Schedule, now_ms: Callable[[], int], stop: threading.Event, *, once: bool = False
) -> int:
    """Runs jobs when they are due, one after the other, until it is told to stop; returns how many ran.

    What was interrupted goes on first; what was due while no worker ran is done once. A job that fails is logged, and
    the next one runs.

    Args:
        durable: the jobs.
        schedule: when each is due.
        now_ms: the present.
        stop: set from outside to end it.
        once: end after what was interrupted or missed.
    """
    for complaint in durable.launch():
        _log.warning("%s", complaint)
    durable.forget(now_ms() - KEEP_MS)
    done = 0
    for due in schedule.missed(now_ms(), {kind: durable.known(kind) for kind in schedule.crons}):
        done += _run(durable, due)
    after_ms = now_ms()
    while not once and not stop.is_set():
        ahead = schedule.next(after_ms)
        if not ahead:
            stop.wait()
            break
        at_ms = ahead[0].time_ms
        if stop.wait(max(0, at_ms - now_ms()) / 1000):
            break
        done += sum(_run(durable, due) for due in ahead)
        # times that passed while jobs ran are not made up for
        after_ms = max(at_ms, now_ms() - 1)
    return done


def _run(durable: Durable, due: Due) -> int:
    try:
        durable.run(due.kind, job_id(due.kind, due.time_ms), due.time_ms)
    except NoriaError as error:
        _log.warning("%s failed: %s", job_id(due.kind, due.time_ms), error)
        return 0
    except Exception:  # noqa: BLE001 - whatever a job failed of, the worker goes on
        _log.exception("%s failed", job_id(due.kind, due.time_ms))
        return 0
    return 1
