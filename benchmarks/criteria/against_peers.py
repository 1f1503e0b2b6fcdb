"""All criteria on 5,500 queries, the ranking ones beside ir-measures: `python benchmarks/criteria/against_peers.py`.

Made-up queries of 150 intents with everything that can be observed. Tells wall and CPU seconds with and without
bootstrap intervals, then asks ir-measures (in an environment of its own, made at the first run) for the same ranking
figures of the same rankings: they must agree to nine digits, and its CPU seconds stand beside ours.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path
from typing import Any

import numpy as np

from noria.stats.criteria import CATALOGUE, Observed, Perturbed, Replica, measure
from noria.stats.criteria.perturbing import PERTURBATIONS

QUERIES, INTENTS, ARTICLES, SHOWN = 5500, 150, 400, 10
PEER = {
    **{f"ranking.hit_at_{k}": f"Success@{k}" for k in (1, 3, 5, 10)},
    **{f"ranking.recall_at_{k}": f"R@{k}" for k in (1, 3, 5, 10)},
    **{f"ranking.precision_at_{k}": f"P@{k}" for k in (3, 5, 10)},
    **{f"ranking.ndcg_at_{k}": f"nDCG@{k}" for k in (3, 5, 10)},
    **{f"ranking.map_at_{k}": f"AP@{k}" for k in (3, 5, 10)},
    **{f"ranking.mrr_at_{k}": f"RR@{k}" for k in (3, 5, 10)},
    "ranking.map": "AP",
    "ranking.mrr": "RR",
    "ranking.r_precision": "Rprec",
}
ASK = """
import json, sys, time
import ir_measures
told = json.load(open(sys.argv[1]))
run = {q: {a: float(len(r) - i) for i, a in enumerate(r)} for q, r in told["run"].items()}
qrels = {q: {a: 1 for a in rel} for q, rel in told["qrels"].items()}
measures = [ir_measures.parse_measure(name) for name in told["measures"]]
started = time.process_time()
found = ir_measures.calc_aggregate(measures, qrels, run)
print(json.dumps({"cpu": time.process_time() - started, "values": {str(k): v for k, v in found.items()}}))
"""


def made_up() -> dict[str, Any]:
    """The columns of 5,500 queries, a fifth of them out of scope."""
    rng = np.random.default_rng(0)
    names = np.array([f"intent-{i}" for i in range(INTENTS)])
    truth = names[rng.integers(INTENTS, size=QUERIES)].astype(object)
    truth[:1000], truth[1000:1100] = "oos", "small_talk"
    predicted = np.where(rng.random(QUERIES) < 0.9, truth, names[rng.integers(INTENTS, size=QUERIES)])
    predicted = np.where(predicted.astype(str) == "oos", names[0], predicted)
    confidence = np.clip(rng.beta(5, 1, QUERIES) * np.where(predicted == truth, 1, 0.6), 0, 1)
    scope = rng.normal(size=QUERIES) + np.where(np.arange(QUERIES) < 1000, -1, 2)
    decision = np.where(scope < -0.5, "handoff", np.where(confidence > 0.4, "answer", "clarify"))
    articles = np.array([f"kb-{i}" for i in range(ARTICLES)])
    rankings = [tuple(articles[rng.choice(ARTICLES, SHOWN, replace=False)].tolist()) for _ in range(QUERIES)]
    relevant = [frozenset({r[int(rng.integers(SHOWN))], str(articles[int(rng.integers(ARTICLES))])}) for r in rankings]
    asked = list(range(0, QUERIES, 5))
    again = Perturbed(asked, predicted[asked].tolist(), decision[asked].tolist(), confidence[asked])
    return {
        "truth": truth.tolist(),
        "predicted": predicted.tolist(),
        "decision": decision.tolist(),
        "confidence": confidence,
        "scope_score": scope,
        "in_scope": scope >= -0.5,
        "scope_p": rng.random(QUERIES),
        "texts": [" ".join(["word"] * int(k)) for k in rng.integers(1, 25, QUERIES)],
        "domains": [f"domain-{i % 10}" for i in range(QUERIES)],
        "accounts": [f"account-{i % 8}" for i in range(QUERIES)],
        "languages": [("en", "de", "fr")[i % 3] for i in range(QUERIES)],
        "classes": names.tolist(),
        "probabilities": rng.dirichlet(np.full(INTENTS, 0.1), QUERIES),
        "choices": [tuple(names[:2].tolist())] * QUERIES,
        "rankings": rankings,
        "relevant": relevant,
        "popularity": {a: int(k) for a, k in zip(articles.tolist(), rng.integers(1, 60, ARTICLES), strict=True)},
        "articles": ARTICLES,
        "train_counts": {name: 5 + i for i, name in enumerate(names.tolist())},
        "perturbed": dict.fromkeys(PERTURBATIONS, again),
        "seeds": {s: Replica(rng.permutation(predicted).tolist(), decision.tolist()) for s in (1, 2)},
        "latencies_ms": rng.gamma(2, 2, QUERIES),
        "efficiency": dict.fromkeys(
            (
                "train_seconds",
                "bundle_bytes",
                "peak_memory_bytes",
                "load_seconds",
                "cpu_seconds",
                "train_rows",
                "intents",
            ),
            1.0,
        ),
    }


def peer() -> Path:
    """The interpreter of an environment with ir-measures."""
    folder = Path(__file__).resolve().parents[2] / ".real" / "ir-measures"
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", "ir-measures"], check=True)
    return python


def main() -> None:
    """Prints the figures; fails where one of them differs from ir-measures'."""
    told = made_up()
    observed = Observed(**told)
    for replicates in (0, 200):
        wall, cpu = time.perf_counter(), time.process_time()
        found = measure(observed, replicates=replicates)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        print(
            f"{len(found.values)} of {len(CATALOGUE)} criteria on {QUERIES} queries, {replicates} replicates: "
            f"{wall:.2f} s wall, {cpu:.2f} s CPU, {len(found.intervals)} intervals"
        )
    fresh = Observed(**told)
    cpu = time.process_time()
    ours = measure(fresh, list(PEER), replicates=0).values
    cpu = time.process_time() - cpu
    task = {
        "run": {str(i): list(r) for i, r in enumerate(told["rankings"])},
        "qrels": {str(i): sorted(r) for i, r in enumerate(told["relevant"])},
        "measures": list(PEER.values()),
    }
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(task, file)
        file.flush()
        done = subprocess.run([str(peer()), "-c", ASK, file.name], check=True, capture_output=True, text=True)
    theirs = json.loads(done.stdout)
    worst = max(abs(ours[name] - theirs["values"][measure_name]) for name, measure_name in PEER.items())
    print(f"{len(PEER)} ranking figures beside ir-measures: largest difference {worst:.1e}")
    print(f"CPU seconds: ours {cpu:.2f}, ir-measures {theirs['cpu']:.2f} ({theirs['cpu'] / cpu:.1f} times)")
    if worst > 1e-9:
        sys.exit("the figures differ.")


if __name__ == "__main__":
    main()
