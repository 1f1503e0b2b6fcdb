"""Vectors of texts as whole numbers: small, remembered by content, and compared without rounding.

A unit vector is kept as int8 and a scale. Products of whole numbers up to 127 over up to 1,000 columns fit exactly into
float32, so a score does not depend on the order of summation: the same bits with any number of rows, any thread count,
any BLAS.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from noria.agent.encoding import Encoder, Kind
from noria.agent.protocols import Floats32

PASSAGE_WORDS = 100
MOST_PASSAGES = 40
"""Passages of an article that are compared; what stands behind them is found by its words alone."""

SKETCH_FROM, SKETCH_AXES = 2_500, 96
_SAMPLE, _SKETCHED = 4_000, 4

Int8s = npt.NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class Rounded:
    """Vectors as whole numbers: `whole` (n, dim), -127 to 127, `scales` (n,): vector = whole · scale.

    As int8 they take a quarter of the memory, as float32 (`ready`) they are compared at once.
    """

    whole: npt.NDArray[np.generic]
    scales: Floats32

    def __len__(self) -> int:
        return len(self.scales)

    def rows(self, at: npt.NDArray[np.intp]) -> Rounded:
        """Some of them, in the form in which they are."""
        return Rounded(self.whole[at], self.scales[at])

    def ready(self) -> Rounded:
        """The same in float32, for many comparisons."""
        return Rounded(self.whole.astype(np.float32), self.scales)

    def dots(self, query: Rounded) -> Floats32:
        """Scalar product (n,) of each with one vector."""
        whole = self.whole.astype(np.float32, copy=False)
        scores: Floats32 = (whole @ query.whole[0].astype(np.float32, copy=False)) * (self.scales * query.scales[0])
        return scores

    def floats(self) -> Floats32:
        """(n, dim): the vectors themselves."""
        vectors: Floats32 = self.whole.astype(np.float32) * self.scales[:, None]
        return vectors


def rounded(vectors: Floats32) -> Rounded:
    """Vectors (n, dim) brought to length 1 and rounded; a vector of zeros stays so."""
    lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64))
    unit = vectors / np.maximum(lengths, 1e-12)[:, None]
    scales = np.abs(unit).max(axis=1, initial=0) / 127
    whole = np.rint(unit / np.maximum(scales, 1e-12)[:, None])
    return Rounded(whole.astype(np.int8), scales.astype(np.float32))


class Nearest(Protocol):
    """Finds the nearest of many vectors."""

    def nearest(self, query: Rounded, count: int, above: float) -> tuple[npt.NDArray[np.intp], Floats32]:
        """Places, rising, and likeness of the `count` nearest (more where some are equal) that are above a limit."""
        ...


MakeNearest = Callable[[Rounded], Nearest]


class Scan:
    """Finds the nearest of many vectors by looking at all: exactly, or from `SKETCH_FROM` on by a sketch first.

    The sketch holds the vectors on their main axes (principal components of a sample); of the nearest by sketch the
    nearest in truth are taken. It depends on the vectors alone, not on how they came together.

    Args:
        vectors: to be looked through.
    """

    def __init__(self, vectors: Rounded) -> None:
        self._vectors, self._axes = vectors.ready() if len(vectors) < SKETCH_FROM else vectors, None
        if len(vectors) >= SKETCH_FROM:
            sample = vectors.whole[:: max(1, len(vectors) // _SAMPLE)].astype(np.float64)
            # Sums of products of whole numbers: the same bits in any order.
            _, axes = np.linalg.eigh(sample.T @ sample)
            self._axes = np.ascontiguousarray(axes[:, ::-1][:, :SKETCH_AXES], np.float32)
            self._sketch = rounded(vectors.floats() @ self._axes).ready()

    def nearest(self, query: Rounded, count: int, above: float) -> tuple[npt.NDArray[np.intp], Floats32]:
        """Places, rising, and likeness of the `count` nearest (more where some are equal) that are above a limit."""
        if self._axes is None:
            at, likeness = np.arange(len(self._vectors)), self._vectors.dots(query)
        else:
            rough = self._sketch.dots(rounded(query.floats() @ self._axes))
            at = largest(rough, count * _SKETCHED, -np.inf)
            likeness = self._vectors.rows(at).dots(query)
        near = largest(likeness, count, above)
        return at[near], likeness[near]


def largest(values: npt.NDArray[np.floating], count: int, above: float) -> npt.NDArray[np.intp]:
    """Places, rising, of the largest values above a limit; of equal ones at the border all, so nothing is arbitrary."""
    places: npt.NDArray[np.intp] = (values > above).nonzero()[0]
    if len(places) > count:
        values = values[places]
        places = places[values >= np.partition(values, len(values) - count)[len(values) - count]]
    return places


def passages_of(body: str) -> list[str]:
    """The text in pieces of `PASSAGE_WORDS` words; an empty text has one empty piece."""
    words = body.split()[: PASSAGE_WORDS * MOST_PASSAGES]
    return [" ".join(words[i : i + PASSAGE_WORDS]) for i in range(0, max(len(words), 1), PASSAGE_WORDS)]


class Memory:
    """Vectors of texts by their content; asks the encoder only for what it has not seen. Never changes.

    Args:
        encoder: its first `sentence_dim` columns are compared.
        known: content hash → int8 vector (dim,) and scale.
    """

    def __init__(self, encoder: Encoder, known: Mapping[str, tuple[Int8s, np.float32]] | None = None) -> None:
        self.encoder, self.dim = encoder, encoder.sentence_dim
        self._known = dict(known or {})

    def query(self, text: str, vector: Floats32 | None = None) -> Rounded:
        """(1, dim): of one query; `vector` (dim or more,) is what the encoder made of it, where that is known."""
        if vector is None:
            vector = self.encoder.encode([text], "query")[0]
        return rounded(np.asarray(vector, np.float32)[None, : self.dim])

    def learn(self, texts: Iterable[str], kind: Kind) -> Memory:
        """A memory that knows these texts too."""
        new = {key: text for text in dict.fromkeys(texts) if (key := _key(text, kind)) not in self._known}
        if not new:
            return self
        fresh = rounded(self.encoder.encode(list(new.values()), kind)[:, : self.dim])
        rows = zip(np.asarray(fresh.whole, np.int8), fresh.scales, strict=True)
        return Memory(self.encoder, self._known | dict(zip(new, rows, strict=True)))

    def recall(self, texts: Sequence[str], kind: Kind) -> Rounded:
        """(n, dim) of texts that were learnt."""
        found = [self._known[_key(text, kind)] for text in texts]
        whole = np.array([row for row, _ in found], np.int8).reshape(len(found), self.dim)
        return Rounded(whole, np.array([scale for _, scale in found], np.float32))

    def only(self, queries: Iterable[str], passages: Iterable[str]) -> Memory:
        """A memory of these texts alone, in order of their hash."""
        keys = {_key(text, "query") for text in queries} | {_key(text, "passage") for text in passages}
        return Memory(self.encoder, {key: self._known[key] for key in sorted(keys & self._known.keys())})

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """What is remembered, as arrays to be stored: `keys` (n, 32) bytes, `vectors` (n, dim), `scales` (n,)."""
        keys = sorted(self._known)
        digests = b"".join(map(bytes.fromhex, keys))
        return {
            "keys": np.frombuffer(digests, np.uint8).reshape(len(keys), 32),
            "vectors": np.array([self._known[k][0] for k in keys], np.int8).reshape(len(keys), self.dim),
            "scales": np.array([self._known[k][1] for k in keys], np.float32),
        }

    @classmethod
    def of_arrays(cls, encoder: Encoder, arrays: Mapping[str, npt.NDArray[np.generic]]) -> Memory:
        """What `arrays` gave.

        Raises:
            ValueError: the arrays do not fit together or to the encoder.
        """
        keys, vectors, scales = arrays["keys"], arrays["vectors"], arrays["scales"]
        if keys.shape != (len(scales), 32) or vectors.shape != (len(scales), encoder.sentence_dim):
            raise ValueError(f"{keys.shape} hashes, {vectors.shape} vectors, {scales.shape} scales")
        rows = zip(vectors.astype(np.int8), scales.astype(np.float32), strict=True)
        return cls(encoder, dict(zip((bytes(k).hex() for k in keys.astype(np.uint8)), rows, strict=True)))


def _key(text: str, kind: Kind) -> str:
    return hashlib.sha256(f"{kind}\n{text}".encode("utf-8", "replace")).hexdigest()
