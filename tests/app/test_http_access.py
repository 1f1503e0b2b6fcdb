"""Who gets in where: keys, roles, accounts, chats, signing in, other sites; on a made-up house."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from noria.app.http.access.rules import OPEN, RULES, rule_of
from noria.app.http.house import Limits
from noria.app.http.server import create_app
from noria.records.access import ROLES, AccountRules
from noria.serve.access import RateLimit
from noria.serve.access.principal import MAY

from .made_up_house import MadeUpHouse


@pytest.fixture
def house():
    return MadeUpHouse()


@pytest.fixture
def client(house):
    return TestClient(create_app(house), raise_server_exceptions=False, follow_redirects=False)


def bearer(text):
    return {"Authorization": f"Bearer {text}"}


def body(**fields):
    return {"account": "acme", "text": "I forgot my password"} | fields


CALLS = [
    ("POST", "/v1/ask", body()),
    ("POST", "/v1/ask/stream", body()),
    ("POST", "/v1/feedback", {"prediction_id": "p", "kind": "helpful"}),
    ("POST", "/v1/sessions", {"account": "acme"}),
    ("GET", "/v1/sessions/s1?account=acme", None),
    ("POST", "/v1/sessions/s1/handoff", {"account": "acme"}),
    ("GET", "/v1/accounts/acme/articles", None),
    ("GET", "/v1/accounts/acme/deflection", None),
    ("GET", "/v1/releases/current", None),
    ("GET", "/v1/metrics", None),
    ("GET", "/v1/performance", None),
    ("GET", "/v1/label/tasks", None),
    ("POST", "/v1/label/labels", {"task_id": "t-1", "relevance": "irrelevant", "annotator": "Ann"}),
    ("GET", "/", None),
    ("GET", "/performance.csv", None),
    ("GET", "/ask", None),
    ("GET", "/label", None),
    ("GET", "/nowhere", None),
]


@pytest.mark.parametrize(("method", "path", "sent"), CALLS)
def test_without_a_key_nothing_but_health_is_open_once_a_key_exists(client, house, method, path, sent):
    house.add_key("admin")
    reply = client.request(method, path, json=sent)
    assert reply.status_code == 401
    assert reply.json()["type"] == "urn:noria:problem:no-key"
    assert reply.headers["www-authenticate"].startswith("Bearer")
    assert house.service.asked == []
    for path_ in ("/v1/health/live", "/v1/health/ready", "/static/noria.css", "/login"):
        assert client.get(path_).status_code == 200


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(("method", "path", "sent"), CALLS)
def test_a_role_gets_in_exactly_where_the_table_says(client, house, role, method, path, sent):
    text = house.add_key(role)
    reply = client.request(method, path, json=sent, headers=bearer(text))
    rule = rule_of(method, path.partition("?")[0])
    assert (reply.status_code == 403) == (rule.right not in MAY[role]), reply.text
    assert reply.status_code != 401


def test_every_route_of_the_app_stands_in_the_table_or_is_for_admins(client):
    """A route that nobody thought of is no hole: it falls to the last rule."""
    assert rule_of("GET", "/v1/something/new").right == "admin"
    assert rule_of("DELETE", "/v1/ask").right == "admin"
    assert {rule.path for rule in RULES if rule.right == OPEN} == {
        "/v1/health/live", "/v1/health/ready", "/v1/openapi.json", "/static/", "/login", "/logout", "/label-studio/",
        "/v1/help-desk/",
    }  # fmt: skip


@pytest.mark.parametrize(("method", "path", "sent"), [c for c in CALLS if "acme" in str(c)])
def test_a_key_of_another_account_gets_nowhere(client, house, method, path, sent):
    text = house.add_key("operator", "birch")
    assert client.request(method, path, json=sent, headers=bearer(text)).status_code == 403
    assert house.service.asked == []


@pytest.mark.parametrize("path", ["/v1/performance", "/v1/label/tasks", "/v1/metrics", "/", "/label"])
def test_what_shows_all_accounts_needs_a_key_for_all(client, house, path):
    assert client.get(path, headers=bearer(house.add_key("operator", "acme"))).status_code == 403
    assert client.get(path, headers=bearer(house.add_key("operator"))).status_code == 200


# --- Chats ----------------------------------------------------------------------------------------------------------


def opened(client, house, **fields):
    text = house.add_key("widget", "acme")
    return client.post("/v1/sessions", json={"account": "acme", **fields}, headers=bearer(text)).json(), text


def test_a_chat_asks_with_its_token_as_the_requester_and_reader_that_it_was_made_for(client, house):
    said, _ = opened(client, house, requester="ann", groups=["vip"])
    reply = client.post("/v1/ask", json=body(), headers=bearer(said["token"]))
    assert reply.json()["session"] == said["session"]
    came = house.service.came_with[0]
    assert (came.requester, came.groups, came.in_session) == ("ann", ("vip",), True)


@pytest.mark.parametrize(
    "fields", [{"account": "birch"}, {"session": "another"}, {"groups": ["agents"]}, {"requester": "eve"}]
)
def test_a_chat_cannot_be_somebody_else(client, house, fields):
    said, _ = opened(client, house, requester="ann")
    reply = client.post("/v1/ask", json=body(**fields), headers=bearer(said["token"]))
    assert reply.status_code == 403
    streamed = client.post("/v1/ask/stream", json=body(**fields), headers=bearer(said["token"]))
    assert streamed.status_code == 403
    assert house.service.asked == []


def test_a_chat_reads_its_own_session_only_and_no_figures(client, house):
    said, _ = opened(client, house)
    mine, token = said["session"], bearer(said["token"])
    client.post("/v1/ask", json=body(), headers=token)
    [turn] = client.get(f"/v1/sessions/{mine}?account=acme", headers=token).json()["turns"]
    assert (turn["text"], turn["decision"]) == ("I forgot my password", "answer")
    assert client.get("/v1/sessions/other?account=acme", headers=token).status_code == 403
    assert client.get("/v1/accounts/acme/deflection", headers=token).status_code == 403
    assert client.post("/v1/sessions", json={"account": "acme"}, headers=token).status_code == 403
    told = {"prediction_id": turn["prediction_id"], "kind": "ticket_created"}
    assert client.post("/v1/feedback", json=told, headers=token).status_code == 403


def test_a_session_goes_on_with_a_fresh_token_for_its_own_requester_only(client, house):
    said, key = opened(client, house, requester="ann")
    again = {"account": "acme", "session": said["session"]}
    fresh = client.post("/v1/sessions", json=again | {"requester": "ann"}, headers=bearer(key))
    assert fresh.json()["session"] == said["session"]
    assert client.post("/v1/sessions", json=again | {"requester": "eve"}, headers=bearer(key)).status_code == 404


def test_a_hand_over_carries_the_session_and_counts_once(client, house):
    said, _ = opened(client, house, requester="ann")
    token, path = bearer(said["token"]), f"/v1/sessions/{said['session']}/handoff"
    sent = {"account": "acme", "reason": "call me", "hand_over_id": "h1"}
    assert client.post(path, json=sent, headers=token).status_code == 404
    client.post("/v1/ask", json=body(), headers=token)
    first, second = (client.post(path, json=sent, headers=token) for _ in range(2))
    assert (first.status_code, first.json()["turns"]) == (202, 1)
    assert first.json()["hand_over_id"] == second.json()["hand_over_id"]
    [kept] = house.service.handed.values()
    assert (kept.requester, kept.reason, kept.session) == ("ann", "call me", said["session"])


def test_the_stream_tells_how_it_goes_and_then_the_answer(client):
    reply = client.post("/v1/ask/stream", json=body())
    assert reply.headers["content-type"].startswith("text/event-stream")
    names = [line.removeprefix("event: ") for line in reply.text.splitlines() if line.startswith("event: ")]
    assert names == ["status", "status", "answer"]
    assert '"decision":"answer"' in reply.text


def test_a_query_sent_again_has_the_same_id_in_its_account_and_session_only(client, house):
    for fields in ({}, {}, {"account": "birch"}, {"session": "s2"}):
        client.post("/v1/ask", json=body(query_id="q1", **fields))
    ids = [p.prediction_id for p in house.service.asked]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3


# --- Rates, metrics -------------------------------------------------------------------------------------------------


def test_who_asks_too_often_is_told_when_to_come_back(client, house):
    house.limits = Limits(RateLimit(lambda: 0.0), 2, 1)
    text, other = house.add_key("agent"), house.add_key("agent")
    replies = [client.post("/v1/ask", json=body(), headers=bearer(text)) for _ in range(3)]
    assert [r.status_code for r in replies] == [200, 200, 429]
    assert int(replies[2].headers["retry-after"]) == 30
    assert replies[2].json()["type"] == "urn:noria:problem:too-many"
    assert client.post("/v1/ask", json=body(), headers=bearer(other)).status_code == 200
    assert client.get("/v1/health/ready").status_code == 200


def test_metrics_count_requests_decisions_and_feedback_and_name_no_account(client, house):
    prediction = client.post("/v1/ask", json=body()).json()["prediction_id"]
    for _ in range(2):
        client.post("/v1/feedback", json={"prediction_id": prediction, "kind": "helpful", "event_id": "e"})
    client.get("/v1/nowhere/at/all")
    text = client.get("/v1/metrics").text
    assert 'noria_predictions_total{decision="answer"} 1.0' in text
    assert 'noria_feedback_total{kind="helpful"} 1.0' in text
    assert 'noria_http_requests_total{path="/v1/ask",status="200"} 1.0' in text
    assert 'noria_http_requests_total{path="other",status="404"} 1.0' in text
    assert 'noria_release{release="r0007"} 1.0' in text
    assert "acme" not in text


# --- People with a browser ------------------------------------------------------------------------------------------


def signed_in(client, house, role="operator"):
    reply = client.post("/login", data={"key": house.add_key(role), "next": "/label"})
    assert (reply.status_code, reply.headers["location"]) == (303, "/label")
    return {"X-Noria-Form": client.cookies["noria_form"]}


def test_a_page_leads_to_signing_in_and_back(client, house):
    house.add_key("admin")
    reply = client.get("/label", headers={"accept": "text/html"})
    assert (reply.status_code, reply.headers["location"]) == (303, "/login?next=/label")
    assert 'value="/label"' in client.get("/login?next=/label").text
    signed_in(client, house)
    assert client.get("/label", headers={"accept": "text/html"}).status_code == 200


def test_the_cookie_is_not_the_key_and_no_script_or_other_site_gets_it(client, house):
    text = house.add_key("operator")
    reply = client.post("/login", data={"key": text})
    first, second = reply.headers.get_list("set-cookie")
    assert text not in first + second
    assert "HttpOnly" in first
    assert all("SameSite=strict" in cookie for cookie in (first, second))


@pytest.mark.parametrize("aim", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:1", "/a\nb"])
def test_signing_in_leads_to_no_other_site(client, house, aim):
    reply = client.post("/login", data={"key": house.add_key("operator"), "next": aim})
    assert reply.headers["location"] == "/"


def test_a_wrong_key_is_told_and_signs_nobody_in(client, house):
    house.add_key("operator")
    reply = client.post("/login", data={"key": "<img src=x>"})
    assert reply.status_code == 401
    assert "opens nothing" in reply.text
    assert "<img src=x" not in reply.text
    assert client.cookies.get("noria") is None


def test_a_signed_in_person_changes_things_from_our_pages_only(client, house):
    form = signed_in(client, house)
    sent = {"task_id": "t-1", "relevance": "irrelevant", "annotator": "Ann"}
    assert client.post("/v1/label/labels", json=sent).status_code == 403
    assert client.post("/v1/label/labels", json=sent, headers={"X-Noria-Form": "x"}).status_code == 403
    assert house.desk.labels == []
    assert client.post("/v1/label/labels", json=sent, headers=form).status_code == 200


# --- Other sites ----------------------------------------------------------------------------------------------------

SHOP = "https://shop.example"


def test_the_chat_on_another_site_works_for_the_accounts_own_sites_only(client, house):
    house.account_rules = [AccountRules("acme", origins=(SHOP,)), AccountRules("birch", origins=("https://b.example",))]
    said, _ = opened(client, house)
    for origin, allowed in ((SHOP, SHOP), ("https://b.example", None), ("https://evil.example", None)):
        reply = client.post("/v1/ask", json=body(), headers=bearer(said["token"]) | {"Origin": origin})
        assert reply.headers.get("access-control-allow-origin") == allowed
    asked = {"Origin": SHOP, "Access-Control-Request-Method": "POST"}
    assert client.options("/v1/ask", headers=asked).headers["access-control-allow-origin"] == SHOP
    assert client.options("/v1/ask", headers=asked | {"Origin": "https://evil.example"}).status_code == 403
