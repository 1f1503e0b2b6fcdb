"""What one kind of reader may see, and the candidates in it for a text with what speaks for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from noria.agent.protocols import Floats, Floats32
from noria.agent.ranking.lessons import Lessons, Neighbours
from noria.agent.ranking.lexical import Lexical, query_words
from noria.agent.ranking.ranker import FEATURES
from noria.agent.ranking.shelf import Places, Shelf
from noria.agent.ranking.vectors import Memory, Rounded, largest

BY_WORDS, BY_VECTORS, BY_VOTES = 20, 30, 20
"""Candidates that each way of looking brings. More of them rank worse: none of the ways speaks for what is added."""
LEAST_COSINE = 0.15
"""An article less alike is no candidate by its vector: any two texts are a little alike."""

# Larger than any sum of features.
_DEMOTED = 1000.0


@dataclass(frozen=True, slots=True)
class Candidates:
    """Places in the view, rising, and `features` (candidates, `FEATURES`)."""

    at: Places
    features: Floats


class View:
    """Shelves seen together and the lessons that count there; never changes.

    `ids`: of all articles, by shelf. `order`: rank of each id among all, for ties. `generic`: places of articles that
    are cited for nearly everything; `demoted`: what is taken off their scores, so that they come after all others.

    Args:
        shelves: that may be seen.
        lessons: of the reader's account and those that teach all accounts.
        memory: None without an encoder.
        k1, b: of BM25.
        generic_share: see `Lessons.generic`.
    """

    def __init__(
        self,
        shelves: Sequence[Shelf],
        lessons: Lessons,
        memory: Memory | None,
        k1: float,
        b: float,
        generic_share: float,
    ) -> None:
        self.shelves, self._memory = tuple(s for s in shelves if len(s)), memory
        self.offsets = np.cumsum([0, *(len(s) for s in self.shelves)])
        self.ids = [a.article_id for s in self.shelves for a in s.articles]
        self.order = np.argsort(np.array(sorted(range(len(self.ids)), key=self.ids.__getitem__), np.intp))
        self.lexical = Lexical([s.words for s in self.shelves], k1, b)
        places = {article: i for i, article in enumerate(self.ids)}
        self.neighbours = Neighbours(lessons, memory, k1, b)
        self._voted = np.array([places.get(a, -1) for a in lessons.article_ids], np.intp)
        self._popularity = np.zeros(len(self.ids))
        here = self._voted >= 0
        self._popularity[self._voted[here]] = np.log1p(lessons.cited[here])
        self.generic = np.zeros(len(self.ids), bool)
        self.generic[[places[a] for a in lessons.generic(generic_share) if a in places]] = True
        self.demoted = np.where(self.generic, _DEMOTED, 0.0)

    def __len__(self) -> int:
        return len(self.ids)

    def candidates(self, text: str, intents: Mapping[str, float], vector: Floats32 | None) -> Candidates:
        """Articles for which text, vector, earlier questions or intents speak."""
        query = self._memory.query(text, vector) if self._memory else None
        words = self.lexical.scores(query_words(text))
        votes = np.zeros(len(self))
        linked = self._linked(intents)
        chosen = np.zeros(len(self), bool)
        chosen[largest(words, BY_WORDS, 0.0)] = True
        if len(self._voted):
            here = self._voted >= 0
            votes[self._voted[here]] = self.neighbours.votes(text, query)[here]
            chosen[largest(votes, BY_VOTES, 0.0)] = True
        chosen[list(linked)] = True
        if query is not None:
            chosen[self._nearest(query)] = True
        at = chosen.nonzero()[0]
        features = np.zeros((len(at), len(FEATURES)))
        best = float(np.maximum.reduce(words, initial=0.0))
        if best > 0:
            features[:, 0] = words[at] / best
        if query is not None and len(at):
            features[:, 1:4] = self._cosines(at, query)
        if len(self._voted):
            features[:, 4], features[:, 5] = votes[at], self._popularity[at]
        features[np.searchsorted(at, list(linked)), 6] = list(linked.values())
        return Candidates(at, features)

    def _linked(self, intents: Mapping[str, float]) -> dict[int, float]:
        found: dict[int, float] = {}
        for shelf, offset in zip(self.shelves, self.offsets, strict=False):
            for intent, probability in intents.items():
                for i in shelf.linked.get(intent, ()):
                    place = i + int(offset)
                    found[place] = found.get(place, 0.0) + probability
        return found

    def _nearest(self, query: Rounded) -> Places:
        """Places of the articles whose gist is nearest."""
        found = [s.vectors.first_look.nearest(query, BY_VECTORS, LEAST_COSINE) for s in self.shelves if s.vectors]
        at = np.concatenate([np.zeros(0, np.intp), *(f[0] + o for f, o in zip(found, self.offsets, strict=False))])
        likeness = np.concatenate([np.zeros(0, np.float32), *(f[1] for f in found)])
        return at[largest(likeness, BY_VECTORS, LEAST_COSINE)]

    def _cosines(self, at: Places, query: Rounded) -> Floats:
        """(candidates, 3): with the best passage, the title, and what was learnt."""
        found = np.zeros((len(at), 3))
        for shelf, start, end in zip(self.shelves, self.offsets, self.offsets[1:], strict=False):
            rows = np.flatnonzero((at >= start) & (at < end))
            if shelf.vectors is None or not len(rows):
                continue
            inside = at[rows] - start
            found[rows, 0] = shelf.vectors.best_passages(inside, query)
            found[rows, 1] = shelf.vectors.titles.rows(inside).dots(query)
            found[rows, 2] = shelf.vectors.learnt.rows(inside).dots(query)
        return found
