"""`noria ingest` fills its tables from a help desk: what changed, and once a week what went."""

from __future__ import annotations

import pytest
from tests.connect.test_help_desks import PeopleAtFreshservice
from tests.serve.help_desk.made_up_exchange import NOW, Clock, desk_on

from noria.app.cli.ingest.feeds import draft, read_feed
from noria.app.fakes.freshservice import FakeFreshservice, made_up_data
from noria.app.home import create_home, open_home
from noria.app.wiring import open_source, open_stores
from noria.build import run_feed
from noria.connect.sources.help_desk import HelpDeskSource
from noria.errors import NotFound, UsageError
from noria.records import DAY_MS

N = 40


@pytest.fixture
def clock():
    return Clock(NOW)


@pytest.fixture
def fake(clock):
    fake = FakeFreshservice(made_up_data(NOW, tickets=N), now_ms=clock)
    fake.limits.update(dict.fromkeys(fake.limits, 100_000))
    return fake


@pytest.fixture
def home(tmp_path):
    create_home(tmp_path / "home")
    return open_home(tmp_path / "home")


@pytest.fixture
def run(home, fake, clock):
    """Drafts a feed of a stream at the first call, then runs it: its counts that are not 0."""
    stores, desk = open_stores(home), desk_on(fake)

    def once(stream):
        source = HelpDeskSource(desk, stream, "acme")
        if not (home.path / "feeds" / f"{stream}.toml").exists():
            draft(home, stream, {"kind": "help_desk", "account": "acme", "stream": stream}, source)
        receipt = run_feed(stores.lake, read_feed(home, stream), source, time_ms=clock())
        assert receipt.status != "refused", receipt.message
        return {name: n for name, n in receipt.counts.items() if n}

    yield once
    stores.close()


def test_tickets_come_once_then_what_changed_and_after_a_week_what_went_is_buried(run, fake, clock, home):
    assert run("tickets")["new"] == N
    text = (home.path / "feeds" / "tickets.toml").read_text()
    assert 'updated = "updated_at"' in text
    assert 'time = "created_at"' in text
    clock.now_ms += DAY_MS
    PeopleAtFreshservice(fake, clock).set_status("21000000007", "resolved")
    counts = run("tickets")
    assert (counts["changed"], counts.get("new"), counts.get("deleted")) == (1, None, None)
    assert counts["read"] < N
    del fake.desk.all("tickets")[3:6]
    assert run("tickets").get("deleted") is None
    clock.now_ms += 7 * DAY_MS
    assert run("tickets")["deleted"] == 3


def test_conversations_come_without_private_notes_and_people_as_pseudonyms(run, home):
    run("conversations")
    stores = open_stores(home)
    rows = stores.lake.read_table("raw", "conversations")[1].to_pylist()
    stores.close()
    assert len(rows) == N
    assert not any(row["private"] == "true" or row["private"] is True for row in rows)
    assert "html" not in rows[0]


def test_articles_come_and_one_that_went_leaves_with_the_full_reading(run, fake, clock):
    assert run("articles")["new"] == 16
    fake.desk.all("articles").pop()
    assert run("articles")["marked_deleted"] == 1
    clock.now_ms += 7 * DAY_MS
    assert run("articles")["deleted"] == 1


def test_the_source_of_a_feed_is_found_by_the_settings(home):
    (home.path / "noria.toml").write_text('[help_desk]\naccounts.acme = { kind = "files" }\n')
    opened = open_home(home.path)
    settings = {"kind": "help_desk", "account": "acme", "stream": "tickets"}
    stores = open_stores(opened)
    assert open_source(opened, stores, settings, NOW).describe() == "help desk of acme: tickets"
    with pytest.raises(UsageError, match="Did you mean 'tickets'"):
        open_source(opened, stores, settings | {"stream": "tikcets"}, NOW)
    with pytest.raises(NotFound):
        open_source(opened, stores, settings | {"account": "birch"}, NOW)
    stores.close()
