"""False alarms, delays and inceptions on simulated labelled streams: `python benchmarks/statistics/detection.py`.

Writes its tables into docs/benchmarks-detection.md. With `--peer PYTHON` (one that has river and ruptures) the
peers run on the very same streams.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from streams import BASELINE_DAYS, CHANGE_DAY, Case, Streams, agree, alarms, cells, evidence, references, simulate

from noria.monitor.watching.placing import LEVEL, SOON
from noria.stats.detection.esr import BETS
from noria.stats.inception import locate
from noria.stats.intervals import score_bounds

HERE = Path(__file__).resolve().parent
PAGE = HERE.parents[1] / "docs" / "benchmarks-detection.md"
BEGIN, END = "<!-- labelled: begin -->", "<!-- labelled: end -->"
SEED, LEVELS, CHANGE = 20261125, (1e4, 1e5), 24 * CHANGE_DAY
LOOK_BACK, PEERS = 56 * 24, 200
# A run length at which about 1 % of streams are in alarm before 5,000 labels.
RARE = 3e5
PLAIN, CHANGE_AT = 20_000, 5_000
NEW = (0.13, 0.15, 0.20)
Peers = dict[str, Any]


def three_sigma(wrong: np.ndarray, day: np.ndarray, baseline: int) -> np.ndarray:
    """First label of each stream's first day with more errors than mean + 3 standard deviations of the first days."""
    days = int(day[-1]) + 1
    rates = np.stack([np.bincount(day, weights=row, minlength=days) for row in wrong]) / np.bincount(day)
    limit = rates[:, :baseline].mean(axis=1) + 3 * rates[:, :baseline].std(axis=1, ddof=1)
    out = rates > limit[:, None]
    out[:, :baseline] = False
    end = np.append(np.flatnonzero(np.diff(day)) + 1, len(day))
    return np.where(out.any(axis=1), end[out.argmax(axis=1)] - 1, len(day))


def summary(first: np.ndarray, change: int, n: int) -> str:
    """False alarms before the change, median delay in labels, streams missed."""
    early, missed = (first < change).mean(), (first >= n).mean()
    told = first[first >= change] - change
    return f"{100 * early:.1f} % · {np.median(told):,.0f}" + (f" ({100 * missed:.0f} %)" if missed else "")


def plain(seed: int, count: int, ask: Any) -> list[str]:
    """Streams of one stratum with a known rate: what a label detector does beside the libraries."""
    lines = ["| detector | 10 → 13 % | 10 → 15 % | 10 → 20 % |", "| --- | --- | --- | --- |"]
    wrong = {}
    for new in NEW:
        rate = np.where(np.arange(PLAIN) < CHANGE_AT, 0.10, new)
        wrong[new] = np.random.default_rng([seed, 0, round(100 * new)]).random((count, PLAIN)) < rate
    strata, known, level = np.zeros((count, PLAIN), dtype=np.int8), np.full((count, 1), 0.90), LEVELS[1]
    published = {new: alarms(row, strata, known, [level, RARE], BETS) for new, row in wrong.items()}
    early = np.mean([first[0] < CHANGE_AT for first in published.values()])
    # The run length at which as many of the same streams are in alarm before the change.
    quiet = [evidence(row[:, :CHANGE_AT], strata[:, :CHANGE_AT], known) for row in wrong.values()]
    peaks = np.concatenate([np.maximum.reduce(list(sums)) for sums in quiet])
    levels = (*LEVELS, float(np.quantile(peaks, 1 - early)), RARE)
    names = [f"{length:,.0f}" for length in levels]
    names[2] += ": as many early alarms as the published one"
    rows: dict[str, list[str]] = {}
    for new, row in wrong.items():
        for name, first in zip(names, alarms(row, strata, known, levels), strict=True):
            rows.setdefault(f"**noria**, run length {name}", []).append(summary(first, CHANGE_AT, PLAIN))
        for length, first in zip((level, RARE), published[new], strict=True):
            title = f"e-SR as published, run length {length:,.0f}"
            rows.setdefault(title, []).append(summary(first, CHANGE_AT, PLAIN))
        daily = three_sigma(row, np.arange(PLAIN) // 360, CHANGE_AT // 360)
        rows.setdefault("daily 3-sigma chart, 360 labels a day", []).append(summary(daily, CHANGE_AT, PLAIN))
    said = ask({f"wrong {new}": row[:PEERS] for new, row in wrong.items()})
    for key, first in (said or {"alarms": {}})["alarms"].items():
        title = f"river {key.split('|')[0]} (the first {min(PEERS, count)} streams)"
        rows.setdefault(title, []).append(summary(np.array(first), CHANGE_AT, PLAIN))
    return [*lines, *(f"| {name} | {' | '.join(told)} |" for name, told in rows.items())]


def quiet(seed: int, count: int, shares: list[float], ask: Any) -> list[str]:
    """Streams whose quality does not change: alarms raised and promised."""
    lines = [
        (
            "| what happens | labelled | labels watched | run length seen where 10,000 · 100,000 are promised (streams "
            f"in alarm) | one stratum for all: streams in alarm, of {count:,} | river, share of the first "
            f"{min(PEERS, count)} streams in alarm | 3-sigma |"
        ),
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for words, switch in (("weekends", None), ("weekends, least confident first from day 28", 28)):
        for share in shares:
            rng = np.random.default_rng([seed, 1, round(100 * share), switch or 0])
            streams = simulate(rng, count, Case(share=share, switch=switch))
            later = streams.hour >= 24 * BASELINE_DAYS
            n = int(later.sum())
            first, blind = found(streams, streams.stratum, 8), found(streams, np.zeros_like(streams.band), 1)
            assert agree(streams, references(streams, streams.stratum, 8), LEVELS[1], first[1])  # noqa: S101
            some = streams.wrong[:PEERS, later]
            said = ask({"wrong": some})
            river = ", ".join(
                f"{key.split('|')[0]}: {100 * np.mean(np.array(a) < some.shape[1]):.0f} %"
                for key, a in (said or {"alarms": {}})["alarms"].items()
            )
            daily = three_sigma(streams.wrong, streams.hour // 24, BASELINE_DAYS) < len(streams.hour)
            lines.append(
                f"| {words} | {100 * share:.0f} % | {n * count:,} | **{' · '.join(run_length(a, n) for a in first)}** "
                f"| {' · '.join(f'{(a < n).sum():,}' for a in blind)} | {river} | {100 * daily.mean():.0f} % |"
            )
    return lines


def run_length(first: np.ndarray, n: int) -> str:
    """Labels up to the first alarm or the end (n), by alarm."""
    alarmed = int((first < n).sum())
    labels = int(np.minimum(first + 1, n).sum())
    return f"{labels / alarmed:,.0f} ({alarmed:,})" if alarmed else f"over {labels:,} (0)"


def found(streams: Streams, strata: np.ndarray, count: int) -> np.ndarray:
    """First alarms by level and stream, in labels after the reference time."""
    later = streams.hour >= 24 * BASELINE_DAYS
    return alarms(streams.wrong[:, later], strata[:, later], references(streams, strata, count), LEVELS)


def changed(seed: int, count: int, placed: int, shares: list[float]) -> list[str]:
    """Streams with one change: delay, and the inception at the alarm and two days later."""
    lines = [
        (
            "| change | labelled | early | missed | delay, h: median (p90) | at the alarm: held, width, error, h "
            "| 48 h later: held, width, error, h |"
        ),
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    held: dict[str, list[np.ndarray]] = {}
    for ramp, switch in ((0, None), (72, None), (0, 35)):
        for error in NEW:
            for share in shares:
                case = Case(error, share, ramp, switch)
                key = [seed, 2, round(100 * share), switch or 0, ramp, round(100 * error)]
                streams = simulate(np.random.default_rng(key), count, case)
                line, places = changed_row(streams, case, placed)
                lines.append(line)
                held.setdefault("ramps" if ramp else "steps", []).append(places)
    lines.append("")
    for words, each in held.items():
        told = []
        for at, when in enumerate(("at the alarm", "48 h later")):
            rows = [places[:, at] for places in each]
            n, k, least = sum(map(len, rows)), sum(int(row.sum()) for row in rows), min(row.mean() for row in rows)
            low, high = score_bounds(k / n, n, 1.96)
            told.append(
                f"{when} in {100 * k / n:.1f} % ({100 * low:.1f} to {100 * high:.1f}; in the row with the least, "
                f"{100 * least:.1f})"
            )
        lines.append(f"Of {n:,} {words} the set holds the beginning {'; '.join(told)}.")
    return lines


def changed_row(streams: Streams, case: Case, placed: int) -> tuple[str, np.ndarray]:
    """One row of the table, at a run length of 100,000 labels, and what was held (streams, 2): at the alarm, later."""
    first, offset = found(streams, streams.stratum, 8)[1], int((streams.hour < 24 * BASELINE_DAYS).sum())
    n, start = len(streams.hour), int((streams.hour < CHANGE).sum())
    at = first + offset
    told = np.flatnonzero((at >= start) & (at < n))
    delay = streams.hour[at[told]] - CHANGE
    places: dict[int, list[tuple[bool, int, int]]] = {0: [], 48: []}
    for s in told[:placed].tolist():
        hour = int(streams.hour[at[s]])
        since = max(0, hour - LOOK_BACK)
        for later, kept in places.items():
            until = int(np.searchsorted(streams.hour, hour + later, side="right")) if later else int(at[s]) + 1
            place = locate(*cells(streams, s, until, since), level=LEVEL if later else SOON)
            if place is None:
                kept.append((False, 0, 0))
                continue
            low, high = place.low + since, place.high + since
            kept.append((low <= CHANGE <= high, high - low + 1, abs(place.index + since - CHANGE)))
    said, held = [], []
    for kept in places.values():
        inside, width, error = (np.array(column) for column in zip(*kept, strict=True))
        said.append(f"{100 * inside.mean():.1f} %, {np.median(width):.0f}, {np.median(error):.0f}")
        held.append(inside)
    words = f"10 → {100 * case.error:.0f} %" + (f" over {case.ramp} h" if case.ramp else "")
    words += ", least confident first from day 35" if case.switch else ""
    line = (
        f"| {words} | {100 * case.share:.0f} % | {100 * (at < start).mean():.1f} % | {100 * (at >= n).mean():.1f} % "
        f"| {np.median(delay):.0f} ({np.quantile(delay, 0.9):.0f}) | {' | '.join(said)} |"
    )
    return line, np.column_stack(held)


def placed_beside(seed: int, count: int, ask: Any) -> list[str]:
    """The place of one change in 28 days of hourly rates, all seen: likelihood set beside the segmenters."""
    lines = ["| change at hour 336 | method | error, h: median (p90) |", "| --- | --- | --- |"]
    for error, share, ramp in ((0.15, 0.10, 0), (0.20, 0.20, 0), (0.20, 0.20, 72)):
        rng = np.random.default_rng([seed, 3, round(100 * error), ramp])
        streams = simulate(rng, count, Case(error, share, ramp, days=2 * CHANGE_DAY - 14))
        ours, rates = [], []
        for s in range(count):
            k, n = cells(streams, s, len(streams.hour), 24 * 14)
            place = locate(k, n)
            ours.append(abs(place.index - 336) if place else 672)
            rates.append(k.sum(axis=1) / np.maximum(n.sum(axis=1), 1))
        words = f"10 → {100 * error:.0f} %, {100 * share:.0f} % labelled" + (f", over {ramp} h" if ramp else "")
        errors = {"**noria**": ours}
        said = ask({"rates": np.array(rates)})
        for name, at in (said["cuts"]["rates"] if said else {}).items():
            errors[f"ruptures {name}"] = [abs(a - 336) for a in at]
        lines += [f"| {words} | {m} | {np.median(e):.0f} ({np.quantile(e, 0.9):.0f}) |" for m, e in errors.items()]
    return lines


def main() -> None:
    """Runs everything and writes the page."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--peer", default="")
    asked.add_argument("--streams", type=int, default=1000)
    asked.add_argument("--placed", type=int, default=500)
    asked.add_argument("--seed", type=int, default=SEED)
    asked.add_argument("--shares", type=float, nargs="+", default=[0.05, 0.10, 0.20], help="of queries labelled")
    asked.add_argument("--show", action="store_true", help="print instead of writing the page")
    options = asked.parse_args()

    def ask(arrays: dict[str, np.ndarray]) -> Peers | None:
        if not options.peer:
            return None
        with tempfile.NamedTemporaryFile(suffix=".npz") as file:
            np.savez(file.name, **arrays)  # type: ignore[arg-type]
            command = [options.peer, str(HERE / "peer_changes.py"), file.name]
            peers: Peers = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            return peers

    began, seed, count = time.process_time(), options.seed, options.streams
    parts = {
        f"One stratum, known rate, change after {CHANGE_AT:,} labels, {count:,} streams: share of them in alarm before "
        "it · median delay in labels (share missed)": plain(seed, count, ask),
        f"No change of quality, {count:,} streams of {Case().days} days": quiet(seed, count, options.shares, ask),
        f"Changes, run length of 100,000 labels, {count // 2} streams each, the first {options.placed} in alarm "
        "placed": changed(seed, count // 2, options.placed, options.shares),
        f"The same change placed by others, {min(PEERS, count)} streams": placed_beside(seed, min(PEERS, count), ask),
    }
    lines = [line for title, table in parts.items() for line in (f"**{title}**", "", *table, "")]
    lines.append(f"Seed {seed}; {time.process_time() - began:.0f} CPU seconds without the peers.")
    text = "\n".join(lines)
    if options.show:
        print(text)
        return
    old = PAGE.read_text(encoding="utf-8")
    before, after = old.split(BEGIN)[0], old.split(END)[1]
    PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    sys.path.insert(0, str(HERE))
    main()
