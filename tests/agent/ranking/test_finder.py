"""The finder as a whole: walls, changes, teaching, packing, odd texts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.agent.ranking.made_up_words import TopicEncoder

from noria.agent import Recipe
from noria.agent.ranking import Citation, vectors
from noria.agent.retrieval import FINDER_FILES, ArticleFinder, fit_finder, pack_finder, unpack_finder
from noria.records import Article

WORDS = ("mail", "letter", "print", "paper", "lock", "door", "how", "the", "now")
ODD = ("", " ", "\x00", "😀😀", "打印机坏了", "é" * 50, "mail " * 10_000, "\ud800 mail", "a\u0301", "؟")

some_words = st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join)
accounts = st.sampled_from((None, "acorn", "birch"))
audiences = st.sampled_from((None, (), ("agents",), ("agents", "staff")))


@st.composite
def houses(draw):
    rows = draw(st.lists(st.tuples(some_words, some_words, accounts, audiences), max_size=8))
    articles = [Article(str(i), t, b, account=a, audience=g) for i, (t, b, a, g) in enumerate(rows)]
    cited = draw(st.lists(st.tuples(some_words, st.integers(0, 9).map(str), accounts), max_size=8))
    return articles, [Citation(t, a, account=who) for t, a, who in cited]


def finder(articles, citations=(), *, dense=True, recipe=None):
    encoder = TopicEncoder() if dense else None
    return ArticleFinder(articles, recipe or Recipe(), encoder=encoder, citations=citations)


def ids(found):
    return [r.article_id for r in found]


@given(houses(), some_words, st.booleans())
@settings(deadline=None)
def test_what_another_account_has_and_asks_changes_nothing(house, query, dense):
    """Acorn's readers are shown, to the last bit, what they would be shown if birch did not exist."""
    articles, citations = house
    whole = finder(articles, citations, dense=dense).find(query, "acorn", {}, 9)
    alone = finder(
        [a for a in articles if a.account != "birch"], [c for c in citations if c.account != "birch"], dense=dense
    ).find(query, "acorn", {}, 9)
    assert whole == alone


@given(houses(), some_words, st.sets(st.sampled_from(("agents", "staff", "guests"))))
@settings(deadline=None)
def test_an_article_is_shown_only_to_its_account_and_audience(house, query, groups):
    articles, citations = house
    by_id = {a.article_id: a for a in articles}
    for account in ("acorn", "birch", "", "nobody"):
        for found in finder(articles, citations).find(query, account, {}, 9, audience=groups):
            article = by_id[found.article_id]
            assert article.account in {None, account}
            assert article.audience is None or groups & set(article.audience)


@given(houses(), some_words)
@settings(deadline=None)
def test_hidden_articles_change_nothing_for_those_who_may_not_see_them(house, query):
    articles, citations = house
    open_to_all = [a for a in articles if a.audience is None]
    assert finder(articles, citations).find(query, "acorn", {}, 9) == finder(open_to_all, citations).find(
        query, "acorn", {}, 9
    )


@given(houses(), some_words, st.randoms())
@settings(deadline=None)
def test_the_order_of_articles_and_citations_does_not_matter(house, query, random):
    articles, citations = house
    expected = finder(articles, citations).find(query, "acorn", {}, 9)
    random.shuffle(articles)
    random.shuffle(citations)
    assert finder(articles, citations).find(query, "acorn", {}, 9) == expected


@given(houses(), houses(), some_words, st.booleans())
@settings(deadline=None)
def test_changed_step_by_step_or_built_anew_is_the_same(before, after, query, dense):
    """Added, replaced, removed, and moved to another owner, in one step, then taught otherwise in another."""
    changed = finder(*before, dense=dense).with_articles(after[0]).with_citations(after[1])
    anew = finder(*after, dense=dense)
    for account in ("acorn", "birch", ""):
        assert changed.find(query, account, {}, 9) == anew.find(query, account, {}, 9)


def test_a_change_of_one_article_asks_the_encoder_for_that_one_alone():
    articles = [Article(str(i), "mail", f"letter {i}") for i in range(20)]
    old = finder(articles)
    asked = old.memory.encoder.asked
    new = old.with_articles([*articles[:-1], Article("9x", "print", "paper now")])
    assert new.memory.encoder.asked == asked + 2
    assert ids(new.find("print", "", {}, 1)) == ["9x"]
    assert "9x" not in ids(old.find("print", "", {}, 30))


@given(houses(), some_words, st.booleans())
@settings(deadline=None)
def test_a_packed_finder_answers_as_before_and_encodes_nothing(house, query, dense):
    made = finder(*house, dense=dense)
    files = pack_finder(made)
    encoder = TopicEncoder() if dense else None
    loaded = unpack_finder(files, house[0][::-1], Recipe(), encoder)
    assert encoder is None or encoder.asked == 0
    assert tuple(files) == FINDER_FILES
    assert pack_finder(loaded) == files
    assert loaded.find(query, "acorn", {}, 9) == made.find(query, "acorn", {}, 9)


def test_vectors_of_another_encoder_are_refused():
    files = pack_finder(finder([Article("1", "mail", "")]))
    other = TopicEncoder()
    other.fingerprint = "0" * 64
    for encoder in (other, None):
        with pytest.raises(ValueError, match="do not go with"):
            unpack_finder(files, [Article("1", "mail", "")], Recipe(), encoder)


@pytest.mark.parametrize("text", ODD)
def test_any_text_is_ranked_and_any_article_kept(text):
    articles = [Article("1", "mail", "letter"), Article("2", text, text)]
    for dense in (False, True):
        found = finder(articles, [Citation(text, "1")], dense=dense).find(text, "", {}, 5)
        assert all(np.isfinite(r.score) for r in found)


def test_a_query_vector_given_is_used_as_it_would_be_made():
    made = finder([Article("1", "mail", "letter"), Article("2", "print", "paper")])
    vector = TopicEncoder().encode(["post the letter"], "query")[0]
    asked = made.memory.encoder.asked
    given_one = made.find("post the letter", "", {}, 2, vector=vector)
    assert made.memory.encoder.asked == asked
    assert given_one == made.find("post the letter", "", {}, 2)
    assert ids(given_one)[0] == "1"


@pytest.mark.parametrize("dense", [False, True])
def test_a_cited_article_rises_for_questions_near_the_citing_one(dense):
    articles = [Article("a", "lock", "a door"), Article("b", "room rules", "the cat"), Article("c", "tea", "the lock")]
    query = "the door does not lock"
    assert ids(finder(articles, dense=dense).find(query, "", {}, 3))[:2] == ["a", "c"]
    citations = [Citation(f"my door will not lock {i}", "b") for i in range(12)]
    taught = finder(articles, citations, dense=dense)
    found = ids(taught.find(query, "", {}, 3))
    assert found.index("b") < found.index("c")
    assert ids(taught.find("tea", "", {}, 3))[0] == "c"


def test_an_accounts_citations_teach_that_account_alone():
    articles = [Article("a", "lock the room", "door lock"), Article("b", "room rules", "tea and cat")]
    citations = [Citation(f"my door will not lock {i}", "b", account="acorn") for i in range(12)]
    made, query = finder(articles, citations, dense=False), "the door of the room does not lock"
    plain = finder(articles, dense=False)
    assert made.find(query, "birch", {}, 2) == plain.find(query, "birch", {}, 2)
    assert made.find(query, "acorn", {}, 2) != plain.find(query, "acorn", {}, 2)


def generic_house():
    """Forty topics asked about; the answer to each names its own article and, everywhere, "clear"."""
    articles = [Article(f"t{i:02}", f"word{i}", "open and set") for i in range(40)]
    articles.append(Article("clear", "clear the cache", "clear it"))
    citations = [
        c for i in range(40) for c in (Citation(f"word{i} odd", f"t{i:02}"), Citation(f"word{i} odd", "clear"))
    ]
    return articles, citations


def test_an_article_cited_for_everything_comes_last_for_specific_and_first_rank_stays_for_all():
    articles, citations = generic_house()
    specific = finder(articles, citations, dense=False).find("word7 odd", "", {}, 50)
    everything = finder(articles, citations, dense=False, recipe=Recipe(rank_for="all")).find("word7 odd", "", {}, 50)
    assert ids(specific)[0] == ids(everything)[0] == "t07"
    assert ids(specific)[-1] == "clear"
    assert ids(everything)[1] == "clear"


def test_fitting_learns_from_citations_that_the_words_mislead():
    """Titles lie, earlier questions do not: the fitted weights trust what was learnt more than the untaught ones."""
    topics = ("mail", "print", "lock", "room", "pay", "car", "cat", "tea")
    articles = [Article(t, topics[(i + 1) % 8], f"about {topics[(i + 1) % 8]}") for i, t in enumerate(topics)]
    citations = [Citation(f"{t} {n} trouble{n}", t) for t in topics for n in range(10)]
    recipe = Recipe(rank_for="all")
    fitted = fit_finder(articles, recipe, encoder=TopicEncoder(), citations=citations)
    again = fit_finder(articles[::-1], recipe, encoder=TopicEncoder(), citations=citations[::-1])
    assert fitted.ranker == again.ranker
    untaught = finder(articles, citations, recipe=recipe)
    assert fitted.ranker.weights[4] > untaught.ranker.weights[4]
    assert all(ids(fitted.find(f"{t} new trouble", "", {}, 1)) == [t] for t in topics)


def test_without_citations_fitting_leaves_the_ranker_untaught():
    articles = [Article("1", "mail", "letter")]
    assert fit_finder(articles, Recipe()).ranker == ArticleFinder(articles, Recipe()).ranker


def test_a_large_collection_changed_or_built_anew_is_the_same(monkeypatch):
    """Above the limit from which a sketch is looked at first, too."""
    monkeypatch.setattr(vectors, "SKETCH_FROM", 8)
    monkeypatch.setattr(vectors, "SKETCH_AXES", 4)
    random = np.random.default_rng(0)
    draw = lambda: " ".join(random.choice(WORDS, 4))  # noqa: E731
    old = [Article(f"{i:03}", draw(), draw()) for i in range(200)]
    new = [*old[5:190], *(Article(f"{i:03}", draw(), draw()) for i in range(190, 260))]
    citations = [Citation(draw(), f"{random.integers(0, 260):03}") for _ in range(60)]
    changed, anew = finder(old).with_articles(new).with_citations(citations), finder(new, citations)
    for query in (draw() for _ in range(20)):
        assert changed.find(query, "", {}, 20) == anew.find(query, "", {}, 20)
