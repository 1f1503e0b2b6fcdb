"""The API over a real journal and a real agent: accounts apart, odd texts, the OpenAPI document, swaps."""

from __future__ import annotations

import asyncio
import json
import random
import threading
import time
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient
from tests.house import examples
from tests.serve.odd_texts import odd_texts

from noria.app.http.server import create_app
from noria.records import Answer, Example, Feedback

from .live_house import ACCOUNTS, add_key, go_live, make_home, open_live_house

numbers = count()


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return make_home(tmp_path_factory.mktemp("live"))


@pytest.fixture(scope="module")
def house(home):
    house = open_live_house(home)
    yield house
    house.close()


@pytest.fixture(scope="module")
def client(house):
    """Without the app's own end, which would close the service."""
    return TestClient(create_app(house), raise_server_exceptions=False)


@pytest.fixture(scope="module")
def keys(house, client):
    """One key of each account, and that of an admin; from now on keys are demanded."""
    return {name: {"Authorization": f"Bearer {add_key(house, role, name)}"} for name, role in KEYED}


KEYED = [*((account, "operator") for account in ACCOUNTS), ("*", "admin")]


def ask(client, keys, account, text="my vpn does not work", **fields):
    reply = client.post("/v1/ask", json={"account": account, "text": text, **fields}, headers=keys[account])
    assert reply.status_code == 200, reply.text
    return reply.json()


# --- Accounts apart -------------------------------------------------------------------------------------------------

account_names = st.sampled_from(ACCOUNTS)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    asked=st.lists(st.tuples(account_names, st.sampled_from(["s", "t"])), min_size=1, max_size=6),
    reader=account_names,
)
def test_no_request_of_one_account_ever_sees_a_row_of_another(client, keys, asked, reader):
    """Accounts ask under equal names of sessions and query ids; one of them then reads and says all that it can."""
    run = next(numbers)
    told: dict[str, list[str]] = {account: [] for account in ACCOUNTS}
    for n, (account, session) in enumerate(asked):
        named = {"session": f"{session}{run}", "query_id": f"q{run}-{n % 2}"}
        said = ask(client, keys, account, f"my vpn {account}", **named)
        told[account].append(said["prediction_id"])
        assert {a["article_id"].partition("-")[0] for a in said["articles"]} <= {account, "kb"}
    others = {p for account, ids in told.items() if account != reader for p in ids}
    for session in ("s", "t"):
        reply = client.get(f"/v1/sessions/{session}{run}?account={reader}", headers=keys[reader])
        if reply.status_code == 200:
            assert not others & {turn["prediction_id"] for turn in reply.json()["turns"]}
            assert {turn["text"].split()[2] for turn in reply.json()["turns"]} == {reader}
    for prediction in others:
        sent = {"prediction_id": prediction, "kind": "helpful", "event_id": f"{reader}-{run}-{prediction}"}
        assert client.post("/v1/feedback", json=sent, headers=keys[reader]).status_code == 404
        chosen = {"account": reader, "text": "vpn", "session": f"s{run}",
                  "choice": {"prediction_id": prediction, "intent": "vpn"}}  # fmt: skip
        assert client.post("/v1/ask", json=chosen, headers=keys[reader]).status_code in {404, 422}
    for account in ACCOUNTS:
        if account != reader:
            for path in (f"sessions/s{run}?account={account}", f"accounts/{account}/articles",
                         f"accounts/{account}/deflection"):  # fmt: skip
                assert client.get(f"/v1/{path}", headers=keys[reader]).status_code == 403


def test_articles_are_shown_to_those_who_may_see_them(client, house, keys):
    """For everybody of the account, for the help desk's people, for a group; in the answer and in the list."""
    widget = {"Authorization": f"Bearer {add_key(house, 'widget', 'acme')}"}

    def seen(headers, groups=()):
        sent = {"account": "acme", "text": "vpn tunnel remote login gateway", "groups": list(groups)}
        shown = {a["article_id"] for a in client.post("/v1/ask", json=sent, headers=headers).json()["articles"]}
        query = "&".join(f"groups={g}" for g in groups)
        listed = client.get(f"/v1/accounts/acme/articles?{query}", headers=headers).json()["articles"]
        assert shown <= {a["article_id"] for a in listed}
        return {a["article_id"] for a in listed if a["article_id"].startswith("acme")}

    assert seen(widget) == {"acme-all"}
    assert seen(widget, ["vip"]) == {"acme-all", "acme-vip"}
    assert seen(keys["acme"]) == {"acme-all", "acme-agents"}


# --- Conversations --------------------------------------------------------------------------------------------------


def until(look):
    """What a thread of the service brings about."""
    for _ in range(200):
        if found := look():
            return found
        time.sleep(0.02)
    raise AssertionError("it never came about")


def test_a_rephrased_question_is_noted_against_the_first_answer(client, house, keys):
    first = ask(client, keys, "acme", "my vpn does not work", session="again")
    second = ask(client, keys, "acme", "the vpn is broken again", session="again")
    [event] = until(lambda: house.stores.journal.feedback_of(first["prediction_id"]))
    assert (event.kind, event.value) == ("rephrased", second["prediction_id"])


def test_a_choice_is_answered_with_the_articles_of_that_intent(client, house, keys, monkeypatch):
    clarify = Answer("clarify", "vpn", 0.4, 1.0, in_scope=True, choices=("vpn", "printer"))
    with monkeypatch.context() as patch:
        patch.setattr("noria.agent.Agent.answer", lambda *_, **__: clarify)
        first = ask(client, keys, "acme", "it does not work", session="choose")
    assert [c["intent"] for c in first["choices"]] == ["vpn", "printer"]
    choice = {"prediction_id": first["prediction_id"], "intent": "printer"}
    said = ask(client, keys, "acme", "Printer", session="choose", choice=choice)
    assert (said["decision"], said["intent"], said["articles"][0]["article_id"]) == ("answer", "printer", "kb-printer")
    wrong = {"account": "acme", "text": "x", "session": "choose", "choice": choice | {"intent": "phone"}}
    assert client.post("/v1/ask", json=wrong, headers=keys["acme"]).status_code == 422


def test_personal_data_is_not_kept_unless_the_account_wants_it(client, house, keys):
    from noria.records.access import AccountRules, AuditEntry

    said = ask(client, keys, "acme", "vpn of ann@example.org fails", session="pii")
    told = {"prediction_id": said["prediction_id"], "kind": "not_helpful", "value": "call +49 89 1234 5678"}
    client.post("/v1/feedback", json=told, headers=keys["acme"])
    journal = house.stores.journal
    assert journal.prediction(said["prediction_id"]).query.text == "vpn of [email] fails"
    assert journal.feedback_of(said["prediction_id"])[0].value == "call [phone]"
    journal.access.set_rules(AccountRules("cedar", redact=False), AuditEntry("r1", 0, "t", "t", "cedar", "cedar"))
    house.keyring.refresh()
    kept = ask(client, keys, "cedar", "vpn of ann@example.org fails")
    assert journal.prediction(kept["prediction_id"]).query.text == "vpn of ann@example.org fails"


def test_a_query_that_is_sent_again_is_answered_the_same_and_logged_once(client, house, keys):
    before = len(house.stores.journal.predictions(0, 2**62))
    first, second = (ask(client, keys, "acme", session="retry", query_id="q") for _ in range(2))
    assert first == second
    assert len(house.stores.journal.predictions(0, 2**62)) == before + 1
    other = {"account": "acme", "text": "another text", "session": "retry", "query_id": "q"}
    assert client.post("/v1/ask", json=other, headers=keys["acme"]).status_code == 422


def in_a_loop_of_its_own(work: Coroutine):
    """What it returns, from a thread: browser tests leave a running loop in the thread of the tests."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


def test_events_that_arrive_at_once_are_new_exactly_once(house, client, keys):
    said = ask(client, keys, "acme")
    sent = {"prediction_id": said["prediction_id"], "kind": "helpful", "event_id": "at-once"}

    async def all_at_once():
        transport = httpx.ASGITransport(create_app(house))
        async with httpx.AsyncClient(transport=transport, base_url="http://house", headers=keys["acme"]) as http:
            return await asyncio.gather(*(http.post("/v1/feedback", json=sent) for _ in range(20)))

    assert sum(reply.json()["new"] for reply in in_a_loop_of_its_own(all_at_once())) == 1


def test_an_id_of_one_accounts_event_is_free_for_another_and_for_its_help_desk(house, client, keys):
    """An id that somebody made up, or guessed, keeps nobody from saying theirs."""
    named = "desk:acme:21000000250:created"
    for account in ACCOUNTS:
        said = {"prediction_id": ask(client, keys, account)["prediction_id"], "kind": "helpful", "event_id": named}
        assert client.post("/v1/feedback", json=said, headers=keys[account]).json()["new"], account
    told = Feedback(named, ask(client, keys, "acme")["prediction_id"], "ticket_created", 1, "21000000250")
    assert house.stores.journal.add_feedback([told]) == 1


def test_a_query_that_is_sent_again_is_counted_once(house, client, keys):
    def counted():
        figures = client.get("/v1/metrics", headers=keys["*"]).text
        return sum(
            float(line.split()[-1]) for line in figures.splitlines() if line.startswith("noria_predictions_total")
        )

    before = counted()
    for _ in range(3):
        ask(client, keys, "acme", query_id="again")
        time.sleep(0.01)  # the clock of the house is the real one
    assert counted() == before + 1


# --- Odd texts, and whatever the document allows --------------------------------------------------------------------


@pytest.mark.slow
def test_no_odd_text_ever_fails_the_server(house, keys):
    """10,000 of them: empty, huge, control characters, halves of pairs, both directions, SQL, HTML, prompts."""
    statuses: dict[int, int] = {}
    chance = random.Random(7)

    async def send(http, gate, text):
        body = json.dumps({"account": "acme", "text": text, "session": text[:100] if chance.random() < 0.2 else ""})
        async with gate:
            reply = await http.post("/v1/ask", content=body.encode(), headers={"content-type": "application/json"})
        statuses[reply.status_code] = statuses.get(reply.status_code, 0) + 1
        assert reply.status_code < 500, (reply.status_code, text[:200], reply.text[:300])

    async def send_all():
        transport, gate = httpx.ASGITransport(create_app(house)), asyncio.Semaphore(64)
        async with httpx.AsyncClient(transport=transport, base_url="http://house", headers=keys["*"]) as http:
            await asyncio.gather(*(send(http, gate, text) for text in odd_texts(10_000, seed=7)))

    house.keyring.refresh()
    limits = house.limits
    house.__dict__["limits"] = type(limits)(limits.rate, 0, 0)
    try:
        in_a_loop_of_its_own(send_all())
    finally:
        house.__dict__["limits"] = limits
    assert sum(statuses.values()) == 10_000
    assert set(statuses) <= {200, 400, 413, 422}
    assert min(statuses[200], statuses[413], statuses[422]) > 50


def load_schema(house):
    """The document of the app; schemathesis starts and ends what it asks, and the end would close the house."""
    app = create_app(house)

    async def never_ending(scope, receive, send):
        if scope["type"] != "lifespan":
            await app(scope, receive, send)
            return
        for stage in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{stage}.complete"})

    return schemathesis.openapi.from_asgi("/v1/openapi.json", never_ending)


@pytest.mark.slow
def test_no_request_that_the_openapi_document_allows_or_forbids_fails_the_server(house, keys):
    """Schemathesis makes up requests for each operation, valid ones and broken ones."""
    schema = load_schema(house)
    operations = [result.ok() for result in schema.get_all_operations()]
    assert len(operations) >= 15
    statuses: set[int] = set()
    for operation in operations:

        @settings(
            max_examples=15, suppress_health_check=list(HealthCheck), deadline=None, derandomize=True, database=None
        )
        @given(case=operation.as_strategy())
        def run(case):
            reply = case.call(headers={**(case.headers or {}), **keys["*"]})
            statuses.add(reply.status_code)
            assert reply.status_code < 500, (case.as_curl_command(), reply.text)

        run()
    assert {200, 404, 422} <= statuses


# --- Swaps ----------------------------------------------------------------------------------------------------------


def test_releases_are_swapped_under_load_without_a_failed_request(tmp_path, serve_app):
    folder = make_home(tmp_path / "swap")
    house = open_live_house(folder)
    url, stop, replies = serve_app(create_app(house)), threading.Event(), []

    def user(number):
        with httpx.Client(base_url=url, timeout=30) as http:
            while not stop.is_set():
                reply = http.post("/v1/ask", json={"account": "acme", "text": f"vpn is down {number}"})
                replies.append((reply.status_code, reply.json().get("release")))

    users = [threading.Thread(target=user, args=(n,)) for n in range(4)]
    for one in users:
        one.start()
    until(lambda: len(replies) > 20)
    go_live(house.stores, [*examples(), Example("x", "vpn gateway tunnel", "vpn", "train")], 2)
    until(lambda: replies[-1][1] == "r0002")
    stop.set()
    for one in users:
        one.join(30)
    assert {status for status, _ in replies} == {200}
    assert {release for _, release in replies} == {"r0001", "r0002"}
