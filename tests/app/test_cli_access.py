"""Keys, accounts and erasure from the command line, beside a running server."""

from __future__ import annotations

import time

import httpx
import pytest
from tests.app.noria_process import noria, noria_json, server

from .live_house import make_home


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return make_home(tmp_path_factory.mktemp("access"))


def eventually(look):
    for _ in range(100):
        if look():
            return True
        time.sleep(0.1)
    return False


@pytest.mark.slow
def test_a_running_server_takes_up_keys_that_are_made_rotated_and_revoked(home):
    with server(home) as up:
        sent = {"account": "acme", "text": "vpn of ann@example.org is down", "session": "s1", "requester": "ann"}
        assert up.post("/v1/ask", sent)["decision"]
        made = noria_json("keys", "create", "widget", "--account", "acme", "--note", "shop", home=home)

        def status(key=None, **fields):
            headers = {"Authorization": f"Bearer {key}"} if key else {}
            return httpx.post(f"{up.url}/v1/ask", json=sent | fields, headers=headers, timeout=30).status_code

        assert eventually(lambda: status() == 401)
        assert eventually(lambda: status(made["key"]) == 200)
        assert status(made["key"], account="birch") == 403
        fresh = noria_json("keys", "rotate", made["key_id"], home=home)
        assert eventually(lambda: status(fresh["key"]) == 200)
        assert eventually(lambda: status(made["key"]) == 401)
        noria("keys", "revoke", fresh["key_id"], home=home)
        assert eventually(lambda: status(fresh["key"]) == 401)
    assert fresh["key"] not in noria("keys", "list", home=home)
    noria("accounts", "set", "acme", "--keep-text", "--origin", "https://shop.example", home=home)
    assert noria_json("accounts", "list", home=home)[0] == {
        "account": "acme", "redact": False, "origins": ["https://shop.example"],
    }  # fmt: skip
    erased = noria_json("erase", "ann", "--account", "acme", home=home)
    assert erased["counts"]["predictions"] >= 1
    acts = [entry["action"] for entry in noria_json("accounts", "audit", home=home)]
    assert acts == ["key.create", "key.create", "key.rotate", "key.revoke", "account.set", "erase"]
    assert "ann" not in noria("accounts", "audit", home=home).replace("annotator", "")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("keys", "create", "widget"), "for one account"),
        (("keys", "revoke", "nothing"), "no key named 'nothing'"),
        (("keys", "create", "agent", "--account", " "), "1 to 200 characters"),
        (("keys", "create", "agent", "--days", "100000000"), "1<=x<=36500"),
        (("accounts", "set", "acme", "--origin", "shop.example/path"), "no web origin"),
        (("accounts", "set", "x" * 201, "--keep-text"), "1 to 200 characters"),
        (("accounts", "set", "*", "--keep-text"), "rules are those of one account"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_next_step(home, arguments, words):
    assert words in noria(*arguments, home=home, code=2)
