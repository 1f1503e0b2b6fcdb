"""The help desk as a user meets it: commands, a server and the fake Freshservice in processes of their own."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from tests.app.live_house import make_home
from tests.app.noria_process import noria_json, server
from tests.house import open_stores
from tests.serve.help_desk.made_up_exchange import conversation

from noria.app.cli import main
from noria.app.fakes.freshservice import FakeFreshservice, asgi_app, made_up_data
from noria.app.home import create_home
from noria.app.wiring import now_ms
from noria.connect.freshservice import FreshserviceClient, FreshserviceDesk
from noria.ports.help_desk import NewTicket


def test_a_fake_freshservice_serves_the_connector():
    command = [sys.executable, "-u", "-m", "noria", "fake", "freshservice", "--port", "0", "--tickets", "20"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        found = re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())
        assert found
        client = FreshserviceClient(found.group(), "fake")
        desk = FreshserviceDesk(client)
        assert sum(len(batch.rows) for batch in desk.pull("tickets")) == 20
        number = desk.create(NewTicket("noria-1", "Help", "text", "ada@made-up.example"))
        assert desk.progress(number).status == "open"
        assert set(desk.check().values()) == {"can be read"}
        client.close()
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(20)
        process.stdout.close()


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A home with a live release."""
    return make_home(tmp_path_factory.mktemp("trained") / "home")


@pytest.fixture
def home(tmp_path, request):
    """A home whose accounts have no help desk yet; with a live release where a server is to run on it."""
    if "slow" in request.keywords:
        return Path(shutil.copytree(request.getfixturevalue("trained"), tmp_path / "home"))
    create_home(tmp_path / "home")
    return tmp_path / "home"


@pytest.fixture
def command(home, capsys):
    """Runs a command on the home in this process; what it printed."""

    def run(*arguments, code=0):
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(["--home", str(home), "help-desk", *map(str, arguments)])
        told = capsys.readouterr()
        assert ended.value.code == code, told
        return told.out if code == 0 else told.err

    return run


def hand_over(url, session, **body):
    """What a chat does when its user asks for a person."""
    sent = {"account": "acme", "requester": "ada@made-up.example"} | body
    reply = httpx.post(f"{url}/v1/ask", json=sent | {"session": session, "text": "my vpn does not work"}, timeout=30)
    prediction_id = reply.raise_for_status().json()["prediction_id"]
    handed = httpx.post(f"{url}/v1/sessions/{session}/handoff", json={"account": sent["account"]}, timeout=30)
    return prediction_id, handed.raise_for_status().json()["hand_over_id"]


def until(what, seconds=60):
    """What `what()` gives once it is true."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if found := what():
            return found
        time.sleep(0.2)
    raise AssertionError("it never came")


@pytest.mark.slow
def test_a_server_brings_a_hand_over_to_the_desk_and_hears_what_becomes_of_it(home, serve_app, monkeypatch):
    fake = FakeFreshservice(made_up_data(now_ms(), 0), now_ms=now_ms, key="fake-key")
    (home / "noria.toml").write_text(
        "[help_desk]\ndeliver_every_s = 1\nfollow_every_s = 3600\n[help_desk.accounts.acme]\n"
        f'kind = "freshservice"\nurl = "{serve_app(asgi_app(fake))}"\nkey_env = "NORIA_TEST_KEY"\n'
        'webhook_env = "NORIA_TEST_BELL"\n'
    )
    monkeypatch.setenv("NORIA_TEST_KEY", "fake-key")
    monkeypatch.setenv("NORIA_TEST_BELL", "ding")
    with server(home) as up:
        prediction_id, _ = hand_over(up.url, "s1")
        (ticket,) = until(lambda: fake.desk.all("tickets"))
        assert "my vpn does not work" in ticket["description"]
        assert up.get("/v1/accounts/acme/deflection")["person"] == 1
        articles = up.get("/v1/accounts/acme/articles")["articles"]
        assert "acme-all" in {article["article_id"] for article in articles}
        until(lambda: any(a["article_id"] == "acme:100" for a in up.get("/v1/accounts/acme/articles")["articles"]))
        shown = {a["article_id"] for a in up.get("/v1/accounts/acme/articles?groups=agents")["articles"]}
        assert "acme:101" in shown
        assert "acme:101" not in {a["article_id"] for a in up.get("/v1/accounts/acme/articles")["articles"]}
        assert "acme:100" not in {a["article_id"] for a in up.get("/v1/accounts/birch/articles")["articles"]}
        fake.desk.say(ticket["id"], {"body": "<p>done</p>"}, public=True)
        ticket.update(status=5)
        rung = httpx.post(
            f"{up.url}/v1/help-desk/acme", json={"ticket_id": ticket["id"]}, headers={"X-Noria-Secret": "ding"}
        )
        assert rung.status_code == 202

        def said():
            turns = up.get("/v1/sessions/s1?account=acme")["turns"]
            kinds = {kind for turn in turns for kind in turn["feedback"]}
            return kinds if "agent_replied" in kinds else None

        assert until(said) == {"ticket_created", "agent_replied", "ticket_resolved"}
        assert 'noria_hand_overs{state="unknown"} 0.0' in httpx.get(f"{up.url}/v1/metrics").text
    state = noria_json("help-desk", "status", home=home)
    assert state["accounts"]["acme"]["delivered"] == 1
    assert state["stuck"] == []
    assert prediction_id
    assert len(fake.desk.all("tickets")) == fake.calls("POST /tickets$") == 1


@pytest.mark.slow
def test_without_a_server_commands_do_the_same_on_plain_files(home, command):
    text = '[help_desk]\ndeliver_every_s = 0\nfollow_every_s = 0\naccounts.acme = { kind = "files" }\n'
    (home / "noria.toml").write_text(text)
    with server(home) as up:
        _, name = hand_over(up.url, "s1", requester="ada")
        hand_over(up.url, "s2", account="birch")
    assert "nothing to do" in command("pull")
    assert "1 delivered" in command("deliver")
    assert "nothing to do" in command("deliver")
    tickets = (home / "help-desk" / "acme" / "tickets.jsonl").read_text().splitlines()
    assert [json.loads(line)["requester_id"] for line in tickets] == ["ada"]
    command("answer", 1, "--account", "acme", "--text", "try this", "--status", "closed", "--rate", 4)
    assert "3 events" in command("pull", "--account", "acme")
    assert "there is nothing to settle" in command("settle", name, "--again", code=4)
    shown = command("status")
    assert re.search(r"acme +files +0 +0 +0 +1 +0", shown)
    assert re.search(r"birch +none +1 +0 +0 +0 +0", shown)
    assert re.search(r"acme +conversations +1 rows", command("check"))
    assert "no help desk of an account named 'birch'" in command("pull", "--account", "birch", code=2)


def test_what_is_unknown_is_settled_by_a_person(home, command):
    (home / "noria.toml").write_text('[help_desk]\naccounts.acme = { kind = "files" }\n')
    stores = open_stores(home)
    made = conversation(stores.journal, "s1")
    sent = stores.journal.outbox.claim(made, "p-acme-s1", 5)
    stores.journal.outbox.move(sent, replace(sent, state="unknown", reason="person", due_ms=2**62))
    assert "look at the desk, then settle it" in command("status")
    command("settle", made.hand_over_id, code=2)
    command("settle", "nobody", "--drop", code=2)
    (told,) = json.loads(command("settle", made.hand_over_id, "--ticket", "77", "--json"))
    assert told["state"] == "delivered"
    assert [(event.kind, event.value) for event in stores.journal.feedback_of("p-acme-s1")] == [
        ("ticket_created", "77")
    ]  # fmt: skip
    assert [entry.action for entry in stores.journal.access.audit(0, 2**62)] == ["help_desk.settle"]
    stores.close()


def test_old_ones_are_told_and_sent_only_on_demand(home, command):
    (home / "noria.toml").write_text('[help_desk]\naccounts.acme = { kind = "files" }\n')
    stores = open_stores(home)
    conversation(stores.journal, "s1")  # of October 2025
    stores.close()
    assert "1 wait for longer than oldest_hours" in command("status")
    assert "nothing to do" in command("deliver")
    assert "1 delivered" in command("deliver", "--old")
    assert "oldest_hours" not in command("status")


def test_a_home_without_help_desks_says_where_to_write_them(command):
    assert "noria.toml" in command("deliver", code=2)
    assert "No account has a help desk" in command("status")
