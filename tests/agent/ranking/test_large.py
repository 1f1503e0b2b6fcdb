"""Inverted lists find nearly what a full look finds, where faiss is installed."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from tests.agent.ranking.made_up_words import TOPICS, TopicEncoder

from noria.agent import Recipe
from noria.agent.ranking.large import InvertedLists
from noria.agent.ranking.vectors import Scan, rounded
from noria.agent.retrieval import ArticleFinder
from noria.errors import UsageError
from noria.records import Article


@pytest.fixture
def faiss():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its generated bindings; their makers have to act
        return pytest.importorskip("faiss", reason="faiss-cpu is an optional extra")


def test_lists_find_nearly_all_that_a_scan_finds_with_the_same_likeness(faiss):
    random = np.random.default_rng(0)
    rows = random.normal(size=(100, 32))[random.integers(0, 100, 5000)] + random.normal(size=(5000, 32)) * 0.3
    vectors = rounded(rows.astype(np.float32))
    lists, again, scan = InvertedLists(vectors), InvertedLists(vectors), Scan(vectors)
    found = 0
    for i in range(0, 1000, 50):
        query = vectors.rows(np.array([i]))
        at, likeness = lists.nearest(query, 10, -1.0)
        truth, _ = scan.nearest(query, 10, -1.0)
        assert np.array_equal(likeness, vectors.rows(at).dots(query))
        assert np.array_equal(at, again.nearest(query, 10, -1.0)[0])
        found += len(set(at) & set(truth))
    assert found >= 0.95 * 200


def test_a_finder_looks_by_lists_and_shows_the_same(faiss):
    articles = [Article(f"{i:04}", f"{TOPICS[i % 8]} {TOPICS[i // 8 % 8]}", f"w{i}") for i in range(1200)]
    by_lists = ArticleFinder(articles, Recipe(), encoder=TopicEncoder(), nearest=InvertedLists)
    by_scan = ArticleFinder(articles, Recipe(), encoder=TopicEncoder())
    for query in ("mail w17", "print lock w250"):
        assert by_lists.find(query, "", {}, 1) == by_scan.find(query, "", {}, 1)


def test_where_faiss_is_missing_it_is_said_what_to_do(monkeypatch):
    def missing(name):
        raise ImportError(name)

    vectors = rounded(np.random.default_rng(0).normal(size=(1000, 8)).astype(np.float32))
    monkeypatch.setattr("noria.agent.ranking.large.import_module", missing)
    with pytest.raises(UsageError, match="faiss-cpu"):
        InvertedLists(vectors)
    with pytest.raises(UsageError, match="too few"):
        InvertedLists(vectors.rows(np.arange(9)))
