"""Installs Label Studio into an environment of its own, with a migrated database to copy for quick starts.

`python -m noria.app.label_studio.environment FOLDER` does it too; `make real` calls that.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from noria.errors import OutsideError

VERSION = "1.23.2"
FOLDER_VARIABLE = "NORIA_LABEL_STUDIO_ENV"
SILENCE = {
    "COLLECT_ANALYTICS": "false",
    "LATEST_VERSION_CHECK": "false",
    "SENTRY_DSN": "",
    "FRONTEND_SENTRY_DSN": "",
}
"""Without these it reports its use and errors to its makers and asks the package index for its version."""
_STAMP = "noria-installed"
# what builds the few packages that come as source only; installed first, so that no build fetches anything unchecked
_BUILDERS = ("packaging", "setuptools", "wheel")


def environment_folder(environ: Mapping[str, str]) -> Path:
    """Where it is installed: NORIA_LABEL_STUDIO_ENV, else the user's cache."""
    named = environ.get(FOLDER_VARIABLE)
    if named:
        return Path(named).expanduser().absolute()
    cache = Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "noria" / f"label-studio-{VERSION}"


def lock_file() -> Path:
    """The lock of its packages (a link to requirements/, so that the built package brings it along)."""
    return Path(__file__).with_name("label-studio.lock")


def is_installed(folder: Path) -> bool:
    """Whether the environment is complete and of this Noria's lock."""
    stamp = folder / _STAMP
    return stamp.is_file() and stamp.read_text(encoding="utf-8") == _fingerprint()


def program(folder: Path) -> Path:
    """The command that starts it."""
    return folder / "bin" / "label-studio"


def template(folder: Path) -> Path:
    """A migrated SQLite database without users."""
    return folder / "template" / "label_studio.sqlite3"


def install(folder: Path, say: Callable[[str], None]) -> bool:
    """Installs what is missing; False when all was there. Takes one to three minutes and about 1 GB.

    Raises:
        OutsideError: the registry or the disk failed.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(folder.name + ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if is_installed(folder):
            return False
        shutil.rmtree(folder, ignore_errors=True)
        say(f"installing Label Studio {VERSION} in {folder} (a minute or two)")
        _run([sys.executable, "-m", "venv", str(folder)], "an environment cannot be made")
        text = lock_file().read_text(encoding="utf-8")
        blocks = re.findall(r"^(?:[a-z0-9].*(?:\n[ \t]+.*)*)", text, re.MULTILINE)
        builders = "\n".join(block for block in blocks if block.split("==")[0] in _BUILDERS)
        first = folder / "builders.lock"
        first.write_text(builders + "\n", encoding="utf-8")
        pip = [str(folder / "bin" / "python"), "-m", "pip", "-qq", "--disable-pip-version-check", "--no-input"]
        pip += ["install", "--no-deps", "--require-hashes", "--no-build-isolation"]
        for path in (first, lock_file()):
            _run([*pip, "-r", str(path)], "its packages cannot be installed")
        say("preparing its database (a minute)")
        _migrate(folder)
        (folder / _STAMP).write_text(_fingerprint(), encoding="utf-8")
        return True


def _migrate(folder: Path) -> None:
    target = template(folder).parent
    target.mkdir(parents=True, exist_ok=True)
    (package,) = (folder / "lib").glob("python*/site-packages/label_studio")
    extra = {"LABEL_STUDIO_BASE_DATA_DIR": str(target), "DJANGO_SETTINGS_MODULE": "core.settings.label_studio"}
    command = [str(folder / "bin" / "python"), "manage.py", "migrate", "--verbosity", "0"]
    _run(command, "its database cannot be prepared", cwd=package, extra={**SILENCE, **extra})
    # the secret key of this run must not become every home's
    (target / ".env").unlink(missing_ok=True)


def _run(command: Sequence[str], what: str, *, cwd: Path | None = None, extra: Mapping[str, str] | None = None) -> None:
    # an environment that we run in must not reach into the new one
    environ = {k: v for k, v in os.environ.items() if k not in {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"}}
    done = subprocess.run(
        list(command),
        cwd=cwd,
        env={**environ, **(extra or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if done.returncode:
        tail = " ".join(done.stdout.decode(errors="replace").split())[-600:]
        raise OutsideError(f"Label Studio: {what}: {tail}", retry_helps=True)


def _fingerprint() -> str:
    return hashlib.sha256(lock_file().read_bytes()).hexdigest()


if __name__ == "__main__":
    where = Path(sys.argv[1]).absolute()
    try:
        fresh = install(where, lambda said: print(f"real     {said}", flush=True))  # noqa: T201 - a script for make
    except OutsideError as failure:
        sys.exit(f"real     {failure}")
    print(f"real     Label Studio {VERSION} {'installed' if fresh else 'already here'}: {where}")  # noqa: T201
