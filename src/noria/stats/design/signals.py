"""What is known of a prediction before anybody labels it: the agent's own figures and what its user did."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from noria.records import Feedback
from noria.stats.intervals import Flags, Floats

_BAD = frozenset({"not_helpful", "rephrased", "ticket_created"})


def thumbs(feedback: Iterable[Feedback]) -> dict[str, int]:
    """Prediction id → -1 where anything says that it did not help, else +1 where the user said that it helped.

    Example:
        >>> thumbs([Feedback("e1", "p1", "helpful", 0), Feedback("e2", "p1", "ticket_created", 9),
        ...         Feedback("e3", "p2", "helpful", 0), Feedback("e4", "p3", "article_opened", 0)])
        {'p1': -1, 'p2': 1}
    """
    out: dict[str, int] = {}
    for event in feedback:
        if event.kind in _BAD:
            out[event.prediction_id] = -1
        elif event.kind == "helpful":
            out.setdefault(event.prediction_id, 1)
    return out


def features(confidence: Floats, scope_score: Floats, thumb: Floats, answered: Flags) -> Floats:
    """What outcomes are guessed from, (n, 7), with a bend in confidence and its play with the scope score.

    Args:
        confidence: that the intent is right (n,), 0 to 1.
        scope_score: higher = more likely in scope (n,), any scale.
        thumb: as in `thumbs` (n,), 0 = nothing said.
        answered: whether an answer was given (n,).

    Example:
        >>> features(np.array([0.5]), np.array([2.0]), np.array([-1.0]), np.array([True])).tolist()
        [[0.0, 0.0, 2.0, 0.0, 0.0, 1.0, 1.0]]
    """
    c = np.clip(confidence, 0.002, 0.998)
    logit = np.log(c / (1 - c))
    columns = [logit, np.maximum(logit, 0.0), scope_score, scope_score * logit, thumb > 0, thumb < 0, answered]
    return np.column_stack(columns).astype(np.float64)
