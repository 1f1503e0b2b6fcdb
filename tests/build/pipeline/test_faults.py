"""What goes wrong in the world: broken sources, other types, crashes at any moment, two runs at once."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys

import pytest
from tests.build.pipeline.made_up_feed import Desk, feed, runs, source, ticket, write
from tests.conftest import ROOT

from noria.build import run_feed
from noria.build.pipeline import publishing, run
from noria.build.pipeline.receipts import latest
from noria.errors import OutsideError
from noria.ports.source import Page
from noria.stores.lake import Lake


def reasons_of(lake):
    return {r["id"]: r["reason"] for r in lake.read_table("quarantine", "tickets")[1].to_pylist()}


def test_a_number_that_turns_into_text_sets_those_rows_aside_and_keeps_the_last_good_one(tmp_path):
    desk, lake = {f"t{n}": ticket(n, 1, subject=f"only one {n * n}") for n in range(5)}, Lake(tmp_path)
    run_feed(lake, feed(), Desk(desk), time_ms=1)
    desk["t2"] = ticket(2, 2, n="twelve")
    desk["t9"] = ticket(9, 2, n="12", subject="a number in quotes is a number")
    done = run_feed(lake, feed(), Desk(desk), time_ms=2, full=True)
    table = {r["id"]: r for r in lake.read_table("clean", "tickets")[1].to_pylist()}
    assert table["t2"]["n"] == 2
    assert table["t9"]["n"] == 12
    broken = lake.read_table("quarantine", "tickets")[1].to_pylist()
    assert [(r["reason"], "'twelve' is no whole number" in r["detail"]) for r in broken] == [("type", True)]
    desk["t2"] = ticket(2, 3, n=12)
    healed = run_feed(lake, feed(), Desk(desk), time_ms=3, full=True)
    assert (done.reasons, healed.reasons) == ({"type": 1}, {})


def test_a_new_and_a_lost_column_break_nothing(tmp_path):
    desk, lake = {"t1": ticket(1, 1)}, Lake(tmp_path)
    run_feed(lake, feed(), Desk(desk), time_ms=1)
    desk["t2"] = {k: v for k, v in ticket(2, 2, added="new").items() if k != "n"}
    assert run_feed(lake, feed(), Desk(desk), time_ms=2).status == "published"


def test_a_line_without_end_costs_no_memory_and_only_itself(tmp_path):
    (tmp_path / "in").mkdir()
    with (tmp_path / "in" / "a.jsonl").open("w") as file:
        file.write(json.dumps(ticket(1, 1)) + "\n" + '{"id": "huge", "body": "')
        for _ in range(64):
            file.write("x" * (1 << 20))
        file.write('"}\n' + json.dumps(ticket(2, 1, subject="after the huge one")) + "\n")
    lake = Lake(tmp_path / "lake")
    done = run_feed(lake, feed(), source(tmp_path / "in"), time_ms=1)
    assert done.counts["read"] == 3
    assert list(reasons_of(lake).values()) == ["line_too_long"]
    detail = lake.read_table("quarantine", "tickets")[1]["detail"][0].as_py()
    assert "a.jsonl, line 2: the line has 671088" in detail


def test_mixed_encodings_are_read_and_counted(tmp_path):
    (tmp_path / "in").mkdir()
    utf8 = json.dumps(ticket(1, 1, subject="Größe prüfen"), ensure_ascii=False).encode()
    latin = json.dumps(ticket(2, 1, subject="Drücker öffnen"), ensure_ascii=False).encode("latin-1")
    (tmp_path / "in" / "a.jsonl").write_bytes(b"\xef\xbb\xbf" + utf8 + b"\n" + latin + b"\n")
    lake = Lake(tmp_path / "lake")
    done = run_feed(lake, feed(), source(tmp_path / "in"), time_ms=1)
    texts = " ".join(lake.read_table("clean", "tickets")[1]["text"].to_pylist())
    assert "Größe prüfen" in texts
    assert "Drücker öffnen" in texts
    assert done.counts["lines_in_other_encoding"] == 1


def test_a_copy_of_a_file_is_read_once(tmp_path):
    for name in ("a.jsonl", "b.jsonl"):
        write(tmp_path / "in", name, [ticket(n, 1) for n in range(5)])
    done = run_feed(Lake(tmp_path / "lake"), feed(), source(tmp_path / "in"), time_ms=1)
    assert (done.counts["read"], done.counts["file_copies"]) == (5, 1)


class BreakingDesk(Desk):
    """Gives some pages, then fails, as a help desk does in the middle of a walk."""

    def pages(self, since, *, schema, full):
        rows = sorted(self.rows.values(), key=lambda r: r["updated"])
        for row in rows[:3]:
            yield Page([row], cursor=str(row["updated"]))
        raise OutsideError("the desk is gone", retry_helps=True)


def test_a_source_that_fails_half_way_goes_on_where_it_was(tmp_path, monkeypatch):
    monkeypatch.setattr("noria.build.extract.staging._FLUSH_ROWS", 1)
    desk, lake = {f"t{n}": ticket(n, 1 + n, subject=f"only {n * n}") for n in range(6)}, Lake(tmp_path)
    with pytest.raises(OutsideError):
        run_feed(lake, feed(), BreakingDesk(desk), time_ms=1)
    assert lake.resolve("raw", "tickets").rows == 3
    asked = []

    class Watched(Desk):
        def pages(self, since, *, schema, full):
            asked.append(since)
            return super().pages(since, schema=schema, full=full)

    done = run_feed(lake, feed(), Watched(desk), time_ms=2)
    assert asked == ["2024-02-03T08:00:00Z"]
    assert done.clean.rows + (done.quarantine.rows if done.quarantine else 0) == 6


@pytest.mark.parametrize("step", ["clean", "quarantine", "receipt"])
def test_a_run_that_dies_between_its_tables_leaves_nothing_half_visible(tmp_path, monkeypatch, step):
    desk, lake = {f"t{n}": ticket(n, 1) for n in range(40)}, Lake(tmp_path)
    first = run_feed(lake, feed(), Desk(desk), time_ms=1)
    desk |= {f"t{n}": ticket(n, 2, 3) for n in range(30, 70)}
    store, told = publishing.Publisher._store, run._told

    def dies(self, kind, *args, **kwargs):
        written = store(self, kind, *args, **kwargs)
        if kind == step:
            raise KeyboardInterrupt
        return written

    def dies_before_receipt(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(publishing.Publisher, "_store", dies)
        if step == "receipt":
            patch.setattr(run, "_told", dies_before_receipt)
        with pytest.raises(KeyboardInterrupt):
            run_feed(lake, feed(), Desk(desk), time_ms=2)
    assert told is run._told
    _, last = latest(lake, "tickets")
    assert (last.clean, last.quarantine) == (first.clean, first.quarantine)
    desk["t99"] = ticket(99, 3)
    healed = run_feed(lake, feed(), Desk(desk), time_ms=3)
    assert healed.clean.rows + healed.quarantine.rows == 71
    again = run_feed(lake, feed(), None, time_ms=4, rebuild=True)
    assert [v.sha256 for v in (healed.clean, healed.quarantine)] == [v.sha256 for v in (again.clean, again.quarantine)]


def consistent(lake, n_rows):
    healed = run_feed(lake, feed(), Desk({"t0": ticket(0, 28, 9)}), time_ms=999)
    assert lake.verify(healed.clean)
    assert lake.verify(healed.quarantine)
    ids = [row for k in ("clean", "quarantine") for row in lake.read_table(k, "tickets")[1]["id"].to_pylist()]
    assert len(ids) == len(set(ids))
    assert (len(ids) == n_rows) if n_rows else ids
    again = run_feed(lake, feed(), None, time_ms=1000, rebuild=True)
    assert [v.sha256 for v in (healed.clean, healed.quarantine)] == [v.sha256 for v in (again.clean, again.quarantine)]


# One process loads the libraries; each round is a fork of it that is killed after a random time.
NURSERY = """
import os, random, signal, sys, time
import pyarrow.compute, pyarrow.parquet
from tests.build.pipeline.made_up_feed import runs
from noria.build.cleaning.language import languages
from noria.stores.lake import Lake
from noria.stores.lake.care import vacuum

languages(["the model is loaded once, before the forks"], 5)
folder, rounds, draw = sys.argv[1], int(sys.argv[2]), random.Random(5)
began = time.monotonic()
for round_ in range(rounds):
    child = os.fork()
    if not child:
        if round_ % 4 == 3:
            vacuum(Lake(folder), now_ms=time.time_ns() // 1_000_000 + 1, keep_hours=0, dry_run=False)
        runs(folder, 20, 6, first=round_)
        os._exit(0)
    if round_ == 0:
        os.waitpid(child, 0)
        longest = time.monotonic() - began
        continue
    time.sleep(draw.uniform(0.01, min(0.6, 0.6 * longest)))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
"""


@pytest.mark.slow
def test_a_hundred_kills_at_any_moment_lose_and_double_nothing(tmp_path):
    """Also where a vacuum took the files of the last published versions after a run had died over them."""
    environ = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", NURSERY, str(tmp_path), "101"], check=True, env=environ)
    assert latest(Lake(tmp_path), "tickets")[0].version > 5, "the kills came too early to prove anything"
    runs(tmp_path, 20, 6)
    consistent(Lake(tmp_path), 120)


def test_two_runs_at_once_end_in_one_consistent_table(tmp_path):
    spawn = multiprocessing.get_context("forkserver")
    spawn.set_forkserver_preload(["tests.build.pipeline.made_up_feed", "noria.build", "noria.stores.lake"])
    children = [spawn.Process(target=runs, args=(tmp_path, 30, 4)) for _ in range(2)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0, 0]
    consistent(Lake(tmp_path), 120)
