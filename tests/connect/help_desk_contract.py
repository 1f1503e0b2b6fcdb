"""What every help desk must do, run over each counterpart by a subclass named Test..."""

from __future__ import annotations

from typing import Protocol

import pytest

from noria.errors import NotFound
from noria.ports.help_desk import STATUSES, STREAMS, HelpDesk, NewTicket, Refused, article_of

NOW = 1_760_000_000_000
TICKET = NewTicket("noria-h1", "A person asks for help", "user: vpn <b>down</b>\nagent: restart", "ada@made-up.example")
FIELDS = {
    "tickets": {"id", "subject", "text", "html", "type", "category", "status", "priority", "source", "requester_id",
                "requester_email", "department_id", "workspace_id", "tags", "custom_fields", "spam", "deleted",
                "created_ms", "updated_ms"},
    "conversations": {"id", "ticket_id", "user_id", "text", "html", "incoming", "private", "created_ms", "updated_ms"},
    "articles": {"id", "title", "text", "html", "published", "category", "folder_id", "tags", "audience", "updated_ms",
                 "sha256", "deleted"},
    "departments": {"id", "name"},
    "catalogue": {"id", "name", "text", "category", "audience", "deleted"},
    "requesters": {"id", "email", "language", "time_zone", "department_ids"},
    "ratings": {"id", "ticket_id", "score", "out_of", "text", "created_ms"},
}  # fmt: skip


class Clock:
    def __init__(self):
        self.now_ms = NOW

    def __call__(self):
        return self.now_ms


class People(Protocol):
    """What people do on a desk, past Noria."""

    def reply(self, ticket_id: str, text: str) -> None: ...

    def set_status(self, ticket_id: str, status: str) -> None: ...

    def rate(self, ticket_id: str, score: float, out_of: float) -> None: ...

    def write_article(self, name: str, title: str, text: str, *, published: bool = True, agents: bool = False): ...

    def remove_article(self, name: str) -> None: ...


def rows_of(desk, stream, cursor=""):
    batches = list(desk.pull(stream, cursor))
    assert [b.cursor for b in batches[:-1]] == [None] * (len(batches) - 1)
    return {row["id"]: row for batch in batches for row in batch.rows}, batches[-1].cursor


class HelpDeskContract:
    """A subclass gives the fixtures `desk`, without tickets, and `people` who work there; both go by `clock`."""

    @pytest.fixture
    def clock(self):
        return Clock()

    @pytest.fixture
    def desk(self, clock) -> HelpDesk:
        raise NotImplementedError

    @pytest.fixture
    def people(self, desk) -> People:
        raise NotImplementedError

    def test_it_has_the_shape_of_a_help_desk(self, desk):
        assert isinstance(desk, HelpDesk)

    def test_a_new_ticket_is_open_and_found_by_its_mark(self, desk):
        number = desk.create(TICKET)
        assert desk.find(TICKET, NOW - 60_000) == number
        assert desk.find(NewTicket("noria-h2", "Another", "text", TICKET.requester), NOW - 60_000) is None
        assert desk.progress(number).status == "open"
        assert not desk.progress(number).is_over

    def test_a_ticket_carries_text_tags_and_who_asked(self, desk):
        number = desk.create(NewTicket("noria-h1", "Help", "a\nb <b>c</b>", "ada@made-up.example", ("vpn",)))
        row = rows_of(desk, "tickets")[0][number]
        assert {"noria-h1", "vpn"} <= set(row["tags"])
        assert (row["subject"], row["requester_email"]) == ("Help", "ada@made-up.example")
        assert row["text"].startswith("a\nb <b>c</b>")
        assert row["created_ms"] == NOW

    def test_a_ticket_without_a_subject_is_refused(self, desk):
        with pytest.raises(Refused, match="subject"):
            desk.create(NewTicket("noria-h1", "", "text", "ada@made-up.example"))
        assert rows_of(desk, "tickets")[0] == {}

    @pytest.mark.parametrize("stream", STREAMS)
    def test_every_row_has_the_fields_of_its_stream(self, desk, people, stream):
        number = desk.create(TICKET)
        people.reply(number, "try this")
        people.set_status(number, "closed")
        people.rate(number, 3, 3)
        people.write_article("1", "VPN", "Restart it.")
        rows, cursor = rows_of(desk, stream)
        assert cursor
        assert rows or stream in {"departments", "catalogue", "requesters"}
        for row in rows.values():
            assert set(row) >= FIELDS[stream]
            assert isinstance(row["id"], str)

    def test_what_changes_comes_with_the_next_pull(self, desk, people, clock):
        first = desk.create(TICKET)
        _, cursor = rows_of(desk, "tickets")
        clock.now_ms += 3_600_000
        second = desk.create(NewTicket("noria-h2", "Another", "text", TICKET.requester))
        people.set_status(first, "resolved")
        rows, cursor = rows_of(desk, "tickets", cursor)
        assert {name: row["status"] for name, row in rows.items()} == {first: "resolved", second: "open"}
        clock.now_ms += 3_600_000
        _, cursor = rows_of(desk, "tickets", cursor)  # rows of the overlap may come again, once
        assert rows_of(desk, "tickets", cursor)[0] == {}

    def test_a_cursor_of_a_time_leaves_out_what_is_older(self, desk, clock):
        desk.create(TICKET)
        clock.now_ms += 86_400_000
        second = desk.create(NewTicket("noria-h2", "Another", "text", TICKET.requester))
        rows, cursor = rows_of(desk, "tickets", desk.since(clock.now_ms - 3_600_000))
        assert list(rows) == [second]
        clock.now_ms += 3_600_000
        _, cursor = rows_of(desk, "tickets", cursor)  # rows of the overlap may come again, once
        assert rows_of(desk, "tickets", cursor)[0] == {}

    def test_private_notes_do_not_come_with_the_conversations(self, desk, people):
        number = desk.create(TICKET)
        people.reply(number, "try this")
        desk.add_note(number, "a secret of agents")
        desk.add_note(number, "for all to read", private=False)
        rows, _ = rows_of(desk, "conversations")
        assert sorted((row["ticket_id"], row["text"]) for row in rows.values()) == [
            (number, "for all to read"), (number, "try this"),
        ]  # fmt: skip

    def test_progress_tells_reply_resolution_reopening_and_rating(self, desk, people, clock):
        number = desk.create(TICKET)
        assert (desk.progress(number).replied_ms, desk.progress(number).resolved_ms) == (None, None)
        clock.now_ms += 60_000
        people.reply(number, "try this")
        assert desk.progress(number).replied_ms == clock.now_ms
        replied_ms = clock.now_ms
        clock.now_ms += 60_000
        people.reply(number, "and this")
        people.set_status(number, "resolved")
        there = desk.progress(number)
        assert (there.status, there.replied_ms, there.resolved_ms) == ("resolved", replied_ms, clock.now_ms)
        clock.now_ms += 60_000
        people.set_status(number, "open")
        assert (desk.progress(number).status, desk.progress(number).updated_ms) == ("open", clock.now_ms)
        people.set_status(number, "closed")
        people.rate(number, 2, 3)
        there = desk.progress(number)
        assert (there.score, there.out_of, there.is_over) == (2, 3, True)
        assert there.status in STATUSES

    def test_a_note_is_no_answer_of_an_agent(self, desk):
        number = desk.create(TICKET)
        desk.add_note(number, "looked at it")
        assert desk.progress(number).replied_ms is None

    def test_of_articles_only_what_changed_or_went_comes_again(self, desk, people):
        people.write_article("1", "VPN", "Restart it.")
        people.write_article("2", "Keys", "In the safe.", agents=True)
        rows, cursor = rows_of(desk, "articles")
        assert {name: row["audience"] for name, row in rows.items()} == {"1": None, "2": ["agents"]}
        assert article_of(rows["2"], "acme").audience == ("agents",)
        assert rows_of(desk, "articles", cursor)[0] == {}
        people.write_article("1", "VPN", "Restart it twice.", published=False)
        people.remove_article("2")
        rows, cursor = rows_of(desk, "articles", cursor)
        assert (rows["1"]["text"], rows["1"]["published"], rows["1"]["deleted"]) == ("Restart it twice.", False, False)
        assert rows["2"]["deleted"] is True
        assert rows_of(desk, "articles", cursor)[0] == {}

    def test_an_unknown_ticket_is_not_found(self, desk):
        with pytest.raises(NotFound):
            desk.progress("5")
        with pytest.raises(NotFound):
            desk.add_note("5", "x")

    def test_a_look_by_reading_only_names_what_it_found(self, desk):
        assert {"tickets", "articles"} <= set(desk.check())
