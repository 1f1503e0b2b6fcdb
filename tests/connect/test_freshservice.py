"""The connector against the fake: in process, and over real sockets where the connection itself fails."""

from __future__ import annotations

import json

import pytest

from noria.app.fakes.freshservice import FakeFreshservice, asgi_app, in_process, made_up_data
from noria.app.fakes.freshservice.desk import stamp
from noria.connect.freshservice import FreshserviceClient, FreshserviceDesk
from noria.connect.freshservice.text import plain_text
from noria.errors import NotFound, OutsideError
from noria.ports.help_desk import HelpDesk, Later, NewTicket, Refused, UnknownOutcome, article_of

NOW = 1_760_000_000_000
TICKET = NewTicket("noria-h1", "A person asks for help", "user: vpn <b>down</b>", "ada@made-up.example")


class Clock:
    now_ms = NOW

    def __call__(self):
        return self.now_ms


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def fake(clock):
    return FakeFreshservice(made_up_data(NOW), now_ms=clock, key="key")


def desk_on(fake, **options):
    own = {k: options.pop(k) for k in ("private_notes",) if k in options}
    options = {"transport": in_process(fake), "pause_s": 0.001, "sleep": lambda s: None} | options
    return FreshserviceDesk(FreshserviceClient("https://made-up.example", options.pop("key", "key"), **options), **own)


@pytest.fixture
def desk(fake):
    fake.limits["all"] = fake.limits["list"] = 10_000
    return desk_on(fake)


def rows_of(desk, stream, cursor=""):
    batches = list(desk.pull(stream, cursor))
    assert [b.cursor for b in batches[:-1]] == [None] * (len(batches) - 1)
    return [row for batch in batches for row in batch.rows], batches[-1].cursor


def test_it_has_the_shape_of_a_help_desk(desk):
    assert isinstance(desk, HelpDesk)


def test_every_ticket_comes_once_over_three_pages_with_the_filter_on_each(desk, fake):
    rows, cursor = rows_of(desk, "tickets")
    assert len({row["id"] for row in rows}) == len(rows) == 250
    assert cursor == str(NOW)
    queries = [query for name, query, _ in fake.log if name == "GET /tickets"]
    assert len(queries) == 3
    assert all("updated_since=2000" in query for query in queries)


def test_a_ticket_that_changes_comes_with_the_next_pull(desk, fake, clock):
    _, cursor = rows_of(desk, "tickets")
    clock.now_ms += 3_600_000
    fake.desk.all("tickets")[7].update(updated_at=stamp(clock.now_ms), status=4)
    rows, _ = rows_of(desk, "tickets", cursor)
    assert ("21000000007", "resolved") in [(row["id"], row["status"]) for row in rows]
    assert len(rows) < 20


def test_private_notes_come_only_where_they_were_asked_for(desk, fake):
    fake.desk.rows["tickets"] = fake.desk.rows["tickets"][:5]
    public, _ = rows_of(desk, "conversations")
    assert len(public) == 5
    assert not any(row["private"] for row in public)
    every, _ = rows_of(desk_on(fake, private_notes=True), "conversations")
    assert sum(row["private"] for row in every) == 5


def test_articles_carry_who_may_see_them(desk):
    rows, _ = rows_of(desk, "articles")
    assert {row["id"]: row["audience"] for row in rows if row["id"] in {"100", "101", "102"}} == {
        "100": None,
        "101": ["agents"],
        "102": ["agents", "department:2"],
    }
    article = article_of(rows[0], "acme")
    assert (article.audience, article.account, article.domain) == (None, "acme", "IT")


def test_of_articles_only_what_changed_or_went_comes_again(desk, fake):
    _, cursor = rows_of(desk, "articles")
    assert rows_of(desk, "articles", cursor)[0] == []
    fake.desk.all("articles")[0]["description"] = "<p>New words</p>"
    gone = fake.desk.all("articles").pop()
    rows, _ = rows_of(desk, "articles", cursor)
    assert [(row["id"], row["deleted"]) for row in rows] == [("100", False), (str(gone["id"]), True)]


def test_a_folder_that_closes_changes_its_articles(desk, fake):
    _, cursor = rows_of(desk, "articles")
    fake.desk.all("folders")[0]["visibility"] = 3
    rows, _ = rows_of(desk, "articles", cursor)
    assert rows
    assert all(row["audience"] == ["agents"] for row in rows)


@pytest.mark.parametrize("stream", ["departments", "catalogue", "requesters", "ratings"])
def test_the_other_streams_come_whole(desk, stream):
    rows, cursor = rows_of(desk, stream)
    assert rows
    assert cursor == str(NOW)


def test_a_wrong_key_is_told_at_once_and_never_shown(fake):
    with pytest.raises(Refused, match="NORIA_HELP_DESK_KEY") as error:
        desk_on(fake, key="secret-and-wrong").progress("21000000000")
    assert len(fake.log) == 1
    assert "secret-and-wrong" not in str(error.value)


def test_a_missing_right_is_an_error_and_no_empty_table(clock):
    fake = FakeFreshservice(made_up_data(NOW), now_ms=clock, forbidden=(r"/solutions",))
    with pytest.raises(Refused, match="lacks the right"):
        rows_of(desk_on(fake), "articles")
    assert "lacks the right" in desk_on(fake).check()["articles"]


def test_reading_outlives_errors_pages_of_proxies_and_lost_replies(desk, fake):
    for what in ("error", "cut", "timeout", "lost_reply"):
        fake.faults.plan(what, "GET /tickets$")
    assert len(rows_of(desk, "tickets")[0]) == 250


def test_a_page_of_a_proxy_is_no_data(desk, fake):
    fake.faults.plan("html", times=9)
    with pytest.raises(OutsideError, match="no whole answer"):
        rows_of(desk, "departments")


def test_a_full_budget_waits_as_told_and_goes_on(desk, fake):
    fake.faults.plan("rate_limited", "GET /tickets$", retry_after="1")
    assert len(rows_of(desk, "tickets")[0]) == 250


def test_a_long_wait_is_handed_back_and_not_slept(desk, fake):
    fake.faults.plan("rate_limited", retry_after="1500")
    with pytest.raises(Later) as error:
        rows_of(desk, "tickets")
    assert error.value.after_s == 1500


def test_reading_slows_down_once_its_share_is_used(fake):
    slept = []
    fake.limits["all"] = 10
    rows_of(desk_on(fake, share=0.5, sleep=slept.append), "tickets")
    assert slept == [12.0]  # each page costs two calls; only the third leaves less than half


def test_a_next_link_to_another_host_is_refused(desk, fake, monkeypatch):
    link = '<https://elsewhere.example/api/v2/tickets?page=2>; rel="next"'
    monkeypatch.setattr("noria.app.fakes.freshservice.server._next_link", lambda call, page: link)
    with pytest.raises(OutsideError, match=r"elsewhere\.example"):
        rows_of(desk, "tickets")
    assert len(fake.log) == 1


def test_a_hand_over_becomes_a_ticket_with_its_mark_and_no_markup_of_the_user(desk, fake):
    number = desk.create(TICKET)
    made = fake.desk.all("tickets")[-1]
    assert (str(made["id"]), made["tags"], made["source"]) == (number, ["noria-h1"], 11)
    assert "&lt;b&gt;down" in made["description"]
    assert made["description"].endswith("noria-h1")


@pytest.mark.parametrize("what", ["lost_reply", "cut"])
def test_a_lost_reply_is_not_repeated_and_the_ticket_is_found_by_its_mark(desk, fake, what):
    fake.faults.plan(what, "POST /tickets$")
    with pytest.raises(UnknownOutcome):
        desk.create(TICKET)
    assert fake.calls("POST /tickets$") == 1
    assert desk.find(TICKET, NOW - 300_000) == str(fake.desk.all("tickets")[-1]["id"])


def test_nothing_is_found_where_nothing_was_made(desk, fake):
    fake.faults.plan("error", "POST /tickets$")
    with pytest.raises(UnknownOutcome):
        desk.create(TICKET)
    assert desk.find(TICKET, NOW - 300_000) is None


def test_a_refused_post_may_be_repeated(desk, fake):
    fake.faults.plan("rate_limited", "POST /tickets$")
    desk.create(TICKET)
    assert [status for name, _, status in fake.log if name == "POST /tickets"] == [429, 201]


def test_a_validation_error_names_the_field(desk):
    with pytest.raises(Refused, match="subject: It should not be blank"):
        desk.create(NewTicket("m", "", "text", "ada@made-up.example"))


def test_progress_tells_reply_resolution_and_rating(desk, fake, clock):
    number = int(desk.create(TICKET))
    assert desk.progress(str(number)).replied_ms is None
    clock.now_ms += 60_000
    fake.desk.say(number, {"body": "<p>done</p>"}, public=True)
    ticket = fake.desk.all("tickets")[-1]
    ticket.update(status=5)
    ticket["stats"]["resolved_at"] = stamp(clock.now_ms)
    before = desk.progress(str(number))
    assert (before.status, before.replied_ms, before.score, before.is_over) == ("closed", clock.now_ms, None, False)
    fake.desk.all("csat").append({"id": 1, "ticket_id": number, "score": {"acquired_score": 2, "total_score": 3}})
    assert desk.progress(str(number)).is_over


def test_a_note_is_private_unless_told_otherwise(desk, fake):
    number = desk.create(TICKET)
    desk.add_note(number, "for agents")
    assert fake.desk.all("conversations")[-1]["private"] is True


def test_an_unknown_ticket_is_not_found(desk):
    with pytest.raises(NotFound):
        desk.progress("5")
    with pytest.raises(NotFound):
        desk.add_note("5", "x")


def test_over_real_sockets_a_cut_reply_is_an_unknown_outcome(fake, serve_app):
    client = FreshserviceClient(serve_app(asgi_app(fake)), "key", pause_s=0.01, sleep=lambda s: None)
    desk = FreshserviceDesk(client)
    fake.limits["all"] = fake.limits["list"] = 10_000
    fake.faults.plan("cut", "GET /tickets$")
    assert len(rows_of(desk, "tickets")[0]) == 250
    fake.faults.plan("cut", "POST /tickets$")
    with pytest.raises(UnknownOutcome):
        desk.create(TICKET)
    assert desk.find(TICKET, NOW - 300_000) is not None
    client.close()


def test_quotes_signatures_and_scripts_are_no_text():
    html = "<div>Hello &amp; bye<br>line</div><script>x()</script>"
    html += "<div class='gmail_quote'>old <p>mail</p></div><p>end</p>"
    assert plain_text(html) == "Hello & bye\nline\nend"


def test_the_cursor_of_articles_is_json(desk):
    assert json.loads(rows_of(desk, "articles")[1])


def test_texts_that_no_database_could_keep_are_mended(desk, fake):
    fake.desk.all("articles")[0].update(title="VPN \ud83d down \0!", description="<p>łódź \udc00 \U0001f600</p>")
    row = next(row for row in rows_of(desk, "articles")[0] if row["id"] == "100")
    assert (row["title"], row["text"]) == ("VPN ? down !", "łódź ? \U0001f600")
