"""A load generator: many connections that are kept open, at full speed or at a fixed rate; and CPU of a server."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Load:
    """What came of it: latencies in milliseconds, replies by status, what else was counted in replies."""

    seconds: float = 0.0
    latencies_ms: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    told: Counter[str] = field(default_factory=Counter)

    @property
    def rate(self) -> float:
        return len(self.latencies_ms) / self.seconds

    def percentile(self, percent: float) -> float:
        return float(np.percentile(self.latencies_ms, percent))


def run_load(
    url: str, body: Callable[[int], object], *, connections: int, seconds: float, rate: float | None = None,
    look: Callable[[bytes], str] | None = None,
) -> Load:  # fmt: skip
    """POSTs JSON for some seconds.

    Args:
        url: where to.
        body: of the n-th request.
        connections: kept open; each has one request at a time.
        seconds: how long.
        rate: requests a second, begun on time whatever came before (latency counts from when it was due); None = as
            fast as replies come.
        look: what to count in a reply's body.
    """
    return asyncio.run(_run(url, body, connections, seconds, rate, look))


async def _run(url, body, connections, seconds, rate, look) -> Load:  # noqa: ANN001 - as above
    parts, load, turn = urlsplit(url), Load(), 0
    began = time.perf_counter()

    async def user() -> None:
        nonlocal turn
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        while True:
            number, turn = turn, turn + 1
            due = time.perf_counter() if rate is None else began + number / rate
            if due - began >= seconds:
                break
            if (pause := due - time.perf_counter()) > 0:
                await asyncio.sleep(pause)
            if rate is None and time.perf_counter() - began >= seconds:
                break
            sent = json.dumps(body(number)).encode()
            head = f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\n"
            writer.write(f"{head}Content-Length: {len(sent)}\r\n\r\n".encode() + sent)
            status, reply = await _reply(reader)
            load.latencies_ms.append(1000 * (time.perf_counter() - due))
            load.statuses[status] += 1
            if look is not None:
                load.told[look(reply)] += 1
        writer.close()

    await asyncio.gather(*(user() for _ in range(connections)))
    load.seconds = time.perf_counter() - began
    return load


async def _reply(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    length = int(head.split("content-length:")[1].split("\r\n")[0])
    return int(head.split()[1]), await reader.readexactly(length)


def cpu_seconds(pid: int) -> float:
    """CPU of a process and of all its living descendants, user and system."""
    total = 0.0
    for one in [pid, *_children(pid)]:
        fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        total += (int(fields[11]) + int(fields[12])) / TICKS
    return total


def resident_mib(pid: int) -> float:
    """Resident memory of a process in MiB."""
    line = next(row for row in Path(f"/proc/{pid}/status").read_text().splitlines() if row.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += [int(child), *_children(int(child))]
    return found
