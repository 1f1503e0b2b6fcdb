"""The servers under test: Noria with a release of the demonstration's data, and MLflow serving the same bundle."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from noria.agent import Agent, unpack
from noria.app.home import open_home
from noria.app.wiring import load_encoder, open_stores

ROOT = Path(__file__).resolve().parents[2]
CORPUS = ROOT / "src" / "noria" / "app" / "demo" / "corpus"
PEER = ROOT / ".real" / "mlflow"
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def noria(*arguments: object) -> str:
    """Runs a command; its output."""
    command = [sys.executable, "-m", "noria", *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ | ONE_THREAD).stdout


def make_home(folder: Path, encoder: str) -> Path:
    """A home with two releases on the demonstration's data; the second is live."""
    home = folder / f"home-{encoder}"
    noria("init", home)
    with (home / "noria.toml").open("a") as settings:
        settings.write(f'\n[encoder]\nspec = "{encoder}"\n')
    text = (home / "noria.toml").read_text().replace("\n[encoder]\n#", "\n#", 1)
    (home / "noria.toml").write_text(text)
    rows = [json.loads(line) for name in ("utterances_a", "utterances_b", "other")
            for line in (CORPUS / f"{name}.jsonl").read_text().splitlines()]  # fmt: skip
    for row in rows:
        row.setdefault("intent", row.pop("kind", ""))
        row.pop("relevance", None)
        row["split"] = "test" if row.get("split") in {"fresh", "test"} else "train"
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    noria("data", "add", folder / "rows.jsonl", "--as", "examples", "--name", "it", "--home", home)
    for name in ("articles_a", "articles_b"):
        noria("data", "add", CORPUS / f"{name}.jsonl", "--as", "articles", "--name", "it", "--home", home)
    noria("train", "--data", "it", "--home", home)
    noria("release", "propose", "--home", home)
    return home


def queries() -> list[str]:
    """What users ask, in mixed order: a conversation does not say the same thing again and again."""
    texts = [json.loads(line)["text"] for line in (CORPUS / "utterances_a.jsonl").read_text().splitlines()]
    random.Random(0).shuffle(texts)  # noqa: S311 - no secret
    return texts


def live_agent(home: Path) -> Agent:
    """The agent of the live release."""
    stores = open_stores(open_home(home))
    live = stores.journal.current_release()
    if live is None:
        raise SystemExit("no release is live in the home")
    agent = unpack(stores.blobs.get(live.candidate.bundle_sha256), load_encoder)
    stores.close()
    return agent


@contextlib.contextmanager
def serving(home: Path) -> Iterator[tuple[str, int]]:
    """(address, process id) of `noria up`."""
    command = [sys.executable, "-u", "-m", "noria", "up", "--home", str(home), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | ONE_THREAD)
    try:
        line = process.stdout.readline() if process.stdout else ""
        found = re.search(r"http://[\d.]+:\d+", line)
        if found is None:
            raise SystemExit(f"noria did not start: {line}")
        yield found.group(), process.pid
    finally:
        process.terminate()
        process.wait(30)


@contextlib.contextmanager
def mlflow_serving(home: Path, folder: Path) -> Iterator[tuple[str, int]]:
    """(address, process id) of `mlflow models serve` of the live bundle, in the peer's environment."""
    stores = open_stores(open_home(home))
    live = stores.journal.current_release()
    if live is None:
        raise SystemExit("no release is live in the home")
    bundle = folder / "bundle"
    bundle.mkdir(exist_ok=True)
    for name, content in stores.blobs.get(live.candidate.bundle_sha256).items():
        (bundle / name).write_bytes(content)
    stores.close()
    python = PEER / "bin" / "python"
    environ = os.environ | ONE_THREAD | {"PYTHONPATH": str(ROOT / "src"), "MLFLOW_DISABLE_TELEMETRY": "true",
                                         "PATH": f"{PEER / 'bin'}:{os.environ['PATH']}"}  # fmt: skip
    model = folder / "model"
    script = Path(__file__).with_name("peer_model.py")
    subprocess.run([python, script, bundle, model], check=True, env=environ, cwd=folder, capture_output=True)
    port = 18_431
    command = [PEER / "bin" / "mlflow", "models", "serve", "-m", str(model), "--env-manager", "local", "-p", str(port),
               "--workers", "1"]  # fmt: skip
    with (folder / "mlflow.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environ, cwd=folder)
    try:
        address = f"http://127.0.0.1:{port}"
        for _ in range(240):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{address}/ping", timeout=2)  # noqa: S310 - our own address
                break
            time.sleep(0.5)
        else:
            raise SystemExit((folder / "mlflow.log").read_text())
        yield address, process.pid
    finally:
        process.terminate()
        process.wait(30)
