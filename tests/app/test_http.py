"""The HTTP API and the text of the pages, on a made-up house."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import math
import os
import re
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from noria.app.http import figures
from noria.app.http.guard import HEADERS, MAX_BODY_BYTES
from noria.app.http.rendering import STATIC
from noria.app.http.server import create_app, open_port, run
from noria.app.report import render_report
from noria.errors import DataError, OutsideError, Problem, StateError
from noria.records import Candidate, DataVersion
from noria.records.serving.staging import Challenger

from .made_up_house import (
    NOW_MS,
    PROBE,
    SCOPE,
    MadeUpHouse,
    MadeUpService,
    answer_to,
    empty_view,
    made_up_task,
    made_up_view,
)

VENDOR_FOLDERS = [STATIC / "vendor", Path(__file__).parent.parent / "vendor"]


@pytest.fixture
def house():
    return MadeUpHouse()


@pytest.fixture
def client(house):
    return TestClient(create_app(house), raise_server_exceptions=False)


@pytest.fixture
def raw(client):
    """Like a browser that asks for pages."""
    client.headers["accept"] = "text/html,*/*"
    return client


def asked(client, text="I forgot my password", **fields):
    return client.post("/v1/ask", json={"account": "acme", "text": text, **fields})


def assert_problem(reply, status, slug, *words):
    """An RFC 9457 problem with the words in its detail."""
    assert reply.status_code == status, reply.text
    assert reply.headers["content-type"] == "application/problem+json"
    said = reply.json()
    assert said["status"] == status
    assert said["type"] == f"urn:noria:problem:{slug}"
    assert said["title"]
    for word in words:
        assert word in said["detail"]
    return said


# --- Ask ------------------------------------------------------------------------------------------------------------


def test_a_query_is_answered_with_all_that_the_contract_names(client, house):
    said = asked(client, session="s1", channel="mail", language="en", query_id="q1").json()
    assert set(said) == {
        "prediction_id", "decision", "intent", "intent_title", "intent_confidence", "scope_score", "in_scope",
        "articles", "choices", "message", "release", "session", "missing",
    }  # fmt: skip
    assert (said["decision"], said["intent"], said["intent_title"]) == ("answer", "password_reset", "Password reset")
    assert said["release"] == "r0007"
    [prediction] = house.service.asked
    assert said["prediction_id"] == prediction.prediction_id
    query = prediction.query
    assert (query.query_id, query.session, query.channel, query.language) == ("q1", "s1", "mail", "en")
    assert query.time_ms == NOW_MS


def test_session_and_query_id_are_made_where_none_is_given(client, house):
    asked(client)
    query = house.service.asked[0].query
    assert query.query_id
    assert query.session
    assert query.query_id != query.session


def test_articles_of_other_accounts_and_unknown_ones_are_never_shown(client):
    shown = [a["article_id"] for a in asked(client).json()["articles"]]
    assert shown == ["kb-1", "kb-2"]
    assert "kb-other" in [a["article_id"] for a in asked(client, account="birch").json()["articles"]]


def test_choices_come_with_their_titles(client):
    said = asked(client, "unsure").json()
    assert said["decision"] == "clarify"
    assert said["choices"][0] == {"intent": "vpn_slow", "title": "VPN is slow"}


def test_a_hand_over_says_so_in_a_sentence(client):
    said = asked(client, "lease a car").json()
    assert said["decision"] == "handoff"
    assert "person" in said["message"]


def test_a_reply_is_sent_only_after_the_commit(house):
    """Acknowledged means on disk: the reply waits for the future."""
    order = []

    class Slow(MadeUpService):
        def ask(self, query, prediction_id, asked=None):
            future: Future = Future()
            prediction = super().ask(query, prediction_id).result()

            def commit():
                order.append("commit")
                future.set_result(prediction)

            threading.Timer(0.05, commit).start()
            return future

    house.service = Slow()
    assert asked(TestClient(create_app(house))).status_code == 200
    order.append("reply")
    assert order == ["commit", "reply"]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"text": "   "}, "text"),
        ({"text": "x" * 2001}, "text"),
        ({"text": "a\x00b"}, "text"),
        ({"account": ""}, "account"),
        ({"account": "a" * 201}, "account"),
        ({"txt": "hello"}, "txt"),
        ({"text": None}, "text"),
    ],
)
def test_a_body_that_is_not_valid_is_a_problem_that_names_the_field(client, house, fields, field):
    said = assert_problem(asked(client, **fields), 422, "invalid", field)
    assert said["errors"][0]["field"] == field
    assert house.service.asked == []


def test_text_may_have_2000_characters_without_the_spaces_around_it(client, house):
    assert asked(client, f"  {'ä' * 2000}\n").status_code == 200
    assert len(house.service.asked[0].query.text) == 2000


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"text"', b"\xff\xfe", b'{"account": "a", "text": "\\ud800"}'])
def test_a_body_that_is_no_valid_json_text_is_a_problem(client, body):
    reply = client.post("/v1/ask", content=body, headers={"content-type": "application/json"})
    assert reply.status_code in {400, 422}
    assert reply.headers["content-type"] == "application/problem+json"


def test_what_was_sent_is_not_repeated_in_a_problem(client):
    assert "secret-word" not in asked(client, "secret-word " * 300).text


def test_a_form_of_another_site_cannot_ask(client, house):
    """A page elsewhere can send forms and plain text without asking, but no JSON."""
    body = json.dumps({"account": "acme", "text": "password"})
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        assert client.post("/v1/ask", content=body, headers={"content-type": kind}).status_code == 422
    assert house.service.asked == []


@pytest.mark.parametrize("declared", [True, False])
def test_a_body_over_the_limit_is_refused(client, house, declared):
    """Whether its length is declared or comes to light while it is read."""
    body = json.dumps({"account": "a", "text": "x" * MAX_BODY_BYTES}).encode()
    content = body if declared else iter([body[:1000], body[1000:]])
    reply = client.post("/v1/ask", content=content, headers={"content-type": "application/json"})
    assert_problem(reply, 413, "too-large", "64 KiB")
    assert house.service.asked == []


def test_before_any_release_one_is_told_what_to_do():
    client = TestClient(create_app(MadeUpHouse(empty_view(), release=None)))
    for reply in (asked(client), client.get("/v1/health/ready"), client.get("/v1/releases/current")):
        assert_problem(reply, 503, "no-release", "no release is live yet", "noria train")
        assert int(reply.headers["retry-after"]) > 0
    assert client.get("/v1/health/live").json() == {"status": "up"}


def test_health_and_the_current_release(client):
    assert client.get("/v1/health/ready").json() == {"status": "ready", "release": "r0007"}
    assert client.get("/v1/releases/current").json() == {"release": "r0007", "challenger": None}


def test_the_challenger_is_told_beside_the_release(client, house):
    """Who is tried, for what share, against whom; figures of the shadow stand among the metrics."""
    candidate = Candidate("it-v2", "", "0" * 64, DataVersion("examples", "it", 2, 9, ""), None, {}, {}, 1)
    house.service.challenger = Challenger("c0001", candidate, (0.0, 0.05), "session", "r0007", 5, 9, stage=1)
    assert client.get("/v1/releases/current").json()["challenger"] == {
        "name": "c0001", "tag": "it-v2", "mode": "canary", "share": 0.05, "by": "session", "since_ms": 9,
        "against": "r0007",
    }  # fmt: skip
    assert 'noria_shadow_queries{outcome="dropped"} 1.0' in client.get("/v1/metrics").text
    house.view = {**house.view, "challenger": house.service.challenger.to_dict()}
    assert "c0001 beside it, for 5&nbsp;% of the sessions" in client.get("/").text


# --- Feedback -------------------------------------------------------------------------------------------------------


def test_feedback_sent_twice_counts_once(client, house):
    event = {"event_id": "e1", "prediction_id": asked(client).json()["prediction_id"], "kind": "helpful"}
    assert client.post("/v1/feedback", json=event).json() == {"accepted": True, "new": True}
    assert client.post("/v1/feedback", json=event).json() == {"accepted": True, "new": False}
    [kept] = house.service.events
    assert (kept.kind, kept.time_ms) == ("helpful", NOW_MS)


def test_feedback_on_an_unknown_prediction_is_not_found(client):
    reply = client.post("/v1/feedback", json={"prediction_id": "p404", "kind": "helpful"})
    assert_problem(reply, 404, "not-found", "p404")


def test_what_is_no_json_is_named_with_its_place(client):
    sent = {"content": b'{"kind": helpful}', "headers": {"content-type": "application/json"}}
    reply = client.post("/v1/feedback", **sent)
    assert_problem(reply, 422, "invalid", "body: Invalid JSON: Expecting value at character 9")
    assert [fault["field"] for fault in reply.json()["errors"]] == ["body"]


def test_feedback_of_an_unknown_kind_is_a_problem(client):
    reply = client.post("/v1/feedback", json={"prediction_id": "p", "kind": "great"})
    assert_problem(reply, 422, "invalid", "kind", "helpful")


# --- Label ----------------------------------------------------------------------------------------------------------


def test_tasks_come_oldest_first_with_titles_and_what_was_predicted(client):
    said = client.get("/v1/label/tasks", params={"limit": 1}).json()
    assert (said["open"], said["labelled"]) == (3, 0)
    [task] = said["tasks"]
    assert task["task_id"] == "t-1"
    assert task["scope"] == list(SCOPE)
    assert task["predicted"]["intent_title"] == "Password reset"
    assert [a["title"] for a in task["predicted"]["articles"]][1] == "Unlock a locked account"
    assert said["titles"]["vpn_slow"] == "VPN is slow"


def test_a_task_that_is_judged_blindly_does_not_give_the_prediction_away(client, house):
    house.desk.tasks = [replace(made_up_task(1, "my pass word"), show_prediction=False)]
    reply = client.get("/v1/label/tasks")
    assert reply.json()["tasks"][0]["predicted"] is None
    assert "Choose a new password" not in reply.text


def test_a_label_is_stored_with_ids_and_time_of_the_house(client, house):
    body = {"task_id": "t-1", "relevance": "in_scope", "intent": "vpn_slow", "annotator": " Ann ", "helpful": False}
    said = client.post("/v1/label/labels", json=body).json()
    assert (said["open"], said["labelled"]) == (2, 1)
    [label] = house.desk.labels
    assert (label.label_id, label.task_id, label.prediction_id) == (said["label_id"], "t-1", "p-1")
    assert (label.annotator, label.intent, label.helpful, label.time_ms) == ("Ann", "vpn_slow", False, NOW_MS)
    assert client.get("/v1/label/status").json()["labelled"] == 1


def test_a_label_is_settled_at_once(client, house):
    client.post("/v1/label/labels", json={"task_id": "t-1", "relevance": "irrelevant", "annotator": "Ann"})
    assert house.settled == 1


def test_tasks_for_a_person_leave_out_those_that_he_or_she_labelled(client, house):
    house.desk.tasks = [replace(task, annotators=2) for task in house.desk.tasks]
    client.post("/v1/label/labels", json={"task_id": "t-1", "relevance": "irrelevant", "annotator": "Ann"})
    shown = {
        who: [task["task_id"] for task in client.get("/v1/label/tasks", params={"annotator": who}).json()["tasks"]]
        for who in ("Ann", "Ben")
    }
    assert shown == {"Ann": ["t-2", "t-3"], "Ben": ["t-1", "t-2", "t-3"]}


def test_a_disputed_task_comes_with_what_each_person_said_and_can_be_decided(client, house):
    body = {"task_id": "t-1", "relevance": "in_scope", "intent": "vpn_slow", "article_ids": ["kb-1", "kb-2"]}
    client.post("/v1/label/labels", json=body | {"annotator": "Ann", "note": "sure"})
    client.post("/v1/label/labels", json={"task_id": "t-1", "relevance": "irrelevant", "annotator": "Ben"})
    [task] = client.get("/v1/label/disputed").json()["tasks"]
    assert [(one["annotator"], one["relevance"], one["article_ids"], one["note"]) for one in task["said"]] == [
        ("Ann", "in_scope", ["kb-1", "kb-2"], "sure"), ("Ben", "irrelevant", [], ""),
    ]  # fmt: skip
    assert task["same"] == {"relevance": "in_scope", "intent": "password_reset"}
    client.post(
        "/v1/label/labels",
        json={"task_id": "t-1", "relevance": "irrelevant", "annotator": "Eve", "adjudication": True},
    )
    assert house.desk.labels[-1].adjudication is True
    assert client.get("/v1/label/disputed").json()["tasks"] == []


def test_a_label_that_the_desk_refuses_is_a_problem_with_its_sentence(client):
    body = {"task_id": "t-1", "relevance": "in_scope", "annotator": "Ann"}
    assert_problem(client.post("/v1/label/labels", json=body), 422, "usage", "needs the right intent")


def test_a_label_for_an_unknown_task_is_not_found(client):
    body = {"task_id": "t-9", "relevance": "irrelevant", "annotator": "Ann"}
    assert_problem(client.post("/v1/label/labels", json=body), 404, "not-found", "t-9", "Did you mean")


@pytest.mark.parametrize("limit", ["0", "101", "many"])
def test_the_number_of_tasks_is_limited(client, limit):
    assert_problem(client.get("/v1/label/tasks", params={"limit": limit}), 422, "invalid", "limit")


# --- Failures -------------------------------------------------------------------------------------------------------


def test_an_unforeseen_failure_keeps_its_traceback_inside(client, caplog):
    """The client gets an incident, the log the traceback under the same incident."""
    reply = asked(client, "boom")
    said = assert_problem(reply, 500, "internal", "incident")
    assert "secret" not in reply.text
    incident = said["instance"].rpartition(":")[2]
    [record] = [r for r in caplog.records if r.exc_info]
    assert incident in record.getMessage()
    assert "a secret in a traceback" in str(record.exc_info[1])


@pytest.mark.parametrize(
    ("error", "status", "retry"),
    [
        (OutsideError("the disk is full.", retry_helps=False), 502, False),
        (OutsideError("the queue is full.", retry_helps=True), 503, True),
        (StateError("the journal is newer."), 409, False),
        (DataError([Problem("f", 1, "text", "is empty")]), 422, False),
    ],
)
def test_an_error_of_ours_becomes_the_problem_it_is(client, house, error, status, retry):
    def fail():
        raise error

    house.desk.status = fail
    reply = client.get("/v1/label/status")
    assert reply.status_code == status
    assert reply.json()["detail"] == str(error)
    assert ("retry-after" in reply.headers) is retry


def test_unknown_addresses_and_methods_are_problems(client):
    assert_problem(client.get("/v1/nothing"), 404, "not-found", "/v1/nothing")
    assert_problem(client.get("/static/js/none.js"), 404, "not-found")
    assert_problem(client.delete("/v1/ask"), 405, "method-not-allowed")


def test_a_browser_gets_failures_of_pages_as_a_page(raw, house):
    reply = raw.get("/nothing<script>")
    assert reply.status_code == 404
    assert "There is nothing at /nothing&lt;script&gt;." in reply.text

    house.performance = lambda: 1 / 0
    reply = raw.get("/")
    assert reply.status_code == 500
    assert "incident" in reply.text
    assert "ZeroDivisionError" not in reply.text


@pytest.mark.parametrize(
    "path", ["/", "/ask", "/label", "/performance.csv", "/v1/health/live", "/v1/none", "/none", "/static/noria.css"]
)
def test_every_reply_carries_the_security_headers(client, path):
    reply = client.get(path)
    for name, value in HEADERS.items():
        assert reply.headers[name] == value
    assert "unsafe" not in reply.headers["content-security-policy"]


def test_failures_carry_the_security_headers_too(client):
    for reply in (asked(client, "boom"), asked(client, "x" * 70_000), asked(client, "")):
        assert reply.status_code >= 400
        assert reply.headers["x-content-type-options"] == "nosniff"


def test_the_description_of_the_api_is_served_and_no_page_that_loads_from_outside(client):
    described = client.get("/v1/openapi.json").json()["paths"]
    assert {"/v1/ask", "/v1/feedback", "/v1/label/labels", "/v1/performance"} <= set(described)
    assert "/label" not in described
    assert client.get("/docs").status_code == 404


# --- Figures and pages ----------------------------------------------------------------------------------------------


def test_what_is_not_a_number_is_null_in_json(client, house):
    house.view["days"][0]["success"]["value"] = math.nan
    assert client.get("/v1/performance").json()["days"][0]["success"]["value"] is None


def test_success_now_is_pooled_over_the_last_seven_days_with_labels():
    view = made_up_view(20)
    view["days"][-1] = {**view["days"][-1], "labels": 0, "success": {"value": None, "k": 0, "n": 0}}
    window = figures.latest(view["days"])
    assert [d["day"] for d in window] == [d["day"] for d in view["days"][12:19]]
    shown = figures.figure(figures.pooled(window, "success"))
    hits = sum(d["success"]["k"] for d in window)
    assert shown.count == f"{hits} of {7 * 34}"
    low, high = (float(part) for part in re.findall(r"[\d.]+", shown.interval))
    assert low < 100 * hits / (7 * 34) < high


def test_each_figure_of_the_page_has_its_count_and_interval(client):
    page = client.get("/").text
    view = made_up_view()
    window = figures.latest(view["days"])
    for metric in figures.METRICS:
        shown = figures.figure(figures.pooled(window, metric))
        assert shown.value in page
        assert shown.interval in page
        assert shown.count in page


def test_without_labels_the_page_says_so_and_shows_no_figure():
    view = made_up_view(5, replayed=False, labels=0) | {"findings": []}
    page = TestClient(create_app(MadeUpHouse(view))).get("/").text
    assert page.count("not enough labels") >= len(figures.METRICS)
    assert "There are no labels yet, so success cannot be told." in page
    assert not re.search(r"\d\xa0%", page)


def test_an_empty_home_has_a_page_too():
    page = TestClient(create_app(MadeUpHouse(empty_view(), release=None))).get("/").text
    assert "none yet" in page
    assert "No candidate was considered yet." in page
    assert "performance-chart" not in page


def test_the_summary_tells_the_course_and_the_replay_its_gain():
    view = made_up_view()
    told = figures.summary(view)
    assert told.startswith("From 5 Jan to 11 Jan 2026 success was ")
    assert "3 releases went live and 2 findings were raised." in told
    gain = figures.replay_sentence(view)
    assert "85.8\xa0%" in gain
    assert "71.9\xa0% more" in gain
    view["replay"]["summary"] |= {"uplift_percent": -3.0}
    assert "3.0\xa0% fewer" in figures.replay_sentence(view)
    for nothing in (None, math.nan):
        view["replay"]["summary"] |= {"uplift_percent": nothing, "success_with": nothing}
        assert not re.search("none|nan", figures.replay_sentence(view), re.IGNORECASE)


def test_marks_have_a_key_each_and_findings_their_inception():
    found = figures.marks(made_up_view())
    assert [m.key for m in found] == ["R1", "R2", "R3", "A", "B", "F1", "F2"]
    assert [m.to_ms - m.from_ms for m in found] == [0] * 5 + [3 * 86_400_000] * 2


def test_the_chart_has_a_point_for_every_day_of_labels_or_replay():
    view = made_up_view(10)
    del view["replay"]["days"][0]
    del view["days"][-1]
    drawn = figures.chart(view)["days"]
    assert len(drawn) == 10
    assert drawn[0]["with_loop"] is None
    assert drawn[-1]["success"] is None


def test_the_csv_holds_the_same_numbers(client, house):
    head, first, *_ = client.get("/performance.csv").text.splitlines()
    row = dict(zip(head.split(","), first.split(","), strict=True))
    day = house.view["days"][0]
    assert row["day"] == day["day"]
    assert (int(row["success_k"]), int(row["success_n"])) == (day["success"]["k"], day["success"]["n"])
    assert float(row["success_low"]) == pytest.approx(day["success"]["low"])
    assert client.get("/performance.csv").headers["content-type"].startswith("text/csv")


def test_what_comes_from_outside_is_escaped_on_pages_and_in_the_report(house):
    view = made_up_view(10)
    view["title"] = view["verdicts"][0]["sentence"] = view["findings"][0]["sentence"] = PROBE
    view["replay"]["changes"][0]["sentence"] = PROBE
    house.accounts = lambda: [PROBE]
    client = TestClient(create_app(MadeUpHouse(view)))
    client.app.state.house.accounts = house.accounts
    for page in (client.get("/").text, client.get("/ask").text, render_report(view)):
        assert "<img src=x" not in page
        assert "<script>document" not in page
        assert "&lt;img src=x" in page


def test_the_report_stands_alone():
    """It names no other file and no address to load from, and its policy holds exactly its own scripts and style."""
    report = render_report(made_up_view())
    assert "echarts" in report
    markup = re.sub(r"<(script|style)\b[^>]*>.*?</\1>", "", report, flags=re.DOTALL)
    assert not re.search(r"""(src|href)=["'](?!data:|#)""", markup)
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', report).group(1).replace("&#39;", "'")
    assert "unsafe" not in policy
    for text in re.findall(r"<(?:script|style)>(.*?)</(?:script|style)>", report, flags=re.DOTALL):
        digest = hashlib.sha256(text.encode()).digest()
        assert base64.b64encode(digest).decode() in policy


@pytest.mark.parametrize("folder", VENDOR_FOLDERS, ids=["package", "tests"])
def test_what_others_wrote_is_here_unmodified_and_with_its_licence(folder):
    entries = json.loads((folder / "VENDORED.json").read_text())
    files = {name: digest for entry in entries for name, digest in entry["files"].items()}
    assert {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in files} == files
    assert {path.name for path in folder.iterdir()} == {*files, "VENDORED.json"}
    assert all(any("LICENSE" in name for name in entry["files"]) for entry in entries)


# --- Server ---------------------------------------------------------------------------------------------------------


def test_newer_releases_are_looked_for_and_the_service_is_closed_at_the_end(house, caplog):
    """Also after a look has failed."""
    looked = threading.Event()

    def fail_once():
        house.service.refreshed += 1
        looked.set()
        raise OSError("the disk hiccups")

    house.service.refresh = fail_once
    with TestClient(create_app(house)) as client:
        assert looked.wait(10)
        assert asked(client).status_code == 200
    assert house.service.closed
    assert "looking for a newer release failed" in caplog.text


def test_a_database_that_is_away_is_logged_in_a_sentence_and_counts_as_no_refused_release(house, caplog):
    looked = threading.Event()

    def fail():
        looked.set()
        raise OutsideError("the database is away.", retry_helps=True)

    house.service.refresh = fail
    house.exchange = fail
    with TestClient(create_app(house)) as client:
        assert looked.wait(10)
        while len(caplog.records) < 2:
            time.sleep(0.01)
        figures = client.get("/v1/metrics").text
    assert {record.exc_info for record in caplog.records} == {None}
    assert "looking for a newer release failed: the database is away." in caplog.text
    assert 'noria_swaps_total{outcome="refused"}' not in figures


@pytest.mark.parametrize("path", ["/v1/ask", "/v1/feedback"])
def test_a_request_that_the_servers_end_cuts_off_is_told_to_come_again(house, path):
    """A client that sends its body slowly must not leave a traceback at each shutdown."""
    told = []

    async def tell(message):
        told.append(message)

    async def half_a_body():
        asking = asyncio.current_task()
        asyncio.get_running_loop().call_soon(asking.cancel)
        await asyncio.sleep(60)

    scope = {"type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "query_string": b"",
             "headers": [], "http_version": "1.1", "scheme": "http"}  # fmt: skip
    with ThreadPoolExecutor(1) as alone:  # browser tests leave a running loop in this thread
        alone.submit(lambda: asyncio.run(create_app(house)(scope, half_a_body, tell))).result(30)
    assert told[0]["status"] == 503
    assert (b"retry-after", b"5") in told[0]["headers"]


def test_a_port_in_use_is_told_before_anything_starts(house):
    with open_port("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OutsideError, match=rf"port {port} on 127\.0\.0\.1 is in use.*--port"):
            run(house, host="127.0.0.1", port=port, announce=print)
    assert house.service.refreshed == 0


SERVER = """
from noria.app.http.server import run
from tests.app.made_up_house import MadeUpHouse
house = MadeUpHouse()
run(house, host="127.0.0.1", port=0, announce=lambda sentence: print(sentence, flush=True))
print("closed" if house.service.closed else "open")
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_in_good_order(number):
    """`run` announces the address once it answers, and returns after the signal, with the service closed."""
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent.parent)}
    with subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True, env=environ) as process:
        assert "http://127.0.0.1:" in process.stdout.readline()
        process.send_signal(number)
        assert process.stdout.read() == "closed\n"
        assert process.wait(20) == 0


def test_the_made_up_answers_differ_by_decision():
    """Guards the tests above: the made-up service really takes all three decisions."""
    assert {answer_to(text).decision for text in ("password", "unsure", "car")} == {"answer", "clarify", "handoff"}
