"""Killed at any moment, and on a full disk: no half version, no lost row, no double one; the next run heals."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from noria.errors import OutsideError
from noria.stores.lake import Lake
from noria.stores.lake.care import vacuum, verify

ROUNDS = 120
# One process loads the libraries; each round is a fork of it that is killed after a random time.
NURSERY = """
import json, os, random, signal, sys, time
import pyarrow as pa
import pyarrow.compute, pyarrow.parquet
from noria.stores.lake import Lake
from noria.stores.lake.care import vacuum

root, log, rounds = sys.argv[1], os.open(sys.argv[2], os.O_CREAT | os.O_APPEND | os.O_WRONLY), int(sys.argv[3])
draw = random.Random(7)

def tell(**what):
    os.write(log, json.dumps(what).encode() + b"\\n")

def work(round_):
    lake = Lake(root)
    facts = {"note": {}, "time_ms": 0}
    for n in range(10_000):
        name = f"{round_}-{n}"
        if round_ % 3 == 0:
            rows = pa.table({"id": [f"{name}-a", f"{name}-b", "both"], "text": ["x", "x", name]})
            tell(table="merged", name=name, done=False)
            lake.write_table("raw", "merged", rows, mode="merge", keys=("id",), **facts)
            tell(table="merged", name=name, done=True)
        elif round_ % 3 == 1:
            rows = pa.table({"name": [name, name]})
            tell(table="log", name=name, done=False)
            lake.write_table("raw", "log", rows, mode="append", once=name, **facts)
            tell(table="log", name=name, done=True)
        else:
            lake.write_table("raw", "state", pa.table({"name": [name] * 3}), mode="replace", **facts)
            tell(table="state", name=name, done=True)
            vacuum(lake, now_ms=time.time_ns() // 1_000_000 + 1, keep_hours=0, dry_run=False)
            tell(table="vacuum", name=name, done=True)

for round_ in range(rounds):
    child = os.fork()
    if not child:
        work(round_)
    time.sleep(draw.uniform(0.005, 0.2))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
"""


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@pytest.mark.slow
def test_a_hundred_and_twenty_kills(tmp_path: Path) -> None:
    """In writes, merges and vacuums: what was acknowledged is there, what was not is there whole or not at all."""
    lake, log = Lake(tmp_path / "lake"), tmp_path / "log"
    pinned = lake.write_table("raw", "state", pa.table({"name": ["first"]}), mode="replace", note={}, time_ms=0).version
    lake.pin(pinned, "experiment")
    subprocess.run([sys.executable, "-c", NURSERY, str(tmp_path / "lake"), str(log), str(ROUNDS)], check=True)
    told = [json.loads(line) for line in log.read_text().splitlines()]
    done = {what: [t["name"] for t in told if t["table"] == what and t["done"]] for what in ("merged", "log", "state")}
    begun = {what: [t["name"] for t in told if t["table"] == what] for what in ("merged", "log")}
    assert min(map(len, done.values())) > ROUNDS // 3, "the kills came too early to prove anything"
    assert [c.fault for c in verify(lake)] == [""] * 4

    merged = {row["id"] for row in lake.read_table("raw", "merged")[1].to_pylist()} - {"both"}
    pairs = {key.rpartition("-")[0] for key in merged}
    assert merged == {f"{name}-{side}" for name in pairs for side in "ab"}, "a write is there whole or not at all"
    assert set(done["merged"]) <= pairs <= set(begun["merged"])
    logged = lake.read_table("raw", "log")[1].column("name").to_pylist()
    assert sorted(logged) == sorted([*dict.fromkeys(logged)] * 2)
    assert set(done["log"]) <= set(logged) <= set(begun["log"])

    # The next run repeats what it does not know to be done: nothing comes twice.
    for name in dict.fromkeys(begun["log"]):
        if name not in done["log"]:
            rows = pa.table({"name": [name, name]})
            lake.write_table("raw", "log", rows, mode="append", once=name, note={}, time_ms=0)
    logged = lake.read_table("raw", "log")[1].column("name").to_pylist()
    assert sorted(logged) == sorted([*dict.fromkeys(begun["log"])] * 2)

    # Every file that no version needs goes; what stays is what latest and pinned versions have.
    vacuum(lake, now_ms=now_ms() + 1, keep_hours=0, dry_run=False)
    assert [c.fault for c in verify(lake)] == [""] * 4
    assert lake.read_table("raw", "state", pinned.version)[1].to_pylist() == [{"name": "first"}]
    left = {path for path in (tmp_path / "lake" / "raw").rglob("*") if path.suffix in {".part", ".tmp"}}
    assert left == set()
    assert len(list((tmp_path / "lake" / "raw" / "state").glob("*.parquet"))) == 2


FILLER = """
import resource, signal, sys
import pyarrow as pa
from noria.errors import OutsideError
from noria.stores.lake import Lake
lake, limit = Lake(sys.argv[1]), int(sys.argv[2])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    ids = [f"{n}" for n in range(40_000)]
    lake.write_table("raw", "t", pa.table({"id": ids}), mode="merge", keys=("id",), note={}, time_ms=0)
except OutsideError as error:
    print(error, "retry" if error.retry_helps else "space")
"""


def test_a_file_that_grows_too_large(tmp_path: Path) -> None:
    """Where the system refuses a data file, there is one clear error, no new version and no rest."""
    lake = Lake(tmp_path)
    first = lake.write_table(
        "raw", "t", pa.table({"id": ["a"]}), mode="merge", keys=("id",), note={}, time_ms=0
    ).version
    command = [sys.executable, "-c", FILLER, str(tmp_path), "1000"]
    said = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "File too large" in said.stdout, said.stderr
    assert lake.resolve("raw", "t") == first
    assert [c.fault for c in verify(lake)] == [""]
    assert len(list((tmp_path / "raw" / "t").glob("*.parquet"))) == 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB of its own; needs root."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if os.geteuid() or not shutil.which("mount") or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small disk needs root and leave to mount; test_a_file_that_grows_too_large stands for it")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk(small_disk: Path) -> None:
    """When the disk is full there is an error, and all that was acknowledged is there; with space it goes on."""
    lake, done = Lake(small_disk / "lake"), 0
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(300_000))

    def write(n: int) -> int:
        ids = pa.table({"id": [f"{n}-{os.urandom(16).hex()}" for _ in range(800)]})
        return lake.write_table("raw", "t", ids, mode="append", note={}, time_ms=0, once=f"{n}").version.rows

    def fill() -> None:
        nonlocal done
        while True:
            assert write(done) == 800 * (done + 1)
            done += 1

    with pytest.raises(OutsideError, match="the disk refuses") as full:
        fill()
    assert not full.value.retry_helps
    assert done > 5
    ballast.unlink()
    assert lake.resolve("raw", "t").rows == 800 * done
    assert [c.fault for c in verify(lake)] == [""]
    assert write(done) == 800 * (done + 1)
