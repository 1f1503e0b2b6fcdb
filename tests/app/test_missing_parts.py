"""A part of the agent that fails or is late: the others answer or a person does, and the prediction says so."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.agent.toy_encoder import ToyEncoder
from tests.app.live_house import make_home, open_live_house
from tests.house import ARTICLES, examples

from noria.agent import Agent, Recipe, fit
from noria.app.http.server import create_app
from noria.app.wiring import LiveHouse
from noria.serve.answering import Answering
from noria.serve.loading import Live

ASKED = {"account": "acme", "text": "my printer does not work"}


@pytest.fixture(scope="module")
def agent() -> Agent:
    """With an encoder."""
    return fit(examples(), ARTICLES, Recipe(), ToyEncoder())  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_home(tmp_path_factory.mktemp("home"))


@pytest.fixture
def house(home: Path) -> Iterator[LiveHouse]:
    house = open_live_house(home)
    yield house
    house.close()


def breaks(part: object, **methods: object) -> Any:
    """The part, but some of its methods fail."""

    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("broken")

    class Broken:
        def __getattr__(self, name: str) -> object:
            return fail if name in methods else getattr(part, name)

        def __call__(self, *_: object) -> None:
            fail()

    return Broken()


def without(agent: Agent, part: str) -> Agent:
    """The agent, but a part of it fails whenever it is asked."""
    told = {name: getattr(agent, name) for name in ("intent_model", "scope", "confidence", "decider", "finder")}
    asked = {"intent_model": "read", "scope": "score", "confidence": "confidence", "decider": "decide",
             "finder": "find", "encoder": "encode"}[part]  # fmt: skip
    whole = {**told, "encoder": agent.encoder}
    whole[part] = breaks(whole[part], **{asked: None})
    return Agent(**whole, articles=agent.articles, recipe=agent.recipe, facts=agent.facts)


def ask(house: LiveHouse, agent: Agent, **more: object) -> dict[str, Any]:
    house.service._live = Live("r0001", agent)
    client = TestClient(create_app(house))
    reply = client.post("/v1/ask", json={**ASKED, **more})
    assert reply.status_code == 200, reply.text
    told: dict[str, Any] = reply.json()
    kept = house.stores.journal.prediction(told["prediction_id"])
    assert [what.partition(":")[0] for what in kept.missing] == told["missing"]
    counted = client.get("/v1/metrics").text
    for component in told["missing"]:
        assert f'noria_missing_total{{component="{component}"}} 1.0' in counted
    return told


def test_nothing_is_missing_of_a_whole_agent(house: LiveHouse, agent: Agent) -> None:
    told = ask(house, agent)
    assert (told["decision"], told["intent"], told["missing"]) == ("answer", "printer", [])


@pytest.mark.parametrize(
    ("part", "name"),
    [("intent_model", "intent"), ("scope", "scope"), ("confidence", "confidence"), ("decider", "decision")],
)
def test_without_what_decides_a_person_does(house: LiveHouse, agent: Agent, part: str, name: str) -> None:
    told = ask(house, without(agent, part))
    assert (told["decision"], told["missing"], told["articles"]) == ("handoff", [name], [])


def test_without_the_encoder_n_grams_ask_back(house: LiveHouse, agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is answered on less evidence than it was calibrated with; what the user then chooses is answered."""

    def fail(*_: object) -> None:
        raise ZeroDivisionError("broken")

    monkeypatch.setattr(ToyEncoder, "encode", fail)  # for the finder too
    told = ask(house, agent, session="s-encoder")
    assert (told["decision"], told["missing"], told["articles"]) == ("clarify", ["encoder"], [])
    assert told["choices"][0]["intent"] == "printer"
    assert len(told["choices"]) > 1
    choice = {"prediction_id": told["prediction_id"], "intent": "printer"}
    reply = TestClient(create_app(house)).post("/v1/ask", json={**ASKED, "session": "s-encoder", "choice": choice})
    assert (reply.json()["decision"], reply.json()["missing"]) == ("answer", ["finder"])
    assert [a["article_id"] for a in reply.json()["articles"]] == ["kb-printer"]


@pytest.mark.parametrize("text", ["🙂", "xyzzy quux blorp", "lorem ipsum dolor"])
def test_without_the_encoder_n_grams_ask_nothing_about_texts_that_they_do_not_know(
    house: LiveHouse, agent: Agent, text: str
) -> None:
    told = ask(house, without(agent, "encoder"), text=text)
    assert (told["decision"], told["missing"]) == ("handoff", ["encoder"])


def test_without_the_finder_the_articles_of_the_intent_are_shown(house: LiveHouse, agent: Agent) -> None:
    told = ask(house, without(agent, "finder"))
    assert (told["decision"], told["missing"]) == ("answer", ["finder"])
    assert [a["article_id"] for a in told["articles"]] == ["kb-printer"]


def test_without_the_finder_nobody_sees_what_is_not_for_them(house: LiveHouse, agent: Agent) -> None:
    """Where no article of the intent may be shown, a person answers."""
    others = [replace(ARTICLES[1], account="birch"), replace(ARTICLES[1], article_id="vip", audience=("vip",))]
    told = ask(house, without(agent.with_articles(others), "finder"))
    assert (told["decision"], told["articles"], told["missing"]) == ("handoff", [], ["finder"])


def test_an_encoder_that_is_late_is_not_waited_for(house: LiveHouse, agent: Agent) -> None:
    hang = threading.Event()
    slow = SimpleNamespace(encode=lambda *_: hang.wait(30))
    parts = {name: getattr(agent, name) for name in ("intent_model", "scope", "confidence", "decider", "finder")}
    late = Agent(**parts, encoder=slow, articles=(), recipe=agent.recipe, facts={})  # type: ignore[arg-type]
    house.service._answering = Answering(30)
    told = ask(house, late)
    assert (told["decision"], told["missing"]) == ("clarify", ["agent"])
    hang.set()


def test_outside_of_serving_a_part_that_fails_is_an_error(agent: Agent) -> None:
    """A measurement must not go on without a part."""
    for part in ("encoder", "intent_model", "scope", "confidence", "decider", "finder"):
        with pytest.raises(ZeroDivisionError):
            without(agent, part).answer(ASKED["text"])
