"""Earlier questions and the articles that answered them: who is near a new question votes for what helped there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from noria.agent.protocols import Floats
from noria.agent.ranking.lexical import Lexical, Postings, query_words, words_of
from noria.agent.ranking.signals import Citation
from noria.agent.ranking.vectors import Memory, Rounded, Scan, largest

NEIGHBOURS = 100
SHARPNESS = 4
"""Power of a neighbour's likeness in its vote."""
LEAST_CITED = 20
"""An article cited less often is never called generic: so few say little."""
TIMES_MEAN = 3
"""A generic article is cited at least so many times as often as cited articles are on average."""


class Lessons:
    """Citations grouped by text; never changes, independent of their order.

    `questions`: the different texts, sorted. `asked`: how many questions were asked, the same text twice counting
    twice. `article_ids`: all that are cited, sorted; for each, `cited` (articles,) is the total weight and `times` the
    number of questions that cite it. A link joins a text (`question_of`) and an article (`article_of`) with the sum of
    weights (`weight_of`); links are in order of text, article.

    Args:
        citations: of one question (same text and id) and article the heaviest counts.
    """

    def __init__(self, citations: Sequence[Citation]) -> None:
        heaviest: dict[tuple[str, str, str], float] = {}
        for c in citations:
            key = c.text, c.article_id, c.question_id
            heaviest[key] = max(heaviest.get(key, 0.0), c.weight)
        weights: dict[tuple[str, str], list[float]] = {}
        for (text, article, _), weight in sorted(heaviest.items()):
            weights.setdefault((text, article), []).append(weight)
        self.asked = len({(text, question) for text, _, question in heaviest})
        self.questions = sorted({text for text, _ in weights})
        self.article_ids = sorted({article for _, article in weights})
        rows = {text: i for i, text in enumerate(self.questions)}
        self.place = {article: i for i, article in enumerate(self.article_ids)}
        links = sorted(
            (rows[text], self.place[article], sum(its), len(its)) for (text, article), its in weights.items()
        )
        self.question_of = np.array([row for row, *_ in links], np.intp)
        self.article_of = np.array([at for _, at, *_ in links], np.intp)
        self.weight_of = np.array([weight for _, _, weight, _ in links])
        self.cited = np.bincount(self.article_of, self.weight_of, len(self.article_ids))
        counts = np.array([count for *_, count in links], np.float64)
        self.times = np.bincount(self.article_of, counts, len(self.article_ids))

    def __len__(self) -> int:
        return len(self.questions)

    def generic(self, least_share: float) -> set[str]:
        """Articles that are cited for at least that share of all questions, such as "clear the cache"."""
        if not self.questions:
            return set()
        share = self.times / self.asked
        limit = max(least_share, TIMES_MEAN * float(share.mean()))
        return {
            a for a, s, n in zip(self.article_ids, share, self.times, strict=True) if s >= limit and n >= LEAST_CITED
        }

    def citing(self) -> dict[str, list[tuple[str, float]]]:
        """Article → (question, weight) of the questions that cite it."""
        found: dict[str, list[tuple[str, float]]] = {}
        for row, at, weight in zip(self.question_of, self.article_of, self.weight_of, strict=True):
            found.setdefault(self.article_ids[at], []).append((self.questions[row], float(weight)))
        return found


class Neighbours:
    """Finds the earlier questions nearest to a new one, by vectors or, without them, by words.

    Args:
        lessons: earlier questions.
        memory: vectors; None = compare by words.
        k1, b: of BM25, for words.
    """

    def __init__(self, lessons: Lessons, memory: Memory | None, k1: float, b: float) -> None:
        self.lessons = lessons
        self._vectors = Scan(memory.recall(lessons.questions, "query")) if memory and len(lessons) else None
        self._words = None
        if memory is None and len(lessons):
            self._words = Lexical([Postings([_counts(q) for q in lessons.questions])], k1, b)
        asked = max(lessons.asked, 1)
        # Popularity is corrected by half: in full, an article that was cited once would win over any other.
        self._rarity = 1 / np.sqrt(np.maximum(lessons.cited / asked, 1 / asked))
        self._starts = np.searchsorted(lessons.question_of, np.arange(len(lessons) + 1))

    def votes(self, text: str, query: Rounded | None) -> Floats:
        """For each cited article (articles,): the nearest questions' votes over the root of its popularity."""
        lessons = self.lessons
        near, likeness = self._nearest(text, query)
        weight = likeness.astype(np.float64) ** SHARPNESS
        total = weight.sum()
        if total <= 0:
            return np.zeros(len(lessons.article_ids))
        sizes = self._starts[near + 1] - self._starts[near]
        links = np.repeat(self._starts[near], sizes) + _counting(sizes)
        worth = np.repeat(weight, sizes) * lessons.weight_of[links]
        votes: Floats = np.bincount(lessons.article_of[links], worth, len(lessons.article_ids)) / total * self._rarity
        return votes

    def _nearest(self, text: str, query: Rounded | None) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float32]]:
        if self._vectors is not None and query is not None:
            return self._vectors.nearest(query, NEIGHBOURS, 0.0)
        if self._words is None:
            return np.zeros(0, np.intp), np.zeros(0, np.float32)
        scores = self._words.scores(query_words(text))
        near = largest(scores, NEIGHBOURS, 0.0)
        return near, scores[near] / scores[near].max(initial=1e-9)


def _counting(sizes: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """0 to n-1 for each size n, one after the other."""
    ends = np.cumsum(sizes)
    return np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - sizes, sizes)


def _counts(text: str) -> Mapping[str, float]:
    counts: dict[str, float] = {}
    for word in words_of(text):
        counts[word] = counts.get(word, 0.0) + 1
    return counts
