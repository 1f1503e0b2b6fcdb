"""The store of runs at size: 15,000 runs with 170 criteria, listed, filtered, sorted; and what logging a run costs.

    python benchmarks/experiments/store.py [--runs 15000] [--mlflow 150]

Prints CPU and wall seconds. MLflow is measured beside it: as Noria uses it (one batch a run, in process, SQLite), and
for finding runs by a criterion. Everything is made up and lies in a temporary folder.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from noria.app.home import create_home
from noria.records.experiments import ExperimentRun
from noria.stores.tracker import Tracker
from noria.stores.tracking.runs import RunLog

CRITERIA = [f"part{i // 17}.criterion_{i:03}" for i in range(170)]


@contextmanager
def timed(what: str, per: int = 1) -> Iterator[None]:
    """Prints seconds of wall and CPU, for each of `per`."""
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(f"{what:<58} {wall / per * 1000:>10.1f} ms wall {cpu / per * 1000:>10.1f} ms CPU")


def made_up(count: int) -> list[ExperimentRun]:
    """Runs of 100 experiments."""
    draw = random.Random(0)  # noqa: S311 - made-up figures
    runs = []
    for i in range(count):
        name, number = f"experiment-{i % 100:03}", i // 100
        metrics = {c: draw.random() for c in CRITERIA}
        settings = {"svm_c": draw.random(), "lineup": "default", "seed": i}
        runs.append(
            ExperimentRun(f"{name}.{number:04}", name, number, "finished", i, "examples/x@1", settings, metrics)
        )
    return runs


def main() -> None:
    """Runs the benchmark."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--runs", type=int, default=15_000)
    asked.add_argument("--mlflow", type=int, default=150)
    options = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        create_home(home)
        (home / "experiments" / "runs").mkdir(parents=True)
        log, runs = RunLog(home / "experiments" / "runs"), made_up(options.runs)
        with timed(f"append a run, on disk when it returns, mean of {options.runs:,}", options.runs):
            for run in runs:
                log.append(run)
        files = [p for p in (home / "experiments").rglob("*.*") if p.is_file()]
        size = sum(p.stat().st_size for p in files)
        print(f"{len(log.tags()):,} runs × {len(CRITERIA)} criteria: {size / 1e6:.0f} MB in {len(files)} files")
        fresh = RunLog(home / "experiments" / "runs")
        with timed("three columns of all runs"):
            fresh.table([CRITERIA[0], CRITERIA[90], "experiment"])
        with timed("one run by its tag"):
            fresh.get(runs[3].tag)
        command = [sys.executable, "-m", "noria", "--home", str(home), "experiments", "list"]
        ask = ["--where", f"{CRITERIA[0]}>0.5", "--where", f"{CRITERIA[90]}<=0.25", "--sort", f"-{CRITERIA[40]}"]
        for words in ([], ask):
            started = time.perf_counter()
            said = subprocess.run([*command, *words], capture_output=True, check=True, text=True)
            what = "filtered by two criteria, sorted by a third" if words else "experiments and their counts"
            print(f"noria experiments list: {what:<45} {time.perf_counter() - started:.2f} s, whole process")
            print(f"    {said.stdout.splitlines()[-1]}")
        beside(Path(folder), runs[: options.mlflow])


def beside(folder: Path, runs: list[ExperimentRun]) -> None:
    """MLflow on the same runs."""
    tracker = Tracker(f"sqlite:///{folder / 'tracker.db'}", folder / "artifacts")

    def record(run: ExperimentRun) -> None:
        tracker.record(
            experiment="all", tag=run.tag, params={k: str(v) for k, v in run.settings.items()},
            metrics=dict(run.metrics), data=[], artifacts={"manifest.json": b"{}"}, time_ms=run.time_ms,
        )  # fmt: skip

    record(runs[0])
    with timed(f"MLflow: record a run, {len(runs) - 1} of them", len(runs) - 1):
        for run in runs[1:]:
            record(run)
    with timed(f"MLflow: all of {len(runs)} runs with their metrics"):
        tracker.runs("all")


if __name__ == "__main__":
    main()
