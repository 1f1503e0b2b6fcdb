"""CPU seconds and peak memory of the whole pipeline, beside peers: `python run.py [ROWS] [POLARS] [PANDAS]`.

The peers are the same steps by hand; their Pythons have polars or pandas, and deltalake, pyarrow and py3langid. Without
them ("-") only the pipeline runs. Each runs in a process of its own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent


def measured(*command: object) -> float:
    """CPU seconds of a process and its children; prints its peak memory and what it said."""
    environ = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen([str(c) for c in command], stdout=subprocess.PIPE, text=True, env=environ)
    assert process.stdout is not None  # noqa: S101
    said = process.stdout.read()
    _, code, usage = os.wait4(process.pid, 0)
    process.returncode = code
    cpu = usage.ru_utime + usage.ru_stime
    name = Path(str(command[1])).name
    print(f"{name}: {cpu:.1f} CPU s, peak {usage.ru_maxrss / 1024:.0f} MB, exit {code}\n  {said.strip()}")
    return cpu


def main() -> None:
    """Peers, full run, a day."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    peers = dict(zip(("polars", "pandas"), (p for p in sys.argv[2:]), strict=False))
    base = Path(tempfile.mkdtemp(prefix="noria-lake-"))
    try:
        inbox = base / "in"
        inbox.mkdir()
        make = HERE / "tickets.py"
        subprocess.run([sys.executable, make, str(rows), inbox / "a.jsonl"], check=True)
        print(f"{rows} tickets, {(inbox / 'a.jsonl').stat().st_size / 1e6:.0f} MB")
        theirs = {
            name: measured(python, HERE / f"peer_{name}.py", inbox, base / name)
            for name, python in peers.items()
            if python != "-"
        }
        ours = measured(sys.executable, HERE / "ours.py", inbox, base / "lake")
        subprocess.run([sys.executable, make, str(rows // 100), inbox / "b.jsonl", str(rows)], check=True)
        daily = measured(sys.executable, HERE / "ours.py", inbox, base / "lake")
        ratios = "".join(f"; ours / {name} {ours / spent:.2f}" for name, spent in theirs.items())
        print(f"a day of 1 %: {daily / ours:.3f} of the full run{ratios}")
    finally:
        shutil.rmtree(base)


if __name__ == "__main__":
    main()
