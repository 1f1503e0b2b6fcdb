"""Fitting and answering, from examples to decisions."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.agent.made_up import ARTICLES, agent, examples

from noria.agent import Recipe, fit, pack
from noria.errors import DataError, UsageError
from noria.records import OOS, SMALL_TALK, Article, Example

ROWS = list(examples())
FEW = [r for i, r in enumerate(ROWS) if i % 4 == 0]


def test_it_answers_new_wordings_with_the_articles_of_the_intent():
    answer = agent().answer("please, the copier has a paper jam again", "acorn")
    assert (answer.decision, answer.intent, answer.in_scope) == ("answer", "printer_jam", True)
    assert answer.articles[0].article_id == "a-jam"
    assert agent().article("a-jam") == ARTICLES[1]
    assert agent().article("nowhere") is None
    assert 0.5 < answer.intent_confidence <= 1
    assert answer.scope_score >= answer.thresholds["scope"]
    assert answer.thresholds == agent().decider.thresholds
    assert answer.scores.keys() == {
        "top_logit",
        "margin",
        "known",
        "reject_ngrams",
        "probability",
        "scope_p",
    }


def test_articles_of_an_account_are_for_that_account_alone():
    found = {
        who: {a.article_id for a in agent().answer("book a meeting room", who).articles} for who in ("birch", "acorn")
    }
    assert found["birch"] - found["acorn"] == {"b-room"}


def test_intents_are_those_in_scope():
    assert agent().intents == ("book_room", "door_badge", "printer_jam", "reset_password", "slow_laptop")


def test_what_is_foreign_is_not_answered():
    answers = agent().answer_all(["where grows the tallest oak", "cheap gold lottery", "what is the price of rice"])
    assert {a.decision for a in answers} <= {"handoff", "clarify"}
    assert all(a.articles == () for a in answers)
    assert max(a.scope_score for a in answers) < agent().answer("reset my password").scope_score


def test_small_talk_is_answered_without_articles_and_is_not_in_scope():
    answer = agent().answer("hello, good morning")
    assert (answer.decision, answer.intent, answer.in_scope, answer.articles) == ("answer", SMALL_TALK, False, ())


def test_without_examples_of_small_talk_there_is_no_such_class():
    model = fit([r for r in FEW if r.intent != SMALL_TALK], (), Recipe())
    assert SMALL_TALK not in model.intent_model.classes


@settings(max_examples=8)
@given(st.randoms(use_true_random=False))
def test_the_order_of_rows_and_articles_changes_no_bit(dice: random.Random):
    rows, articles = dice.sample(FEW, len(FEW)), dice.sample(ARTICLES, len(ARTICLES))
    assert pack(fit(rows, articles, Recipe())) == pack(fit(FEW, ARTICLES, Recipe()))


def test_rows_of_the_test_split_change_no_bit():
    tests = [Example(f"t{i}", r.text + " zebra", "lock_out", "test") for i, r in enumerate(FEW)]
    assert pack(fit(FEW + tests, ARTICLES, Recipe())) == pack(fit(FEW, ARTICLES, Recipe()))


def test_validation_rows_calibrate_and_teach_nothing():
    rows = [replace(r, split="val" if i % 2 else "train") for i, r in enumerate(ROWS)]
    strange = [replace(r, text=f"{r.text} zebra") if r.split == "val" else r for r in rows]
    plain, other = fit(rows, (), Recipe()), fit(strange, (), Recipe())
    assert "zebra" not in other.intent_model.ngrams.words
    assert (plain.intent_model.members["ngrams"].weights == other.intent_model.members["ngrams"].weights).all()
    assert plain.scope != other.scope
    assert plain.facts["calibration_rows"] == sum(r.intent not in (OOS, "irrelevant") for r in rows)


ODD = ("", " \n", "😀😀 🎉", "\x00\ufeff", "\ud800", "如何重置密码", "як скинути пароль", "a" * 30_000, "? ! .")


@given(st.text(max_size=200), st.text(max_size=5))
@example("slow " * 10_000, "acorn")
def test_every_text_gets_a_decision(text, account):
    answer = agent().answer(text, account)
    assert answer.decision in {"answer", "clarify", "handoff"}
    assert 0 <= answer.intent_confidence <= 1
    assert agent().scope.floor <= answer.scope_score < 1000


@pytest.mark.parametrize("text", ODD)
def test_what_means_nothing_is_handed_over(text):
    answer = agent().answer(text)
    assert answer.decision == "handoff"
    assert not answer.in_scope
    assert answer.articles == answer.choices == ()


def test_an_empty_text_has_the_least_score_and_no_intent():
    answer = agent().answer("")
    assert (answer.intent, answer.intent_confidence, answer.scope_score) == ("", 0.0, agent().scope.floor)


def test_many_answers_are_the_single_ones_to_the_last_bit():
    texts = [r.text for r in FEW] + list(ODD)
    accounts = ["birch" if i % 2 else "" for i in range(len(texts))]
    assert agent().answer_all(texts, accounts) == [agent().answer(t, a) for t, a in zip(texts, accounts, strict=True)]
    assert agent().answer_all(texts) == [agent().answer(t) for t in texts]
    with pytest.raises(UsageError, match="2 texts, but 1 accounts"):
        agent().answer_all(["a", "b"], ["c"])


def test_sentences_of_shared_articles_are_learnt_from_and_those_of_an_account_are_not():
    articles = [
        Article("1", "Copier trouble", "Take out the cartridge. Shake the toner!", ("printer_jam",)),
        Article("2", "Secret", "The aardvark knows.", ("book_room",), account="birch"),
        Article("3", "Everything", "All the giraffes.", ("book_room", "door_badge", "printer_jam", "slow_laptop")),
    ]
    taught, plain = fit(FEW, articles, Recipe()), fit(FEW, articles, Recipe(learn_from_articles=False))
    words = taught.intent_model.ngrams.words
    assert "toner" in words
    assert "aardvark" not in words
    assert "giraffes" not in words
    assert "toner" not in plain.intent_model.ngrams.words
    assert taught.answer("shake the toner cartridge").intent == "printer_jam"


def test_an_intent_with_a_single_row_is_learnt():
    rows = [*FEW, Example("one", "where is the car park barrier remote", "car_park")]
    model = fit(rows, (), Recipe())
    assert "car_park" in model.intents
    assert model.answer("the car park barrier").intent == "car_park"


@pytest.mark.parametrize("below", [0, 2000])
def test_two_intents_and_three_rows_are_enough(below):
    rows = [Example("1", "lock the door", "lock"), Example("2", "the lock broke", "lock"), Example("3", "mail", "mail")]
    model = fit(rows, (), Recipe(crossfit_below=below))
    assert model.answer("lock the lock").intent == "lock"


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ([], "needs two in scope; found none"),
        ([r for r in ROWS if r.intent in ("book_room", OOS, SMALL_TALK)], "found only 'book_room'"),
        ([replace(r, split="test") for r in ROWS], "found none"),
        ([Example("1", "a", "lock"), Example("2", "b", "mail")], "a single row.*\n.*second row"),
    ],
)
def test_rows_that_cannot_train_an_agent_are_refused_with_the_way_out(rows, complaint):
    with pytest.raises(DataError, match=complaint):
        fit(rows, (), Recipe())
