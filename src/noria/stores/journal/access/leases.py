"""Leases: one process at a time may do a thing, on whichever host; a holder that died loses it after a while."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, Engine, text

from noria.stores.journal.engine import LOCK_KEY, reading, writing
from noria.stores.journal.loop import read_state, write_state

_LEASES = 3  # of the journal's advisory locks on PostgreSQL


@dataclass(frozen=True, slots=True)
class Lease:
    """Who holds a lease and until when (UTC milliseconds); `owner` "" = nobody."""

    owner: str
    until_ms: int


class LeaseDoor:
    """Leases by name. Clocks of hosts may differ by less than the time a lease is taken for."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def take(self, name: str, owner: str, *, now_ms: int, for_ms: int) -> bool:
        """Takes or renews a lease; False while another owner holds it."""
        with writing(self._engine) as connection:
            _alone(connection)
            held = _read(connection, name)
            if held.owner not in ("", owner) and held.until_ms > now_ms:
                return False
            write_state(connection, _key(name), {"owner": owner, "until_ms": now_ms + for_ms})
            return True

    def free(self, name: str, owner: str) -> None:
        """Gives a lease back; nothing happens where another holds it."""
        with writing(self._engine) as connection:
            _alone(connection)
            if _read(connection, name).owner == owner:
                write_state(connection, _key(name), {"owner": "", "until_ms": 0})

    def holder(self, name: str) -> Lease:
        """Who took it last and has not given it back."""
        with reading(self._engine) as connection:
            return _read(connection, name)


def _alone(connection: Connection) -> None:
    """Keeps other takers off until the end of the transaction (SQLite has only one writer anyway)."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:a, :b)"), {"a": LOCK_KEY, "b": _LEASES})


def _read(connection: Connection, name: str) -> Lease:
    kept = read_state(connection, _key(name)) or {"owner": "", "until_ms": 0}
    return Lease(str(kept["owner"]), int(kept["until_ms"]))


def _key(name: str) -> str:
    return f"lease:{name}"
