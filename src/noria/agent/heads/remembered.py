"""Parts of an intent model that were fitted before: a recipe that changes one setting pays for what that changes.

What a part is made of is hashed whole (rows, vectors, n-grams, the settings it reads), so an entry can be stale only if
a part reads a setting that `READS` does not name; a part that is not ours is keyed by every setting.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from noria.agent.components import member_maker
from noria.agent.heads.ngrams import Ngrams
from noria.agent.protocols import Floats32, Ints, Member, Stored, TrainingSet
from noria.agent.recipe import Recipe

VERSION = 1
"""Raise it when a member's fitting changes: entries of other versions are never found."""

NGRAM_SETTINGS = ("char_max_n", "char_min_n", "char_min_df", "word_max_n", "word_min_df")
READS: dict[str, tuple[str, ...]] = {
    "ngrams": ("class_balance", "seed", "svm_c"),
    "dense": ("all_layers_from", "class_balance", "dense_c", "layers"),
    "neighbours": ("all_layers_from", "neighbour_axes", "neighbour_reach"),
    "tuned": ("class_balance", "dense_c", "seed", "tuning_epochs"),
}
"""The settings that each member reads when it is fitted."""
_USES_MATRIX, _USES_VECTORS, _USES_TEXTS = {"ngrams"}, {"dense", "neighbours", "tuned"}, {"tuned"}


class Memory(Protocol):
    """Fitted parts by key; what is not there, or no longer, is fitted again."""

    def get(self, key: str) -> tuple[Mapping[str, Any], Mapping[str, npt.NDArray[Any]]] | None:
        """Figures and arrays of the part that was kept under a key (64 hexadecimal digits)."""
        ...

    def put(self, key: str, figures: Mapping[str, object], arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Keeps a part: figures that JSON can hold, and arrays."""
        ...


def ngrams_of(texts: Sequence[str], recipe: Recipe, memory: Memory | None) -> Ngrams:
    """`Ngrams.learn`, or the same from memory."""
    if memory is None:
        return Ngrams.learn(texts, recipe)
    key = _digest("vocabulary", _settings(recipe, NGRAM_SETTINGS), sorted(texts))
    kept = memory.get(key)
    if kept is None:
        made = Ngrams.learn(texts, recipe)
        figures = {"words": list(made.words), "chars": list(made.chars), "texts": made.texts}
        memory.put(key, figures, {"word_idf": made.word_idf, "char_idf": made.char_idf})
        return made
    told, idf = kept
    return Ngrams(told["words"], idf["word_idf"], told["chars"], idf["char_idf"], int(told["texts"]), recipe)


def matrix_of(
    ngrams: Ngrams, texts: Sequence[str], recipe: Recipe, memory: Memory | None
) -> tuple[Floats32, Ints, Ints]:
    """`ngrams.matrix`, or the same from memory."""
    if memory is None:
        return ngrams.matrix(texts)
    vocabulary = [*ngrams.words, "", *ngrams.chars]
    weights = [ngrams.word_idf, ngrams.char_idf]
    key = _digest("matrix", _settings(recipe, NGRAM_SETTINGS), list(texts), vocabulary, *weights)
    kept = memory.get(key)
    if kept is None:
        data, ids, starts = ngrams.matrix(texts)
        memory.put(key, {}, {"data": data, "ids": ids, "starts": starts})
        return data, ids, starts
    return kept[1]["data"], kept[1]["ids"], kept[1]["starts"]


def member_of(name: str, rows: TrainingSet, recipe: Recipe, memory: Memory | None) -> Member:
    """The member of that name fitted on rows, or the same from memory."""
    maker = member_maker(name)
    if memory is None:
        return maker.train(rows, recipe)
    key = member_key(name, rows, recipe)
    kept = memory.get(key)
    if kept is not None:
        return maker.load(Stored(*kept), rows.classes, recipe)
    made = maker.train(rows, recipe)
    stored = made.stored()
    memory.put(key, stored.figures, stored.arrays)
    return made


def member_key(name: str, rows: TrainingSet, recipe: Recipe) -> str:
    """Hex sha256 over what a member is fitted on."""
    settings = _settings(recipe, READS[name]) if name in READS else recipe.to_dict()
    facts = [rows.sentence_dim, rows.learns_reject, rows.n_grams if name not in _USES_VECTORS else 0]
    parts: list[object] = [f"member {name}", settings, facts, list(rows.classes), list(rows.targets)]
    if name not in READS or name in _USES_TEXTS:
        parts.append(list(rows.texts))
        parts += [f"{k} {hashlib.sha256(v).hexdigest()}" for k, v in sorted((rows.encoder_files or {}).items())]
    if name not in _USES_VECTORS:
        parts += rows.matrix
    if name not in _USES_MATRIX and rows.vectors is not None:
        parts.append(rows.vectors)
    return _digest(*parts)


def _settings(recipe: Recipe, names: Sequence[str]) -> dict[str, object]:
    return {name: getattr(recipe, name) for name in names}


def _digest(*parts: object) -> str:
    total = hashlib.sha256(f"{VERSION}\n".encode())
    for part in parts:
        if isinstance(part, np.ndarray):
            total.update(f"{part.dtype.str}{part.shape}\n".encode())
            total.update(np.ascontiguousarray(part).tobytes())
        else:
            text = json.dumps(part, sort_keys=True).encode()  # ASCII, so that any text can be hashed
            total.update(f"{len(text)}\n".encode() + text)
    return total.hexdigest()
