"""`noria detect` on files as people have them."""

from __future__ import annotations

import datetime as dt
import json

import numpy as np
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
    bad.write_text("day,value\n", encoding="utf-8")
    assert "'time'" in noria("detect", bad, code=3)
