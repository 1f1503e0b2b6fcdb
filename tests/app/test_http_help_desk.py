"""The webhook of a help desk: its secret, what it may say, and that it is only a bell."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from noria.app.http.server import create_app
from noria.app.http.v1.help_desk import ticket_in

from .made_up_house import MadeUpHouse

BELL = {"X-Noria-Secret": "bell"}


@pytest.fixture
def house():
    return MadeUpHouse()


@pytest.fixture
def client(house):
    house.add_key("admin")  # from now on keys are demanded; the bell needs none
    return TestClient(create_app(house), raise_server_exceptions=False)


def test_a_ring_is_noted_and_answered_at_once(client, house):
    reply = client.post("/v1/help-desk/acme", json={"freshservice_webhook": {"ticket_id": "INC-123"}}, headers=BELL)
    assert (reply.status_code, reply.json()) == (202, {"ticket_id": "123"})
    assert house.rings == ["123"]


def test_the_secret_may_come_as_the_password_of_basic_auth(client, house):
    shown = base64.b64encode(b"noria:bell").decode()
    reply = client.post("/v1/help-desk/acme", json={"ticket_id": 7}, headers={"Authorization": f"Basic {shown}"})
    assert reply.status_code == 202
    assert house.rings == ["7"]


@pytest.mark.parametrize(
    ("account", "headers"),
    [
        ("acme", {}),
        ("acme", {"X-Noria-Secret": ""}),
        ("acme", {"X-Noria-Secret": "guess"}),
        ("birch", BELL),
        ("nobody", BELL),
        ("acme", {"Authorization": "Basic !!!"}),
        ("acme", {"Authorization": "Basic " + base64.b64encode(b"\xff:\xff").decode()}),
        ("acme", {"Authorization": "Bearer bell"}),
    ],
)
def test_without_the_secret_of_this_account_nothing_is_noted_and_nothing_told(client, house, account, headers):
    reply = client.post(f"/v1/help-desk/{account}", json={"ticket_id": 7}, headers=headers)
    assert reply.status_code == 401
    assert reply.headers["content-type"].startswith("application/problem+json")
    assert reply.json()["detail"] == "This secret is not known here."
    assert house.rings == []


@pytest.mark.parametrize("body", [b"", b"not json", b"[1, 2]", b'"7"', b"{}", b'{"ticket_id": true}', b"[" * 20_000])
def test_a_ring_that_names_no_ticket_is_heard_all_the_same(client, house, body):
    reply = client.post("/v1/help-desk/acme", content=body, headers=BELL)
    assert (reply.status_code, reply.json()) == (202, {"ticket_id": ""})


def test_who_rings_too_often_is_asked_to_wait_whatever_account_is_named(client, house, monkeypatch):
    monkeypatch.setattr("noria.app.http.v1.help_desk.RINGS_A_MINUTE", 3)
    replies = [client.post(f"/v1/help-desk/made-up-{n}", json={}) for n in range(4)]
    assert [reply.status_code for reply in replies] == [401, 401, 401, 429]
    assert int(replies[-1].headers["Retry-After"]) >= 1


@pytest.mark.parametrize(
    ("said", "number"),
    [
        ({"ticket_id": 21000000007}, "21000000007"),
        ({"ticket_id": " #12 "}, "12"),
        ({"freshservice_webhook": {"ticket_id": "SR-9"}}, "9"),
        ({"data": {"ticket": {"id": 5, "subject": "x"}}}, "5"),
        ({"ticket_id": "1; DROP TABLE", "x": {"ticket_id": 3}}, "3"),
        ({"ticket_id": -4}, ""),
        ({"a": {"a": {"a": {"a": {"a": {"a": {"ticket_id": 1}}}}}}}, ""),
    ],
)
def test_the_ticket_is_found_however_it_is_told(said, number):
    assert ticket_in(said) == number


ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["ticket_id", "id", "x", ""]), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(ODD)
def test_whatever_is_sent_gives_a_number_or_nothing(said):
    found = ticket_in(json.loads(json.dumps(said)))
    assert found == "" or (found.isdigit() and len(found) <= 19)
