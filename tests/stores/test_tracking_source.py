"""The archive of the source is the same bytes for the same files, and tells of every change."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import noria
from noria.errors import StateError
from noria.stores.tracking.environment import environment_facts, make_environment, packages
from noria.stores.tracking.source import read_source, unpack_source


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout of a package in git."""
    package = tmp_path / "repo" / "src" / "toy"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("NAME = 'toy'\n", encoding="utf-8")
    (package / "data.json").write_text("{}", encoding="utf-8")
    (tmp_path / "repo" / "requirements").mkdir()
    (tmp_path / "repo" / "requirements" / "runtime.lock").write_text("a==1\n", encoding="utf-8")
    git(tmp_path / "repo", "init", "-q")
    git(tmp_path / "repo", "add", ".")
    git(tmp_path / "repo", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "first")
    return package


def git(root: Path, *words: str) -> str:
    return subprocess.run(["git", "-C", str(root), *words], check=True, capture_output=True, text=True).stdout


def test_equal_files_are_equal_bytes_wherever_and_whenever(checkout, tmp_path):
    import os
    import shutil

    shutil.copytree(checkout.parents[1], tmp_path / "other")
    os.utime(tmp_path / "other" / "src" / "toy" / "__init__.py", (1, 1))
    (tmp_path / "other" / "src" / "toy" / "__pycache__").mkdir()
    (tmp_path / "other" / "src" / "toy" / "__pycache__" / "x.pyc").write_bytes(b"1")
    first, second = read_source(checkout), read_source(tmp_path / "other" / "src" / "toy")
    assert first.archive == second.archive
    assert first.sha256 == second.sha256
    assert len(first.commit) == 40
    assert first.diff == ""


def test_a_change_that_was_not_committed_is_kept_as_a_diff(checkout):
    before = read_source(checkout)
    (checkout / "__init__.py").write_text("NAME = 'other'\n", encoding="utf-8")
    after = read_source(checkout)
    assert after.commit == before.commit
    assert "-NAME = 'toy'" in after.diff
    assert after.sha256 != before.sha256


def test_outside_git_there_is_no_commit(checkout, tmp_path):
    import shutil

    shutil.rmtree(checkout.parents[1] / ".git")
    source = read_source(checkout)
    assert (source.commit, source.diff) == ("", "")
    assert source.lock_sha256


def test_an_archive_runs_where_it_is_extracted(tmp_path):
    source = read_source(Path(noria.__file__).parent)
    folder = unpack_source(source.archive, tmp_path)
    assert read_source(folder / "noria").sha256 == source.sha256
    ask = "import noria; print(noria.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", ask], env={"PYTHONPATH": str(folder)}, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith(str(tmp_path))


def test_the_environment_tells_what_can_change_a_result():
    facts = environment_facts()
    assert facts["packages"] == packages()
    assert {"numpy", "scipy", "scikit-learn", "onnxruntime"} <= packages().keys()
    assert "pytest" not in packages()
    assert facts["blas"]
    assert facts["python"] == ".".join(map(str, sys.version_info[:3]))


def test_without_a_lock_an_environment_cannot_be_built(tmp_path):
    with pytest.raises(StateError, match="without a lock"):
        make_environment(b"", "", tmp_path)
