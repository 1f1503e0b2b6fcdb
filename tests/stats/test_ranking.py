"""Rankings are measured as scikit-learn and counting by hand measure them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import label_ranking_average_precision_score, ndcg_score

from noria.errors import UsageError
from noria.stats import hit_at_k, mrr, ndcg_at_k

ARTICLES = [f"kb{i}" for i in range(8)]
queries = st.lists(
    st.tuples(st.permutations(ARTICLES), st.sets(st.sampled_from(ARTICLES), min_size=1)), min_size=1, max_size=8
)


def as_matrices(rows):
    """Truth and scores (queries, articles) for scikit-learn."""
    truth = np.array([[article in wanted for article in ARTICLES] for _, wanted in rows], dtype=float)
    scores = np.array([[-ranking.index(article) for article in ARTICLES] for ranking, _ in rows], dtype=float)
    return truth, scores


@given(rows=queries, k=st.integers(1, 10))
@settings(max_examples=50)
def test_gain_is_that_of_scikit_learn(rows, k) -> None:
    """One relevant article or several, k beyond the ranking too."""
    truth, scores = as_matrices(rows)
    rankings, relevant = zip(*rows, strict=True)
    assert ndcg_at_k(rankings, relevant, k) == pytest.approx(ndcg_score(truth, scores, k=k))


@given(rows=st.lists(st.tuples(st.permutations(ARTICLES), st.sampled_from(ARTICLES)), min_size=1, max_size=8))
@settings(max_examples=50)
def test_with_one_relevant_article_the_reciprocal_rank_is_the_precision(rows) -> None:
    """Same as scikit-learn's label ranking precision; the name alone means the same as a set of it."""
    rankings, relevant = zip(*rows, strict=True)
    truth, scores = as_matrices([(ranking, {article}) for ranking, article in rows])
    assert mrr(rankings, relevant) == pytest.approx(label_ranking_average_precision_score(truth, scores))
    assert mrr(rankings, relevant) == mrr(rankings, [{article} for article in relevant])


@given(rows=queries, k=st.integers(1, 8))
def test_measures_hang_together(rows, k) -> None:
    """A hit among more is not rarer; a hit is worth at least its gain; at k = 1 all three are the same."""
    rankings, relevant = zip(*rows, strict=True)
    assert hit_at_k(rankings, relevant, k) <= hit_at_k(rankings, relevant, k + 1)
    assert ndcg_at_k(rankings, relevant, k) <= hit_at_k(rankings, relevant, k) + 1e-12
    assert hit_at_k(rankings, relevant, 1) == pytest.approx(ndcg_at_k(rankings, relevant, 1))
    assert hit_at_k(rankings, relevant, 1) <= mrr(rankings, relevant)
    assert hit_at_k(rankings, relevant, 8) == 1


def test_what_was_not_ranked_counts_as_missed() -> None:
    """Short and empty rankings are fine."""
    assert mrr([["a"], []], ["b", "a"]) == 0
    assert hit_at_k([["a"], []], ["a", "a"], 5) == 0.5
    assert ndcg_at_k([["a"]], [{"a", "b"}], 5) == pytest.approx(1 / (1 + 1 / math.log2(3)))


def test_queries_without_a_relevant_article_are_left_out() -> None:
    """They change no mean; where there are no others the result is NaN."""
    assert mrr([["a", "b"], ["a"]], ["b", set()]) == 0.5
    assert math.isnan(mrr([["a"]], [set()]))
    assert math.isnan(hit_at_k([], [], 3))
    assert math.isnan(ndcg_at_k([], [], 3))


@pytest.mark.parametrize(
    "call",
    [
        lambda: mrr([["a"]], []),
        lambda: hit_at_k([["a"]], ["a"], 0),
        lambda: ndcg_at_k([["a"]], ["a"], 0),
        lambda: mrr([["a", "a"]], ["a"]),
    ],
)
def test_rankings_that_make_no_sense_are_refused(call) -> None:
    """Other lengths, no places, an article twice."""
    with pytest.raises(UsageError):
        call()
