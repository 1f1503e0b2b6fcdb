"""`noria replay --arms`: the same stream under other rules, beside the loop in one report."""

from __future__ import annotations

import json
from pathlib import Path

from tests.app.noria_process import noria, noria_json


def test_arms_stand_beside_the_loop_in_the_report(tmp_path: Path) -> None:
    """Each arm starts from the same release and meets the same requests; the home's own ledger stays as it was."""
    home = tmp_path / "home"
    noria("demo", "--home", home, "--days", 3, "--detached")
    before = noria_json("release", "ledger", home=home)
    said = noria_json("replay", "helpdesk", "--arms", "ungated, oracle", "--budget", 20, home=home)
    titles = ["no loop", "Noria", "Noria without its gate", "Noria with every query labelled"]
    assert [arm["title"] for arm in said["arms"]] == titles
    none, ours, ungated, oracle = said["arms"]
    assert len({arm["whole"]["n"] for arm in said["arms"]}) == 1
    assert none["labels"] == 0
    assert 0 < ours["labels"] < oracle["labels"]
    assert ungated["refusals"] == ungated["holds"] == 0
    assert noria_json("release", "ledger", home=home) == before
    report = (home / "reports" / "replay.html").read_text()
    assert all(f'<th scope="row">{title}</th>' in report for title in titles)
    assert json.loads((home / "reports" / "replay.json").read_text())["replay"]["arms"] == said["arms"]


def test_an_unknown_arm_is_named_with_what_is_known(tmp_path: Path) -> None:
    home = tmp_path / "home"
    noria("init", home)
    said = noria("replay", "helpdesk", "--arms", "oracel", home=home, code=2)
    assert "no arm named 'oracel'. Did you mean 'oracle'" in said
