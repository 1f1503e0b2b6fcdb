"""`noria deploy local`: several workers behind one port."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from noria.app.cli.context import home_options, home_path, show, table
from noria.errors import OutsideError, StateError

if TYPE_CHECKING:
    from noria.app.deploying.standing import SetStanding, Standing

_POLL_SECONDS = 0.2


@click.group()
def local() -> None:
    """Several workers behind one port of this machine, kept alive by one parent."""


@local.command()
@click.option("--workers", type=click.IntRange(1, 64), help="Default: [serve] workers, else one for each core.")
@click.option("--host", help="Default: [serve] host of the settings.")
@click.option("--port", type=click.IntRange(0, 65535), help="Default: [serve] port of the settings; 0 = any free one.")
@click.option("--home", metavar="FOLDER", help="Home folder.")
@click.pass_context
def up(ctx: click.Context, workers: int | None, host: str | None, port: int | None, home: str | None) -> None:
    """Serve until Ctrl-C or SIGTERM; SIGHUP, or 'restart', replaces the workers one by one."""
    import os

    from noria.app.deploying.process_set import ProcessSet, worker_command
    from noria.app.home import open_home
    from noria.app.http.server import address_of, open_port

    place = open_home(home_path(ctx, home))
    serve = place.settings.serve
    where = host or serve.host
    count = workers or serve.workers or len(os.sched_getaffinity(0))
    standing = _standing(ctx, home)
    with standing.held(), contextlib.closing(open_port(where, serve.port if port is None else port)) as listener:
        # threads of several processes on few cores only wait for each other
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
            os.environ.setdefault(name, "1")
        command, address = worker_command(place.path, where), address_of(listener)
        ProcessSet(command, listener, standing, workers=count, address=address, tell=click.echo).run()


@local.command()
@home_options
@click.pass_context
def status(ctx: click.Context, home: str | None, as_json: bool) -> None:
    """Show the workers: process, state, release, and the address where each alone can be asked."""
    now = _standing(ctx, home).read()
    if now is None:
        text = "No process set of this home runs: noria deploy local up"
        show({"running": False, "workers": []}, as_json=as_json, text=text)
        return
    rows = [(w.slot, w.pid, w.state, w.release, w.address) for w in now.workers]
    lines = [f"{now.address} (parent {now.pid})", table(rows, ("SLOT", "PID", "STATE", "RELEASE", "OWN ADDRESS"))]
    if now.restart:
        lines.append(f"Last restart: {now.restart}")
    show({"running": True, "set": now, "workers": now.workers}, as_json=as_json, text="\n".join(lines))


@local.command()
@click.option("--wait", "seconds", type=click.IntRange(1), default=600, show_default=True, help="Seconds at most.")
@home_options
@click.pass_context
def restart(ctx: click.Context, seconds: int, home: str | None, as_json: bool) -> None:
    """Replace every worker, one by one, each only when its successor is ready; no request fails."""
    standing = _standing(ctx, home)
    before = standing.signal(signal.SIGHUP)
    after = _wait_until(
        standing, lambda s: s is None or (s.restarts > before.restarts and s.restart != "running"), seconds
    )
    if after is None:
        raise StateError("the process set ended while its workers were replaced.")
    if after.restart != "done":
        raise StateError(f"the restart was {after.restart}. The workers that ran before go on.")
    show(after, as_json=as_json, text=f"{len({w.slot for w in after.workers})} workers were replaced.")


@local.command()
@click.option("--wait", "seconds", type=click.IntRange(1), default=120, show_default=True, help="Seconds at most.")
@home_options
@click.pass_context
def stop(ctx: click.Context, seconds: int, home: str | None, as_json: bool) -> None:
    """End the set: what was asked is answered and committed first."""
    standing = _standing(ctx, home)
    before = standing.signal(signal.SIGTERM)
    _wait_until(standing, lambda now: now is None, seconds)
    show({"stopped": before.pid}, as_json=as_json, text=f"The set of parent {before.pid} ended.")


@click.command(hidden=True)
@click.option("--home", required=True)
@click.option("--host", required=True)
@click.option("--listen", type=int, required=True, help="File descriptor of the socket that all workers share.")
@click.option("--own", type=int, required=True, help="File descriptor of the worker's own socket.")
@click.option("--parent", type=int, required=True, help="File descriptor of a pipe that closes when the parent ends.")
@click.pass_context
def worker(ctx: click.Context, home: str, host: str, listen: int, own: int, parent: int) -> None:
    """One worker; started by 'noria deploy local up'."""
    import socket

    from noria.app.deploying.worker import serve
    from noria.app.home import open_home
    from noria.app.wiring import LiveHouse

    house = LiveHouse(open_home(home_path(ctx, home)), host)
    try:
        # before the server starts: what is wrong with a release is told as our error, not as a server's traceback
        house.service.release  # noqa: B018 - opening is meant
        serve(house, [socket.socket(fileno=listen), socket.socket(fileno=own)], parent)
    finally:
        house.close()


def _standing(ctx: click.Context, home: str | None) -> Standing:
    from noria.app.deploying.standing import Standing
    from noria.app.home import open_home

    return Standing(open_home(home_path(ctx, home)).path / "run")


def _wait_until(standing: Standing, holds: Callable[[SetStanding | None], bool], seconds: int) -> SetStanding | None:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        now = standing.read()
        if holds(now):
            return now
        time.sleep(_POLL_SECONDS)
    raise OutsideError(
        f"the process set is not there yet after {seconds} s; 'status' tells how it stands.", retry_helps=True
    )
