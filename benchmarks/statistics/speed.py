"""CPU seconds of drift tables, expected quality and locating, beside NannyML and Evidently.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/statistics/speed.py --nannyml PYTHON --evidently PYTHON

PYTHON: an interpreter of its own that has the peer. Writes its table into docs/benchmarks-detection.md.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from monitored import ACCOUNTS, COLUMNS, DAYS, LABELLED, LATER, REFERENCE, ROWS, WINDOWS, classified, columns
from streams import Case, cells, simulate

from noria.stats.detection.drift import Drift, count, drift, grid
from noria.stats.detection.expected import calibrate
from noria.stats.inception import locate

HERE = Path(__file__).resolve().parent
PAGE = HERE.parents[1] / "docs" / "benchmarks-detection.md"
BEGIN, END = "<!-- speed: begin -->", "<!-- speed: end -->"
REPEATS, EVIDENTLY_REPEATS = 5, 2


def tables(reference: dict[str, np.ndarray], rows: dict[str, np.ndarray], accounts: int = 0) -> list[Drift]:
    """Every distance of every column by day, from the raw columns on; with `accounts`, of each against its own past."""
    usual, data = ([table[name] for name in COLUMNS] for table in (reference, rows))
    grids = [grid(column) for column in usual]
    if accounts:
        before = count(grids, usual, [reference["account"]], [accounts])
        after = count(grids, data, [rows["day"], rows["account"]], [DAYS, accounts])
    else:
        before = [at.counts(column) for at, column in zip(grids, usual, strict=True)]
        after = count(grids, data, [rows["day"]], [DAYS])
    return [drift(*all_of) for all_of in zip(grids, before, after, strict=True)]


def cpu(work: Callable[[], object]) -> float:
    """Least CPU seconds of some repeats: other processes only ever add to it."""
    seconds = []
    for _ in range(REPEATS):
        began = time.process_time()
        work()
        seconds.append(time.process_time() - began)
    return min(seconds)


def expected() -> tuple[float, float]:
    """CPU seconds of the estimate from scores on, and its mean error over the windows."""
    scores, truth, real = classified(1)
    window = np.arange(LATER) * WINDOWS // LATER

    def estimate() -> np.ndarray:
        top = scores.argmax(axis=1)
        confidence = scores[np.arange(len(scores)), top]
        fit = calibrate(confidence[:LABELLED], top[:LABELLED] == truth[:LABELLED])
        return np.array([fit.expect(confidence[LABELLED:][window == w]).value for w in range(WINDOWS)])

    return cpu(estimate), float(np.abs(estimate() - real).mean())


def peak_mb(rows: int) -> float:
    """Peak memory beyond the columns themselves, in MB."""
    reference, data = columns(REFERENCE, 1), columns(rows, 2)
    tracemalloc.start()
    tables(reference, data)
    peak = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    return peak


def ask(python: str, name: str, accounts: int, repeats: int) -> dict[str, Any]:
    """What a peer said, or nothing where none was named."""
    if not python:
        return {}
    environ = {**os.environ, "DO_NOT_TRACK": "1", "NML_DISABLE_USAGE_LOGGING": "1", "OMP_NUM_THREADS": "1"}
    command = [python, str(HERE / "peer_monitors.py"), name, str(accounts), str(repeats)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environ)
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return said


def row(title: str, ours: float, theirs: float | None, peer: str, note: str = "") -> str:
    """A line of the table."""
    beside = f"{theirs:.2f}" if theirs else "–"
    ratio = f"1/{theirs / ours:,.0f}" if theirs else "–"
    return f"| {title} | {1000 * ours:.1f} ms | {peer} | {beside} s{note} | {ratio} |"


def main() -> None:
    """Ours, then the peers, on the same machine one after the other."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--nannyml", default="")
    asked.add_argument("--evidently", default="")
    asked.add_argument(
        "--accounts", type=int, default=2, help="accounts that Evidently works through; the rest by rule of three"
    )
    asked.add_argument("--show", action="store_true", help="print instead of writing the page")
    options = asked.parse_args()
    reference, rows = columns(REFERENCE, 1), columns(ROWS, 2)
    by_day = cpu(lambda: tables(reference, rows))
    by_account = cpu(lambda: tables(reference, rows, ACCOUNTS))
    estimate, error = expected()
    streams = simulate(np.random.default_rng(1), 1, Case(0.15, 0.10, days=28 + 14))
    k, n = cells(streams, 0, len(streams.hour), 14 * 24)
    located = cpu(lambda: [locate(k, n) for _ in range(20)]) / 20
    worked = {"nannyml": ACCOUNTS, "evidently": options.accounts}
    times = {"nannyml": REPEATS, "evidently": EVIDENTLY_REPEATS}
    theirs = {name: ask(getattr(options, name), name, n, times[name]) for name, n in worked.items()}
    lines = ["| work | noria, CPU | peer | CPU | ratio |", "| --- | --- | --- | --- | --- |"]
    for name, title in (("nannyml", "NannyML"), ("evidently", "Evidently")):
        said, scale = theirs[name], ACCOUNTS / worked[name]
        lines.append(row(f"drift, {ROWS:,} rows, 4 columns, {DAYS} days", by_day, said.get("drift"), title))
        note = f" ({worked[name]} accounts × {scale:g})" if scale > 1 else ""
        many = said["accounts"] * scale if said else None
        lines.append(row(f"the same for each of {ACCOUNTS} accounts", by_account, many, title, note))
    of = theirs["nannyml"].get("cbpe", {})
    lines.append(
        row(
            f"expected accuracy, 150 classes, {LABELLED + LATER:,} rows; mean error {100 * error:.2f} points",
            estimate,
            of.get("seconds"),
            "NannyML",
            f", error {100 * of.get('error', np.nan):.2f} points",
        )
    )
    lines.append(f"| a change located in {len(k)} hours × {k.shape[1]} strata | {1000 * located:.1f} ms | | | |")
    small, large = peak_mb(ROWS), peak_mb(2 * ROWS)
    lines += ["", f"Peak memory beyond the columns: {small:.1f} MB at {ROWS:,} rows, {large:.1f} MB at twice as many."]
    peaks = [
        f"{title} {theirs[n]['peak_mb']:,.0f} MB"
        for n, title in (("nannyml", "NannyML"), ("evidently", "Evidently"))
        if theirs[n]
    ]
    if peaks:
        lines.append(f"Peak memory of the peers' processes, data included: {', '.join(peaks)}.")
    text = "\n".join(lines)
    if options.show:
        print(text)
        return
    old = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(f"{old.split(BEGIN)[0]}{BEGIN}\n{text}\n{END}{old.split(END)[1]}", encoding="utf-8")


if __name__ == "__main__":
    main()
