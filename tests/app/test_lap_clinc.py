"""The whole lap on CLINC150, by the command line and HTTP alone."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.app.noria_process import noria, noria_json, server

pytestmark = pytest.mark.slow
INTENTS = 30


@pytest.fixture(scope="module")
def rows(requires_bench: Callable[[str], Path]) -> list[dict[str, Any]]:
    """Training and validation rows of 30 intents and all out-of-scope ones; the test split is left alone."""
    with gzip.open(requires_bench("clinc150") / "clinc150.jsonl.gz", "rt", encoding="utf-8") as source:
        every = [json.loads(line) for line in source]
    names = sorted({r["intent"] for r in every} - {"oos"})[::5]
    assert len(names) == INTENTS
    kept = [r for r in every if r["intent"] in {*names, "oos"} and r["split"] != "test"]
    return [r for r in kept if r["split"] == "val" or r["in_full"] or r["intent"] == "oos"]


@pytest.fixture(scope="module")
def lap(rows: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Add, train, evaluate, predict, release, up, ask, feedback, label, turn; what each said."""
    folder = tmp_path_factory.mktemp("clinc")
    home, said = folder / "home", {}
    # one training row in ten is withheld: half is the frozen basket, half comes back as traffic
    train = [r for r in rows if r["split"] == "train"]
    basket, traffic = train[::20], train[10::20]
    withheld = {r["id"] for r in basket + traffic}
    data = [r for r in rows if r["id"] not in withheld] + [r | {"split": "test"} for r in basket]
    source = folder / "clinc.jsonl.gz"
    with gzip.open(source, "wt", encoding="utf-8") as sink:
        sink.writelines(json.dumps({k: r[k] for k in ("id", "text", "intent", "domain", "split")}) + "\n" for r in data)
    noria("init", home)
    said["add"] = noria_json("data", "add", source, "--as", "examples", "--name", "clinc", home=home)
    said["train"] = noria_json("train", "--data", "clinc", home=home)
    said["evaluate"] = noria_json("evaluate", "--data", "clinc", "--split", "val", home=home)
    said["release"] = noria_json("release", "propose", said["train"]["tag"], home=home)
    noria("predict", "--data", source, "--out", folder / "out.jsonl", home=home)
    said["predictions"] = [json.loads(line) for line in (folder / "out.jsonl").read_text().splitlines()]
    with server(home) as up:
        said["answers"] = []
        for row in traffic[:60]:
            answer = up.post("/v1/ask", {"account": "acme", "text": row["text"]})
            up.post("/v1/feedback", {"prediction_id": answer["prediction_id"], "kind": "helpful"})
            said["answers"].append(answer)
        said["first turn"] = noria_json("turn", home=home)
        tasks = up.get("/v1/label/tasks?limit=100")["tasks"]
        truth = {r["text"]: r["intent"] for r in traffic}
        for task in tasks:
            intent = truth[task["text"]]
            body = {"task_id": task["task_id"], "annotator": "tester", "relevance": "in_scope", "intent": intent}
            up.post("/v1/label/labels", body | {"relevance": "new_domain", "intent": None} if intent == "oos" else body)
        said["tasks"] = tasks
        toml = home / "noria.toml"
        toml.write_text(toml.read_text().replace("[update]\n", "[update]\nmin_new_labels = 10\n"))
        said["second turn"] = noria_json("turn", home=home)
        said["release after"] = said["second turn"]["release"]
        for _ in range(100):
            said["next answer"] = up.post("/v1/ask", {"account": "acme", "text": traffic[61]["text"]})
            if said["next answer"]["release"] == said["release after"]:
                break
            time.sleep(0.1)
    said["ledger"] = noria_json("release", "ledger", "--verify", home=home)
    said["status"] = noria_json("release", "status", home=home)
    said["rows"] = len(data)
    return said


def test_data_are_versioned(lap: dict[str, Any]) -> None:
    """Every row of the file is in version 1 of the table."""
    assert (lap["add"]["version"], lap["add"]["rows"]) == (1, lap["rows"])


def test_training_prints_tag_run_and_figures(lap: dict[str, Any]) -> None:
    """The tag names data and version; accuracy on validation rows is that of a working model."""
    assert lap["train"]["tag"].startswith("clinc-v1-")
    assert lap["train"]["run"]
    assert lap["train"]["metrics"]["val.accuracy"] > 0.9
    assert lap["evaluate"]["metrics"]["accuracy"] == pytest.approx(lap["train"]["metrics"]["val.accuracy"])
    assert lap["evaluate"]["metrics"]["scope_auroc"] > 0.85


def test_the_first_model_is_released(lap: dict[str, Any]) -> None:
    """The gate lets a first model through and says on how many rows."""
    assert lap["release"]["verdict"]["kind"] == "promote"
    assert lap["release"]["release"] == "r0001"


def test_predictions_have_the_promised_fields(lap: dict[str, Any]) -> None:
    """One line a row, with every field of the contract."""
    assert len(lap["predictions"]) == lap["rows"]
    fields = {"id", "decision", "intent", "intent_confidence", "scope_score", "in_scope", "articles", "release"}
    assert all(set(p) == fields for p in lap["predictions"])
    assert {p["release"] for p in lap["predictions"]} == {"r0001"}


def test_turning_the_loop_draws_tasks_then_learns_from_labels(lap: dict[str, Any]) -> None:
    """The first turn puts tasks on the desk, the second trains on their labels and puts the candidate to the gate."""
    assert lap["first turn"]["verdict"] is None
    # each of the 60 queries has its own coin, and the budget pays for 40 answers on average
    assert 15 <= len(lap["tasks"]) <= 60
    rooms = [r["room"] for r in lap["second turn"]["receipts"]]
    assert rooms == ["label.gather", "monitor", "monitor.watch", "update", "build", "release", "label.send"]
    assert lap["second turn"]["verdict"] in ("promote", "hold", "refuse")


def test_the_next_query_is_answered_by_the_release_that_the_turn_left(lap: dict[str, Any]) -> None:
    """A running server picks a new release up by itself."""
    assert lap["next answer"]["release"] == lap["status"]["live"] == lap["release after"]


def test_the_ledger_holds_every_verdict_and_never_a_lower_basket_score(lap: dict[str, Any]) -> None:
    """Two verdicts, the chain whole; a release never scored below its champion."""
    entries = lap["ledger"]["entries"]
    assert len(entries) == 2
    for entry in entries:
        if entry["kind"] == "release" and entry["evidence"]["champion_basket_score"] is not None:
            assert entry["evidence"]["basket_score"] >= entry["evidence"]["champion_basket_score"]
