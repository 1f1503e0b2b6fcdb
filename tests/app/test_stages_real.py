"""A server process with a challenger that raises, is slow, is worse, is better: live answers stay the same."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.house import ARTICLES, WORDS, examples, texts

from noria import build
from noria.agent import Recipe
from noria.app.home import open_home
from noria.app.wiring import open_stores
from noria.label import SettlingPolicy
from noria.label.gathering import settle
from noria.records import Candidate, Example, Label, LabelTask
from noria.release import GatePolicy, consider, roll_out
from noria.serve.challenger import place_of

from .noria_process import Server, noria, noria_json, server

pytestmark = pytest.mark.slow

MEMBER = """
import time
import numpy as np
from noria.agent.protocols import Stored

class Flaky:
    evidence_names = ()

    def __init__(self, count): self.count = count

    @classmethod
    def train(cls, rows, recipe): return cls(len(rows.classes) + rows.learns_reject)

    @classmethod
    def load(cls, stored, classes, recipe): return cls(stored.figures["count"])

    def logits(self, query):
        if "crash" in query.text:
            raise ZeroDivisionError("flaky")
        if "slow" in query.text:
            time.sleep(0.06)
        return np.zeros(self.count)

    def evidence(self, query, logits): return ()

    def stored(self): return Stored({"count": self.count})
"""
SETTINGS = """
[release]
margin = 0.3
stages = ["shadow", 50]
stage_hours = 0
stage_answers = 20
stage_margin = 0.3
latency_floor_ms = 40
"""
TRUTH = {text: intent for intent in ("vpn", "printer", "password") for text in texts(WORDS[intent])}
ASKED = list(TRUTH)[:60]


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installed package with a member that breaks on certain words."""
    folder = tmp_path_factory.mktemp("package")
    (folder / "flaky.py").write_text(MEMBER)
    facts = folder / "flaky-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: flaky\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text("[noria.components]\nmember.flaky = flaky:Flaky\n")
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, package: Path) -> tuple[Path, dict[str, Candidate]]:
    """A home where r0001 is live, and candidates: an equal one, one that breaks, one with wrong labels."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "home.json").write_text(json.dumps({"layout": 1}))
    (folder / "noria.toml").write_text(SETTINGS)
    stores = open_stores(open_home(folder))
    stores.lake.write_articles("it", ARTICLES, mode="append", note={}, time_ms=1)

    def train(rows: list[Example], time_ms: int, recipe: Recipe) -> Candidate:
        stores.lake.write_examples("it", rows, mode="replace", note={}, time_ms=time_ms)
        return build.train(stores, "it", articles_ref=None, recipe=recipe, time_ms=time_ms, code={},
                           clock=lambda: 0.0)[0]  # fmt: skip

    first = train(examples(), 1, Recipe())
    roll_out(stores, first, consider(stores, first, [], GatePolicy(margin=0.3), time_ms=1), time_ms=1)
    found = {"equal": train([*examples(), Example("x", "vpn gateway tunnel", "vpn", "train")], 2, Recipe()),
             "worse": train(examples(wrong=0.7), 3, Recipe())}  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(package))
        found["flaky"] = train(examples(), 4, Recipe(member="flaky"))
    stores.close()
    return folder, found


@pytest.fixture
def home(trained: tuple[Path, dict[str, Candidate]], package: Path, tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setenv("PYTHONPATH", str(package))
    return shutil.copytree(trained[0], tmp_path / "home")


@pytest.fixture
def tags(trained: tuple[Path, dict[str, Candidate]]) -> dict[str, str]:
    return {name: candidate.tag for name, candidate in trained[1].items()}


@pytest.fixture
def running(home: Path) -> Iterator[Server]:
    with server(home) as running:
        yield running


def ask(running: Server, asked: Sequence[str], session: str = "") -> list[dict[str, Any]]:
    named = [session or f"s{number}" for number in range(len(asked))]
    with httpx.Client(base_url=running.url, timeout=30) as client:
        return [
            client.post("/v1/ask", json={"account": "acme", "text": text, "session": name}).raise_for_status().json()
            for text, name in zip(asked, named, strict=True)
        ]


def said(answers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """All of the answers that is not of this very asking."""
    return [{k: v for k, v in a.items() if k not in {"prediction_id", "session", "release"}} for a in answers]


def until(running: Server, what: str, **wanted: object) -> None:
    """Waits until the server says so of its challenger."""
    for _ in range(300):
        challenger = running.get("/v1/releases/current")["challenger"]
        if (challenger or {}) == {} if not wanted else wanted.items() <= (challenger or {}).items():
            return
        time.sleep(0.1)
    pytest.fail(f"the server never came to: {what}, but says {challenger}")


def beside(home: Path, answers: list[dict[str, Any]], count: int) -> None:
    """Waits until so many of them were answered in shadow."""
    ids = [a["prediction_id"] for a in answers]
    stores = open_stores(open_home(home))
    try:
        for _ in range(600):
            if len(stores.journal.staging.answers(ids)) >= count:
                return
            time.sleep(0.1)
        pytest.fail(f"only {len(stores.journal.staging.answers(ids))} of {count} were answered in shadow")
    finally:
        stores.close()


def label(home: Path, answers: list[dict[str, Any]]) -> None:
    """People say what was right."""
    stores = open_stores(open_home(home))
    tasks, labels = [], []
    for p in (stores.journal.prediction(a["prediction_id"]) for a in answers):
        name, a, at = p.prediction_id, p.answer, p.query.time_ms
        text = p.query.text
        tasks.append(LabelTask(f"t{name}", name, "acme", text, a.intent, a.decision, (), p.release, at, "s", 1.0, 1,
                               "uniform-1", tuple(WORDS), at))  # fmt: skip
        labels.append(Label(f"l{name}", f"t{name}", name, "ann", "in_scope", TRUTH[text], (), helpful=None,
                            time_ms=at))  # fmt: skip
    stores.journal.add_tasks(tasks)
    stores.journal.add_labels(labels)
    settle(stores, SettlingPolicy())
    stores.close()


def ledger(home: Path) -> list[str]:
    """The kinds of its entries, after it proved itself."""
    return [entry["kind"] for entry in noria_json("release", "ledger", "--verify", home=home)["entries"]]


def test_a_challenger_that_raises_or_is_slow_is_ended_in_shadow(home: Path, running: Server, tags) -> None:
    """Live answers are the same to the last bit, none failed; the ledger says what was wrong."""
    for word, fault, asked in (("crash", "it failed alone", 30), ("slow", "times as long is borne", 165)):
        queries = [f"{text} {word}" for text in islice(cycle(ASKED), asked)]
        before = ask(running, queries)
        noria("release", "shadow", tags["flaky"], home=home)
        until(running, "shadow", tag=tags["flaky"], mode="shadow")
        after = ask(running, queries)
        assert said(after) == said(before)
        assert {a["release"] for a in after} == {"r0001"}
        assert not any(a["missing"] for a in after)
        beside(home, after, asked)
        seen = noria_json("release", "watch", home=home)
        assert seen["step"]["kind"] == "roll back"
        assert fault in seen["step"]["sentence"]
        until(running, "nobody beside")
    assert ledger(home) == ["release", "refuse", "refuse"]


def test_a_worse_challenger_is_ended_by_its_labels(home: Path, running: Server, tags) -> None:
    noria("release", "shadow", tags["worse"], home=home)
    until(running, "shadow", tag=tags["worse"])
    answers = ask(running, ASKED)
    assert {a["release"] for a in answers} == {"r0001"}
    beside(home, answers, len(answers))
    assert noria_json("release", "watch", home=home)["step"]["kind"] == "hold"
    label(home, answers)
    seen = noria_json("release", "watch", home=home)
    assert (seen["step"]["kind"], seen["challenger"]["state"]) == ("roll back", "withdrawn")
    assert "it is worse than the live release" in seen["step"]["sentence"]
    assert ledger(home) == ["release", "refuse"]


def test_a_canary_that_raises_gives_way_and_is_rolled_back(home: Path, running: Server, tags) -> None:
    """All traffic is its own; where it breaks the live agent answers, and the rollback is in the ledger."""
    queries = [f"{text} crash" for text in ASKED[:20]]
    before = ask(running, queries)
    noria("release", "canary", tags["flaky"], "--share", 100, home=home)
    until(running, "canary", mode="canary", share=1.0)
    first = ask(running, ["my vpn does not work"], "fine")[0]
    assert (first["release"], first["missing"]) == ("c0001", [])
    after = [ask(running, [query], f"new{number}")[0] for number, query in enumerate(queries)]
    assert said(after) == said(before)
    assert {a["release"] for a in after} == {"r0001"}
    until(running, "nobody beside")
    seen = noria_json("release", "watch", home=home)
    assert "failures one after the other" in seen["step"]["sentence"]
    assert ledger(home) == ["release", "hold", "rollback"]
    assert noria_json("release", "status", home=home)["live"] == "r0001"


def test_a_good_challenger_goes_live_by_stages_and_no_session_switches(home: Path, running: Server, tags) -> None:
    """Shadow, half of the sessions, all: each session keeps its release until the challenger is the release."""
    old = {f"old{n}": ask(running, [text], f"old{n}")[0]["release"] for n, text in enumerate(ASKED[:10])}
    proposed = noria_json("release", "propose", tags["equal"], home=home)
    assert (proposed["verdict"]["kind"], proposed["release"]) == ("promote", None)
    until(running, "shadow", name="c0001", mode="shadow")
    answers = ask(running, ASKED)
    beside(home, answers, len(answers))
    label(home, answers)
    assert noria_json("release", "watch", home=home)["step"]["kind"] == "advance"
    until(running, "canary", mode="canary", share=0.5)
    sessions: dict[str, set[str]] = {name: {release} for name, release in old.items()}
    made = []
    for number, text in enumerate(ASKED):
        name = f"old{number}" if number < 10 else f"t{number % 20}"
        made += ask(running, [text], name)
        sessions.setdefault(name, set()).add(made[-1]["release"])
    assert all(len(releases) == 1 for releases in sessions.values())
    assert {r for name, (r,) in sessions.items() if name.startswith("old")} == {"r0001"}
    for name, (release,) in ((n, r) for n, r in sessions.items() if n.startswith("t")):
        assert release == ("c0001" if place_of("c0001", "acme", name) < 0.5 else "r0001")
    assert {release for (release,) in sessions.values()} == {"r0001", "c0001"}
    beside(home, made, len(made))
    label(home, made)
    seen = noria_json("release", "watch", home=home)
    assert (seen["step"]["kind"], seen["release"]) == ("advance", "r0002"), seen["step"]["sentence"]
    for _ in range(300):
        if running.get("/v1/releases/current") == {"release": "r0002", "challenger": None}:
            break
        time.sleep(0.1)
    assert ask(running, ["my vpn does not work"])[0]["release"] == "r0002"
    assert ledger(home) == ["release", "hold", "hold", "release"]
    assert "as a canary for 50 % of the sessions" in noria("release", "certificate", "r0002", home=home)
