"""Texts as weighted n-grams: words, and characters inside words. One implementation for training and serving.

Equal to the union of two scikit-learn `TfidfVectorizer`s with `sublinear_tf=True`, one over words (of one letter too),
one with `analyzer="char_wb"`; a tenth of their time on one text.
"""

from __future__ import annotations

import math
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from noria.agent.protocols import Floats, Floats32, Ints, Places
from noria.agent.recipe import Recipe

MAX_CHARACTERS = 20_000
"""What stands further back in a text is not read, so that one text cannot hold up the others."""

_REMEMBERED_WORDS, _LONGEST_REMEMBERED = 20_000, 40
"""Words whose character n-grams are kept in memory, since people use few words again and again (some 20 MiB)."""
_WORD = re.compile(r"\w+")
_DAMPED = 1 + np.log(np.maximum(np.arange(256, dtype=np.float64), 1))


@dataclass(frozen=True, slots=True)
class Vector:
    """A text as n-grams: `ids` (n,) without repeats, `weights` (n,).

    `known`: share of its word n-grams that were seen, rare ones weighing more. `blank`: nothing of it was seen, or it
    has no words (emoji, punctuation) and not all of it was seen.
    """

    ids: Places
    weights: Floats32
    known: float
    blank: bool


class Ngrams:
    """A vocabulary with its weights; ids are those of `words`, then those of `chars`.

    Args:
        words: word n-grams, each once, and `word_idf` (words,) their inverse document frequencies.
        chars: the same for character n-grams, and `char_idf` (chars,).
        texts: how many texts it was learnt from.
        recipe: lengths of n-grams.
    """

    def __init__(
        self, words: Sequence[str], word_idf: Floats, chars: Sequence[str], char_idf: Floats, texts: int, recipe: Recipe
    ) -> None:
        self.words, self.chars, self.texts = tuple(words), tuple(chars), texts
        self.word_idf, self.char_idf = word_idf, char_idf
        self._word_ids = {gram: i for i, gram in enumerate(self.words)}
        self._char_ids = {gram: i for i, gram in enumerate(self.chars)}
        self._recipe = recipe
        self._word_max_n = recipe.word_max_n
        self._lengths = range(recipe.char_min_n, recipe.char_max_n + 1)
        # what a word n-gram would weigh that was never seen
        self._unseen = math.log(1 + texts) + 1
        self._remembered: dict[str, Places] = {}
        self._own = threading.local()  # of each thread: a place for each n-gram in characters

    @classmethod
    def learn(cls, texts: Sequence[str], recipe: Recipe) -> Ngrams:
        """The vocabulary of texts; the order of the texts does not matter."""
        lengths = range(recipe.char_min_n, recipe.char_max_n + 1)
        word_df: Counter[str] = Counter()
        char_df: Counter[str] = Counter()
        grams_of = cache(lambda word: char_grams(word, lengths))
        for text in texts:
            low = _low(text)
            word_df.update(set(word_grams(_WORD.findall(low), recipe.word_max_n)))
            char_df.update({gram for word in low.split() for gram in grams_of(word)})
        words, word_idf = _weighed(word_df, recipe.word_min_df, len(texts))
        chars, char_idf = _weighed(char_df, recipe.char_min_df, len(texts))
        return cls(words, word_idf, chars, char_idf, len(texts), recipe)

    def grown(self, texts: Sequence[str]) -> tuple[Ngrams, Ints]:
        """The vocabulary with what is new in texts, and the new number of each n-gram there was.

        What was known keeps its weight; the new is weighed as if it were among the texts learnt from.
        """
        other = Ngrams.learn(texts, self._recipe)
        n = 1 + self.texts
        words = {w: i for i, w in enumerate(other.words) if w not in self._word_ids}
        chars = {c: i for i, c in enumerate(other.chars) if c not in self._char_ids}

        def added(idf: Floats, places: Sequence[int]) -> Floats:
            counts = (1 + other.texts) / np.exp(idf[list(places)] - 1) - 1
            return np.log(n / (1 + counts)) + 1

        both = Ngrams(
            (*self.words, *words),
            np.concatenate((self.word_idf, added(other.word_idf, list(words.values())))),
            (*self.chars, *chars),
            np.concatenate((self.char_idf, added(other.char_idf, list(chars.values())))),
            self.texts,
            self._recipe,
        )
        kept = np.arange(self.size, dtype=np.int32)
        kept[len(self.words) :] += len(words)
        return both, kept

    @property
    def size(self) -> int:
        return len(self.words) + len(self.chars)

    def vector(self, text: str) -> Vector:
        """The text's n-grams: `(1 + ln count) · idf`, each block (words, characters) of length 1."""
        return self._vector(text, self._remembered_ids)

    def matrix(self, texts: Iterable[str]) -> tuple[Floats32, Ints, Ints]:
        """The vectors of texts as one sparse matrix: (data, column ids, row starts), as `csr_matrix` takes them."""
        ids_in = cache(self._ids_in)
        vectors = [self._vector(text, ids_in) for text in texts]
        starts = np.zeros(len(vectors) + 1, np.int32)
        np.cumsum([len(v.ids) for v in vectors], out=starts[1:])
        if not vectors:
            return np.zeros(0, np.float32), np.zeros(0, np.int32), starts
        return (
            np.concatenate([v.weights for v in vectors]),
            np.concatenate([v.ids for v in vectors]).astype(np.int32),
            starts,
        )

    def _vector(self, text: str, ids_in: Callable[[str], Places]) -> Vector:
        low = _low(text)
        known_id = self._word_ids.get
        grams = word_grams(_WORD.findall(low), self._word_max_n)
        words: Counter[Any] = Counter(map(known_id, grams))
        unseen = set(grams).difference(self._word_ids) if words.pop(None, 0) else ()
        word_ids = np.fromiter(words, np.intp, len(words))
        word_weights = _weights(word_ids, np.fromiter(words.values(), np.int64, len(words)), self.word_idf)
        char_ids, often = self._counted([ids_in(word) for word in low.split()])
        char_weights = _weights(char_ids, often, self.char_idf)
        if words or unseen:
            seen = float(np.add.reduce(self.word_idf[word_ids]))
            known, blank = seen / (seen + len(unseen) * self._unseen), not (words or len(char_ids))
        else:
            grams = [gram for word in low.split() for gram in char_grams(word, self._lengths)]
            blank = not grams or any(gram not in self._char_ids for gram in grams)
            known = 0.0 if blank else 1.0
        return Vector(
            np.concatenate((word_ids, char_ids + len(self.words))),
            np.concatenate((word_weights, char_weights)),
            known,
            blank,
        )

    def _counted(self, parts: Sequence[Places]) -> tuple[Places, npt.NDArray[np.int64]]:
        """The different ids of some lists, in the order in which they come, and how often each does."""
        if not parts:
            return np.zeros(0, np.intp), np.zeros(0, np.int64)
        ids = np.concatenate(parts)
        try:
            first: Places = self._own.first
        except AttributeError:
            first = self._own.first = np.zeros(len(self.chars), np.intp)
        places = np.arange(len(ids))
        first[ids[::-1]] = places[::-1]  # of an id that is there twice the last one written stays: its first place
        at = first[ids]
        new = (at == places).nonzero()[0]
        return ids[new], np.bincount(at, minlength=len(ids))[new]

    def _remembered_ids(self, word: str) -> Places:
        found = self._remembered.get(word)
        if found is None:
            found = self._ids_in(word)
            if len(word) <= _LONGEST_REMEMBERED:
                if len(self._remembered) >= _REMEMBERED_WORDS:
                    self._remembered = {}
                self._remembered[word] = found
        return found

    def _ids_in(self, word: str) -> Places:
        known_id = self._char_ids.get
        found = [i for gram in char_grams(word, self._lengths) if (i := known_id(gram)) is not None]
        return np.array(found, np.intp)


def word_grams(tokens: list[str], longest: int) -> list[str]:
    """Sequences of 1 to `longest` tokens."""
    grams = list(tokens)
    for n in range(2, longest + 1):
        grams += map(" ".join, zip(*(tokens[i:] for i in range(n)), strict=False))
    return grams


def char_grams(word: str, lengths: range) -> list[str]:
    """Character sequences of a word with a space on either side; a word shorter than a length yields itself once."""
    padded = f" {word} "
    size, grams = len(padded), []
    for n in lengths:
        if n >= size:
            grams.append(padded)
            break
        grams += [padded[i : i + n] for i in range(size - n + 1)]
    return grams


def _low(text: str) -> str:
    return text[:MAX_CHARACTERS].lower()


def _weighed(df: Counter[str], least: int, texts: int) -> tuple[list[str], Floats]:
    grams = sorted(gram for gram, count in df.items() if count >= least)
    counts = np.array([df[gram] for gram in grams], np.float64)
    return grams, np.log((1 + texts) / (1 + counts)) + 1


def _weights(ids: Places, often: npt.NDArray[np.int64], idf: Floats) -> Floats32:
    few = len(often) == 0 or often.max() < len(_DAMPED)
    weights = idf[ids] * (_DAMPED[often] if few else 1 + np.log(often))
    length = math.sqrt(float(np.add.reduce(weights * weights)))
    return np.asarray(weights / length if length else weights, np.float32)
