"""Runs a feed on Spark in the environment of scripts/spark.sh, and on this process; prints both tables' hashes.

Usage: python spark_session.py sail|local-cluster FOLDER ROWS
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from tests.build.pipeline.made_up_feed import feed, source, ticket, write


def session(kind: str):
    """A session of the Sail that listens on SAIL_PORT, or of plain Spark with executors of their own."""
    if kind == "sail":
        from pyspark.sql import SparkSession

        return SparkSession.builder.remote(f"sc://127.0.0.1:{os.environ['SAIL_PORT']}").getOrCreate()
    os.environ["PYSPARK_PYTHON"] = sys.executable
    from pyspark.sql import SparkSession

    master = "local-cluster[2,1,1024]" if kind == "local-cluster" else "local[2]"
    builder = SparkSession.builder.master(master).config("spark.ui.enabled", "false")
    paths = os.environ["PYTHONPATH"]
    return (
        builder.config("spark.driver.host", "127.0.0.1").config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.executorEnv.PYTHONPATH", paths).getOrCreate()
    )  # fmt: skip


def main(kind: str, folder: Path, rows: int) -> None:
    from noria.build.engine.spark import SparkEngine
    from noria.build.pipeline.run import run_feed
    from noria.stores.lake import Lake

    write(folder / "in", "a.jsonl", [ticket(n, 1 + n % 9, n) for n in range(rows)], tail="{broken\n")
    here = run_feed(Lake(folder / "here"), feed(), source(folder / "in"), time_ms=1)
    spark = session(kind)
    there = run_feed(Lake(folder / "there"), feed(), source(folder / "in"), time_ms=1, engine=SparkEngine(spark))
    spark.stop()
    shown = [
        [r.clean.rows, r.clean.sha256, r.quarantine.rows, r.quarantine.sha256, dict(r.reasons)] for r in (here, there)
    ]
    sys.stdout.write(json.dumps(shown) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
