"""Steps that were kept are not run again, whatever ended the process; on SQLite and PostgreSQL."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from noria.app.worker import latest_jobs
from noria.app.worker.holding import TAKEN_OVER

pytestmark = pytest.mark.slow

SCRIPT = """
import json, os, sys, time
from noria.app.worker import Durable
url, log, mode = sys.argv[1:4]

def note(word):
    with open(log, "a") as file:
        file.write(json.dumps([word, os.getpid()]) + chr(10))

def fence():
    if mode == "fenced" and os.path.exists(log) and "first" in open(log).read():
        os._exit(75)

def first():
    note("first")
    return {"number": 41, "text": "é", "empty": None}

def second(given):
    note("second")
    if mode == "hang":
        time.sleep(60)
    if mode == "fail":
        raise ValueError("no good")
    return {"number": given["number"] + 1}

def work(now_ms, job_id, run):
    one = run("first", first)
    assert one == {"number": 41, "text": "é", "empty": None}, one
    two = run("second", lambda: second(one))
    note(f"done {job_id} {now_ms} {two['number']}")

durable = Durable(url, {"lap": work}, fence)
wrong = durable.launch()
if mode != "resume":
    durable.run("lap", "lap-1", 7)
print(json.dumps({"wrong": wrong, "known": durable.known("lap")}))
durable.close()
"""


def start(url: str, log: Path, mode: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", SCRIPT, url, str(log), mode], stdout=subprocess.PIPE, text=True)


def words(log: Path) -> list[str]:
    return [json.loads(line)[0] for line in log.read_text().splitlines()] if log.exists() else []


def ended(process: subprocess.Popen[str], code: int = 0) -> str:
    out, _ = process.communicate(timeout=120)
    assert process.returncode == code
    return out


def test_a_killed_job_goes_on_after_its_last_step(new_database: Callable[[], str], tmp_path: Path) -> None:
    """The first step ran before the kill and is not run again; the job then is done, and stays so."""
    url, log = new_database(), tmp_path / "log"
    killed = start(url, log, "hang")
    for _ in range(1200):
        if words(log)[-1:] == ["second"]:
            break
        time.sleep(0.05)
    os.kill(killed.pid, signal.SIGKILL)
    ended(killed, -9)
    (state,) = latest_jobs(url)
    assert (state.job_id, state.kind, state.status, state.steps) == ("lap-1", "lap", "running", ("first",))
    told = json.loads(ended(start(url, log, "resume")).splitlines()[-1])
    assert told == {"wrong": [], "known": 7}
    assert words(log) == ["first", "second", "second", "done lap-1 7 42"]
    ended(start(url, log, "again"))
    assert len(words(log)) == 4
    (state,) = latest_jobs(url)
    assert (state.status, state.steps) == ("done", ("first", "second"))


def test_a_job_that_fails_is_kept_as_failed(tmp_path: Path) -> None:
    """Its error is told, and the worker that comes next does not run it again."""
    url, log = f"sqlite:///{tmp_path / 'worker.db'}", tmp_path / "log"
    assert latest_jobs(url) == []
    ended(start(url, log, "fail"), 1)
    (state,) = latest_jobs(url)
    assert (state.status, state.error) == ("failed", "no good")
    ended(start(url, log, "resume"))
    assert words(log) == ["first", "second"]


def test_who_lost_the_lease_ends_and_leaves_the_job_to_the_other(tmp_path: Path) -> None:
    """The process ends in front of the next step; the job is not kept as failed."""
    url, log = f"sqlite:///{tmp_path / 'worker.db'}", tmp_path / "log"
    ended(start(url, log, "fenced"), TAKEN_OVER)
    (state,) = latest_jobs(url)
    assert (state.status, state.steps) == ("running", ("first",))
    assert json.loads(ended(start(url, log, "resume")).splitlines()[-1])["wrong"] == []
    assert words(log) == ["first", "second", "done lap-1 7 42"]


def test_nothing_is_kept_by_pickle(tmp_path: Path) -> None:
    """Whoever can write the database can make the worker read it, but not run code of theirs."""
    url, log = f"sqlite:///{tmp_path / 'worker.db'}", tmp_path / "log"
    ended(start(url, log, "plain"))
    content = (tmp_path / "worker.db").read_bytes()
    assert b'"number":41' in content
    assert b"py_pickle" not in content
