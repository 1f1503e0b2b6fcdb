"""Which language a text is written in, offline, by py3langid's model (naive Bayes over byte n-grams).

The library goes through one text at a time in Python; here its automaton takes one step in all texts of a batch at
once, and the scores of all are one sparse product. A test holds the answers to the library's own.

Source: Lui and Baldwin (2012), langid.py: An Off-the-shelf Language Identification Tool.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

READ_CHARS = 160
"""Characters that are read: enough to tell, and the time grows with each."""
_SURE = 0.5
_AT_ONCE = 4096


@dataclass(frozen=True, slots=True)
class _Model:
    names: npt.NDArray[Any]
    next_state: npt.NDArray[np.int32]
    row_of: npt.NDArray[np.int32]
    feature_of: npt.NDArray[np.int32]
    table: npt.NDArray[np.float32]
    prior: npt.NDArray[np.float32]
    aliases: tuple[tuple[int, int], ...]


@cache
def _model() -> _Model:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    read: Any = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    return _Model(
        np.array(read.nb_classes, dtype=object), np.asarray(read.tk_nextmove, np.int32),
        np.asarray(read._rowbase, np.int32), np.asarray(read.tk_output, np.int32),  # noqa: SLF001 - see the test
        np.asarray(read.nb_ptc, np.float32), np.asarray(read.nb_pc, np.float32), tuple(read._alias_pairs),  # noqa: SLF001
    )  # fmt: skip


def languages(texts: Sequence[str | None], min_chars: int) -> list[str | None]:
    """ISO 639-1 code of each text; None where it is shorter than `min_chars` or the model is not sure."""
    found: list[str | None] = [None] * len(texts)
    at = [i for i, text in enumerate(texts) if text is not None and len(text) >= min_chars]
    for start in range(0, len(at), _AT_ONCE):
        part = at[start : start + _AT_ONCE]
        for i, code in zip(part, _told([str(texts[i])[:READ_CHARS] for i in part]), strict=True):
            found[i] = code
    return found


def _told(texts: Sequence[str]) -> list[str | None]:
    model = _model()
    data = [_bytes(text) for text in texts]
    lengths = np.array([len(d) for d in data])
    scores = _scores(model, data, lengths)
    scores *= (1.0 / np.sqrt(np.maximum(lengths, 1)))[:, None].astype(np.float32)
    scores = np.exp(scores - scores.max(axis=1, keepdims=True))
    scores /= scores.sum(axis=1, keepdims=True)
    for first, same in model.aliases:
        scores[:, first] += scores[:, same]
        scores[:, same] = 0.0
    best = scores.argmax(axis=1)
    sure = scores[np.arange(len(texts)), best] >= _SURE
    return [str(name) if is_sure else None for name, is_sure in zip(model.names[best], sure, strict=True)]


def _bytes(text: str) -> bytes:
    if text.isascii():
        return (text.lower() if text.isupper() else text).encode()
    text = text.lower() if text.isupper() else text
    return unicodedata.normalize("NFC", text).encode("utf-8", "surrogatepass")


def _scores(model: _Model, data: Sequence[bytes], lengths: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """Log posterior of each language, shape (n, languages); even where no n-gram is known."""
    from scipy.sparse import csr_array

    width, n_features = int(lengths.max(initial=1)), len(model.table)
    letters = np.zeros((width, len(data)), np.int32)
    for column, text in enumerate(data):
        letters[: len(text), column] = np.frombuffer(text, np.uint8)
    state = np.zeros(len(data), np.int32)
    met = []
    for place in range(width):
        state = model.next_state[model.row_of[state] + letters[place]]
        feature = model.feature_of[state]
        hit = np.flatnonzero((feature >= 0) & (place < lengths))
        met.append(hit * n_features + feature[hit])
    keys, counts = np.unique(np.concatenate(met), return_counts=True)
    ends = np.searchsorted(keys, np.arange(len(data) + 1) * n_features)
    weights = np.log1p(counts.astype(np.float32))
    product = csr_array((weights, keys % n_features, ends), shape=(len(data), n_features)) @ model.table
    scores = np.asarray(product, np.float32) + model.prior
    scores[ends[1:] == ends[:-1]] = 0.0
    return scores
