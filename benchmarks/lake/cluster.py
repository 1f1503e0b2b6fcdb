"""The same feed on this process and on Spark, row for row: `python cluster.py SPARK_PYTHON [ROWS] [KINDS]`.

SPARK_PYTHON: of `scripts/spark.sh`, e.g. .real/spark/bin/python. KINDS: sail, local-cluster (needs Java) or both with
a comma. Prints CPU seconds of each, process tree and all, and whether the tables are equal; exits 1 where they are not.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]


def session(kind: str) -> Any:
    """A session of the Sail at SAIL_PORT, or of plain Spark with two executors in processes of their own."""
    from pyspark.sql import SparkSession

    if kind == "sail":
        return SparkSession.builder.remote(f"sc://127.0.0.1:{os.environ['SAIL_PORT']}").getOrCreate()
    os.environ["PYSPARK_PYTHON"] = sys.executable
    builder = SparkSession.builder.master("local-cluster[2,1,1024]").config("spark.ui.enabled", "false")
    return (
        builder.config("spark.driver.host", "127.0.0.1").config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.executorEnv.PYTHONPATH", os.environ["PYTHONPATH"]).getOrCreate()
    )  # fmt: skip


def run(kind: str, folder: Path) -> None:
    """One run in this process; prints what its tables hold."""
    from ours import FEED

    from noria.build import run_feed
    from noria.build.engine.spark import SparkEngine
    from noria.build.pipeline.feed import feed_of
    from noria.connect.sources.files import FileSource
    from noria.stores.lake import Lake

    spark = None if kind == "embedded" else session(kind)
    engine = SparkEngine(spark) if spark else None
    source = FileSource(f"{folder}/in/*.jsonl")
    receipt = run_feed(Lake(folder / kind), feed_of("tickets", FEED), source, time_ms=1, engine=engine)
    if spark:
        spark.stop()
    tables = [[v.rows, v.sha256] for v in (receipt.clean, receipt.quarantine) if v]
    print(json.dumps([tables, dict(receipt.reasons), dict(receipt.rules)]))


@contextlib.contextmanager
def sail(python: str, environ: dict[str, str]) -> Iterator[str]:
    """The port of a Sail server in a process of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [python, "-m", "pysail", "spark", "server", "--ip", "127.0.0.1", "--port", port]
    with subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        for _ in range(600):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", int(port)), 1):
                break
            time.sleep(0.1)
        yield port
        server.kill()


def main() -> None:
    """Embedded first, then each kind of Spark; the rows of each in turn."""
    python, rows = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "200000"
    kinds = (sys.argv[3] if len(sys.argv) > 3 else "sail,local-cluster").split(",")
    environ = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}:{HERE}", "OMP_NUM_THREADS": "1"}
    told = {}
    with tempfile.TemporaryDirectory(prefix="noria-cluster-") as folder:
        (Path(folder) / "in").mkdir()
        subprocess.run([python, HERE / "tickets.py", rows, f"{folder}/in/a.jsonl"], check=True)
        for kind in ("embedded", *kinds):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            with sail(python, environ) if kind == "sail" else contextlib.nullcontext("") as port:
                command = [python, __file__, "--run", kind, folder]
                done = subprocess.run(command, env=environ | {"SAIL_PORT": port}, stdout=subprocess.PIPE, check=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            told[kind] = done.stdout.splitlines()[-1].decode()
            spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            print(f"{kind}: {spent:.0f} CPU s, {told[kind]}", flush=True)
    same = len(set(told.values())) == 1
    print(f"{rows} rows: {'all the same' if same else 'NOT THE SAME'}")
    sys.exit(not same)


if __name__ == "__main__":
    run(sys.argv[2], Path(sys.argv[3])) if sys.argv[1] == "--run" else main()
