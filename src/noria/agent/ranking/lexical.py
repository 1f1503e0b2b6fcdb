"""BM25 (Robertson, Zaragoza 2009) over bags of words, summed over several shelves as if they were one."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain

import numpy as np
import numpy.typing as npt

from noria.agent.protocols import Floats32, Ints

MOST_WORDS = 256
"""Different words of a query that are looked up, so that one text cannot hold up the others."""
MAX_CHARACTERS = 20_000
_REMEMBERED_WORDS = 4096
# From this share of articles on, or where there are few, adding a whole row is cheaper than picking places.
_DENSE_SHARE, _FEW = 0.125, 64

_WORD = re.compile(r"\w+")


def words_of(text: str) -> list[str]:
    """The words of a text in lower case; what stands behind the first `MAX_CHARACTERS` is not read."""
    return _WORD.findall(text[:MAX_CHARACTERS].lower())


def query_words(text: str) -> list[str]:
    """The different words of a query, the first `MOST_WORDS`, sorted."""
    return sorted(list(dict.fromkeys(words_of(text)))[:MOST_WORDS])


def article_words(title: str, body: str, title_weight: int) -> Counter[str]:
    """How often each word occurs in an article, in its title `title_weight` times. The whole body is read."""
    counts = Counter(_WORD.findall(body.lower()))
    for word in _WORD.findall(title.lower()):
        counts[word] += title_weight
    return +counts


class Postings:
    """Which texts hold a word, and how often; never changes.

    `lengths` (n,): words of each text.

    Args:
        bags: for each text its words with their counts (above 0, not necessarily whole).
    """

    def __init__(self, bags: Sequence[Mapping[str, float]]) -> None:
        self.size = len(bags)
        sizes = np.fromiter(map(len, bags), np.int64, self.size)
        names = list(chain.from_iterable(bags))
        often = np.fromiter(chain.from_iterable(bag.values() for bag in bags), np.float32, len(names))
        owners = np.repeat(np.arange(self.size, dtype=np.int32), sizes)
        self.lengths = np.bincount(owners, often, self.size) if names else np.zeros(self.size)
        self._rows: dict[str, int] = {word: i for i, word in enumerate(dict.fromkeys(names))}
        rows = np.fromiter(map(self._rows.__getitem__, names), np.int32, len(names))
        order = np.argsort(rows, kind="stable")
        self._owners, self._often = owners[order], often[order]
        self._starts = _starts(rows, len(self._rows))

    @classmethod
    def patched(cls, old: Postings, places: Ints, bags: Mapping[int, Mapping[str, float]], size: int) -> Postings:
        """Postings in which most texts are those of `old`; equal to what the bags of all texts would give.

        Args:
            old: where the kept texts are.
            places: (old.size,) the new place of each old text, rising; -1 = not kept.
            bags: new place → bag of each text that is new or changed.
            size: how many texts there are now.
        """
        fresh = cls(list(bags.values()))
        at = np.fromiter(bags.keys(), np.int32, len(bags))
        new = cls([])
        new.size, new.lengths = size, np.zeros(size)
        new.lengths[places[places >= 0]] = old.lengths[places >= 0]
        new.lengths[at] = fresh.lengths
        new._rows = old._rows | {
            w: i for i, w in enumerate((w for w in fresh._rows if w not in old._rows), len(old._rows))
        }
        old_rows = np.repeat(np.arange(len(old._rows), dtype=np.int64), np.diff(old._starts))
        kept = places[old._owners] >= 0
        names = np.fromiter((new._rows[w] for w in fresh._rows), np.int64, len(fresh._rows))
        rows = np.concatenate((old_rows[kept], np.repeat(names, np.diff(fresh._starts))))
        owners = np.concatenate((places[old._owners[kept]], at[fresh._owners]))
        # Old entries are in order already: a stable sort of nearly sorted keys takes little more than one pass.
        order = np.argsort(rows * size + owners, kind="stable")
        new._owners, new._often = owners[order], np.concatenate((old._often[kept], fresh._often))[order]
        new._starts = _starts(rows, len(new._rows))
        return new

    def holders(self, word: str) -> tuple[Ints, Floats32] | None:
        """Places of the texts that hold a word, rising, and how often each does; None where none does."""
        row = self._rows.get(word)
        if row is None:
            return None
        start, end = self._starts[row], self._starts[row + 1]
        if start == end:
            return None
        return self._owners[start:end], self._often[start:end]


def _starts(rows: npt.NDArray[np.integer], count: int) -> npt.NDArray[np.int64]:
    """Where the entries of each row begin once they are sorted by row, and where the last ends."""
    return np.concatenate(([0], np.cumsum(np.bincount(rows, minlength=count)))).astype(np.int64)


class Lexical:
    """Scores texts of shelves that are seen together; counts and mean length are taken over all of them.

    Args:
        shelves: scores come in their order.
        k1, b: saturation of repeated words, weight of a text's length.
    """

    def __init__(self, shelves: Sequence[Postings], k1: float, b: float) -> None:
        self._shelves, self._k1 = tuple(shelves), k1
        self.size = sum(s.size for s in shelves)
        lengths = np.concatenate([np.zeros(0), *(s.lengths for s in shelves)])
        words = math.fsum(lengths)
        mean = words / self.size if words else 1.0
        self._norm = (k1 * (1 - b + b * lengths / mean)).astype(np.float32)
        self._impacts: dict[str, tuple[Ints | None, Floats32] | None] = {}

    def scores(self, words: Sequence[str]) -> Floats32:
        """BM25 of each text (size,) for different words; their order must be the same for the same query."""
        scores = np.zeros(self.size, np.float32)
        known = self._impacts
        for word in words:
            impact = known[word] if word in known else self._impact(word)
            if impact is not None:
                at, worth = impact
                if at is None:
                    scores += worth
                else:
                    scores[at] += worth
        return scores

    def _impact(self, word: str) -> tuple[Ints | None, Floats32] | None:
        """Where and how much a word counts; remembered, since a view's words come again and again."""
        impact = self._computed(word)
        if impact is not None and len(self._impacts) < _REMEMBERED_WORDS:
            self._impacts[word] = impact
        return impact

    def _computed(self, word: str) -> tuple[Ints | None, Floats32] | None:
        places, counts, offset = [], [], 0
        for shelf in self._shelves:
            held = shelf.holders(word)
            if held is not None:
                places.append(held[0] + np.int32(offset))
                counts.append(held[1])
            offset += shelf.size
        if not places:
            return None
        at, often = np.concatenate(places), np.concatenate(counts)
        rarity = np.float32(math.log(1 + (self.size - len(at) + 0.5) / (len(at) + 0.5)))
        worth = rarity * often * np.float32(self._k1 + 1) / (often + self._norm[at])
        if len(at) < self.size * _DENSE_SHARE and self.size > _FEW:
            return at, worth
        row = np.zeros(self.size, np.float32)
        row[at] = worth
        return None, row
