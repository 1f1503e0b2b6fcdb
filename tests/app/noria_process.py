"""Runs the command line and the server as a user does: in processes of their own."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx


def noria(*arguments: object, home: Path | None = None, code: int = 0) -> str:
    """Runs a command; returns what it printed, and fails unless it exits with `code` and without a traceback."""
    command = [sys.executable, "-m", "noria", *map(str, arguments)]
    environ = {k: v for k, v in os.environ.items() if k != "NORIA_HOME"} | ({"NORIA_HOME": str(home)} if home else {})
    done = subprocess.run(command, capture_output=True, text=True, env=environ, check=False, timeout=900)
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode == code, f"{command} gave {done.returncode}: {done.stdout}\n{done.stderr}"
    return done.stdout if code == 0 else done.stderr


def noria_json(*arguments: object, home: Path | None = None) -> Any:
    """Runs a command with --json and returns the document."""
    return json.loads(noria(*arguments, "--json", home=home))


class Server:
    """A running `noria up`."""

    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        self.process, self.url = process, url

    def get(self, path: str) -> Any:
        return httpx.get(self.url + path, timeout=30).raise_for_status().json()

    def post(self, path: str, body: object) -> Any:
        return httpx.post(self.url + path, json=body, timeout=30).raise_for_status().json()

    def kill(self) -> None:
        """SIGKILL: nothing is flushed, nothing is said goodbye to."""
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def server(home: Path) -> Iterator[Server]:
    """`noria up` on a free port, ready to answer."""
    command = [sys.executable, "-u", "-m", "noria", "up", "--home", str(home), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    lines: list[str] = []
    found = threading.Event()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            if re.search(r"http://127\.0\.0\.1:\d+", line):
                found.set()
        found.set()

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        assert found.wait(60), f"no address was printed: {lines}"
        match = re.search(r"http://127\.0\.0\.1:\d+", "".join(lines))
        assert match, f"the server ended: {''.join(lines)}"
        running = Server(process, match.group())
        for _ in range(200):
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(running.url + "/v1/health/live", timeout=5).status_code == 200:
                    break
            time.sleep(0.1)
        yield running
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        reader.join(10)
        if process.stdout is not None:
            process.stdout.close()
