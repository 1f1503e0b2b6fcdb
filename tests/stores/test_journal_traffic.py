"""Predictions and feedback come back as they went in, once, and in order."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.stores.journal_records import DAY_MS, NOON_MS, event, prediction, same

from noria.errors import NotFound, UsageError
from noria.stores.journal.traffic import Which

numbers = count()
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
figures = st.floats() | st.integers(-(2**70), 2**70).map(float)


def test_a_prediction_comes_back_as_it_was_given(journal):
    given_one = prediction()
    journal.add_predictions([given_one])
    assert journal.prediction("p1") == given_one


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=texts,
    confidence=figures,
    score=figures,
    scores=st.dictionaries(texts | st.just("\0\ud800"), figures, max_size=4),
    choices=st.lists(texts, max_size=3),
)
def test_any_text_and_number_comes_back_exactly(journal, text, confidence, score, scores, choices):
    """Also NaN, infinities and, inside JSON, characters that SQL text cannot hold."""
    one = prediction(
        f"p{next(numbers)}",
        text=text,
        intent_confidence=confidence,
        scope_score=score,
        scores=scores,
        choices=tuple(choices),
    )
    journal.add_predictions([one])
    assert same(journal.prediction(one.prediction_id), one)


@pytest.mark.parametrize("text", ["nul \0 here", "half \ud800 pair"])
def test_a_text_that_sql_cannot_hold_is_refused_by_name_of_the_field(journal, text):
    with pytest.raises(UsageError, match="prediction 'p1': text holds"):
        journal.add_predictions([prediction(text=text)])


def test_an_unknown_prediction_is_not_found(journal):
    with pytest.raises(NotFound, match="p9"):
        journal.prediction("p9")


def test_the_same_prediction_again_is_no_fault_and_stands_once(journal):
    one = prediction(scope_score=math.nan, scores={"x": math.nan})
    journal.add_predictions([one, one])
    journal.add_predictions([one, prediction("p2")])
    assert [p.prediction_id for p in journal.predictions(0, 2 * NOON_MS)] == ["p1", "p2"]


def test_other_content_under_a_known_id_is_refused_and_nothing_of_the_call_stays(journal):
    journal.add_predictions([prediction()])
    with pytest.raises(UsageError, match="'p1' is in the journal already with another text"):
        journal.add_predictions([prediction("p2"), prediction(text="other")])
    assert [p.query.text for p in journal.predictions(0, 2 * NOON_MS)] == ["vpn is down"]


def test_two_contents_under_one_id_in_one_call_are_refused(journal):
    with pytest.raises(UsageError, match="'p1'"):
        journal.add_predictions([prediction(), prediction(text="other")])
    assert journal.counts_by_day() == {}


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (prediction(decision="anwser"), "Did you mean 'answer'"),
        (prediction(time_ms=2**63), "refuses this row"),
        (prediction(scores={"x": object()}), "cannot keep a object"),
    ],
)
def test_a_prediction_that_makes_no_sense_is_refused_with_a_reason(journal, bad, words):
    with pytest.raises(UsageError, match=words):
        journal.add_predictions([bad])


def test_predictions_come_in_order_of_time_and_id_from_a_half_open_span(journal):
    """Ids are compared byte by byte: capitals before small letters, whatever the language of the database."""
    names = [("b", 2), ("B", 2), ("a", 2), ("é", 2), ("z", 1), ("late", 3)]
    journal.add_predictions([prediction(name, time_ms=NOON_MS + ms) for name, ms in names])
    found = journal.predictions(NOON_MS + 1, NOON_MS + 3)
    assert [p.prediction_id for p in found] == ["z", "B", "a", "b", "é"]


def test_predictions_of_one_account_leave_out_all_others(journal):
    journal.add_predictions([prediction("p1"), prediction("p2", account="other"), prediction("p3", account="")])
    assert [p.prediction_id for p in journal.predictions(0, 2 * NOON_MS, "other")] == ["p2"]
    assert [p.prediction_id for p in journal.predictions(0, 2 * NOON_MS, "")] == ["p3"]


def test_what_is_read_of_a_span_can_be_narrowed(journal):
    refused = {"p2": {"decision": "handoff"}, "p4": {"in_scope": False}}
    rows = [prediction(f"p{n}", time_ms=NOON_MS + n, **refused.get(f"p{n}", {})) for n in range(1, 6)]
    journal.add_predictions(rows)
    journal.add_feedback([event("e1", "p3"), event("e2", "p3", kind="article_opened"), event("e3", "p5")])

    def named(since_ms=NOON_MS, **which):
        found = journal.predictions(since_ms, NOON_MS + 5, which=Which(**which))
        assert all(one in rows for one in found)
        return [one.prediction_id for one in found]

    assert named() == ["p1", "p2", "p3", "p4"]
    assert named(rejected=True) == ["p2", "p4"]
    assert named(told=True) == ["p3"]
    assert named(latest=2) == ["p3", "p4"]
    assert named(latest=9) == ["p1", "p2", "p3", "p4"]
    assert named(rejected=True, latest=1) == ["p4"]
    assert named(since_ms=NOON_MS + 3, rejected=True) == ["p4"]
    assert journal.watching.count(NOON_MS + 2, NOON_MS + 5) == 3
    assert journal.watching.count(NOON_MS + 6, NOON_MS + 9) == 0
    assert journal.watching.predictions_of(["p5", "p1", "p9", "p1"]) == [rows[0], rows[4]]


def test_predictions_are_counted_by_utc_day(journal):
    midnight = NOON_MS - DAY_MS // 2
    times = [midnight - 1, midnight, midnight + DAY_MS - 1, midnight + 3 * DAY_MS]
    journal.add_predictions([prediction(f"p{i}", time_ms=ms) for i, ms in enumerate(times)])
    assert journal.counts_by_day() == {"2025-12-31": 1, "2026-01-01": 2, "2026-01-04": 1}


def test_feedback_counts_once_by_event_id_also_when_it_arrives_later_again(journal):
    journal.add_predictions([prediction()])
    first = event()
    assert journal.add_feedback([first, event("e2", kind="article_opened", value="kb1")]) == 2
    assert journal.add_feedback([replace(first, time_ms=NOON_MS + 9), event("e3"), event("e3")]) == 1
    assert [e.event_id for e in journal.feedback(0, 2 * NOON_MS)] == ["e1", "e2", "e3"]
    assert journal.feedback(0, 2 * NOON_MS)[0] == first


def test_feedback_comes_in_order_of_time_from_a_half_open_span(journal):
    journal.add_predictions([prediction()])
    journal.add_feedback([event(f"e{ms}", time_ms=ms) for ms in (30, 10, 20, 40)])
    assert [e.time_ms for e in journal.feedback(20, 40)] == [20, 30]


def test_feedback_of_one_prediction_leaves_out_all_others(journal):
    journal.add_predictions([prediction(), prediction("p2")])
    journal.add_feedback([event("e1", "p2"), event("e3", time_ms=9), event("e2", time_ms=8)])
    assert [e.event_id for e in journal.feedback_of("p1")] == ["e2", "e3"]
    assert journal.feedback_of("p9") == []


def test_feedback_for_an_unknown_prediction_is_not_found_and_nothing_of_the_call_stays(journal):
    journal.add_predictions([prediction()])
    with pytest.raises(NotFound, match="no prediction named 'p9'"):
        journal.add_feedback([event(), event("e2", "p9")])
    assert journal.feedback(0, 2 * NOON_MS) == []


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (event("e1", "p2"), "another prediction_id"),
        (event("e1", kind="not_helpful"), "another kind"),
        (event("e2", kind="helpfull"), "Did you mean 'helpful'"),
    ],
)
def test_feedback_that_contradicts_is_refused(journal, bad, words):
    journal.add_predictions([prediction(), prediction("p2")])
    journal.add_feedback([event()])
    with pytest.raises(UsageError, match=words):
        journal.add_feedback([bad])


def test_more_ids_than_one_statement_can_hold_are_looked_up_rightly(journal):
    journal.add_predictions([prediction(f"p{i}") for i in range(1203)])
    assert journal.add_feedback([event(f"e{i}", f"p{i}") for i in range(1203)]) == 1203
    assert journal.add_feedback([event(f"e{i}", f"p{i}") for i in range(1203)]) == 0
