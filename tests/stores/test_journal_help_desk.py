"""The outbox of hand-overs, and where reading help desks goes on, on both databases."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from tests.stores.journal_records import NOON_MS, event, prediction

from noria.errors import NotFound, UsageError
from noria.records.sessions import HandOver, Session
from noria.stores.journal import Journal, migrations
from noria.stores.journal.engine import writing

NOW = NOON_MS + 60_000


def hand_over(name="h1", account="acme", session="s1", time_ms=NOON_MS):
    return HandOver(name, account, session, "ann@acme.example", "it still fails", time_ms)


@pytest.fixture
def handed(journal):
    """A journal with one question and its hand-over."""
    journal.write([Session("acme", "s1", "ann@acme.example", "chat", NOON_MS), prediction(), hand_over()])
    return journal


def test_a_hand_over_waits_in_the_outbox_by_being_there(handed):
    (one,) = handed.outbox.due("acme", NOW)
    assert (one.hand_over, one.delivery) == (hand_over(), None)
    assert handed.outbox.due("birch", NOW) == []
    assert handed.outbox.due("acme", NOW, oldest_ms=NOON_MS + 1) == []
    assert handed.outbox.counts()["acme"]["pending"] == 1


def test_of_two_that_want_to_send_one_may(handed, journal_url):
    journals = [Journal.open(journal_url) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        claims = list(pool.map(lambda j: j.outbox.claim(hand_over(), "p1", NOW), journals))
    (won,) = [claim for claim in claims if claim]
    assert (won.state, won.sends, won.sent_ms) == ("sending", 1, NOW)
    assert handed.outbox.delivery("h1") == won
    assert handed.outbox.due("acme", NOW) == []
    for journal in journals:
        journal.close()


def test_a_step_is_taken_once_and_its_feedback_comes_with_it_or_not_at_all(handed):
    sent = handed.outbox.claim(hand_over(), "p1", NOW)
    there = replace(sent, state="delivered", ticket_id="7", changed_ms=NOW + 1)
    with pytest.raises(NotFound):
        handed.outbox.move(sent, there, [event("e1", "nowhere", kind="ticket_created")])
    assert handed.outbox.delivery("h1") == sent
    assert handed.outbox.move(sent, there, [event("e1", "p1", kind="ticket_created", value="7")])
    assert not handed.outbox.move(sent, replace(there, ticket_id="8"), [event("e2", "p1", kind="ticket_created")])
    assert handed.outbox.followed("acme") == {"7": there}
    assert handed.outbox.followed("birch") == {}
    assert [(f.event_id, f.kind, f.value) for f in handed.feedback_of("p1")] == [("e1", "ticket_created", "7")]
    assert handed.outbox.ours("acme", ["7", "8"]) == {"7"}
    assert handed.outbox.ours("birch", ["7"]) == set()


def test_a_state_that_is_none_is_refused(handed):
    sent = handed.outbox.claim(hand_over(), "p1", NOW)
    with pytest.raises(UsageError, match="Known: delivered"):
        handed.outbox.move(sent, replace(sent, state="gone"))


def test_one_that_waits_comes_when_it_is_due_and_counts_its_sends(handed):
    sent = handed.outbox.claim(hand_over(), "p1", NOW)
    handed.outbox.move(sent, replace(sent, state="pending", due_ms=NOW + 500, reason="later"))
    assert handed.outbox.due("acme", NOW + 499) == []
    assert handed.outbox.claim(hand_over(), "p1", NOW + 499) is None
    assert len(handed.outbox.due("acme", NOW + 500)) == 1
    assert handed.outbox.claim(hand_over(), "p1", NOW + 500).sends == 2


def test_a_call_of_which_nothing_is_heard_is_lost(handed):
    handed.outbox.claim(hand_over(), "p1", NOW)
    assert handed.outbox.give_up_calls("acme", NOW, NOW + 60, NOW + 50) == 0
    assert handed.outbox.give_up_calls("birch", NOW + 1, NOW + 60, NOW + 50) == 0
    assert handed.outbox.give_up_calls("acme", NOW + 1, NOW + 60, NOW + 50) == 1
    assert handed.outbox.delivery("h1").state == "unknown"
    assert handed.outbox.due("acme", NOW + 59) == []
    assert [one.delivery.reason for one in handed.outbox.due("acme", NOW + 60)] == ["lost"]


def test_what_is_refused_stays_so_and_what_is_on_its_way_is_not_refused(handed):
    handed.outbox.refuse(hand_over(), "p1", "nobody", NOW)
    assert handed.outbox.due("acme", NOW) == []
    assert [one.delivery.reason for one in handed.outbox.in_state("acme", "refused")] == ["nobody"]
    handed.write([hand_over("h2")])
    sent = handed.outbox.claim(hand_over("h2"), "p1", NOW)
    handed.outbox.refuse(hand_over("h2"), "p1", "nobody", NOW)
    assert handed.outbox.delivery("h2") == sent
    assert handed.outbox.counts()["acme"] == {
        "pending": 0, "sending": 1, "unknown": 0, "delivered": 0, "refused": 1,
    }  # fmt: skip


def test_a_stream_is_read_by_one_at_a_time_and_not_before_it_is_due(journal):
    reading = journal.desk_reading
    assert reading.take_turn("acme", "tickets", 100, 200)
    assert not reading.take_turn("acme", "tickets", 199, 300)
    assert reading.take_turn("acme", "articles", 100, 200)
    assert reading.take_turn("acme", "tickets", 200, 300)


def test_a_stream_can_be_hurried_but_not_put_off(journal):
    reading = journal.desk_reading
    reading.hurry("acme", "tickets", 50)
    assert reading.due_ms() == {}
    reading.take_turn("acme", "tickets", 100, 900)
    reading.hurry("acme", "tickets", 300)
    reading.hurry("acme", "tickets", 500)
    reading.hurry("birch", "tickets", 1)
    assert reading.due_ms() == {("acme", "tickets"): 300}


def test_the_tickets_of_a_requester_are_named_also_where_only_the_hand_over_is_known(handed):
    handed.write([hand_over("h2"), hand_over("h3", account="birch"), hand_over("h4")])
    sent = handed.outbox.claim(hand_over("h1"), "p1", NOW)
    handed.outbox.move(sent, replace(sent, state="delivered", ticket_id="7"))
    handed.outbox.claim(hand_over("h2"), "p1", NOW)
    handed.outbox.claim(hand_over("h3", account="birch"), "", NOW)
    assert handed.outbox.tickets_of("acme", "ann@acme.example") == ["7", "hand-over h2"]
    assert handed.outbox.tickets_of("acme", "bob@acme.example") == []


def test_cursors_and_waits_are_kept_apart(journal):
    reading = journal.desk_reading
    assert (reading.cursor("acme", "tickets"), reading.whole_ms("acme", "tickets")) == ("", 0)
    reading.keep("acme", "tickets", "5", whole_ms=3)
    reading.keep("acme", "tickets", "6")
    assert (reading.cursor("acme", "tickets"), reading.whole_ms("acme", "tickets")) == ("6", 3)
    reading.hold("acme", 900)
    assert (reading.held_until_ms("acme"), reading.held_until_ms("birch")) == (900, 0)
    assert reading.cursor("acme", "tickets") == "6"


def test_a_ring_stays_until_it_is_read_and_one_that_came_meanwhile_stays_longer(journal):
    reading = journal.desk_reading
    for time_ms in (1, 2):
        reading.ring("acme", "7", time_ms)
    reading.ring("acme", "8", 3)
    rung = reading.rung("acme")
    assert rung == {"7": 2, "8": 3}
    reading.ring("acme", "8", 4)
    reading.answered("acme", rung)
    assert reading.rung("acme") == {"8": 4}
    assert reading.rung("birch") == {}


def test_the_last_question_of_a_requester_is_found_in_each_session_of_the_account_alone(journal):
    def asked(name, session, time_ms, account="acme", intent="vpn"):
        one = prediction(name, account=account, time_ms=time_ms, intent=intent)
        return replace(one, query=replace(one.query, session=session))

    journal.write([
        Session("acme", "s1", "ann@acme.example", "chat", 1), Session("acme", "s2", "bob@acme.example", "chat", 1),
        Session("birch", "s1", "ann@acme.example", "chat", 1), asked("p1", "s1", 5), asked("p2", "s1", 6),
        asked("p3", "s1", 7, intent="small_talk"), asked("p4", "s2", 5), asked("p5", "s1", 6, account="birch"),
    ])  # fmt: skip
    found = journal.desk_reading.last_asked("acme", ["Ann@acme.example", "eve@acme.example"], 0)
    assert [(one.prediction_id, one.time_ms) for one in found] == [("p2", 6)]
    assert journal.desk_reading.last_asked("acme", ["ann@acme.example"], 7) == []


def test_the_new_kinds_of_feedback_go_with_the_schema_and_the_others_stay(journal, run_sql):
    journal.add_predictions([prediction()])
    journal.add_feedback([event("e1"), event("e2", kind="ticket_rated", value="2/3")])
    with writing(journal._engine) as connection:
        migrations.move(connection, "0003_access")
    assert run_sql("SELECT event_id FROM feedback") == [("e1",)]
    with pytest.raises(Exception, match=r"ck_feedback_kind|CHECK"):
        run_sql("INSERT INTO feedback VALUES ('e3', 'p1', 'ticket_rated', 1, '')")
    with writing(journal._engine) as connection:
        migrations.move(connection, migrations.HEAD)
    journal.add_feedback([event("e2", kind="ticket_resolved")])
    assert [f.event_id for f in journal.feedback_of("p1")] == ["e1", "e2"]
    with pytest.raises(NotFound):
        journal.add_feedback([event("e4", "nowhere")])
