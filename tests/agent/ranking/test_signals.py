"""What users' conduct is worth: corrected for where an article stood."""

from __future__ import annotations

import pytest

from noria.agent.ranking import Citation, citations_of_feedback
from noria.agent.ranking.lessons import Lessons, Neighbours
from noria.agent.ranking.signals import HELPFUL, LARGEST_CORRECTION, OPENED, seen_share
from noria.errors import UsageError
from noria.records import Answer, Feedback, Prediction, Query, Ranked


def prediction(name="p", articles=("a", "b", "c"), account="acorn"):
    query = Query(f"q-{name}", account, "s", f"question {name}", 1)
    answer = Answer("answer", "mail", 0.9, 1.0, in_scope=True, articles=tuple(Ranked(a, 1.0) for a in articles))
    return Prediction(name, query, answer, "r1", 1.0)


def event(kind, value="", name="p"):
    return Feedback(f"{name}-{kind}-{value}", name, kind, 2, value)


def weights(*events, bias=1.0):
    return {c.article_id: c.weight for c in citations_of_feedback([prediction()], events, bias=bias)}


def test_an_article_further_down_counts_more_because_fewer_see_it():
    assert weights(event("article_opened", "a"), event("article_opened", "c")) == {"a": OPENED, "c": OPENED * 3}
    assert weights(event("article_opened", "c"), bias=0.0) == {"c": OPENED}


def test_a_correction_has_a_limit():
    deep = prediction(articles=tuple("abcdefghij"))
    (found,) = citations_of_feedback([deep], [event("helpful", "j")])
    assert found.weight == HELPFUL * LARGEST_CORRECTION


def test_a_helpful_answer_is_shared_among_what_was_probably_seen():
    shared = weights(event("helpful"))
    assert sum(shared.values()) == pytest.approx(HELPFUL)
    assert shared["a"] / shared["b"] == pytest.approx(seen_share(1) / seen_share(2))


def test_what_did_not_help_teaches_nothing():
    assert weights(event("helpful"), event("not_helpful")) == {}
    assert weights(event("article_opened", "a"), event("not_helpful")) == {}
    assert weights(event("ticket_created"), event("article_opened", "unknown")) == {}


def test_each_article_counts_once_and_the_account_stays():
    found = citations_of_feedback([prediction()], [event("article_opened", "a"), event("helpful", "a")])
    assert found == [Citation("question p", "a", HELPFUL, "acorn", "q-p")]
    assert citations_of_feedback([], [event("helpful")]) == []


@pytest.mark.parametrize("weight", [0.0, -1.0, float("nan"), float("inf")])
def test_a_weight_that_counts_nothing_is_refused(weight):
    with pytest.raises(UsageError, match="weight"):
        Citation("t", "a", weight)


def test_a_popular_article_needs_more_votes_than_a_rare_one():
    """Of the questions near the new one as many cite either; over all questions one is cited far more often."""
    near = [Citation(f"door lock {i}", a) for i in range(4) for a in ("rare", "popular")]
    far = [Citation(f"tea cat car {i}", "popular") for i in range(60)]
    lessons = Lessons([*near, *far])
    votes = Neighbours(lessons, None, 1.2, 0.75).votes("door lock", None)
    by_article = dict(zip(lessons.article_ids, votes, strict=True))
    assert by_article["rare"] == pytest.approx(by_article["popular"] * (64 / 4) ** 0.5)


def test_an_article_is_generic_when_it_is_cited_often_and_far_more_often_than_others():
    even = [Citation(f"{n} {i}", f"a{n}") for n in range(10) for i in range(30)]
    assert Lessons(even).generic(0.04) == set()
    everywhere = [Citation(c.text, "clear") for c in even]
    assert Lessons([*even, *everywhere]).generic(0.04) == {"clear"}
    assert Lessons([*even[:5], *everywhere[:5]]).generic(0.04) == set()


def test_the_same_text_asked_again_counts_again_and_said_twice_of_one_question_counts_once():
    once = Citation("reset it", "a", question_id="1")
    assert Lessons([once, once, Citation("reset it", "a", 0.3, question_id="1")]).cited.tolist() == [1.0]
    again = Lessons([once, Citation("reset it", "a", question_id="2")])
    assert (again.cited.tolist(), again.times.tolist(), again.asked, len(again)) == ([2.0], [2.0], 2, 1)
