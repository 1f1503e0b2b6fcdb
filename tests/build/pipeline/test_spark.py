"""Embedded and cluster engine make the same tables, row for row; needs scripts/spark.sh (NORIA_REQUIRE_SPARK=1)."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import time

import pytest
from tests.conftest import ROOT

PYTHON = ROOT / ".real" / "spark" / "bin" / "python"

pytestmark = [pytest.mark.real, pytest.mark.slow]


@pytest.fixture(autouse=True)
def spark_environment():
    if not (PYTHON.parent.parent / ".installed").exists():
        if os.environ.get("NORIA_REQUIRE_SPARK") == "1":
            pytest.fail("no environment with Spark: run scripts/spark.sh")
        pytest.skip("no environment with Spark (scripts/spark.sh)")


def tables(kind, folder, **environ):
    command = [str(PYTHON), str(ROOT / "tests" / "build" / "pipeline" / "spark_session.py"), kind, str(folder), "3000"]
    paths = f"{ROOT / 'src'}:{ROOT}"
    done = subprocess.run(
        command,
        env=os.environ | {"PYTHONPATH": paths} | environ,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@contextlib.contextmanager
def sail():
    """A Sail server in a process of its own: beside its client it would wait for the interpreter that waits for it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [str(PYTHON), "-m", "pysail", "spark", "server", "--ip", "127.0.0.1", "--port", port]
    environ = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    process = subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(300):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", int(port)), 1):
                break
            time.sleep(0.1)
        yield port
    finally:
        process.kill()
        process.wait()


def test_sail_makes_the_tables_that_this_process_makes(tmp_path):
    with sail() as port:
        here, there = tables("sail", tmp_path, SAIL_PORT=port)
    assert here == there
    assert here[0] > 100


def test_executors_of_plain_spark_make_them_too(tmp_path):
    if shutil.which("java") is None:
        pytest.skip("plain Spark needs Java")
    here, there = tables("local-cluster", tmp_path)
    assert here == there
