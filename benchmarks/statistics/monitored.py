"""Made-up columns of predictions, for the speed of monitors: plain NumPy, for our interpreter and the peers'."""

from __future__ import annotations

import numpy as np

ROWS, REFERENCE, DAYS, ACCOUNTS = 1_000_000, 100_000, 21, 50
CLASSES, LABELLED, LATER, WINDOWS = 150, 29_900, 30_100, 7
COLUMNS = ("confidence", "scope_score", "length", "decision")


def columns(rows: int, seed: int) -> dict[str, np.ndarray]:
    """Four columns of rows, each with its day and account."""
    rng = np.random.default_rng(seed)
    return {
        "confidence": rng.beta(5, 2, rows),
        "scope_score": rng.normal(size=rows),
        "length": rng.gamma(3, 20, rows),
        "decision": rng.integers(0, 3, rows),
        "day": np.arange(rows) * DAYS // rows,
        "account": rng.integers(0, ACCOUNTS, rows),
    }


def classified(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores (rows, classes) of an over-confident classifier, the true class, and the truth of the last rows' windows.

    The first `LABELLED` rows have labels; from then on the queries are harder, window by window. What is right at a
    score stays as it was.
    """
    rng = np.random.default_rng(seed)
    rows = LABELLED + LATER
    hard = np.full(rows, 3.0)
    hard[LABELLED:] -= np.linspace(0, 1.0, WINDOWS).repeat(-(-LATER // WINDOWS))[:LATER]
    logits = rng.normal(size=(rows, CLASSES))
    logits[np.arange(rows), rng.integers(0, CLASSES, rows)] += hard * rng.gamma(3, 1.0, rows)

    def softmax(x: np.ndarray) -> np.ndarray:
        e = np.exp(x - x.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    real = softmax(logits)
    truth = (real.cumsum(axis=1) > rng.random((rows, 1))).argmax(axis=1)
    scores = softmax(2.0 * logits)
    right = (scores.argmax(axis=1) == truth)[LABELLED:]
    window = np.arange(LATER) * WINDOWS // LATER
    return scores, truth, np.bincount(window, weights=right) / np.bincount(window)
