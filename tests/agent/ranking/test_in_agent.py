"""Ranking inside a fitted agent: taught by citations, changed without a refit, packed with it."""

from __future__ import annotations

from functools import cache

from tests.agent.made_up import ARTICLES, examples
from tests.agent.ranking.made_up_words import TopicEncoder

from noria.agent import Recipe, fit, pack, unpack
from noria.agent.ranking import Citation
from noria.records import Article

QUERY = "the printer is jammed please"
RECIPE = Recipe(answer_at=0.0, articles_shown=10)


@cache
def taught():
    citations = [Citation(f"the printer is jammed {i}", "a-room") for i in range(8)]
    return fit(examples(), ARTICLES, RECIPE, TopicEncoder(), citations)


def shown(agent, *where):
    return [r.article_id for r in agent.answer(QUERY, *where).articles]


def test_citations_given_to_fit_teach_the_ranking():
    plain = fit(examples(), ARTICLES, RECIPE, TopicEncoder())
    assert shown(taught()).index("a-room") < shown(plain).index("a-room")


def test_articles_change_at_once_and_decisions_stay():
    agent = taught()
    new = Article("new", "The printer is jammed", "Pull.", ("printer_jam",), audience=("agents",))
    changed = agent.with_articles([*ARTICLES[2:], new])
    assert "new" in shown(changed, "", ("agents",))
    assert "new" not in shown(changed)
    assert changed.article("new") == new
    assert {"a-badge", "a-jam"} & set(shown(changed)) == set()
    before, after = agent.answer(QUERY), changed.answer(QUERY)
    assert (before.intent, before.intent_confidence) == (after.intent, after.intent_confidence)


def test_a_query_is_encoded_once_for_all_parts():
    agent = taught()
    asked = agent.encoder.asked
    agent.answer(QUERY)
    assert agent.encoder.asked == asked + 1


def test_a_packed_agent_ranks_as_before_and_encodes_nothing_when_loaded():
    articles = [*ARTICLES, Article("staff", "For staff", "the printer", audience=("agents", "staff"))]
    agent, encoder = taught().with_articles(articles), TopicEncoder()
    files = pack(agent)
    loaded = unpack(files, encoder)
    assert encoder.asked == 0
    assert pack(loaded) == files
    for groups in ((), ("staff",)):
        assert loaded.answer(QUERY, "birch", groups) == agent.answer(QUERY, "birch", groups)
