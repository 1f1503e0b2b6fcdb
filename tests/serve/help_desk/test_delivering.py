"""A hand-over becomes one ticket, whatever goes wrong on the way."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import count

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.house import open_stores
from tests.serve.help_desk.made_up_exchange import NOW, Clock, asked, conversation, desk_on, new_fake

from noria.connect.files_desk import FilesDesk
from noria.records import Feedback
from noria.records.access import AuditEntry
from noria.records.redaction import RECOGNISERS, redact
from noria.serve.erasure import erase_requester
from noria.serve.help_desk import AccountDesk, ExchangePolicy, deliver, ticket_of
from noria.serve.help_desk.ticket import MOST_TURNS, mark_of
from noria.stores.journal import Journal

POLICY = ExchangePolicy()


@pytest.fixture
def round_of(journal, at, clock):
    """A round of delivery; what became of the hand-overs, without zeros."""

    def run(**options):
        options = {"policy": POLICY, "at": at} | options
        receipt = deliver(journal, options.pop("at"), options.pop("policy"), clock, **options)
        return {name: n for name, n in receipt.counts.items() if n}

    return run


def tickets(fake):
    return fake.desk.all("tickets")


def state(journal, hand_over):
    delivery = journal.outbox.delivery(hand_over.hand_over_id)
    return delivery.state, delivery.reason


def test_a_hand_over_becomes_a_ticket_once_and_says_so_of_the_answer(journal, fake, round_of):
    made = conversation(journal, "s1")
    assert round_of() == {"delivered": 1}
    assert round_of() == {}
    (ticket,) = tickets(fake)
    assert state(journal, made) == ("delivered", "")
    assert journal.outbox.delivery(made.hand_over_id).ticket_id == str(ticket["id"])
    (event,) = journal.feedback_of("p-acme-s1")
    assert (event.kind, event.value) == ("ticket_created", str(ticket["id"]))


def test_a_desk_that_gives_a_number_again_keeps_no_hand_over_from_its_ticket(journal, fake, round_of):
    """As a desk that was set up anew does: its event is known already, of another answer."""
    conversation(journal, "s1")
    round_of()
    (ticket,) = tickets(fake)
    journal.write([asked("other", "s0")])
    told = f"desk:acme:{ticket['id'] + 1}:created"
    journal.add_feedback([Feedback(told, "other", "ticket_created", NOW, "an earlier one")])
    made = [conversation(journal, name) for name in ("s2", "s3")]
    assert round_of() == {"delivered": 2}
    assert [state(journal, one) for one in made] == [("delivered", "")] * 2


def test_the_ticket_tells_the_transcript_and_in_whose_name(journal, fake, round_of):
    made = conversation(journal, "s1")
    round_of()
    (ticket,) = tickets(fake)
    assert ticket["subject"] == "Virtual agent: my vpn is down"
    for told in ("Why: it still fails", "user: my vpn is down", "answered as vpn_down, with kb-7", mark_of(made)):
        assert told in ticket["description"]
    person = next(p for p in fake.desk.all("requesters") if p["id"] == ticket["requester_id"])
    assert person["primary_email"] == "ann@made-up.example"


def test_nothing_of_another_account_goes_out(journal, fake, round_of):
    conversation(journal, "s1", account="birch")
    assert round_of() == {}
    assert tickets(fake) == []


def test_sending_is_on_disk_before_the_call_goes_out(journal, at, clock, fake, monkeypatch):
    made = conversation(journal, "s1")
    seen = []
    create = at.desk.create
    monkeypatch.setattr(
        at.desk, "create", lambda ticket: seen.append(state(journal, made)) or create(ticket), raising=True
    )
    deliver(journal, at, POLICY, clock)
    assert seen == [("sending", "")]


@pytest.mark.parametrize("what", ["lost_reply", "cut"])
def test_after_a_lost_reply_the_ticket_is_looked_for_and_not_sent_again(journal, fake, clock, round_of, what):
    made = conversation(journal, "s1")
    fake.faults.plan(what, "POST /tickets$")
    assert round_of() == {"unknown": 1}
    assert state(journal, made) == ("unknown", "lost")
    assert round_of() == {}, "the first look waits"
    clock.pass_minutes(2)
    assert round_of() == {"found": 1}
    assert len(tickets(fake)) == fake.calls("POST /tickets$") == 1
    assert [event.kind for event in journal.feedback_of("p-acme-s1")] == ["ticket_created"]


def test_only_what_was_not_there_at_two_looks_apart_in_time_is_sent_again(journal, fake, clock, round_of):
    conversation(journal, "s1")
    fake.faults.plan("error", "POST /tickets$")  # told as a failure, and indeed nothing was done
    assert round_of() == {"unknown": 1}
    clock.pass_minutes(2)
    assert round_of() == {"unknown": 1}
    assert round_of() == {}, "the second look waits, too"
    assert fake.calls("POST /tickets$") == 1
    clock.pass_minutes(2)
    assert round_of() == {"pending": 1}
    assert round_of() == {"delivered": 1}
    assert len(tickets(fake)) == 1


def test_what_stays_unknown_is_left_to_a_person(journal, fake, clock, round_of):
    made = conversation(journal, "s1")
    fake.faults.plan("error", "POST /tickets$", times=9)
    for _ in range(20):
        clock.pass_minutes(3)
        round_of()
    assert fake.calls("POST /tickets$") == POLICY.most_sends
    assert state(journal, made) == ("unknown", "person")


def test_whoever_died_while_sending_leaves_an_unknown_that_is_found(journal, at, fake, clock, round_of):
    made = conversation(journal, "s1")
    journal.outbox.claim(made, "p-acme-s1", clock())
    at.desk.create(ticket_of(made, journal.sessions.transcript("acme", "s1")))
    assert round_of() == {}, "it may still be alive"
    clock.pass_minutes(11)
    assert round_of() == {"found": 1}
    assert len(tickets(fake)) == 1


def test_a_desk_that_asks_to_wait_is_left_alone_so_long_by_every_round(journal, fake, clock, round_of):
    for name in ("s1", "s2"):
        conversation(journal, name)
    fake.faults.plan("rate_limited", "POST /tickets$", retry_after="1500")
    assert round_of() == {"pending": 1}
    calls = len(fake.log)
    clock.pass_minutes(24)
    assert round_of() == {}
    assert len(fake.log) == calls
    clock.pass_minutes(2)
    assert round_of() == {"delivered": 2}
    assert len(tickets(fake)) == 2


def test_a_key_that_is_not_accepted_loses_nothing(journal, fake, clock, round_of):
    made = conversation(journal, "s1")
    wrong = AccountDesk("acme", desk_on(fake))
    wrong.desk._client._http.auth = ("wrong", "X")
    assert round_of(at=wrong) == {"pending": 1}
    assert state(journal, made)[0] in {"pending", "sending"} or journal.outbox.delivery(made.hand_over_id) is None
    clock.pass_minutes(11)
    assert round_of() == {"delivered": 1}


def test_a_desk_that_is_down_loses_nothing(journal, fake, clock, round_of):
    conversation(journal, "s1")
    fake.faults.plan("timeout", "GET /ticket_form_fields", times=99)
    assert round_of() == {"pending": 1}
    assert fake.calls("POST") == 0
    fake.faults._planned.clear()
    clock.pass_minutes(2)
    assert round_of() == {"delivered": 1}


def test_what_the_desk_refuses_is_not_sent_again(journal, fake, clock, round_of):
    made = conversation(journal, "s1", requester="no address@")
    fake.desk._create = lambda body: (_ for _ in ()).throw(refusal())
    assert round_of() == {"refused": 1}
    clock.pass_minutes(100)
    assert round_of() == {}
    assert state(journal, made) == ("refused", "email invalid_value")


def refusal():
    from noria.app.fakes.freshservice.desk import Invalid

    return Invalid(("email", "It should be a valid email address", "invalid_value"))


def test_who_is_unknown_to_the_desk_goes_in_the_name_that_the_account_set(journal, fake, round_of, at):
    made = conversation(journal, "s1", requester="")
    named = conversation(journal, "s2", requester="ann")
    assert round_of(at=AccountDesk("acme", at.desk, "agent@made-up.example")) == {"delivered": 2}
    assert [("Who: ann" in ticket["description"]) for ticket in tickets(fake)] == [False, True]
    assert state(journal, made) == state(journal, named) == ("delivered", "")


def test_without_anybody_it_is_refused_and_told(journal, clock, at):
    made = conversation(journal, "s1", requester="")
    receipt = deliver(journal, at, POLICY, clock)
    assert "set requester" in receipt.warnings[0]
    assert state(journal, made) == ("refused", "nobody")


def test_what_was_erased_is_not_sent(journal, fake, clock, round_of):
    waiting, lost = conversation(journal, "s1"), conversation(journal, "s2")
    journal.outbox.claim(lost, "p-acme-s2", clock())
    journal.access.erase("acme", "ann@made-up.example", AuditEntry("a1", 1, "root", "erase", "acme", "x"))
    clock.pass_minutes(11)
    assert round_of() == {"refused": 1, "unknown": 1}
    assert state(journal, waiting) == ("refused", "erased")
    assert state(journal, lost) == ("unknown", "erased")
    assert fake.calls("POST") == 0


def test_an_erasure_names_the_tickets_that_hold_the_same(tmp_path, clock, fake, at):
    stores = open_stores(tmp_path / "home")
    made, lost = conversation(stores.journal, "s1"), conversation(stores.journal, "s2")
    conversation(stores.journal, "s3", requester="bob@made-up.example")
    fake.faults.plan("error", "POST /tickets$")
    deliver(stores.journal, at, POLICY, clock, limit=1)
    deliver(stores.journal, at, POLICY, clock)
    entry = AuditEntry("a1", 1, "root", "erase", "acme", "x")
    told = " ".join(erase_requester(stores, "acme", "ann@made-up.example", entry).warnings)
    assert "2 tickets at the help desk of acme" in told
    assert f"hand-over {made.hand_over_id}" in told
    assert stores.journal.outbox.delivery(lost.hand_over_id).ticket_id in told
    stores.close()


def test_old_ones_that_were_never_tried_are_left_to_a_person(journal, fake, clock, round_of):
    conversation(journal, "s1")
    clock.pass_minutes(73 * 60)
    assert round_of() == {}
    assert round_of(policy=ExchangePolicy(oldest_hours=1_000)) == {"delivered": 1}


def test_a_transcript_is_cut_and_cleaned_before_it_goes():
    from noria.records.sessions import HandOver, Turn

    made = HandOver("h", "acme", "s1", "ann@made-up.example", "call +44 20 7946 0958", NOW)
    turns = [Turn(asked(f"p{n}", text=f"question {n} of bob@made-up.example"), ()) for n in range(MOST_TURNS + 5)]
    ticket = ticket_of(made, turns, keep=lambda text: redact(text, RECOGNISERS).text)
    assert "the first 5 questions are left out" in ticket.text
    assert "question 4 " not in ticket.text
    assert "question 54 of [email]" in ticket.text
    assert "bob@" not in ticket.text + ticket.subject
    assert "7946" not in ticket.text
    assert ticket.requester == "ann@made-up.example"


def test_of_many_that_deliver_at_once_each_hand_over_is_sent_by_one(journal, fake, clock, at):
    for n in range(24):
        conversation(journal, f"s{n}")
    with ThreadPoolExecutor(4) as pool:
        receipts = list(pool.map(lambda _: deliver(journal, at, POLICY, clock), range(4)))
    assert sum(receipt.counts["delivered"] for receipt in receipts) == 24
    assert len({mark for ticket in tickets(fake) for mark in ticket["tags"]}) == len(tickets(fake)) == 24


class Died(BaseException):
    """The process ends here, as far as the journal can tell."""


class Deadly:
    """A desk on which whoever sends may die before or after the ticket is made."""

    def __init__(self, desk, deaths):
        self.desk, self.deaths = desk, deaths

    def create(self, ticket):
        death = next(self.deaths, "")
        if death == "before":
            raise Died
        number = self.desk.create(ticket)
        if death == "after":
            raise Died
        return number

    def find(self, ticket, since_ms):
        return self.desk.find(ticket, since_ms)


FAULTS = ("after", "before", "lost_reply", "cut", "error", "timeout", "rate_limited", "")


@pytest.fixture(scope="module")
def shared_journal(tmp_path_factory):
    opened = Journal.open(f"sqlite:///{tmp_path_factory.mktemp('shared')}/journal.db")
    yield opened
    opened.close()


accounts = (f"account{n}" for n in count())


@given(faults=st.lists(st.sampled_from(FAULTS), max_size=8), n=st.integers(1, 3))
@settings(max_examples=20)
@example(faults=["after", "lost_reply"], n=1)
@example(faults=["lost_reply", "after"], n=2)
@example(faults=["error", "before", "after"], n=2)
def test_whatever_fails_in_whatever_order_no_hand_over_is_two_tickets_and_none_is_lost(shared_journal, faults, n):
    journal, clock, account = shared_journal, Clock(), next(accounts)
    made = [conversation(journal, f"s{i}", account) for i in range(n)]
    fake = new_fake(clock)
    at = AccountDesk(account, Deadly(desk_on(fake), iter(faults)))
    for fault in faults:
        if fault not in {"", "before", "after"}:
            fake.faults.plan(fault, "POST /tickets$", retry_after="200")
    for _ in range(4 * len(faults) + 4):
        with suppress(Died):
            deliver(journal, at, ExchangePolicy(most_sends=99), clock)
        clock.pass_minutes(11)
    states = [journal.outbox.delivery(one.hand_over_id) for one in made]
    assert [one.state for one in states] == ["delivered"] * n
    assert sorted(one.ticket_id for one in states) == sorted(str(ticket["id"]) for ticket in tickets(fake))


def test_files_take_hand_overs_as_well(journal, tmp_path, clock, round_of):
    conversation(journal, "s1", requester="ann")
    desk = FilesDesk(tmp_path / "desk", clock)
    assert round_of(at=AccountDesk("acme", desk)) == {"delivered": 1}
    (row,) = next(iter(desk.pull("tickets"))).rows
    assert (row["requester_id"], row["id"]) == ("ann", journal.outbox.delivery("acme:s1").ticket_id)
