"""Whether a user asked the same thing again in other words: the first answer did not help, though nobody said so."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from noria.records import SMALL_TALK, Feedback, Prediction
from noria.records.sessions import Turn

WITHIN_MS = 10 * 60_000
LEAST_ALIKE = 0.5
"""Share of the shorter text's words that the other has too, from which on two texts are about the same."""

_WORD = re.compile(r"\w+")


def rephrased(turns: Sequence[Turn]) -> list[Feedback]:
    """Of the turns of a session in order: an event for each answer that was followed by the same question again.

    The same question: asked within `WITHIN_MS`, and its words mostly the same or understood as the same intent. Not
    counted: small talk, hand-overs, answers that the user called helpful, and a choice taken from those offered.
    The event's id is made of the prediction's, so that it counts once whoever finds it.
    """
    return [
        Feedback(f"rephrased:{a.prediction.prediction_id}", a.prediction.prediction_id, "rephrased",
                 b.prediction.query.time_ms, b.prediction.prediction_id)
        for a, b in pairwise(turns)
        if again(a, b)
    ]  # fmt: skip


def alike(one: str, other: str) -> float:
    """Share of the shorter text's words that the other has too (0 to 1); 0 where one has none."""
    a, b = set(_WORD.findall(one.lower())), set(_WORD.findall(other.lower()))
    return len(a & b) / min(len(a), len(b)) if a and b else 0.0


def again(first: Turn, second: Turn) -> bool:
    """Whether the second of two turns asks what the first asked; see `rephrased`."""
    a, b = first.prediction, second.prediction
    if b.query.time_ms - a.query.time_ms > WITHIN_MS or a.answer.decision == "handoff":
        return False
    if SMALL_TALK in {a.answer.intent, b.answer.intent} or "chosen" in b.answer.scores:
        return False
    if any(event.kind in {"helpful", "rephrased"} for event in first.feedback):
        return False
    return alike(a.query.text, b.query.text) >= LEAST_ALIKE or _same_intent(a, b)


def _same_intent(a: Prediction, b: Prediction) -> bool:
    return bool(a.answer.intent) and a.answer.intent == b.answer.intent and a.answer.in_scope and b.answer.in_scope
