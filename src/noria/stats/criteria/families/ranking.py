"""Criteria of the component ranking (of articles), also corrected for popularity, and of the road end to end.

Example:
    >>> CRITERIA[0].id
    'ranking.hit_at_1'
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from noria.stats.criteria.counting.ranked import Ranked, head, most_popular, ranked
from noria.stats.criteria.criterion import Criterion, plain, share, weighted
from noria.stats.criteria.sample import Sample, ratio
from noria.stats.criteria.view import Flags, Floats, View

_NEEDS = ("rankings", "relevant")
_POPULAR = ("rankings", "relevant", "popularity")
_JARVELIN = "Järvelin, Kekäläinen, ACM TOIS 20 (2002) 422"
_VOORHEES = "Voorhees, TREC-8 (1999)"
_TREC = "trec_eval"
_PROPENSITY = "Yang et al., RecSys 2018 (inverse propensity)"
_LACKS = "a query with a right article"
OWN = "own definition"

PerQuery = Callable[[Ranked], Floats]


def _ranked(view: View) -> Ranked:
    return view.memo("ranked", lambda: ranked(view))


def _mean(s: Sample, values: Floats, weights: Floats | None = None) -> Floats:
    drawn = s.memo("ranked rows", lambda: s.weights[:, _ranked(s.view).rows])
    factor = np.ones(len(values)) if weights is None else weights
    return ratio(drawn @ (values * factor), drawn @ factor)


def _per_query(name: str, said: str, value: PerQuery, source: str = _TREC) -> Criterion:
    return weighted(
        f"ranking.{name}",
        f"mean over queries with a right article of: {said}",
        lambda s: _mean(s, value(_ranked(s.view))),
        needs=_NEEDS,
        source=source,
        lacks=_LACKS,
    )


def _corrected(name: str, said: str, value: PerQuery) -> Criterion:
    return weighted(
        f"ranking.unpopular_{name}",
        f"{said}; each query weighs 1 ÷ how often its article was right before",
        lambda s: _mean(s, value(_ranked(s.view)), 1 / _ranked(s.view).popularity),
        needs=_POPULAR,
        source=_PROPENSITY,
        lacks=_LACKS,
    )


def _hits(k: int) -> Criterion:
    def hits(view: View) -> Flags:
        found = np.zeros(view.n, dtype=np.bool_)
        found[_ranked(view).rows] = _ranked(view).hit(k) > 0
        return found

    return share(f"ranking.hit_at_{k}", f"queries with a right article among the first {k} ÷ queries with one", hits,
                 _judged, needs=_NEEDS, source=_TREC, lacks=_LACKS)  # fmt: skip


def _judged(view: View) -> Flags:
    found = np.zeros(view.n, dtype=np.bool_)
    found[_ranked(view).rows] = True
    return found


def _tail(view: View) -> Flags:
    """Of the judged queries (m,): no right article is of the head."""
    top = head(view)
    relevant = view.observed.relevant or ()
    return np.array([not (relevant[i] & top) for i in _ranked(view).rows], dtype=np.bool_)


def _tail_hits(s: Sample) -> Floats:
    return _mean(s, _ranked(s.view).hit(3), _tail(s.view).astype(np.float64))


def _head_gap(s: Sample) -> Floats:
    tail, hits = _tail(s.view), _ranked(s.view).hit(3)
    return _mean(s, hits, (~tail).astype(np.float64)) - _mean(s, hits, tail.astype(np.float64))


def _beside_popular(k: int, reciprocal: bool) -> Callable[[Sample], Floats]:  # noqa: FBT001 - called here only
    def compute(s: Sample) -> Floats:
        own, popular = _ranked(s.view), most_popular(s.view)
        relevant = s.view.observed.relevant or ()
        place = {article: rank for rank, article in enumerate(popular, start=1)}
        best = np.array([min(place.get(a, 10**9) for a in relevant[i]) for i in own.rows], dtype=np.float64)
        if reciprocal:
            return _mean(s, own.reciprocal() - 1 / best)
        return _mean(s, own.hit(k) - (best <= k))

    return compute


def _first_rank(s: Sample) -> Floats:
    own = _ranked(s.view)
    return _mean(s, own.first.astype(np.float64), (own.first > 0).astype(np.float64))


def _exposure(view: View) -> Floats:
    """How often each article was among the first three, rising; articles that never were have a zero."""
    names, counts = np.unique([a for r in view.observed.rankings or () for a in r[:3]], return_counts=True)
    never = max(0, (view.observed.articles or 0) - len(names))
    return np.sort(np.concatenate([np.zeros(never), counts.astype(np.float64)]))


def _gini(view: View) -> float:
    shown = _exposure(view)
    total, n = shown.sum(), len(shown)
    if not total:
        return float("nan")
    return float(2 * (shown * np.arange(1, n + 1)).sum() / (n * total) - (n + 1) / n)


def _covered(view: View) -> float:
    shown = _exposure(view)
    return float((shown > 0).mean()) if len(shown) else float("nan")


def _head_exposure(s: Sample) -> Floats:
    top = head(s.view)
    rankings = s.view.observed.rankings or ()
    of_head = np.array([sum(a in top for a in r[:3]) for r in rankings], dtype=np.float64)
    shown = np.array([len(r[:3]) for r in rankings], dtype=np.float64)
    return ratio(s.weights @ of_head, s.weights @ shown)


def _article_right(k: int) -> Callable[[View], Flags]:
    def rows(view: View) -> Flags:
        found = np.zeros(view.n, dtype=np.bool_)
        found[_ranked(view).rows] = _ranked(view).hit(k) > 0
        return found & view.answered

    return rows


def _end(name: str, said: str, counts: Callable[[View], Flags]) -> Criterion:
    return share(f"end_to_end.{name}", said, counts, lambda v: v.inside & _judged(v), needs=_NEEDS, source=OWN,
                 lacks="an in-scope query with a right article")  # fmt: skip


CRITERIA: tuple[Criterion, ...] = (
    *(_hits(k) for k in (1, 3, 5, 10)),
    *(_per_query(f"recall_at_{k}", f"right articles among the first {k} ÷ right articles",
                 lambda r, k=k: r.recall(k)) for k in (1, 3, 5, 10)),  # type: ignore[misc]
    *(_per_query(f"precision_at_{k}", f"right articles among the first {k} ÷ {k}",
                 lambda r, k=k: r.precision(k)) for k in (3, 5, 10)),  # type: ignore[misc]
    *(_per_query(f"ndcg_at_{k}", f"discounted gain of the first {k} ÷ the largest possible",
                 lambda r, k=k: r.gain(k), _JARVELIN) for k in (3, 5, 10)),  # type: ignore[misc]
    *(_per_query(f"map_at_{k}", f"precision at each right article among the first {k}, over right articles",
                 lambda r, k=k: r.average_precision(k)) for k in (3, 5, 10)),  # type: ignore[misc]
    _per_query("map", "precision at each right article, over right articles", lambda r: r.average_precision()),
    _per_query("mrr", "1 ÷ rank of the first right article, 0 where there is none", lambda r: r.reciprocal(),
               _VOORHEES),
    *(_per_query(f"mrr_at_{k}", f"1 ÷ rank of the first right article among the first {k}",
                 lambda r, k=k: r.reciprocal(k), _VOORHEES) for k in (3, 5, 10)),  # type: ignore[misc]
    _per_query("r_precision", "precision at as many articles as are right", lambda r: r.r_precision()),
    _per_query("rank_biased_precision", "precision of a reader who goes on with a chance of 0.8",
               lambda r: r.rank_biased(0.8), "Moffat, Zobel, ACM TOIS 27 (2008)"),
    _per_query("expected_reciprocal_rank", "expected 1 ÷ rank where a right article satisfies half of the readers",
               lambda r: r.expected_reciprocal(), "Chapelle et al., CIKM 2009"),
    weighted("ranking.first_rank", "mean rank of the first right article where one was ranked", _first_rank,
             direction="lower", unit="rank", needs=_NEEDS, source=OWN, lacks="a ranked right article",
             bounds=(1.0, np.inf)),
    _per_query("missed", "1 where no right article was ranked at all, else 0",
               lambda r: (r.first == 0).astype(np.float64), OWN).turned("lower"),
    share("ranking.empty", "queries with a right article and an empty ranking ÷ queries with one",
          lambda v: np.array([not r for r in v.observed.rankings or ()], dtype=np.bool_), _judged, direction="lower",
          needs=_NEEDS, source=OWN, lacks=_LACKS),
    *(_corrected(f"hit_at_{k}", f"hit among the first {k}", lambda r, k=k: r.hit(k))  # type: ignore[misc]
      for k in (1, 3, 5, 10)),
    _corrected("mrr", "1 ÷ rank of the first right article", lambda r: r.reciprocal()),
    *(_corrected(f"ndcg_at_{k}", f"discounted gain of the first {k}", lambda r, k=k: r.gain(k))  # type: ignore[misc]
      for k in (5, 10)),
    _corrected("map", "average precision", lambda r: r.average_precision()),
    weighted("ranking.tail_hit_at_3", "hit among the first 3 where the right article is none of the head (the fewest "
             "articles that were right half of the time)", _tail_hits, needs=_POPULAR, source=OWN,
             lacks="a query whose right article is outside the head"),
    weighted("ranking.head_gap", "hit among the first 3 for the head minus for all other articles", _head_gap,
             direction="lower", unit="difference of shares", needs=_POPULAR, source=OWN,
             lacks="queries with right articles in and outside the head", bounds=(-1.0, 1.0)),
    weighted("ranking.hit_at_3_over_popular", "hit among the first 3 minus that of always showing the three most "
             "popular articles", _beside_popular(3, reciprocal=False), unit="difference of shares",
             needs=_POPULAR, source=OWN, lacks=_LACKS, bounds=(-1.0, 1.0)),
    weighted("ranking.mrr_over_popular", "MRR minus that of always showing articles by popularity",
             _beside_popular(0, reciprocal=True), unit="difference of shares", needs=_POPULAR, source=OWN,
             lacks=_LACKS, bounds=(-1.0, 1.0)),
    weighted("ranking.head_exposure", "articles of the head among the first three shown ÷ articles shown there",
             _head_exposure, direction="lower", needs=_POPULAR, source=OWN, lacks="a ranked article"),
    plain("ranking.articles_shown", "articles that were among the first three at least once ÷ articles", _covered,
          needs=("rankings", "articles"), source="Ge et al., RecSys 2010", lacks="articles"),
    plain("ranking.exposure_gini", "inequality of how often articles are among the first three", _gini,
          direction="lower", needs=("rankings", "articles"), source="Gini (1912)", lacks="a ranked article"),
    _end("right_article_first", "in-scope queries answered with a right article first ÷ those with a right article",
         _article_right(1)),
    _end("right_article_in_3", "in-scope queries answered with a right article among the first 3 ÷ those with one",
         _article_right(3)),
    _end("right_intent_and_article_in_3", "in-scope queries answered with the right intent and a right article among "
         "the first 3 ÷ those with one", lambda v: _article_right(3)(v) & v.top_right),
    share("end_to_end.right_article_of_answers", "answers to in-scope queries with a right article among the first 3 "
          "÷ such answers", _article_right(3), lambda v: v.inside & v.answered & _judged(v), needs=_NEEDS, source=OWN,
          lacks="an answered query with a right article"),
    share("end_to_end.misled", "judged queries answered without any right article among the first 3, or answered "
          "although out of scope ÷ judged queries",
          lambda v: v.judged & v.answered & ~_article_right(3)(v), lambda v: v.outside | (v.inside & _judged(v)),
          direction="lower", needs=_NEEDS, source=OWN, lacks=_LACKS),
    share("end_to_end.served", "in-scope queries answered with a right article among the first 3, and out-of-scope "
          "ones not answered ÷ both", lambda v: _article_right(3)(v) | (v.outside & ~v.answered),
          lambda v: v.outside | (v.inside & _judged(v)), needs=_NEEDS, source=OWN, lacks=_LACKS),
)  # fmt: skip
