"""Vectors of texts by encoder and content hash, in one SQLite file of bounded size; what is lost is made again."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from noria.errors import OutsideError

T = TypeVar("T")
Floats32 = npt.NDArray[np.float32]

_AT_ONCE = 500
_BUSY_SECONDS = 60.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS vectors (
  id INTEGER PRIMARY KEY,
  fingerprint TEXT NOT NULL,
  key BLOB NOT NULL,
  vector BLOB NOT NULL,
  UNIQUE (fingerprint, key)
)
"""


class VectorCache:
    """Little-endian float32 vectors; several processes and threads may use one file at once.

    When the file holds more than `max_bytes`, the oldest vectors go. A file that is no cache or is damaged is begun
    anew.

    Args:
        path: the file; it and its folder are made when first used.
        max_bytes: of the pages in use.
    """

    def __init__(self, path: str | Path, *, max_bytes: int = 1 << 30) -> None:
        self._path, self._max_bytes = Path(path), max_bytes

    def get(self, fingerprint: str, keys: Sequence[bytes]) -> dict[bytes, Floats32]:
        """The vectors that are there, by key; read-only arrays of shape (d,).

        Raises:
            OutsideError: the file cannot be read or written.
        """

        def ask(connection: sqlite3.Connection) -> dict[bytes, Floats32]:
            found: dict[bytes, Floats32] = {}
            for start in range(0, len(keys), _AT_ONCE):
                part = list(keys[start : start + _AT_ONCE])
                places = ",".join("?" * len(part))
                rows = connection.execute(
                    f"SELECT key, vector FROM vectors WHERE fingerprint = ? AND key IN ({places})", [fingerprint, *part]
                )
                found |= {bytes(key): np.frombuffer(vector, "<f4") for key, vector in rows if len(vector) % 4 == 0}
            return found

        return self._do(ask)

    def put(self, fingerprint: str, vectors: Mapping[bytes, Floats32]) -> None:
        """Keeps vectors by key; one that is there stays.

        Raises:
            OutsideError: the file cannot be written.
        """
        rows = [(fingerprint, key, np.ascontiguousarray(vector, "<f4").tobytes()) for key, vector in vectors.items()]

        def keep(connection: sqlite3.Connection) -> None:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT OR IGNORE INTO vectors (fingerprint, key, vector) VALUES (?, ?, ?)", rows)
            self._trim(connection)
            connection.execute("COMMIT")

        self._do(keep)

    def count(self) -> int:
        """How many vectors there are."""
        return self._do(lambda c: int(c.execute("SELECT COUNT(*) FROM vectors").fetchone()[0]))

    def _trim(self, connection: sqlite3.Connection) -> None:
        def pragma(name: str) -> int:
            return int(connection.execute(f"PRAGMA {name}").fetchone()[0])

        while (pragma("page_count") - pragma("freelist_count")) * pragma("page_size") > self._max_bytes:
            first, last = connection.execute("SELECT MIN(id), MAX(id) FROM vectors").fetchone()
            if first is None:
                return  # a bound smaller than an empty file
            connection.execute("DELETE FROM vectors WHERE id <= ?", [first + (last - first) // 10])

    def _do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            try:
                return self._once(work)
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError:  # no database, or a damaged one
                self._forget()
                return self._once(work)
        except (sqlite3.Error, OSError) as error:
            raise OutsideError(
                f"the cache of vectors {self._path} cannot be used ({error}); remove it, or free space on the disk.",
                retry_helps=True,
            ) from error

    def _once(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Opened for one call, so that no connection is shared by threads or carried over a fork."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(self._path, timeout=_BUSY_SECONDS, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            # After a power cut the last vectors may be gone; they are made again.
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(_SCHEMA)
            return work(connection)

    def _forget(self) -> None:
        for end in ("", "-wal", "-shm"):
            self._path.with_name(self._path.name + end).unlink(missing_ok=True)
