"""`noria detect`: the detector and locator on any series."""

from __future__ import annotations

import csv
import datetime as dt
import itertools
import math
from dataclasses import dataclass
from pathlib import Path

import click

from noria.app.cli.context import show
from noria.errors import DataError, Problem
from noria.records import DAY_MS


@dataclass(frozen=True, slots=True)
class Series:
    """A file's rows. n: observations behind each value, or None. step_ms: time between rows; None where not regular."""

    time: list[str]
    value: list[float]
    n: list[float] | None
    step_ms: float | None


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def detect(file: Path, as_json: bool) -> None:
    """Find when a series changed: FILE.csv with the columns time, value and, for rates, n.

    Of each change: when it began with a 95 % set, when it could be told from noise, and the levels before and after. A
    daily or weekly rhythm is taken out where times are regular.
    """
    from noria.stats.inception.series import changes

    series = read(file)
    periods = [round(span / series.step_ms) for span in (DAY_MS, 7 * DAY_MS)] if series.step_ms else []
    told = changes(series.value, series.n if series.n is not None else 1.0, periods=[p for p in periods if p > 1])
    at = series.time
    found = [
        {
            "inception": at[c.index], "low": at[c.low], "high": at[c.high],
            "alarm": None if c.alarm is None else at[c.alarm],
            "index": c.index, "low_index": c.low, "high_index": c.high, "alarm_index": c.alarm,
            "before": c.before, "after": c.after, "gain": c.gain,
        }
        for c in told.found
    ]  # fmt: skip
    lines = [f"{len(at)} rows, {len(found)} changes."]
    lines += [
        f"  {c['before']:.4g} → {c['after']:.4g}, began {c['inception']} (95 %: {c['low']} to {c['high']}), "
        + (f"told by {c['alarm']}" if c["alarm"] else "told only by what followed")
        for c in found
    ]
    facts = {"rows": len(at), "model": told.model, "period": told.period, "noise": told.noise, "memory": told.memory}
    show(facts | {"changes": found}, as_json=as_json, text="\n".join(lines))


def read(file: Path) -> Series:
    """The rows of a file in their order.

    Raises:
        DataError: a column is missing, or a value is no finite number, or an `n` not above 0; with every row.
    """
    with file.open(encoding="utf-8-sig", newline="") as lines:
        reader = csv.DictReader(lines)
        columns = reader.fieldnames or []
        missing = [name for name in ("time", "value") if name not in columns]
        if missing:
            problems = [Problem(file.name, None, name, "column is missing") for name in missing]
            raise DataError(problems, "The first line names the columns: time,value or time,value,n.")
        rows = list(reader)
    problems = []
    figures: dict[str, list[float]] = {"value": [], "n": []}
    for number, row in enumerate(rows, start=2):
        for name in ("value", "n") if "n" in columns else ("value",):
            figure = _figure(row[name])
            if not math.isfinite(figure) or (name == "n" and figure <= 0):
                wanted = "a finite number" if name == "value" else "a number above 0"
                problems.append(Problem(file.name, number, name, f"{row[name]!r} is not {wanted}"))
            figures[name].append(figure)
    if problems:
        raise DataError(problems, "Leave out rows without a value.")
    times = [row["time"] or "" for row in rows]
    return Series(times, figures["value"], figures["n"] if "n" in columns else None, _step_ms(times))


def _figure(text: str | None) -> float:
    try:
        return float(text or "")
    except ValueError:
        return math.nan


def _step_ms(times: list[str]) -> float | None:
    """The usual time between rows, in milliseconds, where at least 95 % of rows keep it."""
    try:
        known = [dt.datetime.fromisoformat(text).replace(tzinfo=None) for text in times]
    except ValueError:
        return None
    steps = sorted((b - a).total_seconds() for a, b in itertools.pairwise(known))
    if not steps or steps[len(steps) // 2] <= 0:
        return None
    usual = steps[len(steps) // 2]
    regular = sum(abs(step - usual) <= 0.01 * usual for step in steps) >= 0.95 * len(steps)
    return 1000 * usual if regular else None
