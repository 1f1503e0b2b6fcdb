"""A hand-over as the ticket that it becomes: the transcript as it is in the journal, at the moment it is sent."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Sequence

from noria.ports.help_desk import NewTicket
from noria.records import Prediction
from noria.records.sessions import HandOver, Turn

MARK = "noria-"
MOST_TURNS, MOST_CHARS, SUBJECT_CHARS = 50, 2_000, 120
_SAID = {
    "helpful": "it helped", "not_helpful": "it did not help", "article_opened": "opened",
    "rephrased": "asked again in other words",
}  # fmt: skip


def mark_of(hand_over: HandOver) -> str:
    """Our name of it at the desk: the same whoever sends it, and telling nothing of account or session."""
    return MARK + hashlib.sha256(f"{hand_over.account}\0{hand_over.hand_over_id}".encode()).hexdigest()[:24]


def ticket_of(
    hand_over: HandOver, turns: Sequence[Turn], *, keep: Callable[[str], str] = str, requester: str = ""
) -> NewTicket:
    """The ticket of a hand-over.

    Args:
        hand_over: what to hand over.
        turns: of its session, oldest first; the latest `MOST_TURNS` go along.
        keep: takes out of a text what may not leave; texts of the journal have been through it once.
        requester: in whose name, where the hand-over names nobody whom a desk can know: an address or a number.
    """
    said = turns[-MOST_TURNS:]
    known = "@" in hand_over.requester or hand_over.requester.isdigit()
    asked = " ".join(keep(turns[-1].prediction.query.text).split()) if turns else ""
    subject = f"Virtual agent: {_clipped(asked, SUBJECT_CHARS) or 'a person is asked for'}"
    lines = ["A user of the virtual agent asks for a person."]
    if hand_over.reason:
        lines.append(f"Why: {keep(hand_over.reason)}")
    if hand_over.requester and not known:
        lines.append(f"Who: {hand_over.requester}")
    lines.append(f"Session: {hand_over.session}")
    if len(said) < len(turns):
        lines += ["", f"(the first {len(turns) - len(said)} questions are left out)"]
    for turn in said:
        lines += ["", *_told(turn, keep)]
    who = hand_over.requester if known else requester or hand_over.requester
    return NewTicket(mark_of(hand_over), subject, "\n".join(lines), who)


def _told(turn: Turn, keep: Callable[[str], str]) -> list[str]:
    prediction = turn.prediction
    lines = [f"{_when(prediction.query.time_ms)} user: {_clipped(keep(prediction.query.text), MOST_CHARS)}"]
    lines.append(f"agent: {_answered(prediction)}")
    told = [_SAID[event.kind] for event in turn.feedback if event.kind in _SAID]
    return [*lines, *([f"user: {', '.join(told)}"] if told else [])]


def _answered(prediction: Prediction) -> str:
    answer = prediction.answer
    if answer.decision == "clarify":
        return f"asked back ({', '.join(answer.choices) or 'to say it differently'})"
    if answer.decision == "handoff":
        return "could not answer"
    shown = ", ".join(ranked.article_id for ranked in answer.articles)
    return f"answered as {answer.intent or 'unknown'}" + (f", with {shown}" if shown else "")


def _clipped(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _when(time_ms: int) -> str:
    return dt.datetime.fromtimestamp(time_ms / 1000, dt.UTC).strftime("%Y-%m-%d %H:%M")
