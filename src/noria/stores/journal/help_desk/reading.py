"""Where reading the help desks goes on: cursors, turns between processes, waits that a desk asked for, rings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, and_, delete, or_, select, update

from noria.records import SMALL_TALK
from noria.stores.journal.access.schema import SESSIONS
from noria.stores.journal.codec import check_texts
from noria.stores.journal.engine import fetch, reading, writing
from noria.stores.journal.help_desk.schema import DESK_RINGS, DESK_STREAMS, insert_into
from noria.stores.journal.schema import FEEDBACK, PREDICTIONS

_BUDGET = ""
_CHUNK = 200


@dataclass(frozen=True, slots=True)
class Asked:
    """The last question of a session, who asked it, and when (UTC milliseconds)."""

    prediction_id: str
    requester: str
    time_ms: int


class DeskReading:
    """What is known about reading each account's desk; every call is one transaction."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def cursor(self, account: str, stream: str) -> str:
        """Where reading a stream goes on; "" = at the beginning."""
        return str(self._row(account, stream).get("cursor", ""))

    def whole_ms(self, account: str, stream: str) -> int:
        """When a stream was last read as a whole; 0 = never."""
        return int(self._row(account, stream).get("whole_ms", 0))

    def keep(self, account: str, stream: str, cursor: str, whole_ms: int | None = None) -> None:
        """Keeps where reading goes on, after all before it is kept."""
        self._set(account, stream, {"cursor": cursor} | ({} if whole_ms is None else {"whole_ms": whole_ms}))

    def take_turn(self, account: str, stream: str, now_ms: int, next_ms: int) -> bool:
        """Whether a stream is due and nobody else reads it; then it is due again at `next_ms`.

        One that is due after twice that wait is due now: the clock has been set back since. Not after once: the clocks
        of two processes differ.
        """
        row = {"account": account, "stream": stream, "due_ms": next_ms}
        with writing(self._engine) as connection:
            insert = insert_into(connection, DESK_STREAMS).values(check_texts("stream", row))
            only = or_(DESK_STREAMS.c.due_ms <= now_ms, DESK_STREAMS.c.due_ms > 2 * next_ms - now_ms)
            insert = insert.on_conflict_do_update(
                index_elements=["account", "stream"], set_={"due_ms": next_ms}, where=only
            )
            return bool(connection.execute(insert).rowcount == 1)

    def due_ms(self) -> dict[tuple[str, str], int]:
        """(account, stream) → not to be read before; those never read are not there."""
        query = select(DESK_STREAMS.c.account, DESK_STREAMS.c.stream, DESK_STREAMS.c.due_ms)
        with reading(self._engine) as connection:
            return {(row.account, row.stream): row.due_ms for row in connection.execute(query)}

    def hurry(self, account: str, stream: str, time_ms: int) -> None:
        """A stream is to be read no later than at a time."""
        late = and_(DESK_STREAMS.c.account == account, DESK_STREAMS.c.stream == stream, DESK_STREAMS.c.due_ms > time_ms)
        with writing(self._engine) as connection:
            connection.execute(update(DESK_STREAMS).where(late).values(due_ms=time_ms))

    def hold(self, account: str, until_ms: int) -> None:
        """No call to the account's desk before a time: the desk asked to wait."""
        self._set(account, _BUDGET, {"due_ms": until_ms})

    def held_until_ms(self, account: str) -> int:
        """Before when no call may go out; 0 = at once."""
        return int(self._row(account, _BUDGET).get("due_ms", 0))

    def ring(self, account: str, ticket_id: str, time_ms: int) -> None:
        """Notes that a desk rang about a ticket; many rings about one are one."""
        row = {"account": account, "ticket_id": ticket_id, "time_ms": time_ms}
        with writing(self._engine) as connection:
            insert = insert_into(connection, DESK_RINGS).values(check_texts("ring", row))
            connection.execute(
                insert.on_conflict_do_update(index_elements=["account", "ticket_id"], set_={"time_ms": time_ms})
            )

    def rung(self, account: str) -> dict[str, int]:
        """Ticket → when the desk last rang about it."""
        query = select(DESK_RINGS.c.ticket_id, DESK_RINGS.c.time_ms).where(DESK_RINGS.c.account == account)
        with reading(self._engine) as connection:
            return {row.ticket_id: row.time_ms for row in connection.execute(query)}

    def answered(self, account: str, rung: dict[str, int]) -> None:
        """Forgets rings that were read; one that rang again meanwhile stays."""
        with writing(self._engine) as connection:
            for ticket_id, time_ms in rung.items():
                same = and_(DESK_RINGS.c.account == account, DESK_RINGS.c.ticket_id == ticket_id)
                connection.execute(delete(DESK_RINGS).where(same, DESK_RINGS.c.time_ms == time_ms))

    def last_asked(self, account: str, requesters: list[str], since_ms: int) -> list[Asked]:
        """The last question, small talk apart, of each session that a requester of these had since a time."""
        of_session = and_(SESSIONS.c.account == PREDICTIONS.c.account, SESSIONS.c.session == PREDICTIONS.c.session)
        names = sorted({*requesters, *map(str.lower, requesters)})
        found: list[Asked] = []
        with reading(self._engine) as connection:
            for start in range(0, len(names), _CHUNK):
                query = select(
                    PREDICTIONS.c.session, PREDICTIONS.c.prediction_id, SESSIONS.c.requester, PREDICTIONS.c.time_ms
                ).join(SESSIONS, of_session)
                query = query.where(
                    SESSIONS.c.account == account,
                    SESSIONS.c.requester.in_(names[start : start + _CHUNK]),
                    PREDICTIONS.c.time_ms >= since_ms,
                    PREDICTIONS.c.intent != SMALL_TALK,
                )
                rows = connection.execute(query.order_by(PREDICTIONS.c.time_ms, PREDICTIONS.c.prediction_id))
                last = {session: Asked(name, requester, time_ms) for session, name, requester, time_ms in rows}
                found += last.values()
        return found

    def known_events(self, event_ids: list[str]) -> set[str]:
        """Those of the feedback events that the journal holds."""
        with reading(self._engine) as connection:
            return {row["event_id"] for row in fetch(connection, FEEDBACK, FEEDBACK.c.event_id, event_ids)}

    def _row(self, account: str, stream: str) -> dict[str, Any]:
        query = select(DESK_STREAMS).where(DESK_STREAMS.c.account == account, DESK_STREAMS.c.stream == stream)
        with reading(self._engine) as connection:
            row = connection.execute(query).mappings().first()
        return dict(row) if row else {}

    def _set(self, account: str, stream: str, values: dict[str, Any]) -> None:
        row = {"account": account, "stream": stream, **values}
        with writing(self._engine) as connection:
            insert = insert_into(connection, DESK_STREAMS).values(check_texts("stream", row))
            connection.execute(insert.on_conflict_do_update(index_elements=["account", "stream"], set_=values))
