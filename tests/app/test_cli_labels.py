"""`noria label`: how labelling stands, decisions on disputes, doubtful examples."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.app.noria_process import noria, noria_json
from tests.stores.journal_records import label, task

from noria.label.settling import Settling
from noria.stores.journal import Journal


@pytest.fixture
def disputed_home(tmp_path: Path) -> Path:
    """A home with one task on which two people disagree."""
    home = tmp_path / "desk"
    noria("init", home)
    text = (home / "noria.toml").read_text(encoding="utf-8")
    (home / "noria.toml").write_text(text.replace("[label]", "[label]\ncost_per_label = 2"), encoding="utf-8")
    journal = Journal.open(f"sqlite:///{home}/journal.db")
    journal.add_tasks([task(annotators=2)])
    journal.add_labels([label("l1"), label("l2", annotator="ben", intent="vpn_slow", time_ms=2)])
    journal.settle(Settling())
    journal.close()
    return home


def test_a_dispute_is_listed_decided_by_name_and_paid_for(disputed_home: Path) -> None:
    """The list, the decision, and the status before and after it."""
    listed = noria("label", "adjudicate", home=disputed_home)
    assert "t1  vpn is down" in listed
    assert "ben: in_scope, vpn_slow" in listed
    before = noria_json("label", "status", home=disputed_home)
    assert (before["settled"], before["disputed"], before["cost_per_settled"]) == (0, 1, None)
    refused = noria("label", "adjudicate", "t1", "--as", "Eve", "--relevance", "in_scope", home=disputed_home, code=2)
    assert "needs the right intent" in refused
    answers = ["--relevance", "in_scope", "--intent", "reset_password", "--article", "none", "--helpful", "no"]
    assert "by Eve" in noria("label", "adjudicate", "t1", "--as", "Eve", *answers, home=disputed_home)
    after = noria_json("label", "status", home=disputed_home)
    assert (after["settled"], after["disputed"], after["cost_per_settled"]) == (1, 0, 6.0)
    assert noria_json("label", "adjudicate", home=disputed_home) == {"disputed": []}
    told = noria("label", "status", home=disputed_home)
    assert "alpha" in told
    assert "cost       6.00 a settled task" in told


def test_doubtful_examples_are_shown_with_their_evidence(disputed_home: Path) -> None:
    """The planted error, what it was taken for, and how sure the model is of either."""
    rows = [
        {"text": f"{word} {text} number {i}", "intent": intent}
        for intent, text in {"printer": "printer paper jam toner", "vpn": "vpn tunnel remote login"}.items()
        for i, word in enumerate([*text.split()] * 3)
    ]
    rows.append({"text": "the printer has a paper jam, toner too", "intent": "vpn"})
    file = disputed_home.parent / "it.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    noria("data", "add", file, "--as", "examples", home=disputed_home)
    found = noria_json("label", "suspects", "--data", "it", home=disputed_home)
    assert (found["rows"], found["found"]) == (25, 1)
    [suspect] = found["suspects"]
    assert (suspect["example"]["text"], suspect["better"]) == (rows[-1]["text"], "printer")
    assert suspect["better_probability"] > suspect["given_probability"]
    assert "1 of 25 rows of it@1 are doubted" in noria("label", "suspects", "--data", "it", home=disputed_home)
