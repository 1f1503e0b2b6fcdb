"""Both help desks keep one contract: Freshservice on its fake, and plain files."""

from __future__ import annotations

import json

import httpx
import pytest
from tests.connect.help_desk_contract import NOW, TICKET, HelpDeskContract, rows_of

from noria.app.fakes.freshservice import FakeFreshservice, in_process, made_up_data
from noria.app.fakes.freshservice.desk import stamp
from noria.connect.files_desk import FilesDesk
from noria.connect.files_desk.log import add, standing
from noria.connect.freshservice import FreshserviceClient, FreshserviceDesk
from noria.errors import OutsideError
from noria.ports.help_desk import NewTicket, NotAllowed, Refused

CODES = {"open": 2, "pending": 3, "resolved": 4, "closed": 5}


class PeopleAtFreshservice:
    """They work on the web pages, which Noria never sees."""

    def __init__(self, fake, clock):
        self.fake, self.clock = fake, clock

    def reply(self, ticket_id, text):
        self.fake.desk.say(int(ticket_id), {"body": f"<p>{text}</p>"}, public=True)

    def set_status(self, ticket_id, status):
        ticket = next(row for row in self.fake.desk.all("tickets") if row["id"] == int(ticket_id))
        now = stamp(self.clock.now_ms)
        ticket.update(status=CODES[status], updated_at=now)
        ticket["stats"]["resolved_at"] = now if status in {"resolved", "closed"} else None

    def rate(self, ticket_id, score, out_of):
        given = {"acquired_score": score, "total_score": out_of}
        csat = self.fake.desk.all("csat")
        csat.append({"id": len(csat) + 1, "ticket_id": int(ticket_id), "score": given, "created_at": stamp(NOW)})

    def write_article(self, name, title, text, *, published=True, agents=False):
        self.remove_article(name)
        self.fake.desk.all("articles").append(
            {"id": int(name), "title": title, "description": f"<p>{text}</p>", "status": 2 if published else 1,
             "folder_id": 12 if agents else 11, "category_id": 1, "updated_at": stamp(self.clock.now_ms)}
        )  # fmt: skip

    def remove_article(self, name):
        articles = self.fake.desk.all("articles")
        articles[:] = [one for one in articles if one["id"] != int(name)]


class TestFreshservice(HelpDeskContract):
    @pytest.fixture
    def fake(self, clock):
        data = {name: [] for name in ("tickets", "conversations", "csat", "articles")}
        fake = FakeFreshservice(made_up_data(NOW, tickets=0) | data, now_ms=clock)
        fake.limits.update(dict.fromkeys(fake.limits, 10_000))
        return fake

    @pytest.fixture
    def desk(self, fake):
        client = FreshserviceClient("https://made-up.example", "key", transport=in_process(fake), sleep=lambda s: None)
        return FreshserviceDesk(client)

    @pytest.fixture
    def people(self, fake, clock):
        return PeopleAtFreshservice(fake, clock)

    def test_the_mark_may_go_into_a_field_of_the_account(self, fake):
        client = FreshserviceClient("https://made-up.example", "key", transport=in_process(fake))
        desk = FreshserviceDesk(client, mark_field="noria_id")
        number = desk.create(TICKET)
        made = fake.desk.all("tickets")[-1]
        assert made["custom_fields"] == {"noria_id": "noria-h1"}
        made.update(tags=[], description="taken out by a person")
        assert desk.find(TICKET, NOW - 60_000) == number

    def test_fields_that_the_form_demands_go_along(self, fake):
        client = FreshserviceClient("https://made-up.example", "key", transport=in_process(fake))
        more = {"type": "Incident", "tags": ["bot"], "custom_fields": {"site": "web"}}
        FreshserviceDesk(client, mark_field="noria_id", fields=more).create(TICKET)
        made = fake.desk.all("tickets")[-1]
        assert (made["tags"], made["custom_fields"]) == (["noria-h1", "bot"], {"site": "web", "noria_id": "noria-h1"})

    def test_what_is_wrong_with_a_body_is_told_without_its_content(self, fake, desk):
        client = FreshserviceClient("https://made-up.example", "key", transport=in_process(fake))
        with pytest.raises(Refused) as error:
            FreshserviceDesk(client, fields={"colour": "red"}).create(TICKET)
        assert error.value.faults == "colour invalid_field"

    @pytest.mark.parametrize("status", [301, 402, 404, 405])
    def test_a_wrong_address_refuses_no_single_ticket(self, status):
        answer = httpx.MockTransport(lambda request: httpx.Response(status, json={}, headers={"Location": "/x"}))
        client = FreshserviceClient("https://made-up.example", "key", transport=answer)
        with pytest.raises(NotAllowed, match="own address"):
            FreshserviceDesk(client).create(TICKET)


class PeopleAtFiles:
    def __init__(self, desk):
        self.desk = desk
        self.reply, self.set_status, self.rate = desk.reply, desk.set_status, desk.rate

    def write_article(self, name, title, text, *, published=True, agents=False):
        row = {"id": name, "title": title, "text": text, "published": published}
        self.desk.folder.mkdir(exist_ok=True)
        add(self.desk.folder / "articles.jsonl", row | ({"audience": ["agents"]} if agents else {}))

    def remove_article(self, name):
        add(self.desk.folder / "articles.jsonl", {"id": name, "deleted": True})


class TestFiles(HelpDeskContract):
    @pytest.fixture
    def desk(self, tmp_path, clock):
        return FilesDesk(tmp_path / "desk", clock)

    @pytest.fixture
    def people(self, desk):
        return PeopleAtFiles(desk)

    def test_the_same_ticket_made_again_is_one(self, desk):
        assert desk.create(TICKET) == desk.create(TICKET)
        assert len(rows_of(desk, "tickets")[0]) == 1

    def test_half_a_line_of_a_crash_is_no_row_and_spoils_no_other(self, desk):
        desk.create(TICKET)
        path = desk.folder / "tickets.jsonl"
        with path.open("ab") as handle:
            handle.write(b'{"id": "2", "subj')
        rows, cursor = rows_of(desk, "tickets")
        assert set(rows) == {"1"}
        desk.create(NewTicket("noria-h2", "Another", "text", "ann@made-up.example"))
        assert set(standing(path)) == {"1", "2"}
        assert set(rows_of(desk, "tickets", cursor)[0]) == {"2"}

    def test_a_file_that_was_edited_comes_again_as_a_whole(self, desk):
        desk.create(TICKET)
        _, cursor = rows_of(desk, "tickets")
        path = desk.folder / "tickets.jsonl"
        row = json.loads(path.read_text()) | {"status": "pending"}
        path.write_text(json.dumps(row) + "\n")
        assert rows_of(desk, "tickets", cursor)[0]["1"]["status"] == "pending"

    @pytest.mark.parametrize("line", ["{", "[1]", '{"subject": "no id"}'])
    def test_a_line_that_is_no_row_is_named(self, desk, line):
        desk.create(TICKET)
        with (desk.folder / "tickets.jsonl").open("a") as handle:
            handle.write(line + "\n")
        with pytest.raises(OutsideError, match=r"tickets\.jsonl, line 2"):
            rows_of(desk, "tickets")
