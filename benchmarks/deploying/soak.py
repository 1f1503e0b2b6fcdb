"""A process set under load for five minutes: releases take turns, all workers are replaced again and again.

python -m benchmarks.deploying.soak [--seconds 300] [--workers 2]

A client keeps its connection until it is told to close it, and sends nothing twice: whatever breaks has failed.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
from benchmarks.serving.houses import ONE_THREAD, make_home, noria, queries

CLIENTS = 16
SWAP_SECONDS = 20
RESTART_SECONDS = 45


class Users:
    """Clients that ask one question after the other, with a pause so that two cores are enough for all."""

    def __init__(self, url: str, texts: list[str]) -> None:
        self._address, self._texts, self.stop = urlsplit(url).netloc, texts, threading.Event()
        self.statuses: Counter[int] = Counter()
        self.releases: Counter[str] = Counter()
        self.latencies_ms: list[float] = []
        self.broken: list[str] = []
        self._threads = [threading.Thread(target=self._ask, args=(n,)) for n in range(CLIENTS)]

    def __enter__(self) -> Users:  # noqa: PYI034 - no one inherits from it
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, client: int) -> None:
        connection, turn = http.client.HTTPConnection(self._address, timeout=60), 0
        while not self.stop.wait(0.02):
            turn += 1
            text = self._texts[(turn * CLIENTS + client) % len(self._texts)]
            body = json.dumps({"account": "acme", "text": text, "session": f"s{client}-{turn // 3}"})
            began = time.perf_counter()
            try:
                connection.request("POST", "/v1/ask", body, {"Content-Type": "application/json"})
                reply = connection.getresponse()  # closes after a reply that says so; the next request opens anew
                told = json.loads(reply.read())
            except (OSError, http.client.HTTPException) as error:
                self.broken.append(repr(error))
                connection.close()
                continue
            self.latencies_ms.append(1000 * (time.perf_counter() - began))
            self.statuses[reply.status] += 1
            self.releases[str(told.get("release"))] += 1
        connection.close()


def main() -> None:
    """Prints one table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=300)
    parser.add_argument("--workers", type=int, default=2)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="noria-soak-") as folder:
        soak(Path(folder), chosen.seconds, chosen.workers)


def soak(folder: Path, seconds: int, workers: int) -> None:
    """Swaps and restarts while it is asked."""
    from noria.app.home import open_home
    from noria.app.wiring import open_stores
    from noria.release import roll_back

    home, texts = make_home(folder, "none"), queries()
    (folder / "more.jsonl").write_text(json.dumps({"text": f"{texts[0]} please", "intent": "password_reset"}) + "\n")
    noria("data", "add", folder / "more.jsonl", "--as", "examples", "--name", "it", "--home", home)
    noria("train", "--data", "it", "--home", home)
    noria("release", "propose", "--home", home)
    stores = open_stores(open_home(home))
    names = [release.release for release in stores.journal.releases()]
    if len(names) < 2:
        raise SystemExit("the second candidate was not promoted; nothing to swap with")
    command = [sys.executable, "-u", "-m", "noria", "deploy", "local", "up", "--home", str(home), "--port", "0"]
    command += ["--workers", str(workers)]
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | ONE_THREAD)
    found = re.search(r"http://[\d.]+:\d+", parent.stdout.readline() if parent.stdout else "")
    if found is None:
        raise SystemExit("the process set did not start")
    swaps = restarts = 0
    began = time.monotonic()
    with Users(found.group(), texts) as users:
        while (now := time.monotonic() - began) < seconds:
            if now > (swaps + 1) * SWAP_SECONDS:
                live = stores.journal.current_release()
                to = next(name for name in names if live is None or name != live.release)
                roll_back(stores, to, why="soak", time_ms=time.time_ns() // 1_000_000)
                swaps += 1
            if now > (restarts + 1) * RESTART_SECONDS:
                noria("deploy", "local", "restart", "--home", home)
                restarts += 1
            time.sleep(0.2)
    parent.terminate()
    parent.wait(60)
    kept = len(stores.journal.predictions(0, 2**62))
    stores.close()
    not_200 = sum(count for status, count in users.statuses.items() if status != 200)
    head = ("seconds", "workers", "swaps", "restarts of all", "requests", "not 200", "broken", "by release", "p50, ms")
    print("| " + " | ".join((*head, "p99, ms", "in the journal")) + " |\n|" + " --- |" * (len(head) + 2))
    by = ", ".join(f"{name}: {count:,}" for name, count in sorted(users.releases.items()))
    p50, p99 = np.percentile(users.latencies_ms, (50, 99))
    print(
        f"| {seconds} | {workers} | {swaps} | {restarts} | {sum(users.statuses.values()):,} | {not_200} | "
        f"{len(users.broken)} | {by} | {p50:.1f} | {p99:.1f} | {kept:,} |"
    )
    for error, count in Counter(users.broken).most_common(5):
        print(f"broken: {count} × {error}")


if __name__ == "__main__":
    main()
