"""Items of the backlog become tickets, each once, and hear what came of them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.serve.help_desk.made_up_exchange import NOW

from noria.records import BacklogItem
from noria.serve.help_desk import ExchangePolicy, file_items
from noria.serve.help_desk.backlog import filed

BADGE = BacklogItem(
    "", 3, NOW - 1000, ("my badge is lost", "where do I get a badge?"), item_id="topic-1", title="badge, lost badge",
    weekly=12, trend="growing", effort_hours=2, gain_weekly=9.5, evidence="12 queries were handed over.",
)  # fmt: skip
ARTICLE = replace(BADGE, kind="knowledge_gap", item_id="article-vpn", title="vpn has no article")
POLICY = ExchangePolicy()


@pytest.fixture
def run(journal, at, clock):
    """Files items; what became of them, without zeros."""

    def go(*items, who=None):
        receipt = file_items(journal, who or replace(at, requester="ops@made-up.example"), items, POLICY, clock)
        return {name: n for name, n in receipt.counts.items() if n}, receipt.warnings

    return go


def tickets(fake):
    return fake.desk.all("tickets")


def test_each_item_becomes_one_ticket_that_tells_size_effort_and_examples(journal, fake, run):
    assert run(BADGE, ARTICLE)[0] == {"filed": 2}
    assert run(BADGE, ARTICLE)[0] == {"known": 2}
    first, second = tickets(fake)
    assert first["subject"] == "Virtual agent backlog, new domain: badge, lost badge"
    for part in ("12 queries were handed over.", "About 9.5 more a week", "about 2 hours", "where do I get a badge?"):
        assert part in first["description_text"]
    assert filed(journal, "acme") == {"topic-1": str(first["id"]), "article-vpn": str(second["id"])}


def test_an_outcome_is_noted_on_its_ticket_once(journal, fake, run):
    run(BADGE)
    done = replace(BADGE, kind="done", outcome="41 of 44 labelled queries were served since r0007.")
    assert run(done)[0] == {"noted": 1}
    assert run(done)[0] == {"known": 1}
    (note,) = fake.desk.all("conversations")
    assert "41 of 44" in note["body_text"]
    assert note["private"]
    assert run(replace(done, item_id="topic-other"))[0] == {}, "what is done before it was filed makes no ticket"


@pytest.mark.parametrize("what", ["lost_reply", "cut"])
def test_after_a_lost_reply_the_ticket_is_looked_for_and_not_made_again(fake, run, what):
    fake.faults.plan(what, "POST /tickets$")
    assert run(BADGE)[0] == {"unknown": 1}
    assert run(BADGE)[0] == {"filed": 1}
    assert len(tickets(fake)) == fake.calls("POST /tickets$") == 1


def test_only_what_was_not_there_at_two_looks_apart_in_time_is_made_again(fake, clock, run):
    fake.faults.plan("error", "POST /tickets$")
    assert run(BADGE)[0] == {"unknown": 1}
    for _ in range(3):
        assert run(BADGE)[0] == {"unknown": 1}, "looking often is not looking apart in time"
    clock.pass_minutes(3)
    assert run(BADGE)[0] == {"unknown": 1}
    clock.pass_minutes(3)
    assert run(BADGE)[0] == {"filed": 1}
    assert len(tickets(fake)) == 1


def test_a_desk_that_asks_to_wait_loses_nothing(fake, run):
    fake.faults.plan("rate_limited", "POST /tickets$", retry_after="1500")
    counts, warnings = run(BADGE, ARTICLE)
    assert counts == {}
    assert warnings
    assert len(tickets(fake)) == 0


def test_texts_go_through_what_takes_out_personal_data(journal, at, fake, clock):
    file_items(journal, replace(at, requester="ops@made-up.example"), [BADGE], POLICY, clock, keep=lambda _: "[out]")
    (ticket,) = tickets(fake)
    assert "my badge is lost" not in ticket["description_text"]
    assert "[out]" in ticket["description_text"]
