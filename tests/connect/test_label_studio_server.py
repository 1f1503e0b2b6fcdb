"""Noria's own Label Studio: started apart and quietly, known by its answers, and never another one's."""

from __future__ import annotations

import json
import os
import re
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from tests.connect.label_studio_server import free_port, installed, reachable

from noria.app.home import create_home, open_home
from noria.app.label_studio.environment import FOLDER_VARIABLE, SILENCE, environment_folder, lock_file
from noria.app.label_studio.server import OwnServer, label_studio_address
from noria.errors import OutsideError, StateError, UsageError


def run(*arguments: str, **environ: str):
    """A process of its own, as a person starts it: the server outlives it."""
    command = [sys.executable, "-m", "noria", *arguments, "--json"]
    done = subprocess.run(command, env={**os.environ, **environ}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.real
@pytest.mark.slow
def test_a_server_is_started_labels_are_asked_for_and_it_is_stopped(tmp_path):
    """By the command line, twice up and twice down; its files are the owner's alone; it says nothing to the outside."""
    home, port = tmp_path / "desk", free_port()
    create_home(home)
    (home / "noria.toml").write_text('[label]\ndesk = "label_studio"\n')
    environ = {FOLDER_VARIABLE: str(installed()), "NORIA_HOME": str(home)}
    try:
        up = run("label-studio", "up", "--port", str(port), **environ)
        assert reachable(up["url"])
        assert up["invitation"].startswith(f"{up['url']}/user/signup/?token=")
        assert run("label-studio", "up", "--port", str(port), **environ)["pid"] == up["pid"]
        told = run("label-studio", "status", **environ)
        assert (told["version"], told["status"]["open"]) == ("1.23.2", 0)
        assert run("label-studio", "sync", **environ)["receipt"]["counts"]["collected"] == 0
        environment = Path(f"/proc/{up['pid']}/environ").read_text().split("\0")
        assert {f"{name}={value}" for name, value in SILENCE.items()} <= set(environment)
        for name in ("token", "robot.json", "server.json"):
            assert stat.S_IMODE((home / "label-studio" / name).stat().st_mode) == 0o600
        token = (home / "label-studio" / "token").read_text()
        assert token not in (home / "label-studio" / "server.log").read_text()
        # a token that was lost is made anew, since the robot can still sign in
        run("label-studio", "down", **environ)
        (home / "label-studio" / "token").unlink()
        run("label-studio", "up", "--port", str(port), **environ)
        assert run("label-studio", "status", **environ)["version"] == "1.23.2"
    finally:
        assert run("label-studio", "down", **environ)["stopped"]
    assert not reachable(up["url"])
    assert not run("label-studio", "down", **environ)["stopped"]


@pytest.mark.real
def test_a_taken_port_is_an_error_and_no_surprise(tmp_path):
    """Label Studio itself would move to the next port."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(OutsideError, match=f"port {port} .* cannot be used"):
            OwnServer(tmp_path / "ls", installed()).up(port, print)
    assert not (tmp_path / "ls").exists()


def test_a_server_that_is_not_installed_is_told(tmp_path):
    with pytest.raises(StateError, match="is not installed"):
        OwnServer(tmp_path / "ls", tmp_path / "nowhere").up(free_port(), print)


def test_a_process_number_that_another_program_has_now_is_not_our_server(tmp_path):
    (tmp_path / "server.json").write_text(json.dumps({"pid": os.getpid(), "born": "1", "port": 1}))
    server = OwnServer(tmp_path, tmp_path)
    assert server.running() is None
    assert server.down() is False


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}'])
def test_a_damaged_note_of_the_server_is_no_server(tmp_path, text):
    (tmp_path / "server.json").write_text(text)
    assert OwnServer(tmp_path, tmp_path).running() is None


def test_the_token_of_another_server_comes_from_the_environment_only(tmp_path):
    create_home(tmp_path / "desk")
    toml = tmp_path / "desk" / "noria.toml"
    toml.write_text('[label_studio]\nurl = "https://labels.example.com"\n')
    home = open_home(tmp_path / "desk")
    with pytest.raises(UsageError, match="NORIA_LABEL_STUDIO_TOKEN"):
        label_studio_address(home, {})
    assert label_studio_address(home, {"NORIA_LABEL_STUDIO_TOKEN": "t"}) == ("https://labels.example.com", "t")
    toml.write_text('[label_studio]\ntoken = "t"\n')
    with pytest.raises(UsageError, match="unknown setting 'token'"):
        open_home(tmp_path / "desk")


def test_a_home_whose_server_is_not_up_says_how_to_start_it(tmp_path):
    create_home(tmp_path / "desk")
    with pytest.raises(StateError, match="noria label-studio up"):
        label_studio_address(open_home(tmp_path / "desk"), {})


def test_an_unknown_desk_is_named(tmp_path):
    create_home(tmp_path / "desk")
    (tmp_path / "desk" / "noria.toml").write_text('[label]\ndesk = "labelstudio"\n')
    with pytest.raises(UsageError, match="Did you mean 'label_studio'"):
        open_home(tmp_path / "desk")


def test_the_environment_is_the_users_cache_unless_named():
    assert environment_folder({"XDG_CACHE_HOME": "/c"}) == Path("/c/noria/label-studio-1.23.2")
    assert environment_folder({FOLDER_VARIABLE: "/e", "XDG_CACHE_HOME": "/c"}) == Path("/e")


def test_the_lock_names_the_version_and_only_hashes():
    lines = lock_file().read_text().splitlines()
    assert "label-studio==1.23.2 \\" in lines
    plain = re.compile(r"[a-z0-9.-]+==[^ ]+( ; [^\\]+)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?")
    assert [line for line in lines if not plain.fullmatch(line)] == []
