"""What people taught about articles: who linked which article to a question, and what users found helpful."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from noria.errors import UsageError
from noria.records import NO_ARTICLE, Feedback, Judged, Prediction

LINKED = 1.0
"""Weight of an article that a person linked to the question: they chose among all articles, so nothing is corrected."""
HELPFUL = 1.0
OPENED = 0.3
"""An opened article was wanted, not yet found good."""
POSITION_BIAS = 1.0
LARGEST_CORRECTION = 5.0
"""No event counts for more than so many; unclipped weights of deep positions would drown all others."""


@dataclass(frozen=True, slots=True)
class Citation:
    """An article that answered a question, by the word of a person or the conduct of a user.

    `weight`: how much it counts, above 0. `account` None: it may teach the ranking for every account; otherwise it
    counts for that account alone. `question_id` ties the citations of one question together ("" = by text).
    """

    text: str
    article_id: str
    weight: float = 1.0
    account: str | None = None
    question_id: str = ""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.weight) and self.weight > 0):
            raise UsageError(f"citation of {self.article_id!r}: weight {self.weight!r} must be a number above 0.")


def seen_share(position: int, bias: float = POSITION_BIAS) -> float:
    """The supposed chance that a user looks at an article shown at a position (1 = first): `position ** -bias`.

    An assumption, not a measurement: users read from the top, and whether they look depends on the place alone. Only
    shuffled rankings could measure it. `bias` 0 = every place is seen alike.

    Source: Joachims, Swaminathan, Schnabel, WSDM (2017) 781.
    """
    if position < 1:
        raise UsageError(f"position {position}; the first is 1.")
    return float(position**-bias)


def citations_of_feedback(
    predictions: Iterable[Prediction], feedback: Iterable[Feedback], *, bias: float = POSITION_BIAS
) -> list[Citation]:
    """What users' conduct says: helpful answers and opened articles, weighted by one over the chance of being seen.

    "helpful" without the id of an article in `value` is shared among the articles shown, by their chance of being
    seen, so its parts sum to `HELPFUL`. An event that names an article counts in full, divided by that chance, at most
    `LARGEST_CORRECTION` times. An article opened in an answer found not helpful does not count, and each article
    counts once for each prediction, by its strongest event. Each citation keeps the account of its query.

    Args:
        predictions: those that the feedback is about; feedback on others is left out.
        feedback: in any order.
        bias: see `seen_share`.

    Returns:
        In order of time of the query, prediction, article.
    """
    by_id = {p.prediction_id: p for p in predictions}
    events: dict[str, list[Feedback]] = {}
    for event in feedback:
        if event.prediction_id in by_id:
            events.setdefault(event.prediction_id, []).append(event)
    found = []
    for prediction_id, its in events.items():
        prediction = by_id[prediction_id]
        for article_id, weight in _weights(prediction, its, bias).items():
            query = prediction.query
            key = (query.time_ms, prediction_id, article_id)
            found.append((key, Citation(query.text, article_id, weight, query.account, query.query_id)))
    return [citation for _, citation in sorted(found, key=lambda pair: pair[0])]


def citations_of_labels(judged: Iterable[Judged]) -> list[Citation]:
    """What labellers said is the right article of a query; each counts `LINKED` and keeps its account."""
    return [
        Citation(j.task.text, article_id, LINKED, j.task.account, j.task.prediction_id)
        for j in sorted(judged, key=lambda j: (j.task.query_time_ms, j.task.prediction_id))
        if j.label.relevance == "in_scope"
        for article_id in j.label.article_ids
        if article_id != NO_ARTICLE
    ]


def _weights(prediction: Prediction, events: Sequence[Feedback], bias: float) -> Mapping[str, float]:
    places = {r.article_id: n for n, r in enumerate(prediction.answer.articles, start=1)}
    kinds = {event.kind for event in events}
    helped = "helpful" in kinds and "not_helpful" not in kinds
    weights: dict[str, float] = {}
    for event in events:
        if event.kind == "helpful" and helped and event.value not in places:
            whole = sum(seen_share(place, bias) for place in places.values())
            given = {a: HELPFUL * seen_share(place, bias) / whole for a, place in places.items()}
        elif event.value in places and (
            (event.kind == "helpful" and helped) or (event.kind == "article_opened" and "not_helpful" not in kinds)
        ):
            worth = HELPFUL if event.kind == "helpful" else OPENED
            given = {event.value: worth * min(1 / seen_share(places[event.value], bias), LARGEST_CORRECTION)}
        else:
            continue
        for article_id, weight in given.items():
            weights[article_id] = max(weights.get(article_id, 0.0), weight)
    return dict(sorted(weights.items()))
