"""`noria experiments` from the outside: what it prints, refuses and writes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.build.experiments.made_up_sweeps import PLAN, made_home

from noria.app import cli
from noria.app.cli.experiments.pages import ui_command_of


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("cli")
    made_home(folder / "home")
    (folder / "plan.toml").write_text(PLAN.replace("runs = 6", "runs = 3"), encoding="utf-8")
    assert said(folder / "home", "sweep", str(folder / "plan.toml"), "--workers", "0")["finished"] == 3
    return folder / "home"


def said(home: Path, *words: str, code: int = 0):
    from click.testing import CliRunner

    done = CliRunner().invoke(cli.root, ["--home", str(home), "experiments", *words, "--json"])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == code, done.output
    return json.loads(done.stdout)


def refused(capsys, home: Path, *words: str) -> str:
    with pytest.raises(SystemExit) as told:
        cli.main(["--home", str(home), "experiments", *words])
    assert told.value.code == 2
    return capsys.readouterr().err


def test_runs_are_listed_filtered_and_sorted(home):
    assert {"experiment": "small", "runs": 3} in said(home, "list")
    rows = said(home, "list", "--experiment", "small", "--sort", "-intent.accuracy", "--columns", "number")
    figures = [r["intent.accuracy"] for r in rows]
    assert figures == sorted(figures, reverse=True)
    assert len(said(home, "list", "--experiment", "small", "--where", "number>=1", "--where", "state=finished")) == 2
    assert said(home, "list", "--experiment", "small", "--where", "state!=finished") == []


def test_a_run_is_shown_with_what_it_is_tied_to(home):
    shown = said(home, "show", "small.0001")
    assert shown["manifest"]["data"]["examples"]["name"] == "desk"
    assert len(shown["manifest"]["code"]["sha256"]) == 64
    assert shown["run"]["metrics"]["intent.accuracy"] > 0


def test_the_best_model_is_kept_and_named_in_the_tracker(home):
    from noria.app import wiring
    from noria.app.home import open_home

    stores = wiring.open_stores(open_home(home))
    tag = stores.tracker.registered("small", "best")
    assert tag is not None
    assert said(home, "show", tag)["model_kept"]
    stores.close()


def test_two_runs_are_compared_and_their_first_difference_named(home):
    assert said(home, "diff", "small.0000", "small.0001")["cause"] == "settings"
    assert said(home, "diff", "small.0001", "small.0001")["identical"]
    assert len(said(home, "compare", "small.0000", "small.0001")) == 2


def test_delivered_runs_do_not_wait(home):
    assert said(home, "deliver") == {"delivered": 0, "waiting": 0, "why": ""}


@pytest.mark.slow
def test_runs_are_made_again(home):
    assert said(home, "reproduce", "--sample", "1", "--experiment", "small")["identical"] == 1
    assert said(home, "reproduce", "small.0000", "--set", "seed=5", code=1)["identical"] == 0


def test_a_campaign_writes_a_report_without_rows(home, tmp_path):
    text = (
        'name = "two questions"\n[defaults]\ndata = "desk"\nsampler = "grid"\nfixed = { lineup = "ngrams" }\n'
        '[[experiment]]\nname = "soft"\nquestion = "How soft?"\nspace = { svm_c = [0.1, 1.0] }\n'
        '[[experiment]]\nname = "long"\nspace = { char_min_n = [2, 5], char_max_n = [3, 6] }\n'
    )
    (tmp_path / "c.toml").write_text(text, encoding="utf-8")
    told = said(home, "campaign", str(tmp_path / "c.toml"), "--workers", "0", "--report", str(tmp_path / "report.md"))
    assert [e["runs"] for e in told["experiments"]] == [2, 4]
    report = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert report.startswith("# Two questions\n")
    assert "How soft?" in report
    assert "`soft.0001`" in report
    assert "char_min_n = 5 is above char_max_n = 3" in report
    assert "vpn" not in report
    assert said(home, "resume", "soft", "--workers", "0")["before"] == 2


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["show", "small.001"], "Did you mean 'small.0001'"),
        (["list", "--experiment", "smal"], "Did you mean 'small'"),
        (["list", "--where", "intent.acuracy>1"], "Did you mean 'intent.accuracy'"),
        (["list", "--where", "intent.accuracy"], "one of < <= = != >= >"),
        (["resume", "smalt"], "Did you mean 'small'"),
        (["sweep", "/nowhere.toml"], "cannot be read"),
        (["reproduce"], "name the TAGs"),
        (["compare", "small.0001"], "two tags or more"),
    ],
)
def test_what_does_not_exist_is_refused_with_the_nearest(capsys, home, words, told):
    assert told in refused(capsys, home, *words)


def test_the_pages_are_for_this_machine_alone():
    command, environment = ui_command_of("sqlite:///x.db", "file:///x", 8440)
    assert command[command.index("--host") + 1] == "127.0.0.1"
    assert command[command.index("--workers") + 1] == "1"
    assert environment["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] == "false"


def test_a_folder_that_is_no_home_is_said_to_be_none(capsys, tmp_path):
    assert "is not a Noria home" in refused(capsys, tmp_path, "list")
