"""A set of workers behind one port: one parent starts them, asks how they are, and carries out what the rules say."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from noria.app.deploying.standing import SetStanding, Standing, WorkerStanding
from noria.errors import OutsideError
from noria.release.deploying.workers import (
    LIVE,
    NOTHING,
    READY,
    Abandon,
    GiveUp,
    Kill,
    Leave,
    Limits,
    Order,
    Slot,
    Start,
    Worker,
    WorkerSet,
    orders,
)

TICK_SECONDS = 0.1
LOOK_SECONDS = 0.5
"""Between two questions to a worker how it is."""
ANSWER_SECONDS = 5.0


class ProcessSet:
    """Runs workers until told to stop.

    Args:
        command: what starts a worker; `--listen N --own N --parent N`, file descriptors, are added to it.
        listener: the socket that all workers share.
        standing: where it is told how the set stands.
        workers: how many.
        limits: when patience ends.
        tell: called with one sentence for each thing of note.
    """

    def __init__(
        self,
        command: Sequence[str],
        listener: socket.socket,
        standing: Standing,
        *,
        workers: int,
        address: str,
        limits: Limits | None = None,
        tell: Callable[[str], None] = print,
    ) -> None:
        self._command, self._listener, self._standing, self._tells = command, listener, standing, tell
        self._limits, self._address = limits or Limits(), address
        self._set = WorkerSet(tuple(Slot() for _ in range(workers)))
        self._processes: dict[int, asyncio.subprocess.Process] = {}
        self._ports: dict[int, int] = {}
        self._releases: dict[int, str] = {}
        self._restarts, self._restart = 0, ""
        self._failure = ""
        self._tasks: set[asyncio.Task[None]] = set()

    def run(self) -> None:
        """Returns when the set was stopped by SIGTERM or SIGINT; SIGHUP replaces the workers one by one.

        Raises:
            OutsideError: no worker can be had.
        """
        with _pipe() as self._lifeline:
            asyncio.run(self._run())
        if self._failure:
            raise OutsideError(f"{self._failure}; what they printed says why.", retry_helps=False)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        loop.add_signal_handler(signal.SIGHUP, self._replace_all)
        told = False
        while not (self._set.stopping and not self._set.workers):
            for order in orders(self._set, _now_ms(), self._limits):
                await self._carry_out(order)
            if self._restart == "running" and not self._set.due:
                self._restart = "done"
                self._tell("Every worker was replaced.")
            if self._set.answered and not told:
                told = True
                self._tell(f"Noria is at {self._address} ({len(self._set.slots)} workers). Ctrl-C ends it.")
            with contextlib.suppress(OSError):  # a full disk ends no worker
                self._standing.write(self._as_it_stands())
            await asyncio.sleep(TICK_SECONDS)

    async def _carry_out(self, order: Order) -> None:
        now_ms = _now_ms()
        if isinstance(order, Start):
            await self._start(order)
        elif isinstance(order, Leave | Kill):
            with contextlib.suppress(ProcessLookupError):
                os.kill(order.pid, signal.SIGTERM if isinstance(order, Leave) else signal.SIGKILL)
            if isinstance(order, Kill):
                self._tell(f"worker {order.pid} is killed: {order.why}.")
        elif isinstance(order, Abandon):
            self._restart = f"abandoned: {order.why}"
            self._tell(f"The restart is abandoned: {order.why}. The workers that ran before go on.")
        elif isinstance(order, GiveUp):
            self._failure = order.why
            self._stop()
        self._set = self._set.after(order, now_ms)

    async def _start(self, order: Start) -> None:
        if self._set.stopping:
            return
        own = socket.create_server(("127.0.0.1", 0))
        descriptors = (self._listener.fileno(), own.fileno(), self._lifeline)
        named = [f"--{name}={fd}" for name, fd in zip(("listen", "own", "parent"), descriptors, strict=True)]
        with own:
            try:
                # a session of its own: Ctrl-C meets the parent alone, which ends the workers in good order
                process = await asyncio.create_subprocess_exec(
                    *self._command, *named, pass_fds=descriptors, start_new_session=True, stdin=subprocess.DEVNULL
                )
            except OSError as error:
                self._tell(f"a worker cannot be started: {error.strerror}.")
                replacing = order.replaces is not None
                self._set = self._set.failed(order.slot, _now_ms(), self._limits, fresh=replacing)
                return
            self._ports[process.pid] = own.getsockname()[1]
        self._processes[process.pid] = process
        self._set = self._set.with_worker(Worker(process.pid, order.slot, _now_ms(), replaces=order.replaces))
        for work in (self._wait(process), self._look_after(process.pid)):
            task = asyncio.create_task(work)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _wait(self, process: asyncio.subprocess.Process) -> None:
        code = await process.wait()
        worker = self._set.workers[process.pid]
        if worker.leaving_ms is None:
            self._tell(f"worker {process.pid} ended ({_how(code)}); another one takes its place.")
        self._set = self._set.without(process.pid, _now_ms(), self._limits)
        for kept in (self._processes, self._ports, self._releases):
            kept.pop(process.pid, None)

    async def _look_after(self, pid: int) -> None:
        while pid in self._processes:
            health, release = await _health(self._ports[pid])
            worker = self._set.workers.get(pid)
            if worker is None:
                return
            heard_ms = worker.heard_ms if health == NOTHING else _now_ms()
            # what is leaving answers nobody any more, and need not
            if worker.leaving_ms is None:
                self._set = self._set.with_worker(replace(worker, health=health, heard_ms=heard_ms))
                self._releases[pid] = release
            await asyncio.sleep(LOOK_SECONDS)

    def _tell(self, sentence: str) -> None:
        with contextlib.suppress(OSError):  # nobody reads it any more
            self._tells(sentence)

    def _stop(self) -> None:
        # who comes now is refused at once instead of waiting for nobody
        self._listener.close()
        self._set = replace(self._set, stopping=True)

    def _replace_all(self) -> None:
        self._restarts, self._restart = self._restarts + 1, "running"
        self._set = self._set.restarted()

    def _as_it_stands(self) -> SetStanding:
        words = {NOTHING: "starting", LIVE: "live", READY: "ready"}
        workers = tuple(
            WorkerStanding(
                w.pid,
                w.slot,
                f"http://127.0.0.1:{self._ports[w.pid]}",
                "leaving" if w.leaving_ms is not None else words[w.health] if w.health or not w.heard_ms else "silent",
                self._releases.get(w.pid, ""),
            )
            for w in sorted(self._set.workers.values(), key=lambda w: (w.slot, w.started_ms))
            if w.pid in self._ports
        )
        return SetStanding(os.getpid(), self._address, workers, self._restarts, self._restart)


async def _health(port: int) -> tuple[int, str]:
    """(health, the release that answers): 200 = ready, any other answer of HTTP = live."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(b"GET /v1/health/ready HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
                await writer.drain()
                head, _, body = (await reader.read()).partition(b"\r\n\r\n")
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        return NOTHING, ""
    status = head.split(b" ")[1:2]
    if not head.startswith(b"HTTP/1.1 ") or not status:
        return NOTHING, ""
    if status != [b"200"]:
        return LIVE, ""
    with contextlib.suppress(ValueError, TypeError, KeyError):
        return READY, str(json.loads(body)["release"])
    return READY, ""


@contextlib.contextmanager
def _pipe() -> Iterator[int]:
    """The end for reading of a pipe whose other end only this process holds: it closes when this process ends."""
    reading, writing = os.pipe()
    try:
        yield reading
    finally:
        os.close(reading)
        os.close(writing)


def _how(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    with contextlib.suppress(ValueError):
        return signal.Signals(-code).name
    return f"signal {-code}"


def _now_ms() -> int:
    """Monotonic: a clock that is set must not end patience."""
    return int(time.monotonic() * 1000)


def worker_command(home: Path, host: str) -> list[str]:
    """What starts a worker of a home."""
    return [sys.executable, "-m", "noria", "deploy", "worker", f"--home={home}", f"--host={host}"]
