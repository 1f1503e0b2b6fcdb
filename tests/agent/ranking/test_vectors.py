"""Vectors as whole numbers, and looking through many of them."""

from __future__ import annotations

import numpy as np
import pytest
from tests.agent.ranking.made_up_words import TopicEncoder

from noria.agent.ranking import vectors
from noria.agent.ranking.vectors import Memory, Scan, largest, passages_of, rounded


def clustered(count, dim=64, seed=0):
    random = np.random.default_rng(seed)
    middles = random.normal(size=(40, dim))
    return (middles[random.integers(0, 40, count)] + random.normal(size=(count, dim)) * 0.4).astype(np.float32)


def test_rounding_moves_a_cosine_by_less_than_a_hundredth():
    rows = clustered(200, dim=384)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    assert rounded(rows).dots(rounded(rows[:1])) == pytest.approx(unit @ unit[0], abs=0.01)


def test_a_score_has_the_same_bits_among_any_rows():
    rows, query = rounded(clustered(500, dim=384)), rounded(clustered(1, dim=384, seed=1))
    whole = rows.dots(query)
    for some in (np.array([3]), np.arange(0, 500, 7), np.arange(499, -1, -1)):
        assert np.array_equal(rows.rows(some).dots(query), whole[some])
        assert np.array_equal(rows.ready().rows(some).dots(query), whole[some])


def test_a_vector_of_zeros_is_like_nothing():
    assert rounded(np.zeros((1, 4), np.float32)).dots(rounded(np.ones((1, 4), np.float32))) == [0]


def test_a_sketch_finds_nearly_all_that_are_nearest_and_gives_their_true_likeness(monkeypatch):
    """As with sentences, most of the spread lies on some of the axes, here turned out of sight."""
    spread = np.linalg.qr(np.random.default_rng(9).normal(size=(64, 64)))[0] * np.linspace(1, 0, 64) ** 3
    rows = rounded((clustered(6000) @ spread.T).astype(np.float32))
    monkeypatch.setattr(vectors, "SKETCH_AXES", 24)
    sketched = Scan(rows)
    monkeypatch.setattr(vectors, "SKETCH_FROM", 10**9)
    exact = Scan(rows)
    found = wanted = 0
    for seed in range(20):
        query = rounded((clustered(1, seed=seed + 1) @ spread.T).astype(np.float32))
        at, likeness = exact.nearest(query, 30, -1.0)
        near, roughly = sketched.nearest(query, 30, -1.0)
        found, wanted = found + len(set(at) & set(near)), wanted + len(at)
        truth = dict(zip(at, likeness, strict=True))
        assert all(truth.get(i, v) == v for i, v in zip(near, roughly, strict=True))
    assert found >= 0.95 * wanted


def test_of_equal_values_at_the_border_all_are_taken():
    assert largest(np.array([1.0, 3.0, 2.0, 2.0, 0.0]), 2, 0.0).tolist() == [1, 2, 3]
    assert largest(np.array([0.0, 0.0]), 1, 0.0).tolist() == []
    assert largest(np.array([1.0, 2.0]), 5, 1.5).tolist() == [1]


def test_a_text_is_encoded_once_for_each_kind():
    memory = Memory(TopicEncoder()).learn(["mail", "mail", "print"], "passage")
    assert memory.encoder.asked == 2
    assert memory.learn(["mail"], "passage") is memory
    memory.learn(["mail"], "query")
    assert memory.encoder.asked == 3


def test_passages_hold_every_word_once_in_order():
    words = [f"w{i}" for i in range(250)]
    assert " ".join(passages_of(" ".join(words))).split() == words
    assert passages_of("") == [""]
    assert len(passages_of("w " * 100_000)) == vectors.MOST_PASSAGES


@pytest.mark.parametrize("broken", ["keys", "vectors", "scales"])
def test_arrays_that_do_not_fit_together_are_refused(broken):
    arrays = Memory(TopicEncoder()).learn(["mail", "print"], "query").arrays()
    arrays[broken] = arrays[broken][:1]
    with pytest.raises(ValueError, match="hashes"):
        Memory.of_arrays(TopicEncoder(), arrays)
