"""`noria choose`, `noria thresholds` and `noria evaluate --criteria` from the outside."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.build.experiments.made_up_sweeps import PLAN, made_home

from noria.app import cli

POLICY = """
shortlist = 2

[[limits]]
criterion = "decision.wrong_answers"
at_most = 0.5

[[objectives]]
criterion = "decision.served"
weight = 2

[[objectives]]
criterion = "efficiency.bundle_bytes"
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("choosing")
    made_home(folder / "home")
    (folder / "plan.toml").write_text(PLAN.replace("runs = 6", "runs = 3"), encoding="utf-8")
    said(folder / "home", "experiments", "sweep", str(folder / "plan.toml"), "--workers", "0")
    (folder / "home" / "policy.toml").write_text(POLICY, encoding="utf-8")
    return folder / "home"


def said(home: Path, *words: str, code: int = 0):
    from click.testing import CliRunner

    done = CliRunner().invoke(cli.root, ["--home", str(home), *words, "--json"])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == code, done.output
    return json.loads(done.stdout)


def refused(capsys, home: Path, *words: str) -> str:
    with pytest.raises(SystemExit) as told:
        cli.main(["--home", str(home), *words])
    assert told.value.code == 2
    return capsys.readouterr().err


def test_a_run_is_chosen_and_the_report_written(home, tmp_path):
    files = [tmp_path / f"report.{kind}" for kind in ("html", "md", "json")]
    outs = [word for file in files for word in ("--out", str(file))]
    found = said(home, "choose", "--policy", str(home / "policy.toml"), "--experiment", "small", *outs)
    assert found["runs"] == 3
    assert found["chosen"].startswith("small.")
    assert found["optimism"]["runs"] == found["within"]
    assert not found["by_fresh"]
    assert f"{found['chosen']} is chosen of 3 runs" in files[1].read_text()
    assert files[0].read_text().startswith("<!doctype html>")
    assert json.loads(files[2].read_text())["chosen"] == found["chosen"]


def test_fresh_rows_decide_also_for_models_that_were_not_kept(home):
    words = ("choose", "--policy", str(home / "policy.toml"), "--experiment", "small", "--fresh", "desk")
    found = said(home, *words, "--split", "all")
    assert found["by_fresh"]
    assert len(found["placed"]) == 2
    assert all(p["fresh"]["decision.served"] > 0 for p in found["placed"])


def test_a_policy_that_no_run_keeps_says_what_fails(home, tmp_path):
    hard = tmp_path / "hard.toml"
    hard.write_text(POLICY.replace("at_most = 0.5", "at_most = -1"), encoding="utf-8")
    found = said(home, "choose", "--policy", str(hard))
    assert found["chosen"] is None
    assert "3 break decision.wrong_answers at most -1" in found["sentence"]


def test_what_is_not_there_is_refused_with_the_nearest(home, capsys, tmp_path):
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(POLICY.replace("decision.served", "decision.serve"), encoding="utf-8")
    assert "'decision.served'" in refused(capsys, home, "choose", "--policy", str(wrong))
    known = str(home / "policy.toml")
    assert "Did you mean 'small'" in refused(capsys, home, "choose", "--policy", known, "--experiment", "smal")
    assert "cannot be read" in refused(capsys, home, "choose", "--policy", str(tmp_path / "none.toml"))
    assert ".html, .md or .json" in refused(capsys, home, "choose", "--policy", known, "--out", "report.pdf")
    assert "no rows of the split" in refused(
        capsys, home, "choose", "--policy", known, "--fresh", "desk", "--split", "val"
    )


def test_every_measurable_criterion_is_written(home, tmp_path):
    from noria.stats.criteria import CATALOGUE

    said(home, "train", "--data", "desk", "--set", "lineup=ngrams")
    file = tmp_path / "criteria.json"
    said(home, "evaluate", "--data", "desk", "--split", "all", "--criteria", str(file))
    told = json.loads(file.read_text())
    assert set(told["values"]) | set(told["missing"]) == set(CATALOGUE)
    assert len(told["values"]) >= 170
    assert "efficiency.latency_p99_ms" in told["values"]


def test_thresholds_are_told_with_how_many_rows_it_takes(home, tmp_path):
    said(home, "train", "--data", "desk", "--set", "lineup=ngrams")
    file = tmp_path / "points.json"
    found = said(home, "thresholds", "--data", "desk", "--split", "all", "--out", str(file))
    assert "needs about" in found["points"]["scope"]["sentence"]
    assert json.loads(file.read_text())["curves"]["answer"]
