"""Label Studio may ask Noria for pre-labels and ring its bell: over HTTP, and from a real server."""

from __future__ import annotations

import threading

import pytest
from starlette.testclient import TestClient
from tests.app.made_up_house import MadeUpHouse
from tests.connect.label_desk_contract import desk_task
from tests.connect.label_studio_server import as_said

from noria.app.home import create_home, open_home
from noria.app.http.guard import MAX_BODY_BYTES
from noria.app.http.server import create_app
from noria.app.wiring import LiveHouse
from noria.connect import BuiltinDesk
from noria.connect.label_studio import LabelStudioDesk
from noria.stores.journal import Journal

EMPTY = {"model_version": "r0007", "score": 0.0, "result": []}


class TaskHouse(MadeUpHouse):
    """The made-up house with real tasks."""

    def __init__(self, journal: Journal) -> None:
        super().__init__()
        self.desk = BuiltinDesk(journal)
        self.nudged = threading.Event()

    def nudge(self) -> None:
        self.nudged.set()


@pytest.fixture
def journal(tmp_path):
    opened = Journal.open(f"sqlite:///{tmp_path}/journal.db")
    opened.add_tasks([desk_task(1, confidence=0.5), desk_task(2, show_prediction=False)])
    yield opened
    opened.close()


@pytest.fixture
def house(journal):
    return TaskHouse(journal)


@pytest.fixture
def http(house):
    return TestClient(create_app(house), raise_server_exceptions=False)


def ask(http, *datas):
    body = {"tasks": [{"id": i, "data": data} for i, data in enumerate(datas)], "project": "1.1", "params": {}}
    return http.post("/label-studio/predict", json=body)


def test_it_says_that_it_is_there_and_which_release_answers(http):
    assert http.get("/label-studio/health").json() == {"status": "UP", "model_class": "Noria"}
    assert http.post("/label-studio/setup", json={"access_token": "x"}).json() == {"model_version": "r0007"}
    assert http.get("/label-studio/versions").json() == {"versions": ["r0007"]}


def test_a_pre_label_is_what_the_agent_said_then_and_nothing_where_the_task_hides_it(http):
    shown, hidden, foreign, odd = ask(
        http, {"task_id": "t-p1"}, {"task_id": "t-p2"}, {"text": "not ours"}, {"task_id": ["t-p1"]}
    ).json()["results"]
    said = {item["from_name"]: item["value"]["choices"] for item in shown["result"]}
    assert said == {"relevance": ["in_scope"], "intent": ["vpn_slow"]}
    assert (shown["model_version"], shown["score"]) == ("r0007", 0.5)
    assert hidden == {**EMPTY, "score": hidden["score"]}
    assert foreign == odd == EMPTY


def test_many_tasks_fit_in_a_call_and_other_paths_keep_their_limit(http):
    intents = [{"value": f"intent {i}"} for i in range(150)]
    answer = ask(http, *[{"task_id": "t-p1", "intents": intents} for _ in range(100)])
    assert len(answer.request.content) > 3 * MAX_BODY_BYTES
    assert len(answer.json()["results"]) == 100
    assert http.post("/v1/ask", content=b"x" * (MAX_BODY_BYTES + 1)).status_code == 413


@pytest.mark.parametrize("body", [b"", b"[]", b'{"tasks": 3}', b'{"tasks": [3]}'])
def test_a_call_of_another_shape_is_a_problem(http, body):
    assert http.post("/label-studio/predict", content=body).status_code == 422


def test_the_bell_is_answered_with_nothing_and_heard(http, house):
    assert http.post("/label-studio/webhook", json={"action": "ANNOTATION_CREATED"}).status_code == 204
    assert house.nudged.is_set()


def test_a_home_with_the_built_in_desk_is_deaf_to_the_bell(tmp_path):
    create_home(tmp_path / "desk")
    house = LiveHouse(open_home(tmp_path / "desk"))
    house.nudge()
    assert not house._rung.is_set()
    house.close()


def test_a_bell_that_cannot_be_followed_is_logged_and_no_error(tmp_path, caplog):
    create_home(tmp_path / "desk")
    (tmp_path / "desk" / "noria.toml").write_text('[label]\ndesk = "label_studio"\n')
    house = LiveHouse(open_home(tmp_path / "desk"))
    house.nudge()
    assert "labels not fetched: this home's Label Studio is not running" in caplog.text
    house.close()


@pytest.mark.real
@pytest.mark.slow
def test_a_real_label_studio_takes_its_pre_labels_from_us_and_rings(house, journal, serve_app, label_studio):
    """Adding a backend there makes it ring for everything that happens."""
    desk = LabelStudioDesk(label_studio.client, journal, title="Noria backend")
    journal.add_tasks([desk_task(3)])
    desk.push([desk_task(2, show_prediction=False), desk_task(3)])
    project = desk.report().project
    url = f"{serve_app(create_app(house))}/label-studio"
    made = label_studio.call("POST", "/api/ml/", body={"project": project, "url": url, "title": "Noria"})
    assert made["state"] == "CO"
    label_studio.call(
        "POST",
        "/api/dm/actions",
        params={"id": "retrieve_tasks_predictions", "project": project},
        body={"selectedItems": {"all": True, "excluded": []}},
    )
    said = {n: label_studio.row(project, f"t-p{n}")["predictions"] for n in (2, 3)}
    assert [prediction["model_version"] for prediction in said[3]] == ["r0001", "r0007"]
    assert [prediction["result"] for prediction in said[2] if prediction["result"]] == []
    house.nudged.clear()
    label_studio.annotate(label_studio.row(project, "t-p3")["id"], as_said("irrelevant"))
    assert house.nudged.wait(10)
    assert len(desk.collect(0)) == 1
