"""The code that runs, as one archive that is the same bytes for the same files; and what git says of it."""

from __future__ import annotations

import hashlib
import io
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

from noria.errors import OutsideError

_LEFT_OUT = {"__pycache__", ".venv", ".git", ".real", ".noria"}
_BESIDE = ("pyproject.toml", "README.md", "LICENSE", "requirements/runtime.lock")
"""Files of a checkout that belong to the code: how it is built, and with what."""


@dataclass(frozen=True, slots=True)
class Source:
    """The code of a process.

    `sha256`: over names and contents of the package's files. `archive`: a tar of them under `src/noria/`, and of what
    stands beside them in a checkout. `commit`, `diff`: what git says; "" outside a checkout, `diff` also where it is
    clean. `lock_sha256`: of the lock of run-time packages, "" where there is none.
    """

    sha256: str
    archive: bytes
    commit: str
    diff: str
    lock_sha256: str


def read_source(package: Path) -> Source:
    """The source of a package folder (`…/src/noria`).

    Raises:
        OutsideError: a file cannot be read.
    """
    root = package.parent.parent if package.parent.name == "src" else None
    try:
        files = {f"src/{package.name}/{p.relative_to(package).as_posix()}": p.read_bytes() for p in _files(package)}
        if root is not None:
            files |= {name: (root / name).read_bytes() for name in _BESIDE if (root / name).is_file()}
    except OSError as error:
        raise OutsideError(f"the source {package} cannot be archived: {error}.", retry_helps=False) from error
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(name.encode() + b"\0" + hashlib.sha256(files[name]).digest())
    lock = files.get("requirements/runtime.lock", b"")
    commit = _git(root, "rev-parse", "HEAD").strip() if root and (root / ".git").exists() else ""
    diff = _git(root, "diff", "HEAD", "--", "src", "pyproject.toml", "requirements") if root and commit else ""
    return Source(digest.hexdigest(), _tar(files), commit, diff, hashlib.sha256(lock).hexdigest() if lock else "")


def unpack_source(archive: bytes, folder: Path) -> Path:
    """Extracts an archive; returns the folder that holds the package, for PYTHONPATH.

    Raises:
        OutsideError: the disk refuses.
    """
    try:
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            tar.extractall(folder, filter="data")
    except OSError as error:
        raise OutsideError(f"the source cannot be extracted to {folder}: {error}.", retry_helps=False) from error
    return folder / "src"


def _files(package: Path) -> list[Path]:
    every = (p for p in package.rglob("*") if p.is_file() and p.suffix != ".pyc")
    return sorted(p for p in every if not _LEFT_OUT.intersection(p.relative_to(package).parts))


def _tar(files: dict[str, bytes]) -> bytes:
    """Without times, owners and modes, so that equal files are equal bytes."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in sorted(files):
            facts = tarfile.TarInfo(name)
            facts.size = len(files[name])
            tar.addfile(facts, io.BytesIO(files[name]))
    return out.getvalue()


def _git(root: Path, *arguments: str) -> str:
    """What git says; "" where there is no git, or it refuses."""
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments],  # noqa: S607 - the user's own git
            capture_output=True,
            check=False,
            timeout=60,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else ""
