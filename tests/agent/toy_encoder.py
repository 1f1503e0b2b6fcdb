"""A made-up encoder: words of a small dictionary mean the same as others, the rest mean what they spell."""

from __future__ import annotations

import hashlib
import re

import numpy as np

_SAME = {
    "copier": "printer",
    "notebook": "laptop",
    "computer": "laptop",
    "xerox": "printer",
    "passphrase": "password",
    "hallway": "room",
}


class ToyEncoder:
    """An Encoder of two blocks of 48 columns: sums of words, and of words with their first two letters."""

    spec = "toy"
    dim, sentence_dim = 96, 48

    def __init__(self, fingerprint="f" * 64):
        self.fingerprint = fingerprint
        self.asked = 0

    def encode(self, texts, kind):
        assert kind in {"query", "passage"}
        self.asked += len(texts)
        return np.array([self._vector(t) for t in texts], np.float32).reshape(len(texts), self.dim)

    def _vector(self, text):
        words = [_SAME.get(w, w) for w in re.findall(r"\w+", text.lower()[:2000])] or [""]
        blocks = [sum(_point(w) for w in words), sum(_point(w) + _point(w[:2]) for w in words)]
        return np.concatenate([b / np.linalg.norm(b) for b in blocks])


def _point(word):
    seed = hashlib.sha256(word.encode("utf-8", "surrogatepass")).digest()[:8]
    return np.random.default_rng(int.from_bytes(seed, "big")).normal(size=48)
