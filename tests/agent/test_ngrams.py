"""Own n-grams against scikit-learn's, and what they make of odd texts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix, hstack
from sklearn.feature_extraction.text import TfidfVectorizer
from tests.agent.made_up import examples

from noria.agent import Recipe
from noria.agent.heads.ngrams import MAX_CHARACTERS, Ngrams, char_grams, word_grams

TEXTS = tuple(e.text for e in examples())
ODD = (
    "",
    " ",
    "\x00",
    "😀 😀",
    "İstanbul ẞ",
    "一二三四",
    "a",
    "the THE the",
    "no-such-word",
    "\u2028x\u2028",
    "\ud800",
)


def reference(recipe: Recipe) -> tuple[TfidfVectorizer, TfidfVectorizer]:
    words = TfidfVectorizer(
        token_pattern=r"(?u)\b\w+\b", ngram_range=(1, recipe.word_max_n), sublinear_tf=True, min_df=recipe.word_min_df
    )
    chars = TfidfVectorizer(
        analyzer="char_wb",
        ngram_range=(recipe.char_min_n, recipe.char_max_n),
        sublinear_tf=True,
        min_df=recipe.char_min_df,
    )
    return words, chars


@pytest.mark.parametrize(
    "recipe", [Recipe(), Recipe(word_max_n=3, word_min_df=2), Recipe(char_min_n=3, char_max_n=4, char_min_df=5)]
)
def test_vectors_equal_those_of_two_tfidf_vectorizers(recipe):
    words, chars = reference(recipe)
    expected = hstack([words.fit_transform(TEXTS), chars.fit_transform(TEXTS)]).tocsr()
    ngrams = Ngrams.learn(TEXTS, recipe)
    assert ngrams.words == tuple(words.get_feature_names_out())
    assert ngrams.chars == tuple(chars.get_feature_names_out())
    assert abs(csr_matrix(ngrams.matrix(TEXTS), shape=expected.shape) - expected).max() < 1e-6
    new = ("reset the PRINTER since Monday, monday!", *ODD)
    expected = hstack([words.transform(new), chars.transform(new)]).tocsr()
    assert abs(csr_matrix(ngrams.matrix(new), shape=expected.shape) - expected).max() < 1e-6


@given(text=st.text(max_size=60), longest=st.integers(1, 3), low=st.integers(1, 4), more=st.integers(0, 3))
def test_grams_are_those_that_the_reference_analysers_cut(text, longest, low, more):
    words = TfidfVectorizer(token_pattern=r"(?u)\b\w+\b", ngram_range=(1, longest)).build_analyzer()
    chars = TfidfVectorizer(analyzer="char_wb", ngram_range=(low, low + more)).build_analyzer()
    ngrams = Ngrams.learn([], Recipe(word_max_n=longest, char_min_n=low, char_max_n=low + more))
    assert ngrams.size == 0
    learnt = Ngrams.learn([text], Recipe(word_max_n=longest, char_min_n=low, char_max_n=low + more, char_min_df=1))
    assert learnt.words == tuple(sorted(set(words(text))))
    assert learnt.chars == tuple(sorted(set(chars(text))))


def test_a_short_word_yields_itself_once_and_word_grams_keep_their_order():
    assert char_grams("a", range(2, 6)) == [" a", "a ", " a "]
    assert word_grams(["a", "b", "c"], 2) == ["a", "b", "c", "a b", "b c"]


def test_the_order_of_texts_does_not_matter():
    one, other = Ngrams.learn(TEXTS, Recipe()), Ngrams.learn(TEXTS[::-1], Recipe())
    assert (one.words, one.chars) == (other.words, other.chars)
    assert np.array_equal(one.word_idf, other.word_idf)
    assert np.array_equal(one.char_idf, other.char_idf)


def test_the_matrix_holds_the_vectors_bit_by_bit():
    ngrams = Ngrams.learn(TEXTS, Recipe())
    data, ids, starts = ngrams.matrix(TEXTS)
    for i, text in enumerate(TEXTS):
        vector = ngrams.vector(text)
        assert np.array_equal(vector.ids, ids[starts[i] : starts[i + 1]])
        assert np.array_equal(vector.weights, data[starts[i] : starts[i + 1]])
    assert [len(part) for part in ngrams.matrix([])] == [0, 0, 1]


def test_known_is_the_share_of_words_that_were_seen_rare_ones_weighing_more():
    ngrams = Ngrams.learn(("alpha beta", "alpha gamma"), Recipe(word_max_n=1))
    assert ngrams.vector("alpha gamma").known == 1
    assert ngrams.vector("omega").known == 0
    assert ngrams.vector("").known == 0
    assert 0 < ngrams.vector("alpha omega").known < ngrams.vector("gamma omega").known < 1


def test_a_text_without_words_is_blank_unless_all_of_it_was_seen():
    ngrams = Ngrams.learn(("👍 👍", "👍 thanks", "what ?"), Recipe())
    assert [ngrams.vector(t).blank for t in ("👍", "👍 !", "?!", "", "thanks", "zzz")] == [
        False, True, True, True, False, True
    ]  # fmt: skip
    assert [ngrams.vector(t).known for t in ("👍", "👍 !")] == [1, 0]


def test_what_stands_far_back_is_not_read():
    ngrams = Ngrams.learn(("alpha beta", "alpha gamma"), Recipe())
    long = "alpha " * (MAX_CHARACTERS // 6 + 1)
    assert np.array_equal(ngrams.vector(long + "gamma").ids, ngrams.vector(long).ids)
