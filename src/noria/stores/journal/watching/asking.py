"""Questions in SQL that people write themselves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection
from sqlalchemy import exc as sa_exc

from noria.errors import UsageError


@contextmanager
def read_only(connection: Connection) -> Iterator[None]:
    """While it lasts, the database itself refuses every change.

    Raises:
        UsageError: what was asked is no question, or not one that the database understands.
    """
    sqlite = connection.dialect.name == "sqlite"
    connection.exec_driver_sql("PRAGMA query_only = ON" if sqlite else "SET TRANSACTION READ ONLY")
    try:
        yield
    except (sa_exc.DBAPIError, sa_exc.ResourceClosedError) as error:
        said = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        raise UsageError(f"the journal does not answer this: {said}") from error
    finally:
        if sqlite:  # the connection goes back to those that write
            connection.exec_driver_sql("PRAGMA query_only = OFF")
        connection.rollback()
