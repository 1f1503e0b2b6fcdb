"""What docs/data-lake.md tells an analyst to type works as it stands."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import time
from pathlib import Path

import pyarrow as pa
import pytest
from tests.conftest import ROOT

from noria.stores.lake import Lake

PAGE = (ROOT / "docs" / "data-lake.md").read_text(encoding="utf-8")
SPARK = ROOT / ".real" / "spark" / "bin" / "python"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The home of the page: raw/tickets with three versions; a column came in with the third."""
    lake = Lake(tmp_path / "lake")
    versions = (
        pa.table({"id": ["1", "2"], "text": ["vpn down", "paper jam"], "intent": ["vpn", "printer"]}),
        pa.table({"id": ["2", "3"], "text": ["toner", "vpn slow"], "intent": ["printer", "vpn"]}),
        pa.table({"id": ["3"], "text": ["vpn slow"], "intent": ["network"]}),
    )
    for rows in versions:
        lake.write_table("raw", "tickets", rows, mode="merge", keys=["id"], note={}, time_ms=1)
    return tmp_path


def blocks(info: str) -> list[str]:
    return re.findall(rf"^```{info}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_the_page_runs(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """DuckDB and Polars see version 2 as it was, the history is told, and the written rows are verified."""
    monkeypatch.chdir(home)
    names: dict[str, object] = {}
    for block in blocks("python"):
        exec(compile(block, "docs/data-lake.md", "exec"), names)
    said = capsys.readouterr().out
    assert "[('printer', 1), ('vpn', 2)]" in said
    assert re.search(r"printer\s*┆ 1", said)
    assert re.search(r"vpn\s*┆ 2", said)
    assert "3 merge {'changed': 1, 'deleted': 0, 'new': 0, 'same': 0}" in said
    assert "tickets@4 2 0 0 0" in said


SESSION = """
import sys
from pyspark.sql import SparkSession
spark, home = SparkSession.builder.remote(f"sc://127.0.0.1:{sys.argv[1]}").getOrCreate(), sys.argv[2]
"""


@pytest.mark.real
@pytest.mark.slow
def test_the_page_runs_on_spark(home: Path) -> None:
    """Sail, a Spark in Rust, reads version 2."""
    if not SPARK.exists():
        if os.environ.get("NORIA_REQUIRE_SPARK") == "1":
            pytest.fail("no environment with Spark in .real/spark (NORIA_REQUIRE_SPARK is set)")
        pytest.skip("no environment with Spark in .real/spark")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [str(SPARK), "-m", "pysail", "spark", "server", "--ip", "127.0.0.1", "--port", port]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            for _ in range(300):
                with socket.socket() as probe:
                    if not probe.connect_ex(("127.0.0.1", int(port))):
                        break
                time.sleep(0.1)
            (block,) = blocks("python spark")
            asked = [str(SPARK), "-c", SESSION + block, port, str(home)]
            said = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=240).stdout
        finally:
            server.kill()
    assert re.search(r"\|\s*printer\|\s*1\|", said)
    assert re.search(r"\|\s*vpn\|\s*2\|", said)
