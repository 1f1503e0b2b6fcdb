"""`noria detect` on files as people have them."""

from __future__ import annotations

import datetime as dt
import json
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from tests.app.noria_process import noria, noria_json


def write(path, values, n=None):
    """Hourly rows."""
    start = dt.datetime(2026, 1, 5)  # noqa: DTZ001 - times in files are often naive
    rows = ["time,value" + (",n" if n is not None else "")]
    for i, value in enumerate(values):
        rows.append(f"{(start + dt.timedelta(hours=i)).isoformat()},{value}" + (f",{n[i]}" if n is not None else ""))
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def test_a_change_is_told_with_its_interval(tmp_path):
    """A rate with a daily rhythm falls at hour 300: one change, its set holds the hour."""
    rng, hour = np.random.default_rng(0), np.arange(480)
    n = np.full(480, 200)
    value = rng.binomial(n, 0.8 + 0.05 * np.sin(2 * np.pi * hour / 24) - 0.1 * (hour >= 300)) / n
    told = noria_json("detect", write(tmp_path / "rate.csv", value, n))
    assert told["period"] == 24
    (change,) = told["changes"]
    assert change["low_index"] <= 300 <= change["high_index"] <= change["low_index"] + 24
    assert change["alarm_index"] >= change["index"]
    assert change["low"].startswith("2026-01-")
    assert change["after"] < change["before"]
    assert "1 changes" in noria("detect", tmp_path / "rate.csv")


def test_a_quiet_series_shows_nothing(tmp_path):
    file = write(tmp_path / "quiet.csv", np.random.default_rng(1).normal(size=300))
    assert noria_json("detect", file)["changes"] == []


def test_what_cannot_be_read_is_named(tmp_path):
    """Every wrong row with its number and field; a missing column by its name."""
    bad = tmp_path / "bad.csv"
    bad.write_text("time,value,n\n2026-01-01,1.5,3\n2026-01-02,much,0\n", encoding="utf-8")
    error = json.loads(noria("detect", bad, "--json", code=3))
    assert {(p["row"], p["field"]) for p in error["problems"]} == {(3, "value"), (3, "n")}
    bad.write_text("day,value\n2026-01-01,1\n", encoding="utf-8")
    assert "'time'" in noria("detect", bad, code=3)


def rhythm(hour, seed=0):
    return np.random.default_rng(seed).normal(size=len(hour)) * 0.3 + 5 * np.sin(2 * np.pi * hour / 24)


def rows_of(path, times, values):
    path.write_text("time,value\n" + "".join(f"{t},{v}\n" for t, v in zip(times, values, strict=True)), "utf-8")
    return path


def test_gaps_shift_no_rhythm(tmp_path):
    """Hours that are missing leave the daily rhythm where it is: it is taken out, and no change is told."""
    hour = np.cumsum(1 + 5 * np.isin(np.arange(480), [90, 180, 333]))
    start = dt.datetime(2026, 1, 5)  # noqa: DTZ001 - times in files are often naive
    times = [(start + dt.timedelta(hours=int(h))).isoformat() for h in hour]
    told = noria_json("detect", rows_of(tmp_path / "gaps.csv", times, rhythm(hour)))
    assert (told["period"], told["changes"]) == (24, [])


def test_times_may_be_seconds_or_of_any_zone(tmp_path):
    """Epoch seconds, and local times whose clock is put forward on 29 March, have their rhythm taken out."""
    hour = np.arange(480)
    seconds = [1_774_224_000 + 3600 * int(h) for h in hour]
    zone = ZoneInfo("Europe/Berlin")
    for times in (seconds, [dt.datetime.fromtimestamp(s, zone).isoformat() for s in seconds]):
        told = noria_json("detect", rows_of(tmp_path / "times.csv", times, rhythm(hour)))
        assert (told["period"], told["changes"]) == (24, [])


@pytest.mark.parametrize(
    ("content", "wrong"),
    [
        (b"time,value\n2026-01-02,1\n2026-01-01,2\n", [(3, "time")]),
        (b"time,value\n2026-01-02T01:00Z,1\n2026-01-02T02:00+01:00,2\n", [(3, "time")]),
        (b"time,value\n2026-01-02,1\nyesterday,2\n,3\n", [(3, "time"), (4, "time")]),
        (b"time,value\n2026-01-02,1,5\n", [(2, None)]),
        (b"time;value\n2026-01-02;1\n", [(None, "time"), (None, "value")]),
        (b"time,value\n", [(None, None)]),
        (b"time,value,city\n2026-01-02,1,M\xfcnchen\n", [(2, None)]),
        (b"\x89PNG\r\n\x1a\n\x00\x00", [(1, None)]),
    ],
)
def test_no_file_is_read_amiss(tmp_path, content, wrong):
    """Rows out of order, doubled or odd times, decimal commas, other separators and other files are told."""
    file = tmp_path / "odd.csv"
    file.write_bytes(content)
    error = json.loads(noria("detect", file, "--json", code=3))
    assert [(p["row"], p["field"]) for p in error["problems"]] == wrong


def test_a_column_named_twice_is_refused(tmp_path):
    file = tmp_path / "twice.csv"
    file.write_text("time,value,value\n2026-01-02,1,2\n", encoding="utf-8")
    assert "'value'" in noria("detect", file, code=2)


def test_rows_may_have_names_for_times(tmp_path):
    """Where no text is a time, rows are in the order of the file."""
    values = [*np.random.default_rng(2).normal(size=40), *np.random.default_rng(3).normal(5, size=40)]
    (change,) = noria_json("detect", rows_of(tmp_path / "n.csv", [f"run {i}" for i in range(80)], values))["changes"]
    assert change["inception"] == "run 40"


def test_few_rows_say_so(tmp_path):
    assert "fewer than 10 rows" in noria("detect", write(tmp_path / "few.csv", [1, 2, 3])).lower()
