"""Several people's labels come to one: a clear majority settles, anything else waits for a person to decide."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.stores.journal_records import label, task

from noria.label.settling import Settling, SettlingPolicy
from noria.records import NO_ARTICLE, Label

settle = Settling()


def said(who: str, time_ms: int = 1, **fields) -> Label:
    usual = {"article_ids": (), "helpful": None, "intent": "vpn_slow"}
    if fields.get("relevance", "in_scope") != "in_scope":
        usual["intent"] = None
    return label(f"l-{who}-{time_ms}", annotator=who, time_ms=time_ms, **{**usual, **fields})


def test_a_single_label_settles_a_task_that_asks_one_person():
    one = said("ann", helpful=True, article_ids=("kb1",))
    settled = settle(task(), [one])
    assert (settled.status, settled.relevance, settled.intent) == ("settled", "in_scope", "vpn_slow")
    assert (settled.article_ids, settled.helpful, settled.agreement) == (("kb1",), True, 1.0)
    assert (settled.label_ids, settled.annotators, settled.time_ms) == ((one.label_id,), ("ann",), 1)
    assert settled.adjudicated_by is None


def test_a_task_stays_open_until_all_who_were_asked_answered():
    assert settle(task(annotators=2), [said("ann")]).status == "open"
    assert settle(task(annotators=2), [said("ann"), said("ann", 2)]).status == "open"
    assert settle(task(annotators=2), [said("ann"), said("ben")]).status == "settled"


@pytest.mark.parametrize(
    "labels",
    [
        [said("ann"), said("ben", relevance="irrelevant")],
        [said("ann"), said("ben", intent="reset_password")],
        [said("ann", helpful=True), said("ben", helpful=False)],
        [said("ann", article_ids=("kb1",)), said("ben", article_ids=(NO_ARTICLE,))],
        [said("ann"), said("ben", intent="reset_password"), said("cid", relevance="irrelevant")],
    ],
)
def test_a_conflict_goes_to_adjudication(labels):
    assert settle(task(annotators=2), labels).status == "adjudicate"


def test_the_majority_settles_a_question_and_the_minority_has_no_say_in_the_next():
    settled = settle(
        task(annotators=3),
        [said("ann", article_ids=("kb1",)), said("ben", article_ids=("kb1", "kb2")), said("cid", intent="vpn_down")],
    )
    assert (settled.status, settled.intent, settled.article_ids) == ("settled", "vpn_slow", ("kb1", "kb2"))
    assert settled.agreement == pytest.approx(1 / 3)


def test_names_of_a_new_domain_are_free_and_need_no_adjudication():
    named = [said("ann", relevance="new_domain", intent="car lease"), said("ben", relevance="new_domain", intent=None)]
    settled = settle(task(annotators=2), named)
    assert (settled.status, settled.intent) == ("settled", "car lease")


def test_the_better_annotator_weighs_more():
    labels = [said("ann"), said("ben", intent="reset_password"), said("cid", intent="reset_password")]
    assert settle(task(annotators=3), labels).intent == "reset_password"
    settled = Settling(weights={"ann": 4.0, "ben": 1.0, "cid": 1.0})(task(annotators=3), labels)
    assert (settled.intent, settled.status) == ("vpn_slow", "settled")


def test_the_share_that_settles_can_be_chosen():
    labels = [said("ann"), said("ben"), said("cid", intent="reset_password")]
    strict = Settling(SettlingPolicy(settling_share=0.9))
    assert (settle(task(), labels).status, strict(task(), labels).status) == ("settled", "adjudicate")


def test_an_adjudication_settles_against_all_others_and_is_named():
    labels = [said("ann"), said("ben"), said("eve", 5, relevance="irrelevant", adjudication=True)]
    settled = settle(task(annotators=2), labels)
    assert (settled.status, settled.relevance, settled.adjudicated_by) == ("settled", "irrelevant", "eve")
    assert settled.annotators == ("ann", "ben", "eve")
    assert settled.agreement == 1.0, "of those who were asked"
    again = replace(labels[2], label_id="back", time_ms=6, withdrawn=True)
    assert settle(task(annotators=2), [*labels, again]).relevance == "in_scope"


def test_withdrawn_and_replaced_labels_do_not_count():
    first, second = said("ann"), said("ann", 2, intent="reset_password")
    assert settle(task(), [first, second]).label_ids == (second.label_id,)
    back = replace(second, label_id="back", time_ms=3, withdrawn=True)
    assert settle(task(), [first, second, back]) is None


answers = st.builds(
    said,
    st.sampled_from("abcde"),
    st.integers(1, 3),
    relevance=st.sampled_from(["in_scope", "irrelevant"]),
    helpful=st.sampled_from([True, False, None]),
    article_ids=st.sampled_from([(), ("kb1",), ("kb2",), (NO_ARTICLE,)]),
)


@given(st.lists(answers, max_size=6, unique_by=lambda lab: lab.label_id), st.randoms())
def test_the_order_in_which_labels_come_in_changes_nothing(labels, random):
    mixed = list(labels)
    random.shuffle(mixed)
    assert settle(task(annotators=2), labels) == settle(task(annotators=2), mixed)
