"""What becomes of tickets comes back as feedback: answered, resolved, reopened, rated; and tickets made alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from noria.errors import NotFound
from noria.ports.help_desk import Progress, Row, Stream
from noria.records import DAY_MS, Feedback, FeedbackKind, Receipt
from noria.records.serving.help_desk import Delivery
from noria.serve.help_desk.policy import AccountDesk, ExchangePolicy
from noria.serve.help_desk.ticket import MARK
from noria.serve.help_desk.waiting import still_waiting
from noria.serve.sessions.deflection import RETURN_MS

if TYPE_CHECKING:
    from noria.stores.journal import Journal

STREAM: Stream = "tickets"
_OVER = frozenset({"resolved", "closed"})


def follow(journal: Journal, at: AccountDesk, policy: ExchangePolicy, now_ms: Callable[[], int]) -> Receipt:
    """Reads which tickets of an account changed, and notes what that says about answers.

    Events count once however often a ticket is read. The cursor is kept only when all is noted, so a round that broke
    is read again.

    Raises:
        OutsideError: the desk is out of reach or asks to wait; what was noted stays.
    """
    account, reading, outbox = at.account, journal.desk_reading, journal.outbox
    now = now_ms()
    if (waiting := still_waiting(journal, account, now)) is not None:
        return waiting
    ours, rung = outbox.followed(account), reading.rung(account)
    cursor = reading.cursor(account, STREAM) or at.desk.since(_begin_ms(ours, now))
    changed = {name for name in rung if name in ours}
    changed |= {name for name, one in ours.items() if 0 < one.due_ms <= now}
    counts: Counter[str] = Counter(dict.fromkeys(("tickets", "events", "own_tickets", "rings"), 0))
    then = cursor
    for batch in at.desk.pull(STREAM, cursor):
        changed |= {row["id"] for row in batch.rows if row["id"] in ours}
        counts["own_tickets"] += _own(journal, account, batch.rows)
        then = batch.cursor or then
    for name in sorted(changed):
        counts["tickets"] += 1
        counts["events"] += _read(journal, at, ours[name], policy, now)
    reading.keep(account, STREAM, then)
    reading.answered(account, rung)
    counts["rings"] = len(rung)
    return Receipt("serve", dict(counts), {"account": account})


def events_of(before: Delivery, there: Progress) -> list[Feedback]:
    """What a ticket says now that it did not say when it was last read."""
    if not before.prediction_id:
        return []
    was_over, is_over = before.status in _OVER, there.status in _OVER

    def event(kind: FeedbackKind, what: str, time_ms: int, value: str) -> Feedback:
        return Feedback(f"desk:{before.account}:{before.ticket_id}:{what}", before.prediction_id, kind, time_ms, value)

    found = []
    number = before.ticket_id
    if there.replied_ms is not None:
        found.append(event("agent_replied", "replied", there.replied_ms, number))
    if was_over and not is_over:
        found.append(event("ticket_reopened", f"reopened:{there.updated_ms}", there.updated_ms, number))
    if is_over:
        at_ms = there.resolved_ms or (there.updated_ms if not was_over else None)
        if at_ms is not None:
            found.append(event("ticket_resolved", f"resolved:{at_ms}", at_ms, number))
    if there.score is not None:
        given = f"{there.score:g}" + (f"/{there.out_of:g}" if there.out_of is not None else "")
        found.append(event("ticket_rated", f"rated:{given}", there.updated_ms, given))
    return found


def _read(journal: Journal, at: AccountDesk, before: Delivery, policy: ExchangePolicy, now: int) -> int:
    """Reads one ticket and notes what is new; how many events it gave."""
    try:
        there = at.desk.progress(before.ticket_id)
    except NotFound:
        gone = replace(before, over=True, reason="gone", changed_ms=now)
        journal.outbox.move(before, gone)
        return 0
    closed = there.status in _OVER
    forgotten = closed and now - (there.resolved_ms or there.updated_ms) > policy.follow_days * DAY_MS
    events = events_of(before, there)
    after = replace(
        before,
        status=there.status,
        over=there.is_over or forgotten,
        due_ms=now + DAY_MS if closed and there.score is None else 0,  # a rating need not show as a change
        changed_ms=now,
    )
    return len(events) if journal.outbox.move(before, after, events) else 0


def _own(journal: Journal, account: str, rows: Iterable[Row]) -> int:
    """Tickets that people made by themselves after an answer: it did not settle their matter, whatever they said.

    It is not asked whether the ticket is about the same: deflection is rather stated too low than too high.
    """
    tickets = [row for row in rows if row.get("created_ms") and not _is_ours(row)]
    known = journal.outbox.ours(account, [row["id"] for row in tickets])
    tickets = [row for row in tickets if row["id"] not in known]
    names = sorted({name for row in tickets for name in _people(row)})
    if not names:
        return 0
    earliest = min(row["created_ms"] for row in tickets) - RETURN_MS
    asked = journal.desk_reading.last_asked(account, names, earliest)
    events = []
    for row in tickets:
        people = {name.lower() for name in _people(row)}
        before = [
            one
            for one in asked
            if one.requester.lower() in people and 0 <= row["created_ms"] - one.time_ms <= RETURN_MS
        ]
        if before:
            last = max(before, key=lambda one: (one.time_ms, one.prediction_id))
            name = f"desk:{account}:{row['id']}:created"
            events.append(Feedback(name, last.prediction_id, "ticket_created", row["created_ms"], row["id"]))
    # the first word counts: what was asked, or erased, since then does not move it to another answer
    known_events = journal.desk_reading.known_events([event.event_id for event in events])
    fresh = [event for event in events if event.event_id not in known_events]
    return journal.add_feedback(fresh) if fresh else 0


def _is_ours(row: Mapping[str, Any]) -> bool:
    return any(str(tag).startswith(MARK) for tag in row.get("tags") or ())


def _people(row: Mapping[str, Any]) -> list[str]:
    return [str(row[name]) for name in ("requester_email", "requester_id") if row.get(name)]


def _begin_ms(ours: Mapping[str, Delivery], now: int) -> int:
    """Where the first reading begins: no desk is read as a whole for it."""
    return min([now - RETURN_MS, *(one.sent_ms for one in ours.values())])
