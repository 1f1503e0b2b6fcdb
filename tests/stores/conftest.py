"""The databases that the journal is tested on: SQLite always, PostgreSQL where there is one."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.pool import NullPool

from noria.stores.journal import Journal

POSTGRES_URL = os.environ.get("NORIA_TEST_POSTGRES_URL")
NO_POSTGRES = "no PostgreSQL: set NORIA_TEST_POSTGRES_URL, or install Debian's postgresql (`make real`)"
_names = itertools.count()


def debian_binaries() -> Path | None:
    """The folder of the newest PostgreSQL that Debian installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else None


@pytest.fixture(scope="session")
def postgres_server():
    """The URL of a PostgreSQL server where databases may be made; starts one of its own where none is given.

    Its own server sorts text as English does, unlike SQLite, so that a test notices where the two would differ.
    """
    if POSTGRES_URL:
        yield POSTGRES_URL
        return
    binaries = debian_binaries()
    if binaries is None:
        if os.environ.get("NORIA_REQUIRE_POSTGRES"):
            pytest.fail(f"{NO_POSTGRES} (NORIA_REQUIRE_POSTGRES is set)", pytrace=False)
        pytest.skip(NO_POSTGRES)
    # PostgreSQL refuses to run as root, and its user cannot enter pytest's folders.
    account = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
    folder = Path(tempfile.mkdtemp(prefix="noria-postgres-"))
    if account:
        shutil.chown(folder, "postgres", "postgres")
    sorting = ["--locale=C.UTF-8"]
    if int(binaries.parts[-2]) >= 15:
        sorting += ["--locale-provider=icu", "--icu-locale=en"]
    data = str(folder / "data")
    initdb = [binaries / "initdb", "-D", data, "-U", "noria", "-A", "trust", "-E", "UTF8", "--no-sync", *sorting]
    subprocess.run(initdb, check=True, capture_output=True, cwd="/", **account)
    # No TCP at all: the socket lies in a folder of its own, so no port can be taken.
    settings = ["-c", "listen_addresses=", "-c", "fsync=off", "-k", str(folder)]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [binaries / "postgres", "-D", data, *settings], stdout=log, stderr=log, cwd="/", **account
        )
    try:
        ready = [binaries / "pg_isready", "-q", "-h", str(folder)]
        while subprocess.run(ready, check=False).returncode != 0:
            assert server.poll() is None, (folder / "log").read_text()
            time.sleep(0.05)
        yield f"postgresql://noria@/postgres?host={folder}"
    finally:
        server.terminate()
        server.wait()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.real)])
def new_database(request, tmp_path):
    """A function that makes an empty database and returns its URL."""
    if request.param == "sqlite":
        yield lambda: f"sqlite:///{tmp_path}/journal-{next(_names)}.db"
        return
    server = make_url(request.getfixturevalue("postgres_server")).set(drivername="postgresql+psycopg")
    engine = create_engine(server, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    made = []

    def make() -> str:
        made.append(f"noria_test_{os.getpid()}_{next(_names)}")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {made[-1]}"))
        return server.set(drivername="postgresql", database=made[-1]).render_as_string(hide_password=False)

    yield make
    with engine.connect() as connection:
        for name in made:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
def journal_url(new_database):
    """The URL of an empty database."""
    return new_database()


@pytest.fixture
def journal(journal_url):
    """An open, empty journal."""
    opened = Journal.open(journal_url)
    yield opened
    opened.close()


@pytest.fixture
def run_sql(journal_url):
    """A function that runs statements past the journal, in one transaction of its own, and returns the last rows."""
    url = make_url(journal_url)
    if url.get_backend_name() == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    engine = create_engine(url, poolclass=NullPool)

    def run(*statements: str):
        with engine.begin() as connection:
            for statement in statements:
                result = connection.execute(text(statement))
            return result.all() if result.returns_rows else []

    return run
