"""Which articles: BM25 over what an account may see, and a bonus for articles that answer the likely intents."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from noria.agent.protocols import Floats, Ints
from noria.agent.recipe import Recipe
from noria.records import Article, Ranked

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class _View:
    """What an account may see: which articles (all,), how many, and their mean length."""

    visible: npt.NDArray[np.bool_]
    count: int
    mean_length: float


class ArticleFinder:
    """A Retriever by BM25 (Robertson, Zaragoza 2009), its statistics taken over the visible articles alone.

    So what one account is shown never depends on another account's articles. The text's score is divided by the best
    visible one (0 to 1); each linked intent adds `intent_bonus` times its probability.

    Args:
        articles: in any order.
        recipe: `bm25_k1`, `bm25_b`, `title_weight`, `intent_bonus`.
    """

    def __init__(self, articles: Sequence[Article], recipe: Recipe) -> None:
        self.articles = tuple(sorted(articles, key=lambda a: a.article_id))
        self._k1, self._b, self._bonus = recipe.bm25_k1, recipe.bm25_b, recipe.intent_bonus
        counts = [_counts(a, recipe.title_weight) for a in self.articles]
        self._lengths = np.array([sum(c.values()) for c in counts], np.float64)
        self._postings = _postings(counts)
        self._linked: dict[str, list[int]] = {}
        for i, article in enumerate(self.articles):
            for intent in dict.fromkeys(article.intents):
                self._linked.setdefault(intent, []).append(i)
        owners = {a.account for a in self.articles if a.account is not None}
        self._shared = self._view(None)
        self._views = {owner: self._view(owner) for owner in owners}

    def find(self, text: str, account: str, intents: Mapping[str, float], limit: int) -> tuple[Ranked, ...]:
        """The best visible articles, best first, equal ones by id; none that neither text nor intent speaks for."""
        view = self._views.get(account, self._shared)
        if not view.count or limit < 1:
            return ()
        scores = self._match(text, view)
        best = float(scores.max())
        if best > 0:
            scores /= best
        for intent, probability in intents.items():
            scores[self._linked.get(intent, [])] += self._bonus * probability
        found = np.flatnonzero(view.visible & (scores > 0))
        order = found[np.argsort(-scores[found], kind="stable")[:limit]]
        return tuple(Ranked(self.articles[i].article_id, float(scores[i])) for i in order)

    def _match(self, text: str, view: _View) -> Floats:
        scores = np.zeros(len(self.articles))
        norm = self._k1 * (1 - self._b + self._b * self._lengths / view.mean_length)
        for word in sorted(set(_WORD.findall(text.lower()))):
            posting = self._postings.get(word)
            if posting is None:
                continue
            where, counts = posting
            seen = view.visible[where]
            holders = int(seen.sum())
            if holders:
                rarity = math.log(1 + (view.count - holders + 0.5) / (holders + 0.5))
                at, often = where[seen], counts[seen]
                scores[at] += rarity * often * (self._k1 + 1) / (often + norm[at])
        return scores

    def _view(self, owner: str | None) -> _View:
        visible = np.array([a.account is None or a.account == owner for a in self.articles], bool)
        words = float(self._lengths[visible].sum())
        return _View(visible, int(visible.sum()), words / visible.sum() if words else 1.0)


def _counts(article: Article, title_weight: int) -> Counter[str]:
    counts = Counter(_WORD.findall(article.body.lower()))
    for word in _WORD.findall(article.title.lower()):
        counts[word] += title_weight
    return +counts


def _postings(counts: Sequence[Counter[str]]) -> dict[str, tuple[Ints, Floats]]:
    """Word → places of the articles that hold it, and how often each does."""
    found: dict[str, tuple[list[int], list[int]]] = {}
    for i, of_article in enumerate(counts):
        for word, count in of_article.items():
            where, often = found.setdefault(word, ([], []))
            where.append(i)
            often.append(count)
    return {w: (np.array(at, np.int32), np.array(n, np.float64)) for w, (at, n) in found.items()}
