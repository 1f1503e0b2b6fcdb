"""Made-up observations: a random agent on random rows, with everything that can be observed."""

from __future__ import annotations

from typing import Any

import numpy as np

from noria.records import IRRELEVANT, OOS, SMALL_TALK
from noria.stats.criteria import Observed, Perturbed, Replica
from noria.stats.criteria.perturbing import PERTURBATIONS

INTENTS = tuple(f"intent-{i}" for i in range(12))
ARTICLES = tuple(f"kb-{i}" for i in range(40))
FIGURES = {
    "train_seconds": 12.0,
    "bundle_bytes": 1e6,
    "peak_memory_bytes": 1e8,
    "load_seconds": 0.1,
    "cpu_seconds": 3.0,
    "train_rows": 1300.0,
    "intents": 12.0,
}


def columns(n: int = 900, seed: int = 0) -> dict[str, Any]:
    """The columns of `Observed`, each of them filled."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(INTENTS, n).astype(object)
    truth[: n // 6] = OOS
    truth[n // 6 : n // 5] = IRRELEVANT
    truth[n // 5 : n // 4] = SMALL_TALK
    predicted = np.where(rng.random(n) < 0.75, truth, rng.choice(INTENTS, n))
    predicted = np.where(np.isin(predicted.astype(str), [OOS, IRRELEVANT]), rng.choice(INTENTS, n), predicted)
    right = predicted == truth
    confidence = np.round(np.clip(rng.beta(4, 2, n) * np.where(right, 1, 0.6), 0, 1), 3)
    scope = np.round(rng.normal(size=n) + np.where(np.arange(n) < n // 5, 0, 1.5), 2)
    decision = np.where((scope < -0.3) | (confidence < 0.2), "handoff", np.where(confidence > 0.5, "answer", "clarify"))
    rankings = [tuple(rng.choice(ARTICLES, int(rng.integers(0, 11)), replace=False)) for _ in range(n)]
    relevant = [frozenset(rng.choice(ARTICLES, int(rng.integers(0, 4)), replace=False)) for _ in range(n)]
    places = list(range(0, n, 3))
    pairs = {
        kind: Perturbed(
            places,
            rng.choice(INTENTS, len(places)).tolist(),
            rng.permutation(decision[places]).tolist(),
            rng.random(len(places)),
        )
        for kind in PERTURBATIONS
    }
    return {
        "truth": truth.tolist(),
        "predicted": predicted.tolist(),
        "decision": decision.tolist(),
        "confidence": confidence,
        "scope_score": scope,
        "in_scope": scope >= -0.3,
        "scope_p": rng.random(n),
        "texts": [" ".join(["word"] * int(k)) for k in rng.integers(1, 25, n)],
        "domains": [f"domain-{hash_of(t) % 3}" for t in truth],
        "accounts": rng.choice(["acme", "globex", "initech"], n).tolist(),
        "languages": rng.choice(["en", "de"], n).tolist(),
        "classes": (*INTENTS, SMALL_TALK),
        "probabilities": rng.dirichlet(np.ones(len(INTENTS) + 1) * 0.3, n),
        "choices": [tuple(rng.choice(INTENTS, 2, replace=False)) for _ in range(n)],
        "rankings": rankings,
        "relevant": relevant,
        "popularity": {a: int(k) for a, k in zip(ARTICLES, rng.integers(1, 60, len(ARTICLES)), strict=True)},
        "articles": len(ARTICLES),
        "train_counts": {name: 5 + 10 * i for i, name in enumerate(INTENTS)},
        "perturbed": pairs,
        "seeds": {s: Replica(rng.permutation(predicted).tolist(), rng.permutation(decision).tolist()) for s in (1, 2)},
        "latencies_ms": rng.gamma(2, 3, 200),
        "efficiency": FIGURES,
    }


def observed(n: int = 900, seed: int = 0, **changed: Any) -> Observed:
    return Observed(**(columns(n, seed) | changed))


def hash_of(name: object) -> int:
    """The same number for the same name in every process."""
    return sum(map(ord, str(name)))


def reordered(told: dict[str, Any], order: np.ndarray) -> dict[str, Any]:
    """The same rows in another order."""
    place = {int(old): new for new, old in enumerate(order)}
    out = dict(told)
    for name, column in told.items():
        if name in {"classes", "popularity", "train_counts", "latencies_ms", "efficiency", "articles"}:
            continue
        if name == "perturbed":
            out[name] = {
                kind: Perturbed([place[i] for i in p.rows], p.predicted, p.decision, p.confidence)
                for kind, p in column.items()
            }
        elif name == "seeds":
            out[name] = {
                s: Replica([r.predicted[i] for i in order], [r.decision[i] for i in order]) for s, r in column.items()
            }
        elif isinstance(column, np.ndarray):
            out[name] = column[order]
        else:
            out[name] = [column[i] for i in order]
    return out
