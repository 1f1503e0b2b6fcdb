"""Rows of the public intent sets, as examples. They stay where they are: none of them is part of this repository."""

from __future__ import annotations

import gzip
import json
import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from noria.records import Example

ROOT = Path(__file__).resolve().parents[2]
FILES = {
    "clinc150": "clinc150/clinc150",
    "banking77": "banking77/banking77",
    "sofmattress": "hint3/sofmattress",
    "powerplay11": "hint3/powerplay11",
}


def data_folder() -> Path:
    """Where the benchmark data lie."""
    return Path(os.environ.get("NORIA_BENCH_DATA", ROOT.parent / "shared" / "data"))


def load(name: str) -> list[Example]:
    """All rows of a set; of clinc150's training rows those of its `full` variant."""
    with gzip.open(data_folder() / f"{FILES[name]}.jsonl.gz", "rt", encoding="utf-8") as source:
        rows = [json.loads(line) for line in source]
    return [
        Example(r["id"], r["text"], r["intent"], r["split"])
        for r in rows
        if r["split"] != "train" or r.get("in_full", True)
    ]


def held_from(rows: Sequence[Example], part: str, seed: int = 0) -> tuple[list[Example], list[Example]]:
    """(what may be learnt from, what is scored): the test split, or, for choices (`val`), never a row of it.

    For choices the validation rows are scored, which calibrate too; where there are none, a fifth of the training rows.
    """
    learnt = [r for r in rows if r.split != "test"]
    if part == "test":
        return learnt, [r for r in rows if r.split == "test"]
    checked = [r for r in learnt if r.split == "val"]
    if checked:
        return learnt, checked
    chosen = set(np.random.default_rng(seed).permutation(len(learnt))[: len(learnt) // 5].tolist())
    kept = [replace(r, split=None) for i, r in enumerate(learnt) if i not in chosen]
    return kept, [r for i, r in enumerate(learnt) if i in chosen]


def shots(rows: Sequence[Example], count: int, seed: int) -> list[Example]:
    """So many training rows of each intent, drawn."""
    by_intent: dict[str, list[Example]] = defaultdict(list)
    for row in rows:
        if row.split != "test":
            by_intent[row.intent].append(row)
    dice = np.random.default_rng(seed)
    return [
        replace(by_intent[intent][i], split=None)
        for intent in sorted(by_intent)
        for i in dice.permutation(len(by_intent[intent]))[:count]
    ]
