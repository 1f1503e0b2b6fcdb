"""How soon each page of the dashboard is painted, with a million predictions in the journal, in real Chromium.

    python benchmarks/dashboard/first_paint.py [--predictions 1000000] [--days 60]

It makes a home of its own (made-up traffic of three accounts and thirty intents, 0.5 % labelled), builds the windows,
adds one more day and brings them up to date, starts `noria up` in a process of its own and opens each page in a fresh
browser profile, first cold and then warm. Printed: seconds to the first contentful paint and to the end of loading,
CPU seconds of the server, and what the windows cost.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

START_MS = 1_767_571_200_000
DAY_MS = 86_400_000
PAGES = ("/", "/findings", "/findings/success-1", "/slices", "/slices?kind=account&value=birch&days=28", "/queries",
         "/queries?intent=intent07", "/labels", "/releases", "/backlog")  # fmt: skip


def main() -> None:
    """Makes the home, measures, and takes it away."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--predictions", type=int, default=1_000_000)
    asked.add_argument("--days", type=int, default=60)
    options = asked.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="noria-paint-"))
    try:
        fill(folder, options.predictions, options.days)
        measure_windows(folder, options.predictions // options.days, options.days)
        paint(folder)
    finally:
        shutil.rmtree(folder)


def fill(folder: Path, predictions: int, days: int) -> None:
    """A journal with traffic, labels and a finding; predictions by plain SQL, as the journal would write them."""
    from tests.app.watched_home import _releases
    from tests.house import open_stores
    from tests.monitor.test_windows import settled

    from noria.records import Finding, Label, LabelTask

    stores, rnd = open_stores(folder), random.Random(1)  # noqa: S311 - made-up data
    stores.journal.findings()
    rows = (_row(number, rnd, days) for number in range(predictions))
    write(folder, rows)
    with sqlite3.connect(folder / "journal.db") as db:
        db.execute("INSERT INTO touched (hour_ms) SELECT DISTINCT time_ms - time_ms % 3600000 FROM predictions")
        drawn = db.execute(
            "SELECT prediction_id, account, text, intent, time_ms FROM predictions WHERE rowid % 200 = 0"
        ).fetchall()
    tasks, labels = [], []
    for name, account, text, intent, at in drawn:
        tasks.append(LabelTask(f"t-{name}", name, account, text, intent, "answer", (), "r1", at, "s", 0.005, 1, "d",
                               (intent, "other"), 0))  # fmt: skip
        said = intent if rnd.random() < 0.85 else "other"
        labels.append(Label(f"l-{name}", f"t-{name}", name, "ann", "in_scope", said, (), None, at))
    stores.journal.add_tasks(tasks)
    stores.journal.add_labels(labels)
    stores.journal.settle(settled)
    _releases(stores)
    at = START_MS + 30 * DAY_MS
    stores.journal.add_findings(
        [Finding("success-1", "success", at + 4 * DAY_MS, at, at - DAY_MS, at + DAY_MS, 0.85, 0.8, "Success fell.")]
    )
    (folder / "home.json").write_text(json.dumps({"layout": 1}))
    (folder / "noria.toml").write_text('[encoder]\nspec = "none"\n')
    stores.close()
    size = (folder / "journal.db").stat().st_size
    print(f"journal: {predictions:,} predictions, {len(labels):,} labels, {size / 2**20:,.0f} MiB")


def _row(number: int, rnd: random.Random, days: float, first: int = 0) -> tuple[object, ...]:
    time_ms = START_MS + int((first + rnd.random() * days) * DAY_MS)
    return (
        f"{rnd.getrandbits(64):016x}{number}", time_ms, rnd.choice(("acme", "birch", "cedar")), f"q{number}",
        f"s{number // 3}", f"my device {number % 997} does not work since the update of {number % 89}",
        rnd.choice(("chat", "mail")), rnd.choice(("en", "de")), rnd.choice(("answer", "answer", "handoff")),
        f"intent{rnd.randrange(30):02}", rnd.random(), rnd.gauss(1, 1), 1, "[]", "[]", "{}", "{}", "r1",
        5 * rnd.random(), "[]",
    )  # fmt: skip


def write(folder: Path, rows: Iterable[tuple[object, ...]]) -> None:
    """Adds rows of predictions as they stand."""
    with sqlite3.connect(folder / "journal.db") as db:
        db.executemany(f"INSERT INTO predictions VALUES ({','.join('?' * 20)})", rows)  # noqa: S608 - marks


def measure_windows(folder: Path, a_day: int, days: int) -> None:
    """CPU seconds of the first build, of a day more, and of a run that finds nothing."""
    from tests.house import open_stores

    from noria.monitor.windows.keeping import update_windows
    from noria.monitor.windows.policy import WindowPolicy

    stores, rnd = open_stores(folder), random.Random(2)  # noqa: S311 - made-up data

    def run(what: str) -> None:
        began, cpu = time.monotonic(), time.process_time()
        receipt = update_windows(stores, WindowPolicy(), time_ms=START_MS + (days + 1) * DAY_MS)
        print(f"windows, {what}: {time.process_time() - cpu:.2f} CPU s ({time.monotonic() - began:.1f} s), "
              f"{receipt.counts['hours']} hours, {receipt.counts['windows']} rows")  # fmt: skip

    run("from nothing")
    write(folder, (_row(10_000_000 + n, rnd, 1, days) for n in range(a_day)))
    stores.journal.watching.touch([START_MS + days * DAY_MS + h * 3_600_000 for h in range(24)])
    run("one day more")
    run("nothing new")
    stores.close()
    size = sum(f.stat().st_size for f in (folder / "lake").rglob("*") if f.is_file())
    print(
        f"lake: {size / 2**20:.1f} MiB; peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB"
    )


SERVE = """
import sys
sys.path.insert(0, {root!r})
from pathlib import Path
import uvicorn
from tests.app.watched_home import open_watched
from noria.app.http.server import create_app
uvicorn.run(create_app(open_watched(Path({folder!r}))), port={port}, log_level="warning")
"""


def paint(folder: Path) -> None:
    """Each page twice, in a fresh profile each time."""
    from playwright.sync_api import sync_playwright

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    code = SERVE.format(root=str(ROOT), folder=str(folder), port=port)
    chromium = os.environ.get("NORIA_CHROMIUM") or shutil.which("chromium")
    flags = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    with sync_playwright() as playwright:
        # before the server: the first page is asked for the moment that somebody listens
        browser = playwright.chromium.launch(executable_path=chromium, args=flags)
        browser.new_context().close()
        server = subprocess.Popen([sys.executable, "-c", code], env=os.environ | {"OMP_NUM_THREADS": "1"})
        try:
            wait_for(port)
            print(f"{'page':<42}{'first paint, s':>16}{'loaded, s':>11}{'server CPU s':>14}   then warm")
            for path in PAGES:
                told = [visit(browser, f"http://127.0.0.1:{port}{path}", server.pid) for _ in range(2)]
                (first, loaded, cpu), (again, done, more) = told
                print(f"{path:<42}{first:>16.2f}{loaded:>11.2f}{cpu:>14.2f}   {again:.2f}, {done:.2f}, {more:.2f}")
            browser.close()
        finally:
            server.terminate()
            server.wait()


def visit(browser: Browser, address: str, pid: int) -> tuple[float, float, float]:
    """Seconds to the first paint, to the end of loading, and of the server's CPU."""
    context = browser.new_context()
    page, cpu = context.new_page(), cpu_of(pid)
    page.goto(address, wait_until="load", timeout=120_000)
    page.wait_for_timeout(500)
    painted = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    loaded = page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")
    context.close()
    return painted / 1000, loaded / 1000, cpu_of(pid) - cpu


def cpu_of(pid: int) -> float:
    """CPU seconds of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_for(port: int) -> None:
    """Waits until somebody listens."""
    for _ in range(3000):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise SystemExit("the server did not start")


if __name__ == "__main__":
    main()
