"""The demo: what a newcomer sees first holds what the README says."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from tests.app.noria_process import noria_json

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo") / "home"


@pytest.fixture(scope="module")
def said(home: Path) -> Any:
    """The demo's whole 60 days, without serving."""
    return noria_json("demo", "--detached", "--home", home)


def test_success_with_the_loop_ends_far_above_success_without_it(said: Any) -> None:
    """At least 30 % above, over the same queries of the last two weeks, with labels kept to the budget."""
    assert said["days"] == 60
    assert said["success_with"] >= 1.3 * said["success_without"]
    assert said["labels"] <= 40 * 60


def test_no_release_lowered_the_frozen_basket(said: Any, home: Path) -> None:
    """The ledger's chain is whole, and no release in it scored below the champion it replaced."""
    assert said["releases"] >= 1
    entries = noria_json("release", "ledger", "--verify", "--home", home)["entries"]
    evidence = [e["evidence"] for e in entries if e["kind"] == "release"]
    assert len(evidence) == said["releases"] + 1
    assert all(e["basket_score"] >= e["champion_basket_score"] for e in evidence[1:])
    # the basket grows by rows of accepted intents; on the same rows the score never falls
    for before, after in pairwise(evidence):
        if before["data"]["basket"] == after["data"]["basket"]:
            assert before["basket_score"] <= after["basket_score"]


def test_the_planted_changes_are_in_the_report(said: Any, home: Path) -> None:
    """The report holds both arms, the changes and the releases, in one file that asks nothing of the network."""
    view = json.loads((home / "reports" / "replay.json").read_text())
    assert [c["name"] for c in view["replay"]["changes"]] == ["new_domain", "reworded"]
    assert len(view["replay"]["days"]) == 60
    assert view["findings"] == noria_json("monitor", "--home", home)["findings"]
    page = Path(said["report"]).read_text(encoding="utf-8")
    assert "<script src=" not in page
    assert "with the loop" in page.lower()


def test_a_second_demo_leaves_the_home_as_it_is(said: Any, home: Path) -> None:
    """Started again it does not replay twice."""
    before = noria_json("release", "status", "--home", home)
    again = noria_json("demo", "--detached", "--home", home)
    assert "nothing was replayed again" in again["text"]
    assert noria_json("release", "status", "--home", home) == before
    assert said["home"] == again["home"]


def test_production_quality_is_told_for_any_window_and_account(said: Any, home: Path) -> None:
    """`monitor` estimates every metric of the last days, for all and for one account, with interval and count."""
    whole = noria_json("monitor", "--days", 30, "--home", home)["window"]
    acme = noria_json("monitor", "--days", 30, "--account", "acme", "--home", home)["window"]
    assert 0 < acme["predictions"] < whole["predictions"] <= said["queries"]
    for name in ("success", "coverage", "preciseness", "helpfulness", "new_domain", "irrelevant"):
        metric = whole["metrics"][name]
        assert metric["low"] <= metric["value"] <= metric["high"]
        assert metric["labels"] > 0
    strict = noria_json("monitor", "--days", 30, "--widest", 0.001, "--home", home)["window"]
    assert not strict["metrics"]["success"]["enough"]
