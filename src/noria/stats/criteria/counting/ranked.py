"""Where the right articles stand in the rankings of a view, as figures of each query."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from noria.stats.criteria.view import Flags, Floats, Ints, View


@dataclass(frozen=True, eq=False)
class Ranked:
    """Rankings of the rows that were judged (m,): `rows` their places, `hits` (m, L) right at that rank, `size` right.

    popularity: how often the right articles were right before, on average (m,); at least 1.
    """

    rows: Ints
    hits: Flags
    size: Ints
    popularity: Floats

    @cached_property
    def first(self) -> Ints:
        """Rank of the first right article; 0 where there is none."""
        if not self.hits.shape[1]:
            return np.zeros(len(self.rows), dtype=np.int64)
        return np.where(self.hits.any(axis=1), self.hits.argmax(axis=1) + 1, 0).astype(np.int64)

    def hit(self, k: int) -> Floats:
        return ((self.first > 0) & (self.first <= k)).astype(np.float64)

    def reciprocal(self, k: int | None = None) -> Floats:
        near = self.first > 0 if k is None else (self.first > 0) & (self.first <= k)
        return np.where(near, 1 / np.maximum(self.first, 1), 0.0)

    def found(self, k: int) -> Floats:
        """How many right articles are among the first k."""
        return np.asarray(self.hits[:, :k].sum(axis=1), dtype=np.float64)

    def recall(self, k: int) -> Floats:
        return self.found(k) / self.size

    def precision(self, k: int) -> Floats:
        return self.found(k) / k

    def gain(self, k: int) -> Floats:
        """Normalised discounted gain of the first k."""
        width = max(k, self.hits.shape[1])
        discount = 1 / np.log2(np.arange(width) + 2)
        got = self.hits[:, :k] @ discount[: min(k, self.hits.shape[1])]
        ideal = np.cumsum(discount)[np.minimum(self.size, k) - 1]
        return np.asarray(got / ideal, dtype=np.float64)

    def average_precision(self, k: int | None = None) -> Floats:
        hits = self.hits if k is None else self.hits[:, :k]
        precision = np.cumsum(hits, axis=1) / (np.arange(hits.shape[1]) + 1)
        return np.asarray((precision * hits).sum(axis=1) / self.size, dtype=np.float64)

    def r_precision(self) -> Floats:
        """Precision at as many as are right."""
        within = np.arange(self.hits.shape[1])[None, :] < self.size[:, None]
        return np.asarray((self.hits & within).sum(axis=1) / self.size, dtype=np.float64)

    def rank_biased(self, patience: float) -> Floats:
        """Rank-biased precision of a reader who goes on to the next article with that chance."""
        chances = patience ** np.arange(self.hits.shape[1])
        return np.asarray((1 - patience) * (self.hits @ chances), dtype=np.float64)

    def expected_reciprocal(self, satisfied: float = 0.5) -> Floats:
        """Expected 1 ÷ rank at which a reader stops who is satisfied by a right article with that chance."""
        before: Floats = np.cumsum(self.hits, axis=1) - self.hits.astype(np.float64)
        chance = self.hits * satisfied * (1 - satisfied) ** before
        return np.asarray(chance @ (1 / (np.arange(self.hits.shape[1]) + 1)), dtype=np.float64)


def ranked(view: View) -> Ranked:
    """Of every row with a right article, whatever its truth.

    Example:
        >>> from noria.stats.criteria.made_up import few_rows
        >>> ranked(few_rows().view).first.tolist()
        [2, 0]
    """
    observed = view.observed
    rankings, relevant = observed.rankings or (), observed.relevant or ()
    rows = [i for i, right in enumerate(relevant) if right]
    longest = max((len(rankings[i]) for i in rows), default=0)
    hits = np.zeros((len(rows), longest), dtype=np.bool_)
    for place, i in enumerate(rows):
        hits[place, : len(rankings[i])] = [article in relevant[i] for article in rankings[i]]
    counts = observed.popularity or {}
    popularity = [np.mean([max(1, counts.get(a, 0)) for a in relevant[i]]) for i in rows]
    return Ranked(
        np.array(rows, dtype=np.int64),
        hits,
        np.array([len(relevant[i]) for i in rows], dtype=np.int64),
        np.array(popularity, dtype=np.float64),
    )


def most_popular(view: View) -> list[str]:
    """Articles by falling popularity, then by name.

    Example:
        >>> from noria.stats.criteria.made_up import few_rows
        >>> most_popular(few_rows().view)
        ['kb-1', 'kb-2']
    """
    counts = view.observed.popularity or {}
    return sorted(counts, key=lambda article: (-counts[article], article))


def head(view: View) -> frozenset[str]:
    """The fewest articles that make up half of all earlier right answers.

    Example:
        >>> from noria.stats.criteria.made_up import few_rows
        >>> sorted(head(few_rows().view))
        ['kb-1']
    """
    counts = view.observed.popularity or {}
    total, taken, found = sum(counts.values()), 0, []
    for article in most_popular(view):
        if 2 * taken >= total:
            break
        taken += counts[article]
        found.append(article)
    return frozenset(found)
