"""What becomes of tickets comes back as feedback, once, and the deflection band hears of it."""

from __future__ import annotations

import pytest
from tests.connect.test_help_desks import PeopleAtFreshservice
from tests.serve.help_desk.made_up_exchange import MINUTE_MS, NOW, asked, conversation

from noria.connect.files_desk import FilesDesk
from noria.errors import OutsideError
from noria.ports.help_desk import NewTicket
from noria.records import DAY_MS
from noria.records.access import AuditEntry
from noria.records.sessions import Session
from noria.serve.help_desk import AccountDesk, ExchangePolicy, deliver, follow
from noria.serve.sessions import deflection

POLICY = ExchangePolicy()


@pytest.fixture
def people(fake, clock):
    return PeopleAtFreshservice(fake, clock)


@pytest.fixture
def number(journal, at, clock):
    """The ticket of a hand-over."""
    made = conversation(journal, "s1")
    deliver(journal, at, POLICY, clock)
    return journal.outbox.delivery(made.hand_over_id).ticket_id


@pytest.fixture
def heard(journal, at, clock):
    """A round of following; the events of the handed-over answer so far, without the first that tells of the ticket."""

    def run():
        follow(journal, at, POLICY, clock)
        return [(event.kind, event.value) for event in journal.feedback_of("p-acme-s1")][1:]

    return run


def test_reply_resolution_reopening_and_rating_come_back_each_once(number, people, clock, heard):
    assert heard() == []
    clock.pass_minutes(5)
    people.reply(number, "try this")
    assert heard() == [("agent_replied", number)]
    clock.pass_minutes(5)
    people.set_status(number, "resolved")
    assert heard()[1:] == [("ticket_resolved", number)]
    clock.pass_minutes(5)
    people.set_status(number, "open")
    assert heard()[2:] == [("ticket_reopened", number)]
    clock.pass_minutes(5)
    people.set_status(number, "closed")
    people.rate(number, 2, 3)
    told = heard()
    assert sorted(told[3:]) == [("ticket_rated", "2/3"), ("ticket_resolved", number)]
    clock.pass_minutes(5)
    assert heard() == told


def test_a_ticket_of_somebody_who_was_erased_is_followed_on(number, people, clock, heard, journal):
    """What was told before is erased, and stays so; what is new is noted, and no other ticket has to wait."""
    people.reply(number, "try this")
    heard()
    journal.access.erase("acme", "ann@made-up.example", AuditEntry("a1", 1, "root", "erase", "acme", "x"))
    clock.pass_minutes(5)
    people.set_status(number, "resolved")
    assert heard() == [("agent_replied", "[erased]"), ("ticket_resolved", number)]


def test_a_ticket_that_is_over_is_not_asked_for_again(number, people, clock, heard, fake):
    people.set_status(number, "closed")
    people.rate(number, 3, 3)
    heard()
    calls = fake.calls(f"GET /tickets/{number}")
    clock.pass_minutes(60)
    heard()
    assert fake.calls(f"GET /tickets/{number}") == calls


def test_a_rating_that_does_not_show_as_a_change_is_asked_for_once_a_day(number, people, clock, heard, fake):
    people.set_status(number, "closed")
    for _ in range(2):  # the second time it is still in the overlap of the first
        heard()
        clock.pass_minutes(60)
    people.rate(number, 1, 3)
    assert ("ticket_rated", "1/3") not in heard()
    clock.now_ms += DAY_MS
    assert ("ticket_rated", "1/3") in heard()


def test_a_closed_ticket_without_a_rating_is_given_up_in_the_end(number, people, clock, heard, journal):
    people.set_status(number, "closed")
    heard()
    clock.now_ms += 15 * DAY_MS
    heard()
    assert journal.outbox.followed("acme") == {}


def test_a_ticket_that_is_gone_is_no_error(number, clock, heard, fake, journal):
    fake.desk.all("tickets").clear()
    journal.desk_reading.ring("acme", number, clock())
    assert heard() == []
    assert journal.outbox.delivery("acme:s1").reason == "gone"


def test_a_ring_makes_a_ticket_be_read_though_the_list_does_not_show_it(number, people, clock, heard, journal, fake):
    heard()
    people.reply(number, "try this")
    fake.desk.all("tickets")[-1]["updated_at"] = "2001-01-01T00:00:00Z"
    assert heard() == []
    journal.desk_reading.ring("acme", number, clock())
    journal.desk_reading.ring("acme", "999", clock())
    assert heard() == [("agent_replied", number)]
    assert journal.desk_reading.rung("acme") == {}


def test_a_round_that_breaks_is_read_again(number, people, clock, heard, journal, fake):
    heard()
    cursor = journal.desk_reading.cursor("acme", "tickets")
    clock.pass_minutes(60)
    people.reply(number, "try this")
    fake.faults.plan("error", f"GET /tickets/{number}", times=9)
    with pytest.raises(OutsideError):
        heard()
    assert journal.desk_reading.cursor("acme", "tickets") == cursor
    fake.faults._planned.clear()
    assert heard() == [("agent_replied", number)]
    assert journal.desk_reading.cursor("acme", "tickets") == str(clock())


def test_the_first_reading_does_not_walk_through_years_of_tickets(journal, at, clock, fake):
    follow(journal, at, POLICY, clock)
    (query,) = [query for name, query, _ in fake.log if name == "GET /tickets"]
    assert "updated_since=2025-10" in query


def band(journal):
    sessions = journal.sessions.sessions("acme", 0, NOW * 2)
    turns = journal.sessions.transcripts([("acme", s.session) for s in sessions])
    return deflection(sessions, {name: its for (_, name), its in turns.items()}, [])


def alone(journal, name="s9", requester="eve@made-up.example", time_ms=NOW - 30 * MINUTE_MS):
    journal.write([Session("acme", name, requester, "chat", time_ms), asked(f"p-{name}", name, time_ms=time_ms)])


def test_a_ticket_that_a_person_made_alone_takes_the_deflection_back(journal, at, clock):
    alone(journal)
    follow(journal, at, POLICY, clock)
    assert (band(journal).potential, band(journal).person) == (1, 0)
    number = at.desk.create(NewTicket("by-mail", "VPN again", "it is down", "eve@made-up.example"))
    for _ in range(2):
        assert follow(journal, at, POLICY, clock).counts["own_tickets"] in {0, 1}
    assert [(event.kind, event.value) for event in journal.feedback_of("p-s9")] == [("ticket_created", number)]
    assert (band(journal).potential, band(journal).person) == (0, 1)


def test_what_came_long_after_or_from_another_says_nothing(journal, at, clock):
    alone(journal)
    at.desk.create(NewTicket("by-mail", "Help", "text", "bob@made-up.example"))
    clock.now_ms += 4 * DAY_MS
    at.desk.create(NewTicket("by-mail", "Help", "text", "eve@made-up.example"))
    assert follow(journal, at, POLICY, clock).counts["own_tickets"] == 0
    assert band(journal).potential == 1


def test_a_ticket_of_another_account_says_nothing(journal, at, clock):
    alone(journal)
    at.desk.create(NewTicket("by-mail", "Help", "text", "eve@made-up.example"))
    follow(journal, AccountDesk("birch", at.desk), POLICY, clock)
    assert journal.feedback_of("p-s9") == []


def test_our_own_tickets_are_no_tickets_made_alone(journal, at, clock, number):
    assert follow(journal, at, POLICY, clock).counts["own_tickets"] == 0


def test_who_is_erased_meanwhile_breaks_nothing(journal, at, clock):
    alone(journal)
    at.desk.create(NewTicket("by-mail", "Help", "text", "eve@made-up.example"))
    follow(journal, at, POLICY, clock)
    alone(journal, "s8")
    journal.access.erase("acme", "eve@made-up.example", AuditEntry("a1", 1, "root", "erase", "acme", "x"))
    alone(journal, "s7")
    follow(journal, at, POLICY, clock)
    assert journal.feedback_of("p-s7") == []


def test_files_are_followed_as_well(journal, tmp_path, clock):
    desk = FilesDesk(tmp_path / "desk", clock)
    at = AccountDesk("acme", desk)
    conversation(journal, "s1")
    deliver(journal, at, POLICY, clock)
    clock.pass_minutes(1)
    desk.reply("1", "try this")
    desk.set_status("1", "closed")
    desk.rate("1", 1, 5)
    follow(journal, at, POLICY, clock)
    assert {(event.kind, event.value) for event in journal.feedback_of("p-acme-s1")} == {
        ("ticket_created", "1"), ("agent_replied", "1"), ("ticket_resolved", "1"), ("ticket_rated", "1/5"),
    }  # fmt: skip
