"""Which articles: what the reader may see, candidates by words, vectors, earlier questions and intents, then ranked."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict

import numpy as np
from safetensors.numpy import load, save

from noria.agent.components.rankers import own_ranker, packed_ranker, unpacked_ranker
from noria.agent.encoding import Encoder
from noria.agent.protocols import ArticleRanker, Floats32
from noria.agent.ranking.lessons import Lessons
from noria.agent.ranking.ranker import FEATURES, Ranker, Taught, fit_ranker
from noria.agent.ranking.shelf import Citing, Shelf, texts_of
from noria.agent.ranking.signals import Citation
from noria.agent.ranking.vectors import MakeNearest, Memory, Scan
from noria.agent.ranking.view import View
from noria.agent.recipe import Recipe
from noria.records import Article, Ranked

FOLDS = 5
MOST_TAUGHT = 3000
"""Questions that the ranker is fitted on; seven weights need no more."""
_REMEMBERED_VIEWS = 64

TAUGHT_FILE, VECTORS_FILE = "retrieval.json", "retrieval.safetensors"
FINDER_FILES = (TAUGHT_FILE, VECTORS_FILE)
"""Of a packed finder: what it was taught and its weights, and its vectors. No code is stored."""

_Key = tuple[str | None, tuple[str, ...] | None]


class ArticleFinder:
    """A Retriever; never changes: what changes articles or citations gives a new one that shares the rest.

    What is visible is settled before anything is counted: an article of an account is seen by that account alone, one
    with an `audience` by readers of one of its groups alone. Statistics (word rarity, lengths, popularity) are taken
    over what the reader may see, so what one account is shown never depends on another's articles or questions. Only
    the ranker's seven weights are learnt from all accounts together.

    A citation with an account votes for that account; it changes words and vector of an article only where that
    article belongs to the same account. One without teaches for all.

    Args:
        articles, citations: in any order.
        recipe: `bm25_k1`, `bm25_b`, `title_weight`, `intent_bonus`, `rank_for`, `generic_share`.
        encoder: None = by words alone.
        ranker: weights; None = untaught.
        memory: vectors known already; taken instead of `encoder`.
        nearest: what takes the first look at vectors; `InvertedLists` for very many articles.
        earlier: what did not change is taken from it; made with the same recipe and encoder.
    """

    def __init__(
        self,
        articles: Iterable[Article],
        recipe: Recipe,
        *,
        encoder: Encoder | None = None,
        citations: Iterable[Citation] = (),
        ranker: ArticleRanker | None = None,
        memory: Memory | None = None,
        nearest: MakeNearest = Scan,
        earlier: ArticleFinder | None = None,
    ) -> None:
        self.articles = tuple(sorted(articles, key=lambda a: a.article_id))
        self.citations = tuple(sorted(set(citations), key=_order_of_citation))
        self.recipe: Recipe = recipe
        self.ranker: ArticleRanker = ranker or Ranker.untaught(recipe.intent_bonus)
        if memory is None and encoder is not None:
            memory = Memory(encoder)
        self._nearest = nearest
        self.memory = None if memory is None else self._learnt(memory, earlier)
        self.shelves: dict[_Key, Shelf] = self._stocked(earlier.shelves if earlier else {})
        self._views: dict[tuple[str | None, frozenset[str]], View] = {}
        self._groups = frozenset(g for _, audience in self.shelves for g in audience or ())
        self._accounts = {key[0] for key in self.shelves} | {c.account for c in self.citations}

    def find(
        self,
        text: str,
        account: str,
        intents: Mapping[str, float],
        limit: int,
        *,
        audience: Collection[str] = (),
        vector: Floats32 | None = None,
    ) -> tuple[Ranked, ...]:
        """The best visible articles, best first, equal ones by id; none for which nothing speaks.

        Args:
            text: the query.
            account: whose articles are seen beside those for all.
            intents: probability of each likely intent.
            limit: most articles.
            audience: groups that the reader belongs to.
            vector: what the encoder made of the text, where that is known; spares a second time.
        """
        view = self.view(account, audience)
        if not len(view) or limit < 1:
            return ()
        candidates = view.candidates(text, intents, vector)
        scores = self.ranker.scores(candidates.features)
        if self.recipe.rank_for == "specific":
            scores -= view.demoted[candidates.at]
        order = np.lexsort((view.order[candidates.at], -scores))[:limit]
        found = zip(candidates.at[order].tolist(), scores[order].tolist(), strict=True)
        return tuple([Ranked(view.ids[place], score) for place, score in found])

    def view(self, account: str | None, audience: Collection[str] = ()) -> View:
        """What an account's readers of these groups may see."""
        owner = account if account in self._accounts else None
        key = owner, self._groups.intersection(audience)
        found = self._views.get(key)
        if found is None:
            if len(self._views) >= _REMEMBERED_VIEWS:
                self._views = {}
            found = self._views[key] = self._view(owner, key[1])
        return found

    def with_articles(self, articles: Iterable[Article]) -> ArticleFinder:
        """The same finder over other articles; only what changed is computed anew, and the weights stay."""
        return self._changed(articles, self.citations, self.ranker)

    def with_citations(self, citations: Iterable[Citation]) -> ArticleFinder:
        """The same finder taught by other citations; the weights stay."""
        return self._changed(self.articles, citations, self.ranker)

    def with_ranker(self, ranker: ArticleRanker) -> ArticleFinder:
        """The same finder with other weights."""
        return self._changed(self.articles, self.citations, ranker)

    def _changed(
        self, articles: Iterable[Article], citations: Iterable[Citation], ranker: ArticleRanker
    ) -> ArticleFinder:
        return ArticleFinder(
            articles,
            self.recipe,
            citations=citations,
            ranker=ranker,
            memory=self.memory,
            nearest=self._nearest,
            earlier=self,
        )

    def _learnt(self, memory: Memory, earlier: ArticleFinder | None) -> Memory:
        """A memory that has a vector of each text here."""
        known = set(earlier.articles) if earlier else set()
        memory = memory.learn((t for a in self.articles if a not in known for t in texts_of(a)), "passage")
        return memory.learn((c.text for c in self.citations), "query")

    def _stocked(self, earlier: Mapping[_Key, Shelf]) -> dict[_Key, Shelf]:
        """Shelves by owner and audience; the questions that teach about a shelf are those for all and its owner's."""
        groups: dict[_Key, list[Article]] = {}
        for article in self.articles:
            readers = None if article.audience is None else tuple(sorted(set(article.audience)))
            groups.setdefault((article.account, readers), []).append(article)
        citing: dict[str | None, Citing] = {}
        for account, _ in groups:
            if account not in citing:
                citing[account] = Lessons([c for c in self.citations if c.account in {None, account}]).citing()
        weight = self.recipe.title_weight
        return {
            key: Shelf(its, citing[key[0]], weight, self.memory, self._nearest, earlier.get(key))
            for key, its in sorted(groups.items(), key=lambda item: _order_of_shelf(item[0]))
        }

    def _view(self, owner: str | None, groups: frozenset[str]) -> View:
        shelves = [
            shelf
            for (account, audience), shelf in self.shelves.items()
            if account in {None, owner} and (audience is None or groups.intersection(audience))
        ]
        lessons = Lessons([c for c in self.citations if c.account in {None, owner}])
        r = self.recipe
        return View(shelves, lessons, self.memory, r.bm25_k1, r.bm25_b, r.generic_share)


def fit_finder(
    articles: Iterable[Article], recipe: Recipe, *, encoder: Encoder | None = None, citations: Iterable[Citation] = ()
) -> ArticleFinder:
    """A finder whose weights are learnt from citations; without citations, one untaught.

    Each citing question is ranked by a finder that did not learn from it (`FOLDS` parts), as a new question would be.
    With `rank_for` "specific" generic articles are left out of what is learnt.
    """
    whole = ArticleFinder(articles, recipe, encoder=encoder, citations=citations)
    questions = sorted({c.text for c in whole.citations if c.text.strip()})[:MOST_TAUGHT]
    if len(questions) < FOLDS:
        return whole.with_ranker(own_ranker((), recipe)) if recipe.ranker else whole
    fold_of = {text: i % FOLDS for i, text in enumerate(questions)}
    taught: list[Taught] = []
    for fold in range(FOLDS):
        other = whole.with_citations(c for c in whole.citations if fold_of.get(c.text, -1) != fold)
        asked: dict[tuple[str, str | None], dict[str, float]] = {}
        for c in whole.citations:
            if fold_of.get(c.text) == fold:
                its = asked.setdefault((c.text, c.account), {})
                its[c.article_id] = max(its.get(c.article_id, 0.0), c.weight)
        for (text, account), cited in asked.items():
            taught += _taught(other.view(account), text, cited, leave_generic=recipe.rank_for == "specific")
    ranker = own_ranker(taught, recipe) if recipe.ranker else fit_ranker(taught, recipe.intent_bonus)
    return whole.with_ranker(ranker)


def pack_finder(finder: ArticleFinder) -> dict[str, bytes]:
    """The finder's files but for its articles; the same finder always gives the same bytes."""
    memory = finder.memory
    arrays: dict[str, np.ndarray] = {}
    if memory is not None:
        texts = (text for article in finder.articles for text in texts_of(article))
        arrays = memory.only((c.text for c in finder.citations), texts).arrays()
    told: dict[str, object] = {
        "citations": [asdict(c) for c in finder.citations],
        "encoder": None if memory is None else memory.encoder.fingerprint,
    }
    if isinstance(finder.ranker, Ranker):
        told["weights"] = dict(zip(FEATURES, finder.ranker.weights, strict=True))
    else:
        told["ranker"], its = packed_ranker(finder.ranker)
        arrays |= its
    text = json.dumps(told, ensure_ascii=True, allow_nan=False, sort_keys=True, separators=(",", ":"))
    return {TAUGHT_FILE: text.encode("ascii") + b"\n", VECTORS_FILE: save(arrays)}


def unpack_finder(
    files: Mapping[str, bytes], articles: Iterable[Article], recipe: Recipe, encoder: Encoder | None
) -> ArticleFinder:
    """The finder that was packed; nothing is encoded anew where the articles are the same.

    Args:
        files: `FINDER_FILES`, and others that are left alone.
        articles: with which it was packed.
        recipe: with which it was made.
        encoder: the one by whose vectors it was made; None where it was made without.

    Raises:
        KeyError, TypeError, ValueError: the files do not fit together, or belong to another encoder.
    """
    told = json.loads(files[TAUGHT_FILE])
    if told["encoder"] != (None if encoder is None else encoder.fingerprint):
        raise ValueError(f"vectors of the encoder {told['encoder']} do not go with {encoder and encoder.fingerprint}")
    arrays = load(files[VECTORS_FILE])
    if recipe.ranker:
        ranker = unpacked_ranker(told["ranker"], arrays, recipe)
    else:
        ranker = Ranker(tuple(float(told["weights"][name]) for name in FEATURES))
    return ArticleFinder(
        articles,
        recipe,
        citations=[Citation(**c) for c in told["citations"]],
        ranker=ranker,
        memory=None if encoder is None else Memory.of_arrays(encoder, arrays),
    )


def _taught(view: View, text: str, cited: Mapping[str, float], *, leave_generic: bool) -> list[Taught]:
    """Features of a question's candidates and each one's share of its citations; none where no candidate has any."""
    candidates = view.candidates(text, {}, None)
    wanted = np.array([cited.get(view.ids[i], 0.0) for i in candidates.at])
    if leave_generic:
        kept = ~view.generic[candidates.at]
        wanted, features = wanted[kept], candidates.features[kept]
    else:
        features = candidates.features
    return [(features, wanted / wanted.sum())] if wanted.sum() > 0 else []


def _order_of_citation(citation: Citation) -> tuple[str, str, str, float, str]:
    return citation.account or "", citation.text, citation.article_id, citation.weight, citation.question_id


def _order_of_shelf(key: _Key) -> tuple[bool, str, bool, tuple[str, ...]]:
    account, audience = key
    return account is not None, account or "", audience is not None, audience or ()
