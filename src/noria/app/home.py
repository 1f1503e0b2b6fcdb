"""The home folder: where it is, its layout and its version."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from noria.app.settings import TEMPLATE, Settings, read_settings, with_environment
from noria.errors import StateError, UsageError

LAYOUT = 1
_STAMP = "home.json"


@dataclass(frozen=True, slots=True)
class Home:
    """An opened home: its folder and settings."""

    path: Path
    settings: Settings

    @property
    def lake(self) -> Path | str:
        return self.settings.stores.lake or self.path / "lake"

    @property
    def blobs(self) -> Path | str:
        return self.settings.stores.blobs or self.path / "blobs"

    @property
    def reports(self) -> Path:
        return self.path / "reports"

    @property
    def experiments(self) -> Path:
        return self.path / "experiments"

    @property
    def notebook(self) -> Path:
        return self.path / "notebooks" / "quality.py"

    @property
    def label_studio(self) -> Path:
        return self.path / "label-studio"

    @property
    def journal_url(self) -> str:
        return self.settings.stores.journal or f"sqlite:///{self.path / 'journal.db'}"

    @property
    def worker_url(self) -> str:
        """Where the steps of the worker's jobs are kept."""
        remote = self.settings.stores.journal.startswith("postgresql")
        here = self.settings.stores.journal if remote else f"sqlite:///{self.path / 'worker.db'}"
        return self.settings.worker.state or here

    @property
    def tracker_url(self) -> str:
        return self.settings.stores.tracker or f"sqlite:///{self.path / 'tracker.db'}"

    @property
    def tracker_artifacts(self) -> Path:
        return self.path / "tracker"


def find_home(option: str | None, environ: Mapping[str, str], cwd: Path) -> Path:
    """The home by `--home`, `NORIA_HOME`, or the current folder's `noria.toml`, in that order.

    Raises:
        UsageError: none of them names one.
    """
    named = option or environ.get("NORIA_HOME")
    if named:
        return Path(named).expanduser().absolute()
    if (cwd / "noria.toml").is_file():
        return cwd.absolute()
    raise UsageError(
        "no home given: use --home FOLDER, set NORIA_HOME, or run in a folder with a noria.toml. "
        "Make one with 'noria init FOLDER'."
    )


def create_home(path: Path) -> bool:
    """Makes a home; False when there was one already (which is left as it is).

    Raises:
        UsageError: the folder holds other things. StateError: a home of a newer version.
    """
    if (path / _STAMP).is_file():
        open_home(path)
        return False
    if path.exists() and (not path.is_dir() or any(p.name != "noria.toml" for p in path.iterdir())):
        raise UsageError(f"{path} exists and is not empty; choose a new or an empty folder.")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{path} cannot be made: {error.strerror}.") from None
    if not (path / "noria.toml").exists():
        (path / "noria.toml").write_text(TEMPLATE, encoding="utf-8")
    # the stamp comes last: a home without it is not a home yet
    (path / _STAMP).write_text(json.dumps({"layout": LAYOUT}) + "\n", encoding="utf-8")
    return True


def open_home(path: Path) -> Home:
    """Opens a home.

    Raises:
        UsageError: there is none. StateError: it was made by a newer Noria.
    """
    stamp = path / _STAMP
    if not stamp.is_file():
        raise UsageError(f"{path} is not a Noria home. Make one with 'noria init {path}'.")
    try:
        layout = json.loads(stamp.read_text(encoding="utf-8"))["layout"]
    except (ValueError, KeyError, TypeError):
        raise StateError(f'{stamp} is damaged; it should read {{"layout": {LAYOUT}}}.') from None
    if not isinstance(layout, int) or layout > LAYOUT:
        raise StateError(
            f"{path} was made by a newer Noria (layout {layout}, this one knows {LAYOUT}): update Noria to use it."
        )
    toml = path / "noria.toml"
    settings = read_settings(toml) if toml.is_file() else Settings()
    return Home(path, with_environment(settings, os.environ))
