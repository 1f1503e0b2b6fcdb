"""The pages of watching on a real home: figures, who sees what, what is kept out, what people may say."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest
from starlette.testclient import TestClient
from tests.app.live_house import add_key
from tests.app.watched_home import DAYS, END_MS, FINDING_ID, PROBE, START_MS, make_watched_home, open_watched

from noria.app.http.dashboard.warming import warm
from noria.app.http.server import create_app
from noria.records import DAY_MS, Finding
from noria.records.access import AccountRules, AuditEntry

PAGES = ("/", "/findings", f"/findings/{FINDING_ID}", "/slices", "/queries", "/queries/p00005", "/labels",
         "/labels/people", "/releases", "/backlog")  # fmt: skip
OF_ALL = ("/", "/findings", f"/findings/{FINDING_ID}", "/labels", "/releases", "/backlog")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return make_watched_home(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def changing(tmp_path_factory):
    """A home of their own for tests that make keys or write."""
    return make_watched_home(tmp_path_factory.mktemp("changing"), a_day=15)


def client_of(folder):
    house = open_watched(folder)
    client = TestClient(create_app(house), headers={"accept": "text/html,*/*"})
    client.house = house
    return client


@pytest.fixture
def client(home):
    made = client_of(home)
    yield made
    made.house.stores.close()


def shown(reply) -> str:
    """A page's text without its markup."""
    assert reply.status_code == 200, reply.text
    return re.sub(r"\s+", " ", re.sub(r"<(script|style)\b.*?</\1>|<[^>]+>", " ", reply.text, flags=re.DOTALL))


def rows_of(reply) -> list[dict[str, str]]:
    assert reply.headers["content-type"].startswith("text/csv")
    assert "attachment" in reply.headers["content-disposition"]
    return list(csv.DictReader(io.StringIO(reply.text)))


@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_there(client, path):
    assert client.get(path).status_code == 200


def test_the_page_of_a_finding_tells_when_and_why(client):
    text = shown(client.get(f"/findings/{FINDING_ID}"))
    for words in ("fell from 87 % to 74 %", "4 Feb 2026", "Intent vpn_slow: from", "passkey", "Release r2 went live",
                  "By intent: within", "nobody has taken it yet"):  # fmt: skip
        assert words in text
    parts = rows_of(client.get(f"/findings/{FINDING_ID}/parts.csv"))
    by_intent = [r for r in parts if r["dimension"] == "intent"]
    by_account = [r for r in parts if r["dimension"] == "account"]
    whole = [sum(float(r["mix"]) + float(r["within"]) for r in rows) for rows in (by_intent, by_account)]
    assert whole[0] == pytest.approx(whole[1], abs=1e-9)
    assert whole[0] < -0.08


def test_a_finding_of_a_slice_is_named_and_drawn_by_its_slice(tmp_path):
    """Neither its title nor its graph nor the file behind it is of all traffic, and the graph of all is not marked."""
    client = client_of(make_watched_home(tmp_path, a_day=15))
    at = START_MS + 20 * DAY_MS
    one = Finding("slice", "success", at + 4 * DAY_MS, at, at - DAY_MS, at + DAY_MS, 0.9, 0.3, "It fell.",
                  slice="intent=vpn_slow")  # fmt: skip
    client.house.stores.journal.add_findings([one])
    page = client.get("/findings/slice")
    assert "Success, intent vpn_slow around the change" in shown(page)
    drawn = json.loads(re.search(r'data-chart="around">(.*?)</script>', page.text, re.DOTALL).group(1))
    days = {p["time_ms"]: p["queries"] for p in drawn["points"]}
    link = re.search(r'href="(/series\.csv[^"]*)"', page.text).group(1).replace("&amp;", "&")
    assert "kind=intent" in link
    assert "value=vpn_slow" in link
    of_slice = sum(int(row["queries"]) for row in rows_of(client.get(link)))
    of_all = sum(int(row["queries"]) for row in rows_of(client.get("/series.csv?days=91")))
    assert 0 < sum(days.values()) <= of_slice < of_all / 2
    assert "Success, intent vpn_slow" in shown(client.get("/findings"))
    marked = client.get("/slices?kind=intent&metric=success&days=91")
    assert not any(band["id"] == "slice" for band in _chart(marked)["bands"])
    own = client.get("/slices?kind=intent&value=vpn_slow&metric=success&days=91")
    assert any(band["id"] == "slice" for band in _chart(own)["bands"])
    client.house.stores.close()


def _chart(reply):
    return json.loads(re.search(r"data-chart=[^>]*>(.*?)</script>", reply.text, re.DOTALL).group(1))


def test_a_finding_that_is_not_there_is_not_found(client):
    assert client.get("/findings/nobody").status_code == 404
    assert client.get("/queries/nobody").status_code == 404


def test_slices_add_up_to_all_queries_of_the_span(client):
    days = client.house.watching
    whole = days.slices(END_MS - 28 * DAY_MS, END_MS, "*", "all")[0].predictions
    for kind in ("account", "intent", "channel", "language", "release"):
        told = rows_of(client.get(f"/slices.csv?kind={kind}&days=28"))
        assert sum(int(r["queries"]) for r in told) == whole
    text = shown(client.get("/slices?kind=release&metric=success&days=28"))
    assert "r2" in text
    assert "Right answers ÷ requests in scope" in text


def test_a_slice_over_time_is_a_deep_link_and_a_file(client):
    text = shown(client.get("/slices?kind=account&value=birch&metric=coverage&days=7"))
    assert "Coverage, Account birch" in text
    told = rows_of(client.get("/series.csv?kind=account&value=birch&days=28"))
    assert {r["account"] for r in told} == {"birch"}
    assert len(told) == 28
    asked = client.house.stores.journal.predictions(END_MS - 28 * DAY_MS, END_MS, "birch")
    assert sum(int(r["queries"]) for r in told) == len(asked)


def test_asking_for_what_is_no_slice_is_refused(client):
    assert client.get("/slices?kind=person").status_code == 422
    assert client.get("/slices?days=0").status_code == 422


def test_queries_are_filtered_and_paged_without_loss(client):
    journal = client.house.stores.journal
    wanted = {p.prediction_id for p in journal.predictions(0, 2**60, "acme") if p.answer.decision == "handoff"}
    seen, path = [], "/queries?account=acme&decision=handoff"
    while path:
        page = client.get(path).text
        seen += re.findall(r'href="/queries/(p\d+)"', page)
        more = re.search(r'class="more" href="([^"]+)"', page)
        path = more and more.group(1).replace("&amp;", "&")
    assert len(seen) == len(set(seen))
    assert set(seen) == wanted
    day = shown(client.get("/queries?since=2026-01-10&until=2026-01-10"))
    assert "10 Jan 2026" in day
    assert "9 Jan 2026" not in day
    assert "passkey" in shown(client.get("/queries?words=PASSKEY"))
    assert "No query fits" in shown(client.get("/queries?words=100%25"))


def test_personal_data_and_markup_do_not_reach_a_page(client):
    for path in ("/queries", "/queries.csv", "/queries/p00006"):
        said = client.get(path).text
        assert "@example.com" not in said
        assert "[email]" in said
    page = client.get("/queries/p00005").text
    assert PROBE not in page
    assert "&lt;img src=x" in page


def test_an_account_may_keep_its_texts_whole(changing):
    client = client_of(changing)
    entry = AuditEntry("e1", 0, "t", "t", "birch", "birch")
    client.house.stores.journal.access.set_rules(AccountRules("birch", redact=False), entry)
    client.headers["authorization"] = f"Bearer {add_key(client.house, 'admin')}"
    assert "@example.com" in client.get("/queries?account=birch").text
    assert "@example.com" not in client.get("/queries?account=acme").text
    client.house.stores.close()


def test_a_key_for_one_account_sees_that_account_alone(changing):
    client = client_of(changing)
    client.headers["authorization"] = f"Bearer {add_key(client.house, 'reader', 'birch')}"
    asked = client.house.stores.journal.predictions(END_MS - 28 * DAY_MS, END_MS, "birch")
    for kind in ("account", "intent", "channel"):
        told = rows_of(client.get(f"/slices.csv?kind={kind}&days=28"))
        assert {r["account"] for r in told} == {"birch"}
        assert sum(int(r["queries"]) for r in told) == len(asked)
    assert "acme" not in shown(client.get("/slices?kind=account"))
    listed = rows_of(client.get("/queries.csv"))
    assert {r["account"] for r in listed} == {"birch"}
    own = ("/slices", "/slices.csv", "/series.csv", "/queries", "/queries.csv")
    for path in (*(f"{place}?account=acme" for place in own), *OF_ALL):
        assert client.get(path).status_code == 403, path
    other = next(p for p in client.house.stores.journal.predictions(0, 2**60, "acme"))
    assert client.get(f"/queries/{other.prediction_id}").status_code == 404
    for path in ("/series.csv?kind=account&value=acme", "/slices?kind=account&value=acme"):
        assert client.get(path).status_code == 403, path
    client.house.stores.close()


@pytest.mark.parametrize(("role", "status"), [("widget", 403), ("agent", 403), ("reader", 200), ("operator", 200)])
def test_figures_are_for_those_who_may_see_figures(changing, role, status):
    client = client_of(changing)
    client.headers["authorization"] = f"Bearer {add_key(client.house, role)}"
    for path in PAGES:
        assert client.get(path).status_code == status, path
    client.house.stores.close()


def test_readers_look_and_staff_answers(changing):
    client = client_of(changing)
    place = f"/findings/{FINDING_ID}"
    client.headers["authorization"] = f"Bearer {add_key(client.house, 'reader')}"
    assert "I look after it" not in client.get(place).text
    assert client.post(f"{place}/comments", data={"text": "hello"}).status_code == 403
    assert client.post(f"{place}/acknowledge").status_code == 403
    client.headers["authorization"] = f"Bearer {add_key(client.house, 'operator')}"
    assert "I look after it" in client.get(place).text
    assert client.post(f"{place}/acknowledge", headers={"hx-request": "true"}).status_code == 200
    said = client.post(f"{place}/comments", data={"text": PROBE}, headers={"hx-request": "true"})
    assert "&lt;img" in said.text
    assert PROBE not in said.text
    assert client.post(f"{place}/comments", data={"text": " "}).status_code == 422
    assert client.post("/findings/nobody/comments", data={"text": "x"}).status_code == 404
    text = shown(client.get(place))
    assert "acknowledged" in text
    assert "by operator" in text
    client.house.stores.close()


def test_a_plain_form_works_only_from_our_own_page_of_the_same_person(changing):
    """Without scripts the mark is a hidden field: bound to who signed in, and worth nothing elsewhere."""
    client, other = client_of(changing), client_of(changing)
    place = f"/findings/{FINDING_ID}"
    for each in (client, other):
        assert each.post("/login", data={"key": add_key(each.house, "operator"), "next": place}).status_code == 200
        client.house.keyring.refresh()
    mark, of_another = (re.search(r'name="form_mark" value="([^"]+)"', c.get(place).text)[1] for c in (client, other))
    assert mark != of_another
    for wrong in ({}, {"form_mark": ""}, {"form_mark": of_another}, {"form_mark": [mark, of_another]}):
        assert client.post(f"{place}/comments", data={"text": "forged"} | wrong).status_code == 403
    # what is no plain form has no hidden field, whatever it holds
    sent = {"content": f"form_mark={mark}&text=forged", "headers": {"content-type": "text/plain"}}
    assert client.post(f"{place}/comments", **sent).status_code == 403
    reply = client.post(f"{place}/comments", data={"text": "by hand", "form_mark": mark})
    assert str(reply.url).endswith(place)
    assert "by hand" in shown(reply)
    assert "forged" not in reply.text
    for each in (client, other):
        each.house.stores.close()


def test_who_holds_a_key_needs_no_mark_and_gets_none(changing):
    client = client_of(changing)
    client.headers["authorization"] = f"Bearer {add_key(client.house, 'operator')}"
    assert "form_mark" not in client.get(f"/findings/{FINDING_ID}").text
    client.house.stores.close()


def test_who_is_not_signed_in_comes_back_to_the_very_page(changing):
    client = client_of(changing)
    add_key(client.house, "reader")
    reply = client.get("/slices?kind=account&days=7", follow_redirects=False)
    assert reply.status_code == 303
    assert reply.headers["location"] == "/login?next=/slices%3Fkind%3Daccount%26days%3D7"
    client.house.stores.close()


def test_a_cell_that_looks_like_a_formula_is_text_in_the_file():
    from noria.app.http.dashboard.exports import table

    assert table(["a"], [["=1+1"], ["@x"], [-3], ["fine"]]) == "a\n'=1+1\n'@x\n-3\nfine\n"


def test_a_home_without_traffic_says_so(tmp_path):
    import json

    (tmp_path / "home.json").write_text(json.dumps({"layout": 1}))
    client = client_of(tmp_path)
    for path in ("/findings", "/slices", "/queries", "/labels", "/releases", "/backlog", "/slices.csv", "/series.csv",
                 "/queries.csv", "/backlog.csv"):  # fmt: skip
        assert client.get(path).status_code == 200, path
    assert "There is no traffic in this span yet" in shown(client.get("/slices"))
    client.house.stores.close()


def test_the_first_page_is_made_ready_only_where_windows_were_made(client, tmp_path, monkeypatch):
    """Without windows it would read every label, for nobody; and at a start no windows are made anew."""
    (tmp_path / "home.json").write_text(json.dumps({"layout": 1}))
    empty = open_watched(tmp_path)
    asked = []
    for house in (client.house, empty):
        view = house.performance
        monkeypatch.setattr(house, "performance", lambda house=house, view=view: asked.append(house) or view())
        monkeypatch.setattr(house.watching, "freshen", lambda: pytest.fail("windows were looked after"))
        warm(house)
    assert asked == [client.house]
    empty.stores.close()


def test_the_performance_page_counts_what_the_windows_hold(client):
    told = client.house.performance()["days"]
    assert len(told) == DAYS
    assert told[0]["day"] == "2026-01-05"
    assert sum(d["predictions"] for d in told) == len(client.house.stores.journal.predictions(START_MS, END_MS))


@pytest.mark.parametrize(
    ("metric", "before", "after", "told"),
    [
        ("length", 68.5, 71.0, "+2.5 characters: 68.5 to 71.0"),
        ("words", 68.5, 71.0, "– words have no one figure"),
        ("confidence", 0.8, 0.7, "\u221210.0 points: 80.0 % to 70.0 %"),
    ],
)
def test_a_change_is_told_in_its_own_unit(changing, metric, before, after, told):
    """A length of 68 characters is no 6,850 %."""
    client, at = client_of(changing), END_MS - DAY_MS
    client.headers["authorization"] = f"Bearer {add_key(client.house, 'admin')}"
    client.house.stores.journal.add_findings(
        [Finding(f"{metric}-1", metric, at, at, at, at, before, after, "It changed.", stream="text")]
    )
    page = shown(client.get(f"/findings/{metric}-1")).replace("\u00a0", " ")
    client.house.stores.close()
    assert f"Change {told} " in page
