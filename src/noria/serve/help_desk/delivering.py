"""Hand-overs go to the help desk, each as one ticket.

The order keeps it so. First "sending" is on disk, then the call goes out. Whatever is not heard of it (a lost reply, a
server's failure, our own death) makes it "unknown": then the desk is asked for our mark, again after a while, and only
what was not there at either look is sent again. What stays unknown after all is left to a person.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from noria.errors import OutsideError
from noria.ports.help_desk import Later, NewTicket, NotAllowed, Refused, UnknownOutcome
from noria.records import FOREVER_MS, Feedback, Receipt
from noria.records.serving.help_desk import Delivery, Outgoing
from noria.records.sessions import HandOver, Turn
from noria.serve.help_desk.policy import AccountDesk, ExchangePolicy
from noria.serve.help_desk.ticket import ticket_of
from noria.serve.help_desk.waiting import still_waiting
from noria.stores.journal.access.erasure import ERASED

if TYPE_CHECKING:
    from noria.stores.journal import Journal

SKEW_MS = 3_600_000
"""How much earlier a lost ticket is looked for than its call began: clocks differ."""
_DOWN_MS, _LOCKED_MS = 60_000, 600_000


def deliver(
    journal: Journal,
    at: AccountDesk,
    policy: ExchangePolicy,
    now_ms: Callable[[], int],
    *,
    keep: Callable[[str], str] = str,
    limit: int = 100,
) -> Receipt:
    """Brings every hand-over of an account that is due one step on.

    Several processes may do so at once. It ends early when the desk asks to wait, or is out of reach.

    Args:
        journal: where hand-overs and sessions are.
        at: the account and its desk.
        policy: how patient to be.
        now_ms: the clock, UTC milliseconds.
        keep: takes out of a text what may not leave.
        limit: most hand-overs.

    Returns:
        Counts of what became of them: delivered, found (after a lost call), unknown, pending, refused.
    """
    return _Round(journal, at, policy, now_ms, keep).run(limit)


class _Round:
    """One round for one account."""

    def __init__(
        self,
        journal: Journal,
        at: AccountDesk,
        policy: ExchangePolicy,
        now_ms: Callable[[], int],
        keep: Callable[[str], str],
    ) -> None:
        self._journal, self._outbox, self._at, self._policy = journal, journal.outbox, at, policy
        self._now_ms, self._keep = now_ms, keep
        self._warnings: list[str] = []

    def run(self, limit: int) -> Receipt:
        account, now, policy = self._at.account, self._now_ms(), self._policy
        counts: Counter[str] = Counter({"delivered": 0, "found": 0, "unknown": 0, "pending": 0, "refused": 0})
        if (waiting := still_waiting(self._journal, account, now)) is not None:
            return waiting
        self._outbox.give_up_calls(account, now - round(policy.lease_s * 1000), now, now)
        oldest_ms = now - round(policy.oldest_hours * 3_600_000)
        for one in self._outbox.due(account, now, oldest_ms, limit):
            try:
                outcome = self._step(one)
            except OutsideError as error:  # the desk as a whole: the others wait as well
                self._hold(error)
                counts["pending"] += 1
                break
            if outcome:
                counts[outcome] += 1
        return Receipt("serve", dict(counts), {"account": account}, warnings=tuple(self._warnings))

    def _step(self, one: Outgoing) -> str:
        """What became of it; "" where another process has it."""
        hand_over, delivery = one.hand_over, one.delivery
        turns = self._journal.sessions.transcript(hand_over.account, hand_over.session)
        asked = _asked(turns, hand_over)
        erased = hand_over.reason == ERASED
        if delivery is not None and delivery.state == "unknown":
            return self._leave(delivery, "erased") if erased else self._look(hand_over, delivery, turns)
        ticket = self._ticket(hand_over, turns)
        if erased or not ticket.requester:
            if not erased:
                self._warnings.append(
                    f"{hand_over.hand_over_id}: nobody is named whom the help desk of {hand_over.account} can know; "
                    "set requester for this account, then 'noria help-desk settle --again'."
                )
            self._outbox.refuse(hand_over, asked, "erased" if erased else "nobody", self._now_ms())
            return "refused"
        claimed = self._outbox.claim(hand_over, asked, self._now_ms())
        return self._send(claimed, ticket) if claimed else ""

    def _send(self, claimed: Delivery, ticket: NewTicket) -> str:
        try:
            number = self._at.desk.create(ticket)
        except UnknownOutcome:
            return self._leave(claimed, "lost", self._policy.look_after_s)
        except (Later, NotAllowed) as error:  # nothing was done
            due_ms = self._now_ms() + _wait_ms(error)
            waiting = replace(claimed, state="pending", due_ms=due_ms, sends=claimed.sends - 1, reason=_word(error))
            self._move(claimed, waiting)
            raise
        except Refused as error:
            self._warnings.append(f"{claimed.hand_over_id}: {error}")
            self._move(claimed, replace(claimed, state="refused", reason=error.faults or "refused"))
            return "refused"
        return self._there(claimed, number, "delivered")

    def _look(self, hand_over: HandOver, lost: Delivery, turns: Sequence[Turn]) -> str:
        """Looks for the ticket of a lost call."""
        number = self._at.desk.find(self._ticket(hand_over, turns), lost.sent_ms - SKEW_MS)
        if number is not None:
            return self._there(lost, number, "found")
        looks = lost.looks + 1
        if looks < self._policy.looks:
            return self._leave(replace(lost, looks=looks), "lost", self._policy.look_after_s, before=lost)
        if lost.sends < self._policy.most_sends:
            self._move(lost, replace(lost, state="pending", looks=looks, due_ms=self._now_ms(), reason="absent"))
            return "pending"
        self._warnings.append(
            f"{lost.hand_over_id}: sent {lost.sends} times without an answer, and not found. Look at the help desk, "
            "then 'noria help-desk settle'."
        )
        return self._leave(replace(lost, looks=looks), "person", before=lost)

    def _leave(
        self, delivery: Delivery, reason: str, wait_s: float | None = None, *, before: Delivery | None = None
    ) -> str:
        """It is not known what became of it; to be looked for after some seconds, None = by a person only."""
        due_ms = FOREVER_MS if wait_s is None else self._now_ms() + round(wait_s * 1000)
        self._move(before or delivery, replace(delivery, state="unknown", reason=reason, due_ms=due_ms))
        return "unknown"

    def _there(self, delivery: Delivery, number: str, outcome: str) -> str:
        there = replace(delivery, state="delivered", ticket_id=number, status="open", reason="", due_ms=0, looks=0)
        self._move(delivery, there, created(there, self._now_ms()))
        return outcome

    def _move(self, before: Delivery, after: Delivery, events: Sequence[Feedback] = ()) -> None:
        self._outbox.move(before, replace(after, changed_ms=self._now_ms()), events)

    def _ticket(self, hand_over: HandOver, turns: Sequence[Turn]) -> NewTicket:
        return ticket_of(hand_over, turns, keep=self._keep, requester=self._at.requester)

    def _hold(self, error: OutsideError) -> None:
        self._warnings.append(f"{self._at.account}: {error}")
        self._journal.desk_reading.hold(self._at.account, self._now_ms() + _wait_ms(error))


def created(delivery: Delivery, time_ms: int) -> list[Feedback]:
    """What a ticket says of the answer before it; nothing where the session had none."""
    if not delivery.prediction_id:
        return []
    name = f"desk:{delivery.account}:{delivery.ticket_id}:created"
    return [Feedback(name, delivery.prediction_id, "ticket_created", time_ms, delivery.ticket_id)]


def _asked(turns: Sequence[Turn], hand_over: HandOver) -> str:
    """The last question before a hand-over."""
    before = [t.prediction for t in turns if t.prediction.query.time_ms <= hand_over.time_ms]
    return before[-1].prediction_id if before else ""


def _wait_ms(error: OutsideError) -> int:
    if isinstance(error, Later):
        return round(error.after_s * 1000)
    return _LOCKED_MS if isinstance(error, NotAllowed) else _DOWN_MS


def _word(error: OutsideError) -> str:
    return "later" if isinstance(error, Later) else "key"
