"""A static table of word vectors distilled from a sentence encoder: a text is the weighted sum of its words.

Some hundred times faster than the encoder, and knows words that no training row has. Words that nearly every row has
say little and weigh little (Arora, Liang, Ma 2017).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from noria.agent.encoding import files_of
from noria.agent.protocols import Floats, Floats32, Stored
from noria.agent.recipe import Recipe

Codes = npt.NDArray[np.int8]

FREQUENT = 0.2
"""Share of rows with a word at which it weighs half."""
MOST_CHARACTERS = 20_000

_WORD = re.compile(r"\w+")
_PLAIN_WORD = re.compile(r"[^\W\d_]{2,}")


class Teacher(Protocol):
    """The encoder that a table is distilled from; see `encoding.Encoder`."""

    @property
    def spec(self) -> str: ...

    @property
    def sentence_dim(self) -> int: ...

    def encode(self, texts: Sequence[str], kind: Literal["query", "passage"]) -> Floats32: ...


class TokenTable:
    """Word vectors, one byte a figure.

    Args:
        words: (n,) lower case, sorted.
        codes: (n, dim) and `scales` (n,): a word's vector is its codes times its scale, its weight included.
        origin: spec of the encoder that it was distilled from.
    """

    spec = "tokens"

    def __init__(self, words: Sequence[str], codes: Codes, scales: Floats32, origin: str) -> None:
        if codes.ndim != 2 or not len(words) == len(codes) == len(scales):
            raise ValueError(f"{len(words)} words, codes of shape {codes.shape}, {len(scales)} scales")
        self.words, self.codes, self.scales, self.origin = tuple(words), codes, scales, origin
        self._places = {word: i for i, word in enumerate(self.words)}
        self.dim = self.sentence_dim = codes.shape[1]

    @classmethod
    def distil(cls, teacher: Teacher, texts: Sequence[str], recipe: Recipe) -> TokenTable:
        """The table of the texts' words and of those that the teacher knows by itself (if it tells them)."""
        rows = Counter(w for text in texts for w in set(_WORD.findall(text.lower())))
        words = sorted({*rows, *_own_words(teacher)})
        found = teacher.encode(words, "query")[:, : teacher.sentence_dim].astype(np.float64)
        laid = _laid(found - found.mean(axis=0), recipe.table_axes)
        weights = np.array([1 / (1 + rows[w] / max(1, len(texts)) / FREQUENT) for w in words])
        largest = np.abs(laid).max(axis=1)
        safe = np.where(largest > 0, largest, 1.0)
        codes = np.rint(laid / safe[:, None] * 127).astype(np.int8)
        return cls(words, codes, (weights * safe / 127).astype(np.float32), teacher.spec)

    def encode(self, texts: Sequence[str], kind: Literal["query", "passage"]) -> Floats32:  # noqa: ARG002 - as encoders do
        """(n, dim) unit rows; zero for a text without a known word."""
        return np.stack([self._vector(text) for text in texts]) if texts else np.empty((0, self.dim), np.float32)

    def stored(self) -> Stored:
        return Stored({"words": list(self.words), "origin": self.origin}, {"codes": self.codes, "scales": self.scales})

    @classmethod
    def load(cls, stored: Stored) -> TokenTable:
        """The table that was stored."""
        words = stored.figures["words"]
        if not isinstance(words, list):
            raise TypeError("the words of a table of word vectors are no list")
        codes, scales = np.asarray(stored.arrays["codes"], np.int8), np.asarray(stored.arrays["scales"], np.float32)
        return cls(words, codes, scales, str(stored.figures["origin"]))

    def _vector(self, text: str) -> Floats32:
        known = self._places.get
        ids = [i for word in _WORD.findall(text[:MOST_CHARACTERS].lower()) if (i := known(word)) is not None]
        # einsum, not BLAS: the same bits however many threads the machine has
        summed = np.einsum("i,ij->j", self.scales[ids], self.codes[ids].astype(np.float32))
        length = float(np.sqrt(np.einsum("j,j->", summed, summed)))
        return np.asarray(summed / length if length > 0 else summed, np.float32)


def _own_words(teacher: object) -> list[str]:
    """Whole words of the encoder's own vocabulary; none where it does not tell."""
    told = json.loads((files_of(teacher) or {}).get("tokenizer.json", b"{}"))
    vocabulary = told.get("model", {}).get("vocab", {})
    return [w for w in vocabulary if isinstance(w, str) and _PLAIN_WORD.fullmatch(w) and w == w.lower()]


def _laid(rows: Floats, count: int) -> Floats:
    """Rows on their `count` main axes."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):  # sums of several threads would differ in their last bits
        _, found = np.linalg.eigh(rows.T @ rows)
        axes = found[:, ::-1][:, :count]
        # an axis may point either way: make its largest entry positive, wherever it is computed
        axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
        return np.asarray(rows @ axes)
