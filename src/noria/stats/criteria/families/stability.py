"""Criteria of the component stability: does another seed of the same recipe say the same?

Example:
    >>> CRITERIA[0].id
    'stability.intent_agreement'
"""

from __future__ import annotations

import itertools

import numpy as np

from noria.stats.criteria.criterion import Criterion, weighted
from noria.stats.criteria.sample import Sample, known_least, known_mean, known_most, known_spread, ratio
from noria.stats.criteria.view import Flags, Floats

_NEEDS = ("seeds",)
_LACKS = "a second seed"
_CHURN = "Milani Fard et al., NeurIPS 2016 (churn)"
OWN = "own definition"


def _predicted(s: Sample) -> list[Flags]:
    """The top intents (n,) of the agent itself and of every other seed, as names."""
    v = s.view
    others = [np.asarray(r.predicted, dtype=np.str_) for _, r in sorted(v.observed.seeds.items())]
    return [v.predicted, *others]  # type: ignore[list-item]


def _decided(s: Sample) -> list[Flags]:
    observed = s.view.observed
    others = [np.asarray(r.decision, dtype=np.str_) for _, r in sorted(observed.seeds.items())]
    return [np.asarray(observed.decision, dtype=np.str_), *others]  # type: ignore[list-item]


def _accuracies(s: Sample) -> Floats:
    v = s.view
    return np.array([s.mean((p == v.truth).astype(np.float64), v.inside) for p in _predicted(s)]).T


def _successes(s: Sample) -> Floats:
    v = s.view
    pairs = zip(_predicted(s), _decided(s), strict=True)
    served = [(p == v.truth) & (d == np.str_("answer")) for p, d in pairs]
    return np.array([s.mean(rows.astype(np.float64), v.inside) for rows in served]).T


def _agreement(s: Sample, columns: list[Flags], rows: Flags) -> Floats:
    """Mean over pairs of seeds of the share of rows on which they say the same."""
    pairs = itertools.combinations(columns, 2)
    return known_mean(np.array([s.mean((a == b).astype(np.float64), rows) for a, b in pairs]).T)


def _unanimous(s: Sample) -> Floats:
    first, *others = _predicted(s)
    same = np.all([first == other for other in others], axis=0)
    return s.mean(same.astype(np.float64), s.view.inside)


def _flips(s: Sample) -> Floats:
    """Of in-scope rows that are right here: the mean share that another seed has wrong."""
    v = s.view
    lost = [s.total(v.top_right & (p != v.truth)) for p in _predicted(s)[1:]]
    return known_mean(np.array([ratio(x, s.total(v.top_right)) for x in lost]).T)


CRITERIA: tuple[Criterion, ...] = (
    weighted("stability.intent_agreement", "mean over pairs of seeds: in-scope queries with the same top intent",
             lambda s: _agreement(s, _predicted(s), s.view.inside), needs=_NEEDS, source=_CHURN, lacks=_LACKS),
    weighted("stability.decision_agreement", "mean over pairs of seeds: queries with the same decision",
             lambda s: _agreement(s, _decided(s), s.view.every), needs=_NEEDS, source=_CHURN, lacks=_LACKS),
    weighted("stability.unanimous", "in-scope queries on which all seeds agree ÷ in-scope queries", _unanimous,
             needs=_NEEDS, source=OWN, lacks=_LACKS),
    weighted("stability.right_to_wrong", "right in-scope queries that another seed has wrong ÷ right ones, mean",
             _flips, direction="lower", needs=_NEEDS, source=_CHURN, lacks=_LACKS),
    weighted("stability.accuracy_spread", "standard deviation of the accuracy over seeds",
             lambda s: known_spread(_accuracies(s)), direction="lower", needs=_NEEDS, source=OWN, lacks=_LACKS),
    weighted("stability.worst_accuracy", "accuracy of the seed with the least", lambda s: known_least(_accuracies(s)),
             needs=_NEEDS, source=OWN, lacks=_LACKS),
    weighted("stability.accuracy_range", "largest minus least accuracy over seeds",
             lambda s: known_most(_accuracies(s)) - known_least(_accuracies(s)), direction="lower",
             unit="difference of shares", needs=_NEEDS, source=OWN, lacks=_LACKS),
    weighted("stability.success_spread", "standard deviation of the success over seeds",
             lambda s: known_spread(_successes(s)), direction="lower", needs=_NEEDS, source=OWN, lacks=_LACKS),
    weighted("stability.mean_success", "mean success over seeds", lambda s: known_mean(_successes(s)), needs=_NEEDS,
             source=OWN, lacks=_LACKS),
    weighted("stability.worst_success", "success of the seed with the least", lambda s: known_least(_successes(s)),
             needs=_NEEDS, source=OWN, lacks=_LACKS),
)  # fmt: skip
