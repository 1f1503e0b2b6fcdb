"""How good a ranking of articles is, averaged over queries.

All take one ranking for each query (best first, no article twice) and what is relevant to it: one article, or several
of equal worth. Queries to which nothing is relevant are left out; where none is left, the result is NaN.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Sequence

from noria.errors import UsageError

Rankings = Sequence[Sequence[str]]
Relevant = Sequence[str | Collection[str]]


def hit_at_k(rankings: Rankings, relevant: Relevant, k: int) -> float:
    """Share of queries (0 to 1) with a relevant article among the first k.

    Args:
        rankings: article ids, best first, for each query; shorter than k is fine.
        relevant: for each query the relevant article, or several.
        k: 1 or more.

    Raises:
        UsageError: lengths differ, an article is ranked twice, or k < 1.

    Example:
        >>> hit_at_k([["a", "b", "c"], ["b", "a"]], ["c", {"b", "d"}], k=2)
        0.5
    """
    _check_k(k)
    return _mean(rankings, relevant, lambda ranks, _: float(any(rank <= k for rank in ranks)))


def mrr(rankings: Rankings, relevant: Relevant) -> float:
    """Mean over queries of one over the rank of the first relevant article (0 where none was ranked).

    Args:
        rankings: article ids, best first, for each query.
        relevant: for each query the relevant article, or several.

    Raises:
        UsageError: lengths differ, or an article is ranked twice.

    Source: Voorhees, TREC-8 (1999).

    Example:
        >>> mrr([["a", "b", "c"], ["b", "a"]], ["b", "b"])
        0.75
    """
    return _mean(rankings, relevant, lambda ranks, _: 1 / ranks[0] if ranks else 0.0)


def ndcg_at_k(rankings: Rankings, relevant: Relevant, k: int) -> float:
    """Mean normalised discounted gain of the first k (0 to 1): 1 where relevant articles come before all others.

    Args:
        rankings: article ids, best first, for each query; shorter than k is fine.
        relevant: for each query the relevant article, or several, each with gain 1.
        k: 1 or more.

    Raises:
        UsageError: lengths differ, an article is ranked twice, or k < 1.

    Source: Järvelin, Kekäläinen, ACM TOIS 20 (2002) 422.

    Example:
        >>> round(ndcg_at_k([["a", "b", "c"]], [{"b", "c"}], k=3), 4)
        0.6934
    """
    _check_k(k)

    def share_of_ideal(ranks: list[int], size: int) -> float:
        return _gain(rank for rank in ranks if rank <= k) / _gain(range(1, min(size, k) + 1))

    return _mean(rankings, relevant, share_of_ideal)


def _gain(ranks: Iterable[int]) -> float:
    return sum(1 / math.log2(rank + 1) for rank in ranks)


def _mean(rankings: Rankings, relevant: Relevant, value: Callable[[list[int], int], float]) -> float:
    """Mean of `value`(ranks of the relevant articles in rising order, how many are relevant) over queries."""
    if len(rankings) != len(relevant):
        raise UsageError(f"{len(rankings)} rankings, but relevant articles for {len(relevant)} queries.")
    values = []
    for ranking, given in zip(rankings, relevant, strict=True):
        wanted = {given} if isinstance(given, str) else set(given)
        if len(set(ranking)) < len(ranking):
            raise UsageError(f"a ranking names an article twice: {list(ranking)[:10]}; keep the first of each.")
        if wanted:
            ranks = [rank for rank, article in enumerate(ranking, start=1) if article in wanted]
            values.append(value(ranks, len(wanted)))
    return sum(values) / len(values) if values else math.nan


def _check_k(k: int) -> None:
    if k < 1:
        raise UsageError(f"the first {k} articles; k must be 1 or more.")
