"""How good the agent is on CLINC150: trained on its training rows, calibrated and measured on its validation rows."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from noria.agent import Recipe, fit
from noria.records import OOS, Example

pytestmark = pytest.mark.slow


def test_accuracy_scope_and_false_rejects_on_validation_rows(requires_bench):
    """The test split is not read; calibration saw the validation rows, the heads did not."""
    with gzip.open(requires_bench("clinc150") / "clinc150.jsonl.gz", "rt", encoding="utf-8") as source:
        every = [json.loads(line) for line in source]
    rows = [
        Example(r["id"], r["text"], r["intent"], r["split"])
        for r in every
        if r["split"] == "val" or (r["split"] == "train" and r["in_full"])
    ]
    agent = fit(rows, (), Recipe())
    held = [r for r in rows if r.split == "val"]
    answers = agent.answer_all([r.text for r in held])
    inside = np.array([r.intent != OOS for r in held])
    right = np.array([a.intent == r.intent for a, r in zip(answers, held, strict=True)])
    scores = np.array([a.scope_score for a in answers])
    figures = {
        "accuracy": float(right[inside].mean()),
        "auroc": float(roc_auc_score(inside, scores)),
        "false rejects": float((scores < agent.scope.threshold)[inside].mean()),
    }
    assert figures["accuracy"] >= 0.92, figures
    assert figures["auroc"] >= 0.97, figures
    assert figures["false rejects"] <= 0.04, figures
