"""The stratum of a prediction: how sure the agent was, in words that stay the same for years."""

from __future__ import annotations

from noria.records import Prediction

_FEEDBACK = {1: "good", 0: "none", -1: "bad"}


def stratum(prediction: Prediction, thumb: int) -> str:
    """Scope × confidence × feedback × novelty, such as "scope in/confidence high/feedback none/topic known".

    Scope: out = below the agent's limit, near = less than 1 above it. Confidence: high from 0.9, mid from 0.6.
    Feedback: what the user let on when the task was drawn. Topic: new where novelty is above 0.

    Args:
        prediction: what was logged.
        thumb: +1 it helped, -1 a sign that it did not, 0 nothing.
    """
    answer = prediction.answer
    above = answer.scope_score - answer.thresholds.get("scope", answer.scope_score - 1.0 if answer.in_scope else 1e9)
    scope = "out" if above < 0 else "near" if above < 1 else "in"
    sure = answer.intent_confidence
    confidence = "high" if sure >= 0.9 else "mid" if sure >= 0.6 else "low"
    topic = "new" if novelty(prediction) > 0 else "known"
    return f"scope {scope}/confidence {confidence}/feedback {_FEEDBACK[thumb]}/topic {topic}"


def novelty(prediction: Prediction) -> float:
    """How foreign a query is to the agent, 0 = not at all: out of scope by its score, or of words it does not know.

    The distance below the limit of the scope score, plus the share of unknown words above one half, doubled.
    """
    answer = prediction.answer
    limit = answer.thresholds.get("scope")
    outside = max(0.0, limit - answer.scope_score) if limit is not None else float(not answer.in_scope)
    unknown = max(0.0, 1 - answer.scores.get("known", 1.0) - 0.5) * 2
    return outside + unknown
