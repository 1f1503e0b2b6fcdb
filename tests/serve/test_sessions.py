"""Conversations: asked again in other words, small talk, and what was settled without a person."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.records import SMALL_TALK, Answer, Feedback, Prediction, Query
from noria.records.sessions import HandOver, Session, Turn
from noria.serve.sessions import deflection, rephrased, reply_to_small_talk
from noria.serve.sessions.deflection import RETURN_MS
from noria.serve.sessions.rephrasing import WITHIN_MS, alike

MINUTE = 60_000


def turn(name, text, *, at=0, intent="vpn", decision="answer", said=(), session="s1", scores=None, in_scope=True):
    answer = Answer(decision, intent, 0.9, 1.0, in_scope, scores=scores or {})
    prediction = Prediction(name, Query(f"q-{name}", "acme", session, text, at), answer, "r1", 1.0)
    return Turn(prediction, tuple(Feedback(f"{name}-{i}", name, kind, at + 1) for i, kind in enumerate(said)))


def found(*turns):
    return [event.prediction_id for event in rephrased(turns)]


def test_the_same_question_in_other_words_speaks_against_the_first_answer():
    turns = [turn("a", "vpn does not connect"), turn("b", "cannot get into the tunnel", at=MINUTE)]
    [event] = rephrased(turns)
    assert (event.event_id, event.prediction_id, event.kind, event.value) == ("rephrased:a", "a", "rephrased", "b")
    again = [turn("a", "vpn does not connect", intent="x"), turn("b", "my vpn does not connect!", at=9, intent="y")]
    assert found(*again) == ["a"]


@pytest.mark.parametrize(
    "turns",
    [
        (turn("a", "vpn is down"), turn("b", "printer is jammed", intent="printer", at=9)),
        (turn("a", "vpn is down"), turn("b", "vpn is down again", at=WITHIN_MS + 1)),
        (turn("a", "vpn is down", decision="handoff"), turn("b", "vpn is down", at=9)),
        (turn("a", "vpn is down", said=("helpful",)), turn("b", "vpn is down", at=9)),
        (turn("a", "vpn is down", said=("rephrased",)), turn("b", "vpn is down", at=9)),
        (turn("a", "hello vpn", intent=SMALL_TALK), turn("b", "hello vpn", at=9)),
        (turn("a", "vpn", decision="clarify"), turn("b", "vpn", at=9, scores={"chosen": 1.0})),
        (turn("a", "x", in_scope=False), turn("b", "y", at=9, in_scope=False)),
        (turn("a", "vpn"),),
        (),
    ],
)
def test_what_is_no_rephrasing_is_not_counted(turns):
    assert found(*turns) == []


@given(st.text(max_size=40), st.text(max_size=40))
def test_likeness_is_a_share_and_the_same_both_ways(one, other):
    assert 0 <= alike(one, other) <= 1
    assert alike(one, other) == alike(other, one)


def band(*sessions, handed=(), return_ms=RETURN_MS):
    made = [Session("acme", name, requester, "chat", 0) for name, requester, _ in sessions]
    return deflection(made, {name: turns for name, _, turns in sessions}, handed, return_ms)


def test_the_band_goes_from_confirmed_to_potential():
    got = band(
        ("s1", "", [turn("a", "vpn", said=("helpful",))]),
        ("s2", "", [turn("b", "vpn")]),
        ("s3", "", [turn("c", "vpn", said=("not_helpful",))]),
        ("s4", "", [turn("d", "vpn", decision="handoff")]),
        ("s5", "", [turn("e", "hello", intent=SMALL_TALK)]),
        ("s6", "", [turn("f", "vpn", said=("helpful", "ticket_created"))]),
        ("s7", "", [turn("g", "vpn", said=("helpful",))]),
        handed=[HandOver("h", "acme", "s7", "", "", 5)],
    )
    assert (got.sessions, got.confirmed, got.potential, got.unsettled, got.person) == (6, 1, 1, 2, 2)
    assert (got.low, got.high) == (1 / 6, 2 / 6)


def test_who_comes_back_with_the_same_was_not_settled():
    first = ("s1", "ann", [turn("a", "vpn", said=("helpful",))])
    back = ("s2", "ann", [turn("b", "vpn again", at=RETURN_MS, session="s2", said=("helpful",))])
    assert (band(first, back).confirmed, band(first, back).revoked) == (1, 1)
    for other in (
        ("s2", "ben", back[2]),
        ("s2", "ann", [turn("b", "toner", at=5, intent="printer", session="s2")]),
        ("s2", "ann", [turn("b", "vpn", at=RETURN_MS + 1, session="s2")]),
    ):
        assert band(first, other).revoked == 0


def test_without_sessions_there_is_no_share():
    assert (band().sessions, band().low, band().high) == (0, None, None)


@pytest.mark.parametrize(
    ("text", "word"),
    [("thanks a lot", "welcome"), ("good bye", "Good-bye"), ("are you a robot?", "program"), ("hi", "Hello")],
)
def test_small_talk_gets_a_sentence_that_fits(text, word):
    assert word in reply_to_small_talk(text)
