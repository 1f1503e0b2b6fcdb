"""A PostgreSQL server of its own, as Debian sets it up: fsync on."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def postgres(_: Path) -> Iterator[str]:
    """The URL of an empty database, on a socket only."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        raise SystemExit("no PostgreSQL: apt-get install postgresql")
    binaries = found[-1].parent
    account = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
    folder = Path(tempfile.mkdtemp(prefix="noria-postgres-"))
    if account:
        shutil.chown(folder, "postgres", "postgres")
    data = str(folder / "data")
    made = [binaries / "initdb", "-D", data, "-U", "noria", "-A", "trust", "-E", "UTF8"]
    subprocess.run(made, check=True, capture_output=True, cwd="/", **account)  # type: ignore[call-overload]
    command = [binaries / "postgres", "-D", data, "-c", "listen_addresses=", "-k", str(folder)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": "/"}
    server = subprocess.Popen(command, **quiet, **account)  # type: ignore[call-overload]
    try:
        while subprocess.run([binaries / "pg_isready", "-q", "-h", str(folder)], check=False).returncode:
            time.sleep(0.1)
        yield f"postgresql://noria@/postgres?host={folder}"
    finally:
        server.terminate()
        server.wait()
        shutil.rmtree(folder, ignore_errors=True)
