"""BM25 by the book, the bonus of linked intents, and walls between accounts."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.agent import Recipe
from noria.agent.retrieval import ArticleFinder
from noria.records import Article

WORDS = ("lock", "mail", "print", "paper", "open")
SHARED = (
    Article("1", "Mail", "open the mail and print it", ("mail",)),
    Article("2", "Paper", "print paper paper", ("print", "paper")),
    Article("3", "", "lock"),
)


def ids(found):
    return [r.article_id for r in found]


def by_the_book(articles, query, k1=1.2, b=0.75, title_weight=3):
    """Scores by the textbook formula, one article and word at a time."""
    texts = [(a.title + " ") * title_weight + a.body for a in articles]
    bags = [t.lower().split() for t in texts]
    mean = sum(map(len, bags)) / len(bags)
    scores = []
    for bag in bags:
        score = 0.0
        for word in set(query.lower().split()):
            holders = sum(word in other for other in bags)
            rarity = math.log(1 + (len(bags) - holders + 0.5) / (holders + 0.5))
            often = bag.count(word)
            score += rarity * often * (k1 + 1) / (often + k1 * (1 - b + b * len(bag) / mean))
        scores.append(score)
    return scores


@pytest.mark.parametrize("query", ["print", "open the mail", "paper print lock", "Mail mail unknown"])
def test_scores_equal_those_of_the_textbook_formula(query):
    scores = by_the_book(SHARED, query)
    found = ArticleFinder(SHARED, Recipe()).find(query, "", {}, 10)
    expected = {a.article_id: s / max(scores) for a, s in zip(SHARED, scores, strict=True) if s > 0}
    assert {r.article_id: r.score for r in found} == pytest.approx(expected)
    assert [r.score for r in found] == sorted((r.score for r in found), reverse=True)


def test_a_linked_intent_adds_its_probability_times_the_bonus():
    finder = ArticleFinder(SHARED, Recipe(intent_bonus=2.0))
    plain = {r.article_id: r.score for r in finder.find("mail", "", {}, 10)}
    raised = {r.article_id: r.score for r in finder.find("mail", "", {"paper": 0.75, "nowhere": 0.2}, 10)}
    assert raised == pytest.approx(plain | {"2": plain.get("2", 0) + 1.5})
    assert ids(finder.find("mail", "", {"paper": 0.75}, 1)) == ["2"]


def test_nothing_is_shown_that_neither_text_nor_intent_speaks_for():
    finder = ArticleFinder(SHARED, Recipe())
    assert finder.find("zebra", "", {}, 3) == ()
    assert finder.find("", "", {}, 3) == ()
    assert finder.find("mail", "", {}, 0) == ()
    assert ArticleFinder((), Recipe()).find("mail", "", {"mail": 1.0}, 3) == ()


def test_an_account_sees_its_own_articles_beside_the_shared_ones():
    finder = ArticleFinder((*SHARED, Article("4", "Mail", "mail at birch", account="birch")), Recipe())
    assert "4" in ids(finder.find("mail birch", "birch", {}, 5))
    assert "4" not in ids(finder.find("mail birch", "", {}, 5))
    assert "4" not in ids(finder.find("mail birch", "acorn", {}, 5))


article_lists = st.lists(
    st.builds(
        lambda title, body, intents, account: (" ".join(title), " ".join(body), tuple(intents), account),
        st.lists(st.sampled_from(WORDS), max_size=2),
        st.lists(st.sampled_from(WORDS), max_size=6),
        st.lists(st.sampled_from(("mail", "print")), max_size=2),
        st.sampled_from((None, "acorn", "birch")),
    ),
    max_size=7,
).map(lambda rows: [Article(str(i), *parts[:3], account=parts[3]) for i, parts in enumerate(rows)])


@given(article_lists, st.lists(st.sampled_from(WORDS), max_size=4).map(" ".join))
def test_articles_of_another_account_change_nothing(articles, query):
    """What acorn is shown, to the last bit, is what it would be shown if birch did not exist, in any order."""
    whole = ArticleFinder(articles[::-1], Recipe()).find(query, "acorn", {"mail": 0.5}, 5)
    alone = ArticleFinder([a for a in articles if a.account != "birch"], Recipe()).find(
        query, "acorn", {"mail": 0.5}, 5
    )
    assert whole == alone
