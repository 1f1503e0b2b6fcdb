"""The command line: quick help, clear errors, JSON on everything that reports."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from tests.app.noria_process import noria, noria_json

from noria.app.cli import COMMANDS, SUMMARIES
from noria.app.cli.context import actor

HEAVY = (
    "numpy",
    "scipy",
    "sklearn",
    "mlflow",
    "deltalake",
    "pyarrow",
    "sqlalchemy",
    "fastapi",
    "uvicorn",
    "pydantic",
    "onnxruntime",
    "tokenizers",
)


def test_help_loads_nothing_heavy() -> None:
    """--help answers at once because no library that takes long is imported for it."""
    program = (
        "import sys\nfrom noria.app.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        f"print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert all(f"  {name} " in done.stdout for name in COMMANDS)


def test_every_command_has_its_summary() -> None:
    """The list that --help shows is complete."""
    assert set(COMMANDS) == set(SUMMARIES)
    for command in COMMANDS:
        assert "Usage: noria" in noria(command, "--help")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    noria("init", tmp_path / "desk")
    return tmp_path / "desk"


def test_without_a_home_the_way_out_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any command outside a home names the three ways to name one."""
    monkeypatch.chdir(tmp_path)
    said = noria("data", "list", code=2)
    assert "--home" in said
    assert "noria init" in said


@pytest.mark.parametrize("command", [["ask", "hello"], ["turn"], ["update"], ["label", "push"]])
def test_before_any_release_the_next_step_is_told(home: Path, command: list[str]) -> None:
    """Asking an agent that does not exist yet says how to get one."""
    said = noria(*command, home=home, code=4)
    assert "no release is live yet" in said
    assert "noria release propose" in said


def test_the_server_starts_before_any_release_and_says_it_is_not_ready(home: Path) -> None:
    """`up` without a release serves pages and health, and answers `ask` with 503 and the sentence."""
    import httpx
    from tests.app.noria_process import server

    with server(home) as up:
        assert up.get("/v1/health/live")["status"] == "up"
        assert httpx.get(up.url + "/v1/health/ready").status_code == 503
        refused = httpx.post(up.url + "/v1/ask", json={"account": "a", "text": "hi"})
        assert refused.status_code == 503
        assert refused.headers["content-type"].startswith("application/problem+json")
        assert "no release is live yet" in refused.json()["detail"]


def test_a_port_in_use_is_told_in_one_sentence(home: Path) -> None:
    """No traceback; the message names the port and the way out."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = noria("up", "--port", port, home=home, code=5)
    assert str(port) in said
    assert "--port" in said


def test_a_home_of_a_newer_version_is_refused(home: Path) -> None:
    """One sentence, whichever command."""
    (home / "home.json").write_text('{"layout": 99}')
    assert "newer Noria" in noria("data", "list", home=home, code=4)


def test_a_journal_of_a_newer_version_is_refused(home: Path) -> None:
    """A database that a newer Noria migrated is not touched."""
    import sqlite3

    noria("release", "status", home=home)
    with sqlite3.connect(home / "journal.db") as database:
        database.execute("UPDATE journal_version SET version_num = '9999'")
    database.close()
    assert "newer" in noria("release", "status", home=home, code=4)


def test_unknown_settings_stop_every_command(home: Path) -> None:
    """A slip in noria.toml is not passed over."""
    (home / "noria.toml").write_text("[serve]\nprot = 1\n")
    assert "Did you mean 'port'" in noria("data", "list", home=home, code=2)


def test_errors_are_json_too(home: Path) -> None:
    """With --json an error is one JSON document on standard error, problems with file, row and field."""
    bad = home.parent / "bad.jsonl"
    bad.write_text('{"text": "", "intent": "vpn"}\n{"text": "x"}\n')
    said = json.loads(noria("data", "add", bad, "--as", "examples", "--json", home=home, code=3))
    assert said["error"] == "DataError"
    assert [(p["row"], p["field"]) for p in said["problems"]] == [(1, "text"), (2, "intent")]


def test_unknown_names_offer_the_nearest(home: Path) -> None:
    """A slip in a table's name is answered with the one that was meant."""
    good = home.parent / "helpdesk.jsonl"
    good.write_text('{"text": "vpn down", "intent": "vpn"}\n')
    assert noria_json("data", "add", good, "--as", "examples", home=home)["name"] == "helpdesk"
    assert "Did you mean 'helpdesk'" in noria("train", "--data", "helpdesc", home=home, code=2)
    assert "1" in noria("train", "--data", "helpdesk@7", home=home, code=2)


def test_data_commands_show_what_is_there(home: Path) -> None:
    """add, list, show and history agree."""
    good = home.parent / "it.csv"
    good.write_text("text,intent\nvpn down,vpn\nprinter jam,printer\n")
    added = noria_json("data", "add", good, "--as", "examples", home=home)
    [listed] = noria_json("data", "list", home=home)
    assert (listed["name"], listed["version"], listed["sha256"]) == ("it", added["version"], added["sha256"])
    shown = noria_json("data", "show", "it@1", home=home)
    assert {r["text"] for r in shown["rows"]} == {"vpn down", "printer jam"}
    assert noria_json("data", "history", "it", home=home)[0]["version"] == 1
    for command in (
        ["data", "list"],
        ["data", "show", "it"],
        ["data", "history", "it"],
        ["release", "status"],
        ["label", "status"],
    ):
        assert noria(*command, home=home).strip()


def test_a_file_that_cannot_be_used_is_named_without_a_traceback() -> None:
    assert "File name too long. Check that this user may use it" in noria("keys", "list", "--home", "x" * 300, code=5)


def test_a_user_without_a_name_stands_in_the_audit_log_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container that runs under any number."""
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.getuid", lambda: 4_000_000_000)
    assert actor() == "uid 4000000000"
