"""The outbox of hand-overs: each step is one transaction, and no hand-over is taken by two at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace

from sqlalchemy import ColumnElement, Connection, Engine, and_, func, or_, select, update

from noria.records import Feedback
from noria.records.serving.help_desk import DELIVERY_STATES, Delivery, DeliveryState, Outgoing
from noria.records.sessions import HandOver
from noria.stores.journal.access.schema import HAND_OVERS
from noria.stores.journal.codec import check_one_of, check_texts
from noria.stores.journal.engine import fetch, reading, writing
from noria.stores.journal.help_desk.schema import DELIVERIES, insert_into
from noria.stores.journal.schema import FEEDBACK
from noria.stores.journal.traffic import known_predictions, put_feedback

_JOINED = HAND_OVERS.outerjoin(DELIVERIES, DELIVERIES.c.hand_over_id == HAND_OVERS.c.hand_over_id)
_UNTRIED = DELIVERIES.c.hand_over_id.is_(None)


class Outbox:
    """Hand-overs and how far each is. A hand-over of which nothing is noted here was not tried yet."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def due(self, account: str, now_ms: int, oldest_ms: int = 0, limit: int = 100) -> list[Outgoing]:
        """Hand-overs of an account for which something is to be done now, oldest first.

        Args:
            account: whose.
            now_ms: those that wait longer are left out.
            oldest_ms: of those never tried, the ones made before are left out.
            limit: most.
        """
        waiting = and_(DELIVERIES.c.state.in_(("pending", "unknown")), DELIVERIES.c.due_ms <= now_ms)
        fresh = and_(_UNTRIED, HAND_OVERS.c.time_ms >= oldest_ms)
        return self._listed(and_(HAND_OVERS.c.account == account, or_(waiting, fresh)), limit)

    def claim(self, hand_over: HandOver, prediction_id: str, now_ms: int) -> Delivery | None:
        """Notes that a call is about to go out, on disk before it does; None where somebody else was faster."""
        first = Delivery(
            hand_over.hand_over_id, hand_over.account, prediction_id, "sending", now_ms, sends=1, sent_ms=now_ms
        )
        with writing(self._engine) as connection:
            insert = insert_into(connection, DELIVERIES).values(check_texts("delivery", asdict(first)))
            if connection.execute(insert.on_conflict_do_nothing(index_elements=["hand_over_id"])).rowcount == 1:
                return first
            known = self._one(connection, hand_over.hand_over_id)
            if known is None or known.state != "pending" or known.due_ms > now_ms:
                return None
            again = replace(
                known, state="sending", changed_ms=now_ms, sends=known.sends + 1, sent_ms=now_ms, reason="", looks=0
            )
            return again if self._put(connection, known, again) else None

    def move(self, before: Delivery, after: Delivery, events: Sequence[Feedback] = ()) -> bool:
        """Takes a step, with the feedback that it brings; False, and nothing is written, where another was faster.

        Feedback on a prediction that has left the journal is left out: a ticket may live longer. Of an event that is
        known the first word counts: what was said is erased since, or a desk that began anew gives its numbers again.
        """
        with writing(self._engine) as connection:
            if not self._put(connection, before, after):
                return False
            known = known_predictions(connection, [event.prediction_id for event in events])
            told = {
                row["event_id"]
                for row in fetch(connection, FEEDBACK, FEEDBACK.c.event_id, (e.event_id for e in events))
            }
            put_feedback(connection, [e for e in events if e.prediction_id in known and e.event_id not in told])
        return True

    def refuse(self, hand_over: HandOver, prediction_id: str, reason: str, now_ms: int) -> None:
        """Notes that a hand-over was never sent and will not be."""
        row = Delivery(hand_over.hand_over_id, hand_over.account, prediction_id, "refused", now_ms, reason)
        with writing(self._engine) as connection:
            insert = insert_into(connection, DELIVERIES).values(check_texts("delivery", asdict(row)))
            changed = {"state": "refused", "reason": reason, "changed_ms": now_ms}
            only = DELIVERIES.c.state == "pending"
            connection.execute(insert.on_conflict_do_update(index_elements=["hand_over_id"], set_=changed, where=only))

    def give_up_calls(self, account: str, before_ms: int, due_ms: int, now_ms: int) -> int:
        """Calls that went out before a time and of which nothing was heard are lost: whoever made them is dead."""
        lost = and_(DELIVERIES.c.account == account, DELIVERIES.c.state == "sending", DELIVERIES.c.sent_ms < before_ms)
        known = {"state": "unknown", "reason": "lost", "due_ms": due_ms, "changed_ms": now_ms, "looks": 0}
        with reading(self._engine) as connection:
            if connection.execute(select(DELIVERIES.c.hand_over_id).where(lost).limit(1)).first() is None:
                return 0
        with writing(self._engine) as connection:
            return connection.execute(update(DELIVERIES).where(lost).values(known)).rowcount

    def followed(self, account: str) -> dict[str, Delivery]:
        """Ticket → delivery, of tickets from which more is expected."""
        which = and_(DELIVERIES.c.account == account, DELIVERIES.c.state == "delivered", DELIVERIES.c.over.is_(False))
        with reading(self._engine) as connection:
            rows = connection.execute(select(DELIVERIES).where(which)).mappings().all()
        return {row["ticket_id"]: Delivery(**row) for row in rows}

    def ours(self, account: str, ticket_ids: Iterable[str]) -> set[str]:
        """Those of the tickets that were made of hand-overs."""
        with reading(self._engine) as connection:
            rows = fetch(connection, DELIVERIES, DELIVERIES.c.ticket_id, ticket_ids)
        return {row["ticket_id"] for row in rows if row["account"] == account and row["ticket_id"]}

    def tickets_of(self, account: str, requester: str) -> list[str]:
        """Tickets that were, or may have been, made of what a requester said: ids, or the hand-over's where unknown."""
        whose = and_(HAND_OVERS.c.account == account, HAND_OVERS.c.requester == requester)
        query = select(DELIVERIES.c.ticket_id, DELIVERIES.c.hand_over_id).select_from(_JOINED)
        query = query.where(whose, DELIVERIES.c.state.in_(("sending", "unknown", "delivered")))
        with reading(self._engine) as connection:
            rows = connection.execute(query.order_by(DELIVERIES.c.hand_over_id)).all()
        return [row.ticket_id or f"hand-over {row.hand_over_id}" for row in rows]

    def in_state(self, account: str, state: DeliveryState, limit: int = 100) -> list[Outgoing]:
        """Hand-overs of an account in a state, oldest first."""
        check_one_of("the state of a delivery", state, DELIVERY_STATES)
        known = DELIVERIES.c.state == state
        return self._listed(
            and_(HAND_OVERS.c.account == account, or_(known, _UNTRIED) if state == "pending" else known), limit
        )

    def counts(self) -> dict[str, dict[str, int]]:
        """Account → state → hand-overs, those not tried yet among the pending ones; every account that has any."""
        state = func.coalesce(DELIVERIES.c.state, "pending").label("state")
        query = select(HAND_OVERS.c.account, state, func.count()).select_from(_JOINED)
        counted: dict[str, dict[str, int]] = {}
        with reading(self._engine) as connection:
            for account, name, n in connection.execute(query.group_by(HAND_OVERS.c.account, state)):
                counted.setdefault(account, dict.fromkeys(DELIVERY_STATES, 0))[name] = n
        return {account: counted[account] for account in sorted(counted)}

    def delivery(self, hand_over_id: str) -> Delivery | None:
        """How far one is; None where nothing was tried yet."""
        with reading(self._engine) as connection:
            return self._one(connection, hand_over_id)

    def _listed(self, which: ColumnElement[bool], limit: int) -> list[Outgoing]:
        query = select(HAND_OVERS, *(column.label(f"d_{column.name}") for column in DELIVERIES.columns))
        query = query.select_from(_JOINED).where(which).order_by(HAND_OVERS.c.time_ms, HAND_OVERS.c.hand_over_id)
        names, kept = HAND_OVERS.columns.keys(), DELIVERIES.columns.keys()
        with reading(self._engine) as connection:
            rows = connection.execute(query.limit(limit)).mappings().all()
        return [
            Outgoing(
                HandOver(**{name: row[name] for name in names}),
                Delivery(**{name: row[f"d_{name}"] for name in kept}) if row["d_hand_over_id"] is not None else None,
            )
            for row in rows
        ]

    def _one(self, connection: Connection, hand_over_id: str) -> Delivery | None:
        rows = fetch(connection, DELIVERIES, DELIVERIES.c.hand_over_id, [hand_over_id])
        return Delivery(**rows[0]) if rows else None

    def _put(self, connection: Connection, before: Delivery, after: Delivery) -> bool:
        """Writes `after` only where `before` still stands."""
        same = and_(*(DELIVERIES.c[name] == value for name, value in asdict(before).items()))
        row = check_texts("delivery", asdict(after))
        check_one_of("the state of a delivery", after.state, DELIVERY_STATES)
        return connection.execute(update(DELIVERIES).where(same).values(row)).rowcount == 1
