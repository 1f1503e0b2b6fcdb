"""An encoder that asks a cache first: a text is encoded once, however often a recipe is tried on it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from noria.agent.encoding.encoder import Encoder, Kind, clean
from noria.agent.protocols import Floats32

_BATCH = 512
"""Texts encoded before what was made is kept: an interrupted run loses no more."""


class Vectors(Protocol):
    """Vectors by encoder and text; what is not there, or no longer, is made again."""

    def get(self, fingerprint: str, keys: Sequence[bytes]) -> dict[bytes, Floats32]:
        """Those of the vectors that are there."""
        ...

    def put(self, fingerprint: str, vectors: Mapping[bytes, Floats32]) -> None:
        """Keeps vectors, each (d,)."""
        ...


class CachedEncoder:
    """The same `Encoder`, to the bit, with a memory. For training; a served query is seldom asked twice."""

    def __init__(self, encoder: Encoder, vectors: Vectors) -> None:
        self._encoder, self._vectors = encoder, vectors
        self.spec, self.fingerprint = encoder.spec, encoder.fingerprint
        self.dim, self.sentence_dim = encoder.dim, encoder.sentence_dim

    @property
    def inner(self) -> Encoder:
        """The encoder itself, without the memory."""
        return self._encoder

    def encode(self, texts: Sequence[str], kind: Kind) -> Floats32:
        """See `Encoder.encode`."""
        keys = [text_key(text, kind) for text in texts]
        found = self._vectors.get(self.fingerprint, sorted(set(keys)))
        found = {key: row for key, row in found.items() if row.shape == (self.dim,)}
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in found}
        for start in range(0, len(missing), _BATCH):
            part = list(missing)[start : start + _BATCH]
            rows = self._encoder.encode([missing[key] for key in part], kind)
            made = dict(zip(part, rows, strict=True))
            self._vectors.put(self.fingerprint, made)
            found |= made
        return np.stack([found[key] for key in keys]) if keys else np.empty((0, self.dim), np.float32)


def text_key(text: str, kind: Kind) -> bytes:
    """Sha256 of a text and its kind (32 bytes)."""
    return hashlib.sha256(f"{kind}\0{clean(text)}".encode()).digest()
