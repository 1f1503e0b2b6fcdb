"""Deflection: sessions that were settled without a ticket or a person, as a band from confirmed to potential."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from noria.records import SMALL_TALK
from noria.records.sessions import HandOver, Session, Turn

RETURN_MS = 72 * 3_600_000
"""A user who comes back with the same intent within this time was not settled."""


@dataclass(frozen=True, slots=True)
class DeflectionBand:
    """Counts of sessions in which something was asked; small talk alone does not count.

    `confirmed`: the last answer was called helpful. `potential`: it was an answer, and the user said no more.
    `revoked`: would be one of these, but the user came back with it. `person`: a ticket was made or a person came in.
    `unsettled`: the rest: no answer, or one that did not help. `low`, `high`: confirmed, and confirmed or potential, as
    shares of `sessions`; None where there are none.
    """

    sessions: int
    confirmed: int
    potential: int
    revoked: int
    person: int
    unsettled: int

    @property
    def low(self) -> float | None:
        return self.confirmed / self.sessions if self.sessions else None

    @property
    def high(self) -> float | None:
        return (self.confirmed + self.potential) / self.sessions if self.sessions else None


def deflection(
    sessions: Sequence[Session],
    transcripts: Mapping[str, Sequence[Turn]],
    hand_overs: Sequence[HandOver],
    return_ms: int = RETURN_MS,
) -> DeflectionBand:
    """The band over the sessions of one account.

    Args:
        sessions: of the account; those of a return are among them.
        transcripts: session → its turns, oldest first.
        hand_overs: of the account.
        return_ms: how soon a return takes a deflection back.
    """
    handed = {one.session for one in hand_overs}
    asked = {s.session: [t for t in transcripts.get(s.session, ()) if _asks(t)] for s in sessions}
    said: dict[str, list[Turn]] = defaultdict(list)
    for session in sessions:
        if session.requester:
            said[session.requester] += asked[session.session]
    counts = dict.fromkeys(("confirmed", "potential", "revoked", "person", "unsettled"), 0)
    for session in sessions:
        turns = asked[session.session]
        if turns:
            outcome = "person" if session.session in handed else _outcome(turns)
            if outcome in {"confirmed", "potential"} and _came_back(
                session, turns, said.get(session.requester, ()), return_ms
            ):
                outcome = "revoked"
            counts[outcome] += 1
    return DeflectionBand(sum(counts.values()), **counts)


def _asks(turn: Turn) -> bool:
    return turn.prediction.answer.intent != SMALL_TALK


def _outcome(turns: Sequence[Turn]) -> str:
    if any(event.kind in {"ticket_created", "agent_replied"} for turn in turns for event in turn.feedback):
        return "person"
    last = turns[-1]
    said = [event.kind for event in last.feedback if event.kind in {"helpful", "not_helpful", "rephrased"}]
    if last.prediction.answer.decision != "answer" or (said and said[-1] != "helpful"):
        return "unsettled"
    return "confirmed" if said else "potential"


def _came_back(session: Session, turns: Sequence[Turn], said: Sequence[Turn], return_ms: int) -> bool:
    """Whether among all that the requester said is a later session about the same."""
    ended, intents = turns[-1].prediction.query.time_ms, {t.prediction.answer.intent for t in turns}
    return any(
        turn.prediction.query.session != session.session
        and ended < turn.prediction.query.time_ms <= ended + return_ms
        and turn.prediction.answer.intent in intents
        for turn in said
    )
