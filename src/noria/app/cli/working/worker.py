"""`noria worker`: the loop on schedule."""

from __future__ import annotations

import logging
import signal
import threading
from typing import TYPE_CHECKING

import click

from noria.app.cli.context import home_options, opened, show, table, when

if TYPE_CHECKING:
    from noria.app.wiring.worker import WorkerDesk


@click.command()
@click.option("--once", is_flag=True, help="Do what was interrupted or missed, then end.")
@click.option("--status", "ask", is_flag=True, help="Show who turns the loop, what is due and the latest jobs; end.")
@home_options
@click.pass_context
def worker(ctx: click.Context, once: bool, ask: bool, home: str | None, as_json: bool) -> None:
    """Run the loop on schedule ([worker] in the settings), until stopped.

    One worker at a time works on a journal, on whichever host; another one waits for its turn. A job that was
    interrupted goes on after its last finished step, nothing is done twice.
    """
    from noria.app.wiring import open_worker

    with opened(ctx, home) as (place, stores):
        desk = open_worker(place, stores)
        if ask:
            _show(desk, as_json=as_json)
            return
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        done = desk.work(stop, once=once)
    show({"jobs": done}, as_json=as_json, text=f"{done} jobs done.")


def _show(desk: WorkerDesk, *, as_json: bool) -> None:
    status = desk.status()
    rows = [
        (job.job_id, job.status, when(job.began_ms), " ".join(job.steps), job.error)
        for job in status.jobs
    ]  # fmt: skip
    who = f"{status.owner} turns the loop" if status.owner else "no worker runs"
    due = [f"{kind} {when(time_ms)}" for kind, time_ms in status.due.items()]
    lines = [who, f"due: {', '.join(due) or 'nothing is scheduled'}"]
    if rows:
        lines.append(table(rows, ("JOB", "STATUS", "BEGAN", "STEPS DONE", "ERROR")))
    show(status, as_json=as_json, text="\n".join(lines))
