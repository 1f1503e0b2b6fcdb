"""`noria detect`: the detector and locator on any series."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from noria.app.cli.context import show
from noria.build.parsing import FieldFault, to_ms
from noria.build.reading import RawRow, read_file
from noria.errors import DataError, Problem
from noria.records import DAY_MS

_HEADER = "The first line names the columns, with commas between: time,value or time,value,n."


@dataclass(frozen=True, slots=True)
class Series:
    """A file's rows. n: observations behind each value, or None.

    step_ms: time between rows, None where not regular; at: place of each row in steps, so that a gap is one.
    """

    time: list[str]
    value: list[float]
    n: list[float] | None
    step_ms: float | None
    at: list[int]


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def detect(file: Path, as_json: bool) -> None:
    """Find when a series changed: FILE.csv with the columns time, value and, for rates, n.

    Of each change: when it began with a 95 % set, when it could be told from noise, and the levels before and after. A
    daily or weekly rhythm is taken out where times are regular.
    """
    from noria.stats.inception.series import FEWEST, changes

    series = read(file)
    periods = [round(span / series.step_ms) for span in (DAY_MS, 7 * DAY_MS)] if series.step_ms else []
    weights = series.n if series.n is not None else 1.0
    told = changes(series.value, weights, periods=[p for p in periods if p > 1], at=series.at)
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
    few = f" Fewer than {FEWEST} rows tell nothing." if len(at) < FEWEST else ""
    lines = [f"{len(at)} rows, {len(found)} changes.{few}"]
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
        UsageError: the file is of an unknown format.
        DataError: a row cannot be read or a column is missing; a value is no finite number, or an `n` not above 0; a
            time is missing, no time where others are, or not later than the one before; with every row.
    """
    rows, broken, columns = read_file(file, {})
    if broken:
        raise DataError([row.problem for row in broken], "Give each row as many fields as the header, in UTF-8.")
    if not rows:
        raise DataError([Problem(file.name, None, None, "has no rows")], _HEADER)
    missing = [name for name in ("time", "value") if name not in columns]
    if missing:
        had = ", ".join(sorted(columns)) or "none"
        problems = [Problem(file.name, None, name, f"column is missing; there are: {had}") for name in missing]
        raise DataError(problems, _HEADER)
    figures = ("value", "n") if "n" in columns else ("value",)
    known = {name: [_figure(row.fields.get(name)) for row in rows] for name in figures}
    times, problems = _times(file.name, rows)
    for at, row in enumerate(rows):
        for name in figures:
            figure = known[name][at]
            if not math.isfinite(figure) or (name == "n" and figure <= 0):
                wanted = "a finite number" if name == "value" else "a number above 0"
                told = f"{row.fields.get(name, '')!r} is not {wanted}"
                problems.append(Problem(file.name, row.row, name, told))
    if problems:
        step = "Leave out rows without a value (gaps are fine); sort the rows by time, one row for each time."
        raise DataError(sorted(problems, key=lambda p: p.row or 0), step)
    step_ms = _step_ms(times)
    places = [round((time - times[0]) / step_ms) for time in times] if step_ms else list(range(len(rows)))
    return Series([str(row.fields["time"]) for row in rows], known["value"], known.get("n"), step_ms, places)


def _figure(value: object) -> float:
    try:
        return float(value) if isinstance(value, str | int | float) else math.nan
    except (ValueError, OverflowError):
        return math.nan


def _times(file: str, rows: Sequence[RawRow]) -> tuple[list[int], list[Problem]]:
    """UTC milliseconds of each row, and what is wrong with them; nothing of both where no row has a time.

    Where no text at all is a time, they are names of rows, in the order of the file.
    """
    times, problems = list[int](), list[Problem]()
    for row in rows:
        try:
            time_ms = to_ms(row.fields.get("time"))
        except FieldFault as fault:
            problems.append(Problem(file, row.row, "time", str(fault)))
            continue
        if times and time_ms <= times[-1]:
            problems.append(Problem(file, row.row, "time", f"{row.fields['time']!r} is not later than the row before"))
        times.append(time_ms)
    named = not times and all("time" in row.fields for row in rows)
    return ([], []) if named else (times, problems)


def _step_ms(times: Sequence[int]) -> float | None:
    """The usual time between rows, in milliseconds, where at least 95 % of rows keep it."""
    steps = sorted(b - a for a, b in itertools.pairwise(times))
    if not steps:
        return None
    usual = steps[len(steps) // 2]
    regular = sum(abs(step - usual) <= 0.01 * usual for step in steps) >= 0.95 * len(steps)
    return float(usual) if regular else None
