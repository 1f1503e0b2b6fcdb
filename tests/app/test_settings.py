"""Homes and settings: one clear message for every slip."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from noria.app.home import create_home, find_home, open_home
from noria.app.settings import loop_policy
from noria.errors import StateError, UsageError


def test_a_new_home_opens_with_the_defaults(tmp_path: Path) -> None:
    """The template that init writes holds only comments, so the defaults are in force."""
    assert create_home(tmp_path / "desk")
    home = open_home(tmp_path / "desk")
    assert home.settings.serve.port == 8420
    assert loop_policy(home.settings).sampling.daily_budget == 40
    assert not create_home(tmp_path / "desk")


def test_the_template_names_only_settings_that_exist(tmp_path: Path) -> None:
    """Each commented default can be switched on as it stands."""
    create_home(tmp_path / "desk")
    toml = tmp_path / "desk" / "noria.toml"
    lines = [
        line.removeprefix("# ") if " = " in line and "…" not in line else line for line in toml.read_text().splitlines()
    ]
    toml.write_text("\n".join(lines))
    home = open_home(tmp_path / "desk")
    assert home.settings.agent == {"max_false_rejects": 0.04}
    assert home.settings.label["daily_budget"] == 40


def home_with(folder: Path, text: str) -> Path:
    """A home with these settings."""
    desk = folder / "desk"
    create_home(desk)
    (desk / "noria.toml").write_text(text)
    return desk


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[serve]\nprot = 1\n", r"unknown setting 'prot'. Did you mean 'port'"),
        ("[server]\nport = 1\n", r"unknown setting 'server'. Did you mean 'serve'"),
        ("[label]\ndaily_bugdet = 1\n", r"Did you mean 'daily_budget'"),
        ("[agent]\nmax_false_reject = 0.1\n", r"max_false_rejects"),
        ('[serve]\nport = "high"\n', r"port = 'high' is not a whole number"),
        ("[serve]\nport = 99999\n", r"\[serve\] port = 99999 .*NORIA_SERVE_PORT.* is not from 0 to 65535"),
        ("[serve]\nworkers = -3\n", r"workers = -3 .* is not from 0 to 64"),
        ("[serve]\nanswer_limit_ms = 0\n", r"answer_limit_ms = 0 .* is not from 1"),
        ("[update]\naccept_new_intents = 1\n", r"is not true or false"),
        ("serve = 3\n", r"write \[serve\]"),
        ("[serve\n", r"not valid TOML"),
    ],
)
def test_a_slip_in_the_settings_is_named(tmp_path: Path, text: str, words: str) -> None:
    """Unknown sections and keys, and wrong types, name the place and the nearest name."""
    desk = home_with(tmp_path, text)
    with pytest.raises(UsageError, match=words):
        open_home(desk)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[monitor]\nfalse_alarms_a_year = 0\n", r"false_alarms_a_year = 0.0 makes no sense"),
        ("[monitor]\nbaseline_days = -1\n", r"baseline_days = -1"),
        ("[monitor]\nexplain_level = 95.0\n", r"explain_level"),
        ("[monitor]\nexplain_days = 0\n", r"explain_days"),
        ('[alerts]\nsmtp = "mail:smtp"\nmail_from = "a@b"\nmail_to = "a@b"\n', r"host:port"),
        ('[alerts]\nleast_severity = "loud"\n', r"Did you mean 'low'"),
    ],
)
def test_a_value_that_makes_no_sense_is_named(tmp_path: Path, text: str, words: str) -> None:
    """Before anything is done with it, not by an alarm that never comes or a traceback in the night."""
    desk = home_with(tmp_path, text)
    with pytest.raises(UsageError, match=words):
        loop_policy(open_home(desk).settings)


def test_a_home_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    """It is not touched; the message says to update."""
    create_home(tmp_path / "desk")
    (tmp_path / "desk" / "home.json").write_text(json.dumps({"layout": 99}))
    with pytest.raises(StateError, match="newer Noria"):
        open_home(tmp_path / "desk")
    with pytest.raises(StateError, match="newer Noria"):
        create_home(tmp_path / "desk")


def test_a_folder_with_other_things_does_not_become_a_home(tmp_path: Path) -> None:
    """Init never writes among foreign files."""
    (tmp_path / "thesis.txt").write_text("x")
    with pytest.raises(UsageError, match="not empty"):
        create_home(tmp_path)


def test_the_home_is_found_by_option_environment_or_folder(tmp_path: Path) -> None:
    """--home wins over NORIA_HOME, which wins over the current folder."""
    create_home(tmp_path / "here")
    here = tmp_path / "here"
    assert find_home("/a", {"NORIA_HOME": "/b"}, here) == Path("/a")
    assert find_home(None, {"NORIA_HOME": "/b"}, here) == Path("/b")
    assert find_home(None, {}, here) == here
    with pytest.raises(UsageError, match="noria init"):
        find_home(None, {}, tmp_path)
    with pytest.raises(UsageError, match="not a Noria home"):
        open_home(tmp_path / "nowhere")
