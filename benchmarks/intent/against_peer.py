"""The same parts by sentence-transformers and scikit-learn, in one run: CPU time and accuracy side by side.

Rows and queries are training and validation rows of CLINC150. The peer's environment, and the model as a folder:

    python3 -m venv .real/sentence-transformers
    .real/sentence-transformers/bin/pip install sentence-transformers scikit-learn
    OMP_NUM_THREADS=1 python -m benchmarks.intent.against_peer --model FOLDER [--rows 20] [--queries 300]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import time
from collections import Counter
from pathlib import Path

import numpy as np
from benchmarks.intent.rows import ROOT, load

from noria.agent import Recipe, fit, pack, unpack
from noria.app.wiring import load_encoder
from noria.records import OOS
from noria.stats.intervals import wilson

PEER = ROOT / ".real" / "sentence-transformers" / "bin" / "python"


def main() -> None:
    """Fits and times both, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="all-MiniLM-L6-v2 as sentence-transformers keeps it")
    parser.add_argument("--python", default=str(PEER))
    parser.add_argument("--rows", type=int, default=20)
    parser.add_argument("--queries", type=int, default=300)
    chosen = parser.parse_args()
    encoder = load_encoder("minilm")
    if encoder is None:
        raise SystemExit("this benchmark needs an encoder: noria encoder add minilm")
    every = [r for r in load("clinc150") if r.split != "test" and r.intent != OOS]
    seen: Counter[str] = Counter()
    learnt = [r for r in every if r.split == "train" and not seen.update([r.intent]) and seen[r.intent] <= chosen.rows]
    held = [r for r in every if r.split == "val"]
    asked = [held[i] for i in np.random.default_rng(0).permutation(len(held))[: chosen.queries]]
    rows = {"learnt": [(r.text, r.intent) for r in learnt], "asked": [(r.text, r.intent) for r in asked]}
    peer = json.loads(
        subprocess.run(
            [chosen.python, str(Path(__file__).with_name("peer_sentence_transformers.py")), chosen.model],
            input=json.dumps(rows), capture_output=True, text=True, check=True,
        ).stdout
    )  # fmt: skip
    print(f"{len(learnt)} rows, {len(asked)} queries one by one, one thread.\n")
    print("| | right, % | answer, CPU ms: p50, p99 | fit from text, CPU s |\n| --- | --- | --- | --- |")
    line("sentence-transformers, scikit-learn", peer, len(asked))
    for lineup in ("default", "fast"):
        started = time.process_time()
        agent = fit(learnt, (), Recipe(lineup=lineup), encoder)
        fitted = time.process_time() - started
        served = unpack(pack(agent), encoder)
        for row in asked[:30]:
            served.answer(row.text)
        took, right = [], 0
        for row in asked:
            start = time.process_time_ns()
            right += served.answer(row.text).intent == row.intent
            took.append((time.process_time_ns() - start) / 1e6)
        p50, p99 = np.quantile(took, (0.5, 0.99))
        line(f"Noria, {lineup}", {"fit_s": fitted, "p50_ms": p50, "p99_ms": p99, "right": right}, len(asked))
        print(f"<!-- {lineup}: the peer takes {peer['p50_ms'] / p50:.1f} times as long -->", flush=True)


def line(name: str, told: dict[str, float], count: int) -> None:
    """A line of the table."""
    rate = wilson(int(told["right"]), count)
    right = f"{100 * rate.value:.1f} ({100 * rate.low:.1f}–{100 * rate.high:.1f})"
    print(f"| {name} | {right} | {told['p50_ms']:.2f}, {told['p99_ms']:.2f} | {told['fit_s']:.0f} |", flush=True)


if __name__ == "__main__":
    main()
