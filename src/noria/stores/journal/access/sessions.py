"""Conversations in the journal: sessions, their turns, and hand-overs to a person."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from sqlalchemy import Connection, Engine, select, text

from noria.errors import NotFound
from noria.records import Feedback
from noria.records.sessions import HandOver, Session, Turn
from noria.stores.journal.access.schema import HAND_OVERS, SESSIONS
from noria.stores.journal.codec import check_texts
from noria.stores.journal.engine import fetch, put, reading
from noria.stores.journal.schema import FEEDBACK, PREDICTIONS
from noria.stores.journal.traffic import prediction_from, put_encoded

_CHUNK = 200
_FEW, _MANY = 4, 50
_SESSION_NAMES = tuple(SESSIONS.columns.keys())


class SessionDoor:
    """Reads conversations; every query names the account, so none ever sees another's."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def session(self, account: str, session: str) -> Session:
        """One session, or NotFound."""
        query = select(SESSIONS).where(SESSIONS.c.account == account, SESSIONS.c.session == session)
        with reading(self._engine) as connection:
            row = connection.execute(query).mappings().first()
        if row is None:
            raise NotFound("session", session)
        return Session(**row)

    def transcript(self, account: str, session: str) -> list[Turn]:
        """The turns of a session, oldest first; empty where there is no such session."""
        return self.transcripts([(account, session)])[account, session]

    def transcripts(self, which: Sequence[tuple[str, str]]) -> dict[tuple[str, str], list[Turn]]:
        """(account, session) → its turns, oldest first; of those asked for, each is there."""
        turns: dict[tuple[str, str], list[Turn]] = {pair: [] for pair in which}
        with reading(self._engine) as connection:
            for account, some in _by_account(turns, _CHUNK):
                # one account at a time: SQLite would read the whole table for pairs of account and session
                mine = PREDICTIONS.c.account == account, PREDICTIONS.c.session.in_(some)
                query = select(PREDICTIONS).where(*mine).order_by(PREDICTIONS.c.time_ms, PREDICTIONS.c.prediction_id)
                made = [prediction_from(row) for row in connection.execute(query).mappings()]
                said = _said(connection, [p.prediction_id for p in made])
                for p in made:
                    turns[account, p.query.session].append(Turn(p, tuple(said.get(p.prediction_id, ()))))
        return turns

    def said(self, prediction_ids: Sequence[str]) -> dict[str, list[Feedback]]:
        """What was said about predictions, in order of time; those about which nothing was are left out."""
        with reading(self._engine) as connection:
            return _said(connection, prediction_ids)

    def with_several_turns(self, which: Sequence[tuple[str, str]]) -> dict[tuple[str, str], int]:
        """Those of the sessions (account, session) that have two turns or more, and how many; reads an index only."""
        found: dict[tuple[str, str], int] = {}
        with reading(self._engine) as connection:
            for account, some in _by_account(which, _MANY):
                # one of two numbers of parameters, so that neither SQLAlchemy nor the database reads the text anew
                size = _FEW if len(some) <= _FEW else _MANY
                given = {f"s{n}": some[min(n, len(some) - 1)] for n in range(size)}
                rows = connection.execute(_SEVERAL[size], {"account": account, **given})
                found |= {(account, session): count for session, count in rows}
        return found

    def sessions(self, account: str, since_ms: int, until_ms: int) -> list[Session]:
        """Sessions of an account by the time they began, in order of time, name."""
        at = SESSIONS.c.started_ms
        query = select(SESSIONS).where(SESSIONS.c.account == account, at >= since_ms, at < until_ms)
        with reading(self._engine) as connection:
            rows = connection.execute(query.order_by(at, SESSIONS.c.session)).mappings().all()
        return [Session(**row) for row in rows]

    def hand_overs(self, since_ms: int, until_ms: int, account: str | None = None) -> list[HandOver]:
        """Hand-overs by time, of one account or all, in order of time, id."""
        at = HAND_OVERS.c.time_ms
        query = select(HAND_OVERS).where(at >= since_ms, at < until_ms)
        if account is not None:
            query = query.where(HAND_OVERS.c.account == account)
        with reading(self._engine) as connection:
            rows = connection.execute(query.order_by(at, HAND_OVERS.c.hand_over_id)).mappings().all()
        return [HandOver(**row) for row in rows]


_SEVERAL = {
    size: text(
        f"SELECT session, count(*) FROM predictions WHERE account = :account AND session IN "
        f"({', '.join(f':s{n}' for n in range(size))}) GROUP BY session HAVING count(*) > 1"
    )
    for size in (_FEW, _MANY)
}


def _by_account(which: Iterable[tuple[str, str]], most: int) -> Iterator[tuple[str, list[str]]]:
    """An account and so many of its sessions at most, until all had their turn."""
    sessions: dict[str, list[str]] = {}
    for account, session in which:
        sessions.setdefault(account, []).append(session)
    for account, its in sessions.items():
        for start in range(0, len(its), most):
            yield account, its[start : start + most]


def put_sessions(connection: Connection, sessions: Sequence[Session]) -> None:
    """Adds sessions; of one that is known the first stays."""
    rows = [check_texts("session", {name: getattr(one, name) for name in _SESSION_NAMES}) for one in sessions]
    put_encoded(connection, SESSIONS, [tuple(row.values()) for row in rows])


def put_hand_overs(connection: Connection, hand_overs: Sequence[HandOver]) -> None:
    """Adds hand-overs; of a known id the first stays."""
    names = HAND_OVERS.columns.keys()
    rows = [check_texts("hand-over", {name: getattr(one, name) for name in names}) for one in hand_overs]
    put(connection, HAND_OVERS, rows, what="hand-over", same=("account", "session"))


def _said(connection: Connection, prediction_ids: Sequence[str]) -> dict[str, list[Feedback]]:
    said: dict[str, list[Feedback]] = defaultdict(list)
    events = [Feedback(**row) for row in fetch(connection, FEEDBACK, FEEDBACK.c.prediction_id, prediction_ids)]
    for event in sorted(events, key=lambda event: (event.time_ms, event.event_id)):
        said[event.prediction_id].append(event)
    return said
