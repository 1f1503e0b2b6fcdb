"""Articles of one owner with everything that is computed ahead: words, vectors, what earlier questions added."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from noria.agent.protocols import Floats32
from noria.agent.ranking.lexical import Postings, article_words, words_of
from noria.agent.ranking.vectors import MakeNearest, Memory, Nearest, Rounded, Scan, passages_of, rounded
from noria.records import Article

QUESTION_WORDS = 0.1
"""What a word of a citing question counts beside one of the article itself."""

Citing = Mapping[str, Sequence[tuple[str, float]]]
"""Article → (question, weight) of the questions that cite it."""
Places = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Vectors:
    """Of n articles: `titles`, `learnt`, `gist` (n, dim), `passages` (sum of all, dim), those of i from `starts[i]` on.

    `learnt`: title and citing questions together, so that an article moves to where its questions are (Rocchio 1971).
    `gist`: `learnt` and the mean passage together, for the `first_look`.
    """

    titles: Rounded
    learnt: Rounded
    gist: Rounded
    first_look: Nearest
    passages: Rounded
    starts: npt.NDArray[np.int64]

    def best_passages(self, at: Places, query: Rounded) -> Floats32:
        """Likeness (k,) of the best passage of each article at the places (one or more)."""
        rows, firsts = _spans(self.starts, at)
        best: Floats32 = np.maximum.reduceat(self.passages.rows(rows).dots(query), firsts)
        return best


class Shelf:
    """Articles that the same people may see, in order of id; never changes.

    `words`: postings of titles, bodies and citing questions. `vectors`: None without an encoder. `linked`: intent →
    places of its articles.

    Args:
        articles: all of them.
        citing: questions that may teach about these articles.
        title_weight: times that a title counts.
        memory: holds a vector of each title, passage and citing question.
        nearest: what looks through the gists.
        earlier: what did not change is taken from it; made with the same `title_weight` and encoder.
    """

    def __init__(
        self,
        articles: Sequence[Article],
        citing: Citing,
        title_weight: int,
        memory: Memory | None,
        nearest: MakeNearest = Scan,
        earlier: Shelf | None = None,
    ) -> None:
        self.articles = tuple(sorted(articles, key=lambda a: a.article_id))
        self._citing = {a.article_id: tuple(citing.get(a.article_id, ())) for a in self.articles}
        places = np.zeros(0, np.int32) if earlier is None else self._places_in(earlier)
        changed = sorted(set(range(len(self))) - set(places.tolist()))
        bags = {i: _bag(self.articles[i], self._citing[self.articles[i].article_id], title_weight) for i in changed}
        self.words: Postings = (
            Postings(list(bags.values()))
            if earlier is None
            else Postings.patched(earlier.words, places, bags, len(self))
        )
        self.vectors: Vectors | None = None
        if memory is not None and self.articles:
            made = _vectors([self.articles[i] for i in changed], self._citing, memory)
            if earlier is not None and earlier.vectors is not None:
                made = _merged(earlier.vectors, places, made, changed)
            self.vectors = replace(made, first_look=nearest(made.gist))
        self.linked: dict[str, list[int]] = {}
        for i, article in enumerate(self.articles):
            for intent in dict.fromkeys(article.intents):
                self.linked.setdefault(intent, []).append(i)

    def __len__(self) -> int:
        return len(self.articles)

    def _places_in(self, earlier: Shelf) -> npt.NDArray[np.int32]:
        """(earlier articles,): where each is now; -1 where it is gone, or its texts or questions changed."""
        now = {a.article_id: i for i, a in enumerate(self.articles)}

        def place(old: Article) -> int:
            at = now.get(old.article_id, -1)
            if at < 0:
                return -1
            new, key = self.articles[at], old.article_id
            same = new.title == old.title and new.body == old.body and self._citing[key] == earlier._citing[key]
            return at if same else -1

        return np.fromiter(map(place, earlier.articles), np.int32, len(earlier))


_UNMADE: Nearest = Scan(rounded(np.zeros((0, 1), np.float32)))
"""Stands where the first look has yet to be made."""


def texts_of(article: Article) -> list[str]:
    """The texts of an article that need vectors: its title, then its passages."""
    return [article.title, *passages_of(article.body)]


def _bag(article: Article, citing: Sequence[tuple[str, float]], title_weight: int) -> Mapping[str, float]:
    bag: dict[str, float] = dict(article_words(article.title, article.body, title_weight))
    for question, weight in citing:
        for word in words_of(question):
            bag[word] = bag.get(word, 0.0) + QUESTION_WORDS * weight
    return bag


def _vectors(articles: Sequence[Article], citing: Citing, memory: Memory) -> Vectors:
    texts = [passages_of(a.body) for a in articles]
    starts = np.concatenate(([0], np.cumsum([len(t) for t in texts]))).astype(np.int64)
    titles = memory.recall([a.title for a in articles], "passage")
    passages = memory.recall([t for of_article in texts for t in of_article], "passage")
    sums = titles.floats().astype(np.float64)
    for i, article in enumerate(articles):
        questions = citing.get(article.article_id, ())
        if questions:
            vectors = memory.recall([q for q, _ in questions], "query").floats()
            sums[i] += (vectors * np.array([w for _, w in questions])[:, None]).sum(axis=0)
    learnt = rounded(sums.astype(np.float32))
    if articles:
        means = np.add.reduceat(passages.floats(), starts[:-1], axis=0)
        gist = rounded(learnt.floats() + rounded(means).floats())
    else:
        gist = learnt
    return Vectors(titles, learnt, gist, _UNMADE, passages, starts)


def _merged(old: Vectors, places: npt.NDArray[np.int32], fresh: Vectors, changed: Sequence[int]) -> Vectors:
    """Kept rows of `old` at their new places, and the fresh ones at the places that changed."""
    kept = np.flatnonzero(places >= 0)
    order = np.argsort(np.concatenate((places[kept], np.array(changed, np.int32))), kind="stable")
    chosen = np.concatenate((kept, np.arange(len(changed)) + len(places)))[order]
    starts = np.concatenate((old.starts, fresh.starts[1:] + old.starts[-1]))
    rows, firsts = _spans(starts, chosen)
    gist = _both(old.gist, fresh.gist, chosen)
    return Vectors(
        _both(old.titles, fresh.titles, chosen),
        _both(old.learnt, fresh.learnt, chosen),
        gist,
        _UNMADE,
        _both(old.passages, fresh.passages, rows),
        np.append(firsts, len(rows)).astype(np.int64),
    )


def _both(old: Rounded, fresh: Rounded, rows: Places) -> Rounded:
    return Rounded(np.concatenate((old.whole, fresh.whole))[rows], np.concatenate((old.scales, fresh.scales))[rows])


def _spans(starts: npt.NDArray[np.int64], at: Places) -> tuple[Places, Places]:
    """Rows of the passages of the articles at the places, one after the other, and where each article's begin in it."""
    sizes = starts[at + 1] - starts[at]
    firsts = np.cumsum(sizes) - sizes
    return np.repeat(starts[at] - firsts, sizes) + np.arange(int(sizes.sum())), firsts
