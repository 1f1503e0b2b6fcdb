"""A stand-in for an encoder: texts of a small world of words, alike where they share topics."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

TOPICS = ("mail", "print", "lock", "room", "pay", "car", "cat", "tea")
_ALSO = {"letter": "mail", "post": "mail", "paper": "print", "ink": "print", "key": "lock", "door": "lock"}


class TopicEncoder:
    """Counts topics, words of like meaning together; a little noise by text, the same every time.

    `asked`: how many texts it was given.
    """

    spec, fingerprint, sentence_dim, dim = "made-up", "f" * 64, 8, 16

    def __init__(self) -> None:
        self.asked = 0

    def encode(self, texts: Sequence[str], kind: str) -> np.ndarray:
        self.asked += len(texts)
        return np.stack([self._vector(text) for text in texts]) if texts else np.zeros((0, self.dim), np.float32)

    def _vector(self, text: str) -> np.ndarray:
        digest = hashlib.sha256(text.encode("utf-8", "replace")).digest()
        row = np.frombuffer(digest[:16], np.uint8).astype(np.float32) / 255 * 0.2
        for word in text.lower().split():
            topic = _ALSO.get(word, word)
            if topic in TOPICS:
                row[TOPICS.index(topic)] += 1
        return row / np.linalg.norm(row)
