"""Criteria of the component robustness: does a change that means nothing change nothing, and one that counts count?

Example:
    >>> CRITERIA[0].id
    'robustness.typos_same_intent'
"""

from __future__ import annotations

import numpy as np

from noria.stats.criteria.criterion import Criterion, share, weighted
from noria.stats.criteria.observed import Perturbed
from noria.stats.criteria.perturbing import PERTURBATIONS
from noria.stats.criteria.sample import Sample, known_least, ratio
from noria.stats.criteria.view import Flags, Floats, View

_CHECKLIST = "Ribeiro et al., ACL 2020 (CheckList)"
OWN = "own definition"
_SAME = tuple(name for name, (_, expected) in PERTURBATIONS.items() if expected == "same")
_WORDS = {
    "typos": "typing errors", "upper_case": "capitals", "lower_case": "small letters",
    "no_signs": "no signs and accents", "spaces": "blanks", "courtesy": "greeting and thanks",
    "longer": "two sentences that say nothing", "paraphrase": "other phrases of request",
}  # fmt: skip
SHORT, LONG = 3, 15
"""Queries of at most, and of at least, so many words."""


def _spread(view: View, pairs: Perturbed, values: Flags) -> Flags:
    """Values of pairs (m,) laid on the rows (n,)."""
    rows = np.zeros(view.n, dtype=np.bool_)
    rows[np.asarray(pairs.rows, dtype=np.int64)[values]] = True
    return rows


def _asked(view: View, kind: str) -> Flags:
    pairs = view.observed.perturbed[kind]
    return _spread(view, pairs, np.ones(len(pairs.rows), dtype=np.bool_))


def _same_intent(view: View, kind: str) -> Flags:
    pairs = view.observed.perturbed[kind]
    return _spread(view, pairs, np.asarray(pairs.predicted, dtype=np.str_) == view.predicted[list(pairs.rows)])


def _right_intent(view: View, kind: str) -> Flags:
    pairs = view.observed.perturbed[kind]
    truth = view.truth[list(pairs.rows)]
    return view.inside & _spread(view, pairs, np.asarray(pairs.predicted, dtype=np.str_) == truth)


def _same_decision(view: View, kind: str) -> Flags:
    pairs = view.observed.perturbed[kind]
    before = np.asarray(view.observed.decision, dtype=np.str_)[list(pairs.rows)]
    return _spread(view, pairs, np.asarray(pairs.decision, dtype=np.str_) == before)


def _shift(s: Sample, kind: str) -> Floats:
    pairs = s.view.observed.perturbed[kind]
    rows = np.asarray(pairs.rows, dtype=np.int64)
    drawn = s.weights[:, rows]
    moved = np.abs(np.asarray(pairs.confidence, dtype=np.float64) - s.view.confidence[rows])
    return ratio(drawn @ moved, drawn.sum(axis=1))


def _loss(s: Sample, kind: str) -> Floats:
    asked = _asked(s.view, kind) & s.view.inside
    lost = s.view.top_right.astype(np.float64) - _right_intent(s.view, kind)
    return s.mean(lost, asked)


def _of_kind(kind: str) -> tuple[Criterion, ...]:
    words, needs = _WORDS[kind], (f"perturbed.{kind}",)
    return (
        share(f"robustness.{kind}_same_intent", f"changed by {words}: share with the same top intent",
              lambda v: _same_intent(v, kind), lambda v: _asked(v, kind), needs=needs, source=_CHECKLIST),
        share(f"robustness.{kind}_same_decision", f"changed by {words}: share with the same decision",
              lambda v: _same_decision(v, kind), lambda v: _asked(v, kind), needs=needs, source=_CHECKLIST),
        weighted(f"robustness.{kind}_loss", f"in scope, changed by {words}: accuracy before minus after",
                 lambda s: _loss(s, kind), direction="lower", unit="difference of shares", needs=needs, source=OWN,
                 bounds=(-1.0, 1.0)),
    )  # fmt: skip


def _any_asked(view: View) -> Flags:
    asked = np.zeros(view.n, dtype=np.bool_)
    for kind in _SAME:
        if kind in view.observed.perturbed:
            asked |= _asked(view, kind)
    return asked & view.inside


def _survives(view: View) -> Flags:
    """Right as it is, and under every change that was made of it."""
    right = view.top_right.copy()
    for kind in _SAME:
        if kind in view.observed.perturbed:
            right &= _right_intent(view, kind) | ~_asked(view, kind)
    return right


def _least_same(s: Sample) -> Floats:
    kinds = [kind for kind in _SAME if kind in s.view.observed.perturbed]
    shares = [s.mean(_same_intent(s.view, k).astype(np.float64), _asked(s.view, k)) for k in kinds]
    return known_least(np.array(shares).T)


def _mean_loss(s: Sample) -> Floats:
    kinds = [kind for kind in _SAME if kind in s.view.observed.perturbed]
    losses = np.array([_loss(s, kind) for kind in kinds])
    return np.asarray(losses.mean(axis=0), dtype=np.float64)


def _rejected(view: View) -> Flags:
    pairs = view.observed.perturbed["gibberish"]
    return _spread(view, pairs, np.asarray(pairs.decision, dtype=np.str_) != "answer")


def _less_sure(view: View) -> Flags:
    pairs = view.observed.perturbed["halved"]
    rows = list(pairs.rows)
    return _spread(view, pairs, np.asarray(pairs.confidence, dtype=np.float64) <= view.confidence[rows] + 0.05)


def _half_wrong(view: View) -> Flags:
    pairs = view.observed.perturbed["halved"]
    rows = list(pairs.rows)
    answered = np.asarray(pairs.decision, dtype=np.str_) == "answer"
    return _spread(view, pairs, answered & (np.asarray(pairs.predicted, dtype=np.str_) != view.truth[rows]))


def _length_gap(s: Sample) -> Floats:
    v = s.view
    right = v.top_right.astype(np.float64)
    return s.mean(right, v.inside & ~_long(v) & ~_short(v)) - s.mean(right, v.inside & (_long(v) | _short(v)))


def _short(view: View) -> Flags:
    return view.words <= SHORT


def _long(view: View) -> Flags:
    return view.words >= LONG


_EVERY = ("perturbed.typos",)

CRITERIA: tuple[Criterion, ...] = (
    *(criterion for kind in _SAME for criterion in _of_kind(kind)),
    weighted("robustness.least_same_intent", "least share with the same top intent over all changes that mean nothing",
             _least_same, needs=_EVERY, source=_CHECKLIST),
    weighted("robustness.mean_loss", "mean loss of accuracy over all changes that mean nothing", _mean_loss,
             direction="lower", unit="difference of shares", needs=_EVERY, source=OWN, bounds=(-1.0, 1.0)),
    share("robustness.robust_accuracy", "in-scope queries right as they are and under every change ÷ those changed",
          _survives, _any_asked, needs=_EVERY, source="Goel et al., NAACL 2021 (Robustness Gym)"),
    weighted("robustness.typos_confidence_shift", "mean distance of the confidence before and after typing errors",
             lambda s: _shift(s, "typos"), direction="lower", needs=("perturbed.typos",), source=OWN),
    weighted("robustness.paraphrase_confidence_shift", "mean distance of the confidence before and after other phrases",
             lambda s: _shift(s, "paraphrase"), direction="lower", needs=("perturbed.paraphrase",), source=OWN),
    share("robustness.gibberish_not_answered", "texts of mixed letters that got no answer ÷ such texts", _rejected,
          lambda v: _asked(v, "gibberish"), needs=("perturbed.gibberish",), source=_CHECKLIST),
    share("robustness.half_less_sure", "half of the words: share whose confidence rose by 0.05 at most", _less_sure,
          lambda v: _asked(v, "halved") & v.inside, needs=("perturbed.halved",), source=_CHECKLIST),
    share("robustness.half_wrong_answers", "half of the words: share that got a wrong answer", _half_wrong,
          lambda v: _asked(v, "halved") & v.inside, direction="lower", needs=("perturbed.halved",), source=OWN),
    share("robustness.short_accuracy", f"in-scope queries of at most {SHORT} words: share with the right top intent",
          lambda v: v.top_right, lambda v: v.inside & _short(v), needs=("texts",), source=OWN,
          lacks="such short queries"),
    share("robustness.long_accuracy", f"in-scope queries of at least {LONG} words: share with the right top intent",
          lambda v: v.top_right, lambda v: v.inside & _long(v), needs=("texts",), source=OWN,
          lacks="such long queries"),
    weighted("robustness.length_gap", f"accuracy of queries of {SHORT + 1} to {LONG - 1} words minus that of others",
             _length_gap, direction="lower", unit="difference of shares", needs=("texts",), source=OWN,
             lacks="queries of both kinds", bounds=(-1.0, 1.0)),
    share("robustness.short_success", f"in-scope queries of at most {SHORT} words: share answered right",
          lambda v: v.top_right & v.answered, lambda v: v.inside & _short(v), needs=("texts",), source=OWN,
          lacks="such short queries"),
    share("robustness.long_success", f"in-scope queries of at least {LONG} words: share answered right",
          lambda v: v.top_right & v.answered, lambda v: v.inside & _long(v), needs=("texts",), source=OWN,
          lacks="such long queries"),
)  # fmt: skip
