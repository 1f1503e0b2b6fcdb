"""The jobs of the worker: a whole turn of the loop, and what is worth doing more often."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime

from noria import label
from noria.app.worker.durable import Durable, Work
from noria.errors import NoRelease
from noria.loop import House, turn
from noria.loop.turn import Run, look_for_changes, watch_challenger
from noria.records import Receipt, TurnReceipt
from noria.stores.journal import Journal
from noria.stores.journal.codec import Plain, receipt_json

_log = logging.getLogger("noria.worker")

Job = Callable[[House, int], Iterable[Receipt]]
"""Something that is done in one step, which may be run again."""


def _gather(house: House, _now_ms: int) -> list[Receipt]:
    return [label.gather(house.stores, house.desk, house.policy.settling)]


TURN = "turn"
JOBS: Mapping[str, Job] = {"gather": _gather, "monitor": look_for_changes, "stages": watch_challenger}
"""Kind → what it does, beside the turn."""


def kinds(house: House, more: Mapping[str, Job] | None = None) -> dict[str, Work]:
    """What each kind of job does in a house."""
    single = {**JOBS, **(more or {})}
    return {TURN: _turning(house), **{kind: _one_step(house, kind, job) for kind, job in single.items()}}


def job_id(kind: str, time_ms: int) -> str:
    """The id of a job: its kind and its time, so that a time makes one job of a kind."""
    at = datetime.fromtimestamp(time_ms / 1000, UTC)
    return f"{kind}-{at:%Y%m%dT%H%M%S}.{time_ms % 1000:03d}Z"


def resume_then_turn(journal: Journal, durable: Durable, *, now_ms: int) -> tuple[TurnReceipt, list[str]]:
    """One turn, after those that were interrupted have gone on to their end; with what went wrong with these.

    Raises:
        NoRelease: nothing is live.
    """
    if journal.current_release() is None:
        raise NoRelease
    wrong = durable.launch()
    name = job_id(TURN, now_ms)
    durable.run(TURN, name, now_ms)
    return next(t for t in journal.turns() if t.turn_id == name), wrong


def _turning(house: House) -> Work:
    def work(now_ms: int, name: str, run: Run) -> None:
        try:
            done = turn(house, now_ms=now_ms, turn_id=name, run=run)
        except NoRelease:
            _log.info("%s: nothing is live yet", name)
            return
        _log.info("%s: %s", name, done.verdict or "nothing to learn")

    return work


def _one_step(house: House, kind: str, job: Job) -> Work:
    def work(now_ms: int, name: str, run: Run) -> None:
        def step() -> dict[str, Plain]:
            return {"receipts": [receipt_json(receipt) for receipt in job(house, now_ms)]}

        for told in run(kind, step)["receipts"]:
            figures = [f"{key} {value:g}" for key, value in told["counts"].items()]
            _log.info("%s: %s", name, ", ".join([*figures, *told["ids"].values()]))
            for warning in told["warnings"]:
                _log.warning("%s: %s", name, warning)

    return work
