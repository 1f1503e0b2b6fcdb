"""How fast Noria answers and logs, beside `mlflow models serve` of the same bundle. Prints tables in Markdown.

python -m benchmarks.serving.run ask       # CPU a request, highest rate, latencies at 80 % of it; the peer
python -m benchmarks.serving.run soak      # five minutes with a swap every 20 seconds
python -m benchmarks.serving.run journal   # durable predictions a second on SQLite and PostgreSQL
python -m benchmarks.serving.run memory    # of an additional account of 1,000 articles

The peer's environment: python3 -m venv .real/mlflow && .real/mlflow/bin/pip install 'mlflow<4' safetensors tokenizers
onnxruntime. PostgreSQL: Debian's, started by the script.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from benchmarks.serving.houses import PEER, live_agent, make_home, mlflow_serving, noria, queries, serving
from benchmarks.serving.load import Load, cpu_seconds, run_load
from benchmarks.serving.postgres import postgres

SECONDS = 20
SOAK_SECONDS = 300
SWAP_SECONDS = 20
CLIENTS, PEER_CLIENTS = 32, 4
ROUNDS = 4
SETTLED_MS = 50
"""A median below this is no queue."""


def main() -> None:
    """Runs the chosen part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("ask", "soak", "journal", "memory"))
    parser.add_argument("--encoder", default="none")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="noria-benchmark-") as folder:
        {"ask": ask, "soak": soak, "journal": journal, "memory": memory}[chosen.part](Path(folder), chosen.encoder)


def ask(folder: Path, encoder: str) -> None:
    """CPU, rate and latencies; the peer in the same run, in turns, so that both meet the same neighbours."""
    home, texts, loads_begun = make_home(folder, encoder), queries(), itertools.count()

    def ours() -> Callable[[int], object]:
        load = next(loads_begun)  # of each load its own conversations, of three queries each
        return lambda number: {
            "account": "acme", "text": texts[number % len(texts)], "session": f"load{load}-{number // 3}"
        }  # fmt: skip

    def theirs() -> Callable[[int], object]:
        return lambda number: {"dataframe_split": {"columns": ["text"], "data": [[texts[number % len(texts)]]]}}

    with contextlib.ExitStack() as running:
        url, pid = running.enter_context(serving(home))
        servers = {f"noria, durable, encoder {encoder}": (f"{url}/v1/ask", ours, pid, CLIENTS)}
        if encoder == "none" and PEER.exists():
            peer, peer_pid = running.enter_context(mlflow_serving(home, folder))
            servers["mlflow models serve, nothing logged"] = (f"{peer}/invocations", theirs, peer_pid, PEER_CLIENTS)
        alone, costs, loads = bare(home), defaultdict(list), {}
        for address, body, _, _ in servers.values():
            run_load(address, body(), connections=4, seconds=3)
        for _ in range(ROUNDS):
            for name, (address, body, process, connections) in servers.items():
                loads[name], ms = _measured(address, body(), process, connections, SECONDS / ROUNDS)
                costs[name].append(ms)
            costs["the agent alone, in process"].append(alone())
        print("| server | connections | CPU a request, ms: median (least-most) | requests/s | p50, ms | p99, ms "
              "| not 200 |\n|" + " --- |" * 7)  # fmt: skip
        for name, load in loads.items():
            _row(name, servers[name][3], load, costs[name])
        print(f"| the agent alone, in process | | {_spread(costs['the agent alone, in process'])} | | | | |")
        first, *others = (np.array(costs[name]) for name in servers)
        for other in others:
            print(f"\nCPU of Noria / CPU of the peer, by round: {_spread(first / other)}.")
        highest = _sustained(f"{url}/v1/ask", ours)
        eased = run_load(f"{url}/v1/ask", ours(), connections=4 * CLIENTS, seconds=SECONDS, rate=0.8 * highest)
        print(f"\nHighest sustained rate {highest:.0f}/s; at 80 % of it p50 {eased.percentile(50):.1f}, p99 "
              f"{eased.percentile(99):.1f} ms: {eased.percentile(99) / eased.percentile(50):.1f} times.")  # fmt: skip


def bare(home: Path) -> Callable[[], float]:
    """CPU ms of an answer of the live bundle in this process, without anything around it."""
    agent, texts = live_agent(home), queries()

    def once() -> float:
        began = time.process_time()
        for text in texts:
            agent.answer(text, "acme")
        return 1000 * (time.process_time() - began) / len(texts)

    once()
    return once


def _sustained(url: str, body: Callable[[], Callable[[int], object]]) -> float:
    """The highest rate, in steps of a tenth, that is kept for some seconds without a queue that grows."""
    rate = run_load(url, body(), connections=CLIENTS, seconds=5).rate
    while True:
        tried = run_load(url, body(), connections=4 * CLIENTS, seconds=8, rate=rate)
        half = len(tried.latencies_ms) // 2
        early, late = (float(np.median(part)) for part in (tried.latencies_ms[:half], tried.latencies_ms[half:]))
        if tried.rate >= 0.97 * rate and late <= max(2 * early, SETTLED_MS):
            return rate
        rate *= 0.9


def soak(folder: Path, encoder: str) -> None:
    """Swaps while it is asked: failed requests must be none."""
    from noria.app.home import open_home
    from noria.app.wiring import load_encoder, open_stores
    from noria.release import roll_back

    home, texts = make_home(folder, encoder), queries()
    extra = [{"text": f"{text} please", "intent": "password_reset"} for text in texts[:1]]
    (folder / "more.jsonl").write_text("".join(json.dumps(row) + "\n" for row in extra))
    stores = open_stores(open_home(home))
    noria("data", "add", folder / "more.jsonl", "--as", "examples", "--name", "it", "--home", home)
    noria("train", "--data", "it", "--home", home)
    noria("release", "propose", "--home", home)
    names = [release.release for release in stores.journal.releases()]
    if len(names) < 2:
        raise SystemExit("the second candidate was not promoted; nothing to swap with")
    stop, swaps = threading.Event(), 0

    def swap() -> None:
        nonlocal swaps
        while not stop.wait(SWAP_SECONDS):
            live = stores.journal.current_release()
            to = next(name for name in names if live is None or name != live.release)
            roll_back(stores, to, why="soak", time_ms=time.time_ns() // 1_000_000, encoders=load_encoder)
            swaps += 1

    def body(number: int) -> object:
        return {"account": "acme", "text": texts[number % len(texts)], "session": f"s{number // 3}"}

    def release(reply: bytes) -> str:
        return str(json.loads(reply).get("release"))

    with serving(home) as (url, _):
        full = run_load(f"{url}/v1/ask", body, connections=CLIENTS, seconds=5)
        swapper = threading.Thread(target=swap)
        swapper.start()
        got = run_load(
            f"{url}/v1/ask", body, connections=CLIENTS, seconds=SOAK_SECONDS, rate=0.5 * full.rate, look=release
        )
        stop.set()
        swapper.join()
    failed = sum(count for status, count in got.statuses.items() if status != 200)
    kept = len(stores.journal.predictions(0, 2**62))
    stores.close()
    print("| seconds | swaps | requests | failed | by release | p50, ms | p99, ms | in the journal |\n|" + " --- |" * 8)
    by = ", ".join(f"{name}: {count}" for name, count in sorted(got.told.items()))
    print(f"| {got.seconds:.0f} | {swaps} | {len(got.latencies_ms)} | {failed} | {by} | {got.percentile(50):.1f} | "
          f"{got.percentile(99):.1f} | {kept - len(full.latencies_ms)} |")  # fmt: skip


def journal(folder: Path, _: str) -> None:
    """Durable predictions a second: group commit, and one commit each."""
    print("| database | 32 clients | predictions/s | p50, ms | p99, ms | CPU, ms each |\n|" + " --- |" * 6)
    with postgres(folder) as url:
        for name, where in (("SQLite", f"sqlite:///{folder / 'journal.db'}"), ("PostgreSQL", url)):
            for how in ("group commit", "one commit each"):
                _journal_row(name, where, how)


def _journal_row(name: str, url: str, how: str) -> None:
    from noria.records import Answer, Prediction, Query, Ranked
    from noria.stores.journal import GroupCommit, Journal

    opened = Journal.open(url)
    commit, latencies = GroupCommit(opened), []
    ends, run = time.perf_counter() + SECONDS / 2, f"{how[:1]}{time.time_ns()}"
    shown = tuple(Ranked(f"kb-{n}", 0.5) for n in range(3))
    scores = {f"score{n}": n / 7 for n in range(12)}
    answer = Answer("answer", "vpn", 0.9, 1.0, in_scope=True, articles=shown, scores=scores, thresholds=scores)

    def client(number: int) -> None:
        turn = 0
        while (began := time.perf_counter()) < ends:
            query = Query(f"q{turn}", "acme", f"s{number}", "my vpn does not work since this morning", turn)
            made = Prediction(f"{run}-{number}-{turn}", query, answer, "r0001", 1.0)
            if how == "group commit":
                commit.submit(made).result()
            else:
                opened.add_predictions([made])
            latencies.append(1000 * (time.perf_counter() - began))
            turn += 1

    cpu = time.process_time()
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(client, range(CLIENTS)))
    cpu = time.process_time() - cpu
    commit.close()
    opened.close()
    load = Load(SECONDS / 2, latencies)
    print(f"| {name} | {how} | {load.rate:.0f} | {load.percentile(50):.1f} | {load.percentile(99):.1f} | "
          f"{1000 * cpu / len(latencies):.2f} |", flush=True)  # fmt: skip


def memory(_: Path, encoder: str) -> None:
    """Resident memory of a process by its number of accounts, each asked once."""
    print("| accounts of 1,000 articles | resident, MiB | for each more, MiB |\n|" + " --- |" * 3)
    before = 0.0
    for number in (0, 1, 5, 10):
        command = [sys.executable, "-m", "benchmarks.serving.accounts", str(number), encoder]
        mib = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        each = "" if number < 5 else f"{(mib - before) / (5 if number == 10 else 4):.1f}"
        print(f"| {number} | {mib:.0f} | {each} |", flush=True)
        before = mib


def _measured(
    url: str, body: Callable[[int], object], pid: int, connections: int, seconds: float
) -> tuple[Load, float]:
    before = cpu_seconds(pid)
    load = run_load(url, body, connections=connections, seconds=seconds)
    return load, 1000 * (cpu_seconds(pid) - before) / len(load.latencies_ms)


def _spread(values: Sequence[float]) -> str:
    return f"{np.median(values):.3f} ({min(values):.3f}-{max(values):.3f})"


def _row(name: str, connections: int, load: Load, cpu_ms: Sequence[float]) -> None:
    bad = sum(count for status, count in load.statuses.items() if status != 200)
    print(f"| {name} | {connections} | {_spread(cpu_ms)} | {load.rate:.0f} | {load.percentile(50):.1f} | "
          f"{load.percentile(99):.1f} | {bad} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
