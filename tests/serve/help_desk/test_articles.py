"""Articles of a desk come into the lake with who may see them; what went, or may not be shown, leaves."""

from __future__ import annotations

import pytest
from tests.app.live_house import go_live
from tests.house import ARTICLES, examples, open_stores
from tests.serve.help_desk.made_up_exchange import NOW

from noria.records import DAY_MS, Article, Query
from noria.serve import Service
from noria.serve.help_desk import AccountDesk, ExchangePolicy, pull_articles

POLICY = ExchangePolicy()


@pytest.fixture
def stores(tmp_path):
    opened = open_stores(tmp_path)
    opened.lake.write_articles("it", ARTICLES, mode="append", note={}, time_ms=1)
    yield opened
    opened.close()


@pytest.fixture
def pull(stores, at):
    def run(time_ms=NOW, **options):
        return pull_articles(stores, at, POLICY, "it", now_ms=time_ms, **options)

    return run


def table(stores):
    return {article.article_id: article for article in stores.lake.articles("it")[1]}


def test_published_articles_come_with_who_may_see_them_and_those_of_others_stay(stores, pull):
    receipt = pull()
    found = table(stores)
    assert receipt.counts["added"] == 12
    assert found["acme:100"] == Article(
        "acme:100", "VPN: what to do", "Restart the VPN client and sign in again.", (), "IT", "acme", None
    )
    assert found["acme:101"].audience == ("agents",)
    assert found["acme:102"].audience == ("agents", "department:2")
    assert "acme:112" not in found, "a draft"
    assert {a.article_id for a in ARTICLES} <= set(found)


def test_pulled_again_nothing_is_written(stores, pull):
    first = pull()
    assert pull().ids.get("articles") == first.ids["articles"]


def test_what_is_withdrawn_closed_or_deleted_shows_at_once(stores, pull, fake):
    pull()
    articles = fake.desk.all("articles")
    articles[0]["status"] = 1
    articles[3]["folder_id"] = 12
    gone = articles.pop(6)
    counts = pull().counts
    assert (counts["removed"], counts["changed"], counts["added"]) == (2, 1, 0)
    found = table(stores)
    assert not {"acme:100", f"acme:{gone['id']}"} & set(found)
    assert found["acme:103"].audience == ("agents",)


def test_intents_that_people_gave_an_article_stay_with_it(stores, pull, fake):
    pull()
    rows = [Article(**{**fields(a), "intents": ("vpn",)}) if a.article_id == "acme:100" else a
            for a in table(stores).values()]  # fmt: skip
    stores.lake.write_articles("it", rows, mode="replace", note={}, time_ms=2)
    fake.desk.all("articles")[0]["description"] = "<p>New words</p>"
    pull()
    assert (table(stores)["acme:100"].intents, table(stores)["acme:100"].body) == (("vpn",), "New words")


def fields(article):
    return {name: getattr(article, name) for name in article.__dataclass_fields__}


def test_desks_of_two_accounts_do_not_meet(stores, at, pull):
    pull()
    pull_articles(stores, AccountDesk("birch", at.desk), POLICY, "it", now_ms=NOW)
    assert {table(stores)[name].account for name in ("acme:100", "birch:100")} == {"acme", "birch"}


def test_after_a_week_everything_is_read_anew_and_what_strayed_in_leaves(stores, pull):
    pull()
    stray = Article("acme:777", "Stray", "Nobody knows it.", account="acme")
    stores.lake.write_articles("it", [stray], mode="append", note={}, time_ms=2)
    pull(NOW + DAY_MS)
    assert "acme:777" in table(stores)
    pull(NOW + 8 * DAY_MS)
    assert "acme:777" not in table(stores)
    assert "acme:100" in table(stores)


def test_a_missing_table_is_made(stores, at):
    pull_articles(stores, at, POLICY, "fresh", now_ms=NOW)
    assert len(stores.lake.articles("fresh")[1]) == 12


def test_a_live_agent_answers_with_what_was_pulled_also_after_a_new_release(tmp_path):
    stores = open_stores(tmp_path / "home")
    go_live(stores, examples())
    service = Service(stores, lambda: 0.0)
    new = Article("acme:1", "VPN gateway", "Restart the vpn tunnel.", ("vpn",), account="acme")
    service.stock([new])
    assert [a.article_id for a in service.articles("acme", ())] == ["acme:1"]
    assert service.articles("birch", ()) == []
    go_live(stores, examples(("vpn", "printer", "password", "phone")), time_ms=2)
    assert service.refresh()
    assert service.article("acme:1") == new
    asked = service.ask(Query("q", "acme", "s", "my vpn does not work", 1), "p1").result()
    assert [a.article_id for a in asked.answer.articles] == ["acme:1"]
    service.close()
    stores.close()
