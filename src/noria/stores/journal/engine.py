"""Connections and transactions: what SQLite and PostgreSQL need so that "committed" means "on disk"."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import (
    URL,
    Column,
    Connection,
    Dialect,
    Engine,
    RowMapping,
    Table,
    column,
    create_engine,
    event,
    inspect,
    make_url,
    select,
    table,
    text,
)
from sqlalchemy import exc as sa_exc
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from noria.errors import OutsideError, StateError, UsageError
from noria.stores.journal import migrations
from noria.stores.journal.codec import Row, dumps, loads

BUSY_TIMEOUT_MS = 30_000
LOCK_KEY = 0x6E6F7269  # "nori": the advisory locks of the journal on PostgreSQL
_MIGRATE, _LEDGER = 1, 2
_WRITE = "noria_write"
_JSON: dict[str, Any] = {"json_serializer": dumps, "json_deserializer": loads}
_CHUNK = 500  # ids in one IN (...): far below the limits of both databases


def open_engine(url: str) -> Engine:
    """An engine on a journal that stands at the newest revision; creates or migrates it under a lock.

    Raises:
        UsageError: the URL is neither a SQLite file nor PostgreSQL.
        StateError: the database was made by a newer Noria, or holds other tables.
        OutsideError: the database cannot be reached.
    """
    with translated():
        target = _checked(url)
    engine = _sqlite(target) if target.get_backend_name() == "sqlite" else _postgresql(target)
    try:
        with translated():
            if not _at_head(engine):
                _migrate(engine)
    except BaseException:
        engine.dispose()
        raise
    return engine


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection for reading only, whose statements all see the same state of the journal."""
    with translated(), engine.connect() as connection:
        if connection.dialect.name == "postgresql":  # SQLite does so by itself
            connection.execution_options(isolation_level="REPEATABLE READ")
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A write transaction: commits at the end of the block, rolls back on any exception."""
    with translated(), engine.connect() as connection:
        connection.execution_options(**{_WRITE: True})
        with connection.begin():
            yield connection


def lock_ledger(connection: Connection) -> None:
    """Keeps other writers off the ledger until the end of the transaction (SQLite has only one writer anyway)."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:a, :b)"), {"a": LOCK_KEY, "b": _LEDGER})


@contextmanager
def translated() -> Iterator[None]:
    """Turns the errors of the database into Noria's."""
    try:
        yield
    except (sa_exc.IntegrityError, sa_exc.DataError, OverflowError) as error:
        raise UsageError(f"the journal refuses this row: {_first_line(error)}") from error
    except (sa_exc.OperationalError, sa_exc.InterfaceError, sa_exc.TimeoutError) as error:
        raise OutsideError(
            f"the journal's database cannot be used just now: {_first_line(error)}. "
            "Check that it runs, that its disk has room, and that no other program holds a lock on it.",
            retry_helps=True,
        ) from error
    except sa_exc.DBAPIError as error:
        raise OutsideError(f"the journal's database failed: {_first_line(error)}", retry_helps=False) from error
    except OSError as error:
        raise OutsideError(f"the journal's folder cannot be used: {error}", retry_helps=False) from error


def put(connection: Connection, into: Table, rows: Sequence[Row], *, what: str, same: Iterable[str]) -> int:
    """Inserts the rows whose primary key is new and returns how many that were.

    A stored row of the same key counts as the same thing if it agrees in the columns `same`.

    Raises:
        UsageError: where it does not agree; `what` names the kind of row.
    """
    if not rows:
        return 0
    counting = {"preserve_rowcount": True}
    new = connection.execute(insert_new(connection.dialect, into), rows, execution_options=counting).rowcount
    if new < len(rows):
        check_known(connection, into, rows, what=what, same=same)
    return new


def put_telling(
    connection: Connection, into: Table, rows: Sequence[Row], *, what: str, same: Iterable[str]
) -> set[str]:
    """Does what `put` does and returns the keys that were new."""
    if not rows:
        return set()
    key = next(iter(into.primary_key.columns))
    new = set(connection.execute(insert_new(connection.dialect, into).returning(key), rows).scalars())
    if len(new) < len(rows):
        check_known(connection, into, rows, what=what, same=same)
    return new


def fetch(connection: Connection, source: Table, by: Column[Any], values: Iterable[object]) -> list[RowMapping]:
    """The rows of `source` whose column `by` is one of `values`, in no order."""
    wanted = list(dict.fromkeys(values))
    found: list[RowMapping] = []
    for start in range(0, len(wanted), _CHUNK):
        found += connection.execute(select(source).where(by.in_(wanted[start : start + _CHUNK]))).mappings()
    return found


def insert_new(dialect: Dialect, into: Table) -> sqlite.Insert | postgresql.Insert:
    """The statement that inserts a row unless its primary key is known."""
    dialect_insert = sqlite_insert if dialect.name == "sqlite" else postgresql_insert
    return dialect_insert(into).on_conflict_do_nothing(index_elements=list(into.primary_key.columns))


def check_known(connection: Connection, into: Table, rows: Sequence[Row], *, what: str, same: Iterable[str]) -> None:
    """Holds rows, all stored by now, against what is stored; see `put`."""
    key = next(iter(into.primary_key.columns))
    agree = list(same)
    stored = {row[key.name]: row for row in fetch(connection, into, key, [row[key.name] for row in rows])}
    for row in rows:
        other = [name for name in agree if stored[row[key.name]][name] != row[name]]
        if other:
            raise UsageError(
                f"{what} {row[key.name]!r} is in the journal already with another {' and '.join(other)}; "
                "use an id once, or send the same content again."
            )


def replace_row(connection: Connection, into: Table, row: Row) -> None:
    """Inserts a row or overwrites the one of the same primary key."""
    key = next(iter(into.primary_key.columns))
    dialect_insert = sqlite_insert if connection.dialect.name == "sqlite" else postgresql_insert
    rest = {name: value for name, value in row.items() if name != key.name}
    connection.execute(dialect_insert(into).values(row).on_conflict_do_update(index_elements=[key], set_=rest))


def _checked(url: str) -> URL:
    try:
        target = make_url(url)
    except sa_exc.ArgumentError as error:
        raise UsageError(f"{url!r} is no database URL; give sqlite:///PATH or postgresql://HOST/NAME.") from error
    backend = target.get_backend_name()
    if backend == "sqlite" and target.database and target.database != ":memory:":
        Path(target.database).parent.mkdir(parents=True, exist_ok=True)
        return target
    if backend in ("postgresql", "postgres"):
        return target.set(drivername="postgresql+psycopg")
    shown = target.render_as_string(hide_password=True)
    raise UsageError(f"a journal cannot be kept in {shown!r}; give sqlite:///PATH or postgresql://HOST/NAME.")


def _sqlite(target: URL) -> Engine:
    engine = create_engine(
        target,
        connect_args={"timeout": BUSY_TIMEOUT_MS / 1000, "check_same_thread": False},
        pool_size=8,
        max_overflow=56,
        pool_use_lifo=True,  # a connection remembers pages until another one has written
        **_JSON,
    )

    @event.listens_for(engine, "connect")
    def _on_connect(dbapi: Any, _record: object) -> None:
        dbapi.isolation_level = None  # the driver must not begin or commit anything on its own
        for pragma in (f"busy_timeout={BUSY_TIMEOUT_MS}", "synchronous=FULL", "foreign_keys=ON"):
            dbapi.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        # A deferred transaction that turns from reading to writing fails at once when another writer was faster.
        write = connection.get_execution_options().get(_WRITE, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine


def _postgresql(target: URL) -> Engine:
    connect_args = {} if "connect_timeout" in target.query else {"connect_timeout": 10}
    try:
        import psycopg  # noqa: F401
    except ImportError as error:
        raise UsageError("a journal on PostgreSQL needs its driver: pip install 'noria[postgres]'.") from error
    pool = {"pool_size": 8, "max_overflow": 24, "pool_pre_ping": True}
    engine = create_engine(target, connect_args=connect_args, **_JSON, **pool)

    @event.listens_for(engine, "connect")
    def _on_connect(dbapi: Any, _record: object) -> None:
        # A server set to synchronous_commit=off acknowledges what is not on disk.
        with dbapi.cursor() as cursor:
            cursor.execute(
                "SELECT set_config('synchronous_commit', 'on', false) "
                "WHERE current_setting('synchronous_commit') = 'off'"
            )
        dbapi.commit()

    return engine


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table(migrations.VERSION_TABLE):
        return None
    return connection.execute(select(column("version_num")).select_from(table(migrations.VERSION_TABLE))).scalar()


def _at_head(engine: Engine) -> bool:
    with engine.connect() as connection:
        revision = _revision(connection)
    if revision is not None and revision not in migrations.REVISIONS:
        raise StateError(
            f"the journal was made by a newer Noria (revision {revision!r}; this one knows up to {migrations.HEAD!r}), "
            "update Noria."
        )
    return revision == migrations.HEAD


def _migrate(engine: Engine) -> None:
    with _migration_lock(engine), writing(engine) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:a, :b)"), {"a": LOCK_KEY, "b": _MIGRATE})
        revision = _revision(connection)
        if revision is None:
            clash = sorted(migrations.FIRST_TABLES.intersection(inspect(connection).get_table_names()))
            if clash:
                raise StateError(
                    f"this database holds tables of something else ({', '.join(clash)}); give the journal its own."
                )
        if revision != migrations.HEAD:
            migrations.move(connection, migrations.HEAD)


@contextmanager
def _migration_lock(engine: Engine) -> Iterator[None]:
    """On SQLite: a lock file beside the database, under which the file is also turned to WAL (kept in the file)."""
    if engine.dialect.name != "sqlite":
        yield
        return
    with Path(f"{engine.url.database}.lock").open("w", encoding="ascii") as handle:
        deadline = time.monotonic() + 2 * BUSY_TIMEOUT_MS / 1000
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > deadline:
                    raise OutsideError(f"another process holds {handle.name}", retry_helps=True) from error
                time.sleep(0.02)
        raw = engine.raw_connection()
        try:
            raw.cursor().execute("PRAGMA journal_mode=WAL").close()
        finally:
            raw.close()
        yield


def _first_line(error: BaseException) -> str:
    cause = getattr(error, "orig", None) or error
    return str(cause).strip().split("\n")[0]
