"""The road of the journal's schema from revision to revision, walked by Alembic.

`HEAD` and `REVISIONS` repeat what the files in `versions/` say, so that opening a journal that is up to date needs no
Alembic. A new revision: add the file, append its id here, change `schema.py`; the tests compare all three.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Connection

REVISIONS: tuple[str, ...] = (
    "0001_first",
    "0002_labels",
    "0003_access",
    "0004_help_desk",
    "0005_findings",
    "0006_watching",
    "0007_challengers",
)
HEAD = REVISIONS[-1]
VERSION_TABLE = "journal_version"
FIRST_TABLES = frozenset(
    {"predictions", "feedback", "tasks", "labels", "ledger", "releases", "turns", "findings", "state"}
)
_ONE_AT_A_TIME = threading.Lock()


def config() -> Config:
    """Alembic's configuration for this folder, without any ini file."""
    from alembic.config import Config

    made = Config()
    made.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    made.set_main_option("path_separator", "os")
    return made


def move(connection: Connection, revision: str) -> None:
    """Upgrades or downgrades to `revision` ("base" = no tables) inside the transaction of `connection`."""
    from alembic import command
    from alembic.runtime.migration import MigrationContext

    with _ONE_AT_A_TIME:  # Alembic keeps the running environment in module globals
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        now = context.get_current_revision()
        place = {"base": -1, None: -1} | {name: i for i, name in enumerate(REVISIONS)}
        settings = config()
        settings.attributes["connection"] = connection
        (command.upgrade if place[revision] >= place[now] else command.downgrade)(settings, revision)
