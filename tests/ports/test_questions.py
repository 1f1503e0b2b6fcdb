"""One definition of the questions: what is asked, what is accepted, what Label Studio shows."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.connect.label_desk_contract import desk_task

from noria.ports.questions import (
    QUESTIONS,
    BadAnswer,
    Judgement,
    answers_of,
    label_studio_config,
    predicted_answers,
    read_answers,
    without_hidden,
)
from noria.records import NO_ARTICLE, RELEVANCES, Label

TASK = desk_task(1, scope_version="v7")


def test_whole_answers_make_a_judgement():
    said = {
        "relevance": ["in_scope"], "intent": ["vpn_slow"], "articles": ["kb2", "kb1"], "other_article": [" kb77 "],
        "helpful": ["no"], "note": ["  two\n words "],
    }  # fmt: skip
    assert read_answers(TASK, said) == Judgement("in_scope", "vpn_slow", ("kb2", "kb1", "kb77"), False, "two words")


@pytest.mark.parametrize(
    ("said", "kinds", "words"),
    [
        ({}, ["missing"], "needs its relevance"),
        ({"relevance": ["in_scope"]}, ["missing"], "needs the right intent"),
        ({"relevance": ["in_scop"]}, ["unknown_choice"], "Did you mean 'in_scope'"),
        ({"relevance": ["in_scope", "irrelevant"], "intent": ["vpn_slow"]}, ["too_many"], "takes one answer"),
        ({"relevance": ["irrelevant"], "relevence": ["in_scope"]}, ["unknown_question"], "Did you mean 'relevance'"),
        ({"relevance": ["in_scope"], "intent": ["gone"]}, ["outside_scope"], r"not in the scope .*\(version v7\)"),
        ({"relevance": ["irrelevant"], "intent": ["vpn_slow"]}, ["contradiction"], "takes no intent"),
        ({"relevance": ["small_talk"], "articles": ["kb1"]}, ["contradiction"], "takes no articles"),
        ({"relevance": ["new_domain"], "domain": ["vpn_slow"]}, ["contradiction"], "choose 'in_scope'"),
        ({"relevance": ["new_domain"], "domain": ["oos"]}, ["contradiction"], "reserved word"),
        (
            {"relevance": ["in_scope"], "intent": ["vpn_slow"], "articles": ["kb1", NO_ARTICLE]},
            ["contradiction"], "not 'none' and an article",
        ),
        (
            {"relevance": ["in_scope"], "intent": ["vpn_slow"], "articles": ["kb3"]},
            ["unknown_choice"], "ranked no article 'kb3'",
        ),
        ({"relevance": ["irrelevant"], "helpful": ["maybe"], "x": ["1"]}, ["unknown_choice", "unknown_question"], "x"),
    ],
)  # fmt: skip
def test_answers_that_cannot_count_are_told_by_kind_and_question(said, kinds, words):
    with pytest.raises(BadAnswer, match=words) as caught:
        read_answers(TASK, said)
    assert [problem.kind for problem in caught.value.problems] == kinds
    assert caught.value.task_id == TASK.task_id


def test_empty_values_are_no_answers():
    assert read_answers(TASK, {"relevance": ["irrelevant"], "intent": [""], "note": ["  "]}) == Judgement("irrelevant")


def test_answers_to_hidden_questions_can_be_left_out():
    """Some desks keep the intent that was chosen before the relevance was changed."""
    said = {"relevance": ["irrelevant"], "intent": ["vpn_slow"], "articles": ["kb1"], "note": ["x"], "odd": ["y"]}
    assert without_hidden(said) == {"relevance": ["irrelevant"], "note": ["x"], "odd": ["y"]}
    assert without_hidden({"intent": ["vpn_slow"]}) == {"intent": ["vpn_slow"]}


judgements = st.one_of(
    st.builds(
        Judgement,
        relevance=st.just("in_scope"),
        intent=st.sampled_from(TASK.scope),
        article_ids=st.sampled_from([(), ("kb1",), ("kb2", "kb1"), ("kb1", "kb9"), (NO_ARTICLE,)]),
        helpful=st.sampled_from([True, False, None]),
        note=st.sampled_from(["", "clear"]),
    ),
    st.builds(Judgement, relevance=st.just("new_domain"), intent=st.sampled_from([None, "lease a car"])),
    st.builds(Judgement, relevance=st.sampled_from(["irrelevant", "small_talk"]), helpful=st.booleans()),
)


@given(judgements)
def test_a_label_says_what_its_answers_say(judged):
    label = Label(
        "l", TASK.task_id, TASK.prediction_id, "ann", judged.relevance, judged.intent, judged.article_ids,
        judged.helpful, 1, judged.note,
    )  # fmt: skip
    assert read_answers(TASK, answers_of(label, TASK)) == judged


@pytest.mark.parametrize(
    ("fields", "relevance"),
    [
        ({}, "in_scope"),
        ({"predicted_intent": "small_talk"}, "small_talk"),
        ({"predicted_intent": "oos"}, "new_domain"),
    ],
)
def test_the_prediction_is_an_answer_that_counts(fields, relevance):
    task = desk_task(1, **fields)
    assert read_answers(task, predicted_answers(task)).relevance == relevance


@pytest.mark.parametrize("fields", [{"show_prediction": False}, {"predicted_intent": "left_the_scope"}])
def test_a_hidden_or_outdated_prediction_is_no_answer(fields):
    assert predicted_answers(desk_task(1, **fields)) == {}


def test_the_label_studio_config_asks_every_question_with_its_choices():
    view = ET.fromstring(label_studio_config())
    fields = {tag.get("name"): tag for tag in view.iter() if tag.tag in ("Choices", "TextArea")}
    assert set(fields) == {question.name for question in QUESTIONS}
    assert [choice.get("value") for choice in fields["relevance"]] == list(RELEVANCES)
    hidden = {tag.get("whenChoiceValue"): {t.get("name") for t in tag} - {None} for tag in view.iter("View")}
    assert hidden["in_scope"] == {"intent", "articles", "other_article"}
    keys = [choice.get("hotkey") for choice in view.iter("Choice")]
    assert len(set(keys)) == len(keys)
