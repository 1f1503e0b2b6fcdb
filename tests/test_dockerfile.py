"""The Dockerfile keeps what it promises, as far as its text tells; docs/deploy.md says where it was built."""

from __future__ import annotations

import fnmatch
import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def stages() -> list[list[tuple[str, str]]]:
    """(instruction, rest) by stage; continued lines are joined, comments are gone."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    lines = re.sub(r"\\\n\s*", "", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE)).splitlines()
    found: list[list[tuple[str, str]]] = []
    for line in filter(None, lines):
        instruction, _, rest = line.partition(" ")
        if instruction == "FROM":
            found.append([])
        if found:
            found[-1].append((instruction, rest))
    return found


def given(stage: list[tuple[str, str]], instruction: str) -> list[str]:
    return [rest for name, rest in stage if name == instruction]


def test_the_last_stage_builds_nothing_and_is_not_root():
    build, last = stages()
    assert not any(re.search(r"\b(pip|apt-get|gcc|hatchling)\b", run) for run in given(last, "RUN"))
    (user,) = given(last, "USER")
    assert user.split(":")[0] not in {"0", "root"}
    assert last.index(("USER", user)) < next(n for n, (name, _) in enumerate(last) if name == "CMD")
    assert given(last, "COPY") == ["--from=build /opt/noria /opt/noria"]
    assert any("uninstall" in run and "pip" in run for run in given(build, "RUN"))


def test_everything_that_is_installed_is_checked_by_its_hash():
    build, _ = stages()
    installs = [part for run in given(build, "RUN") for part in run.split("&&") if "pip install" in part]
    assert len(installs) == 3
    for install in installs:
        assert "--require-hashes" in install or "--no-index" in install
        assert "--no-deps" in install


def test_the_tools_that_build_are_in_the_lock():
    run = next(run for run in given(stages()[0], "RUN") if "build.lock" in run)
    names = re.search(r"\^\(([a-z|-]+)\)==", run)
    assert names
    lock = (ROOT / "requirements" / "dev.lock").read_text(encoding="utf-8")
    for name in names.group(1).split("|"):
        assert re.search(rf"^{name}==", lock, re.MULTILINE), name


def test_health_and_start_are_commands_without_a_shell_between():
    last = stages()[-1]
    (check,) = given(last, "HEALTHCHECK")
    assert json.loads(check.partition("CMD ")[2])[0] == "python3"
    (start,) = given(last, "CMD")
    # exec: SIGTERM meets the process set itself
    assert "exec noria deploy local up" in json.loads(start)[2]
    assert given(last, "VOLUME") == ['["/var/lib/noria"]']


def test_what_is_copied_is_there_and_not_ignored():
    kept = [
        line.removeprefix("!")
        for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if line.startswith("!")
    ]
    for copied in given(stages()[0], "COPY"):
        for name in copied.split()[:-1]:
            assert (ROOT / name).exists(), name
            assert any(fnmatch.fnmatch(name, pattern) for pattern in kept), name
