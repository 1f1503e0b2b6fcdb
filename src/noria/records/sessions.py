"""Conversations: sessions, their turns, and the hand-over to a person."""

from __future__ import annotations

from dataclasses import dataclass

from noria.records.traffic import Feedback, Prediction


@dataclass(frozen=True, slots=True)
class Session:
    """A conversation of an account; `session` names it within the account.

    `requester`: who asks, by the name that the account's own systems know; "" where nobody said.
    """

    account: str
    session: str
    requester: str
    channel: str
    started_ms: int


@dataclass(frozen=True, slots=True)
class Turn:
    """A query with what was answered and said about it."""

    prediction: Prediction
    feedback: tuple[Feedback, ...]


@dataclass(frozen=True, slots=True)
class HandOver:
    """A conversation that a person is to take over. `reason`: what the user added; its transcript is the session."""

    hand_over_id: str
    account: str
    session: str
    requester: str
    reason: str
    time_ms: int


@dataclass(frozen=True, slots=True)
class OwnFeedback:
    """Feedback that counts only if its prediction is one of `account` and, unless None, of `session`."""

    event: Feedback
    account: str
    session: str | None = None
