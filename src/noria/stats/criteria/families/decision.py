"""Criteria of the decision as it stands, of operating points that could be chosen, and of risk against coverage.

Example:
    >>> CRITERIA[0].id
    'decision.coverage'
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from noria.stats.criteria.criterion import Criterion, both, share, weighted
from noria.stats.criteria.sample import ROUNDING, Sample, by_code, divided, first, known_mean, pick, ratio
from noria.stats.criteria.view import Flags, Floats, View

OWN = "own definition"
_GLOSSARY = "glossary"
_GEIFMAN = "Geifman, Uziel, El-Yaniv, ICLR 2019"
_LIST = ("choices",)


def _inside(v: View) -> Flags:
    return v.inside


def _outside(v: View) -> Flags:
    return v.outside


def _judged(v: View) -> Flags:
    return v.judged


def _answered(v: View) -> Flags:
    return v.answered


def _clarified(v: View) -> Flags:
    return v.clarified


def _handed(v: View) -> Flags:
    return v.handed


def _right(v: View) -> Flags:
    return v.top_right


@dataclass(frozen=True, slots=True)
class Selective:
    """Weights (B, E) of what is accepted at each distinct score, highest first: all, right ones, in-scope ones."""

    accepted: Floats
    right: Floats
    inside: Floats

    def precision(self) -> Floats:
        return divided(self.right, self.accepted, np.nan)

    def coverage(self) -> Floats:
        """In-scope queries accepted ÷ in-scope queries."""
        return divided(self.inside, self.inside[:, -1:] if self.inside.shape[1] else np.ones(1), np.nan)

    def _steps(self) -> Floats:
        start = np.zeros((len(self.accepted), 1))
        total = self.accepted[:, -1:] if self.accepted.shape[1] else start
        return divided(np.diff(np.hstack([start, self.accepted]), axis=1), total)

    def aurc(self) -> Floats:
        """Mean risk over the share accepted."""
        risk = np.nan_to_num(1 - self.precision())
        return _unless_empty((self._steps() * risk).sum(axis=1), self)

    def augrc(self) -> Floats:
        """Mean share accepted and wrong, over the share accepted."""
        total = self.accepted[:, -1:] if self.accepted.shape[1] else np.ones((len(self.accepted), 1))
        return _unless_empty((self._steps() * divided(self.accepted - self.right, total)).sum(axis=1), self)

    def final_risk(self) -> Floats:
        if not self.accepted.shape[1]:
            return np.full(len(self.accepted), np.nan)
        return ratio((self.accepted - self.right)[:, -1], self.accepted[:, -1])


def _unless_empty(values: Floats, curve: Selective) -> Floats:
    total = curve.accepted[:, -1] if curve.accepted.shape[1] else np.zeros(len(values))
    return np.where(total > 0, values, np.nan)


def selective(s: Sample, name: str = "confidence") -> Selective:
    """Accepting from the surest query down, by "confidence" or by "scope_score", or in-scope queries alone.

    Example:
        >>> from noria.stats.criteria.made_up import few_rows
        >>> selective(few_rows()).precision().round(2).tolist()
        [[1.0, 0.5, 0.33]]
    """

    def compute() -> Selective:
        v = s.view
        score = v.scope_score if name == "scope_score" else v.confidence
        places = np.flatnonzero(v.inside if name == "in_scope" else v.judged)
        order = places[np.argsort(-score[places], kind="stable")]
        ends = np.flatnonzero(np.append(np.diff(score[order]) != 0, np.ones(min(1, len(order)), dtype=np.bool_)))
        drawn = s.weights[:, order]
        kinds = (np.ones(len(order)), v.top_right[order], v.inside[order])
        return Selective(*(np.cumsum(drawn * kind, axis=1)[:, ends] for kind in kinds))

    return s.memo(f"selective {name}", compute)


def _coverage_at(least: float) -> Criterion:
    def compute(s: Sample) -> Floats:
        curve = selective(s)
        enough = np.nan_to_num(curve.precision()) >= least - ROUNDING
        best = np.where(enough, curve.coverage(), 0.0).max(axis=1, initial=0.0)
        return np.where(s.total(s.view.inside) > 0, best, np.nan)

    said = f"largest coverage of a confidence threshold with a preciseness of at least {least:g}"
    return weighted(
        f"decision.coverage_at_{least * 100:g}_percent_precise", said, compute, source="El-Yaniv, JMLR 11 (2010)"
    )


def _success_at(least: float) -> Criterion:
    def compute(s: Sample) -> Floats:
        curve = selective(s)
        enough = np.nan_to_num(curve.precision()) >= least - ROUNDING
        best = np.where(enough, curve.right, 0.0).max(axis=1, initial=0.0)
        return ratio(best, s.total(s.view.inside))

    said = f"largest success of a confidence threshold with a preciseness of at least {least:g}"
    return weighted(f"decision.success_at_{least * 100:g}_percent_precise", said, compute, source=OWN)


def _preciseness_at(coverage: float) -> Criterion:
    def compute(s: Sample) -> Floats:
        curve = selective(s)
        if not curve.accepted.shape[1]:
            return np.full(len(curve.accepted), np.nan)
        return pick(curve.precision(), first(np.nan_to_num(curve.coverage()) >= coverage - ROUNDING))

    said = f"preciseness of the highest confidence threshold with a coverage of at least {coverage:g}"
    return weighted(f"decision.preciseness_at_{coverage * 100:g}_percent_coverage", said, compute, source=OWN)


def _risk_at(part: float) -> Criterion:
    def compute(s: Sample) -> Floats:
        curve = selective(s)
        if not curve.accepted.shape[1]:
            return np.full(len(curve.accepted), np.nan)
        taken = divided(curve.accepted, curve.accepted[:, -1:])
        return 1 - pick(curve.precision(), first(taken >= part - ROUNDING))

    said = f"share wrong among the surest {part:.0%} of judged queries"
    return weighted(f"risk.risk_at_{part * 100:g}_percent", said, compute, direction="lower", source=_GEIFMAN)


def _best_f1(s: Sample) -> Floats:
    curve = selective(s)
    inside = s.total(s.view.inside)
    f1 = divided(2 * curve.right, curve.accepted + inside[:, None])
    return np.where(inside > 0, f1.max(axis=1, initial=0.0), np.nan)


def _f1(s: Sample) -> Floats:
    v = s.view
    given, inside = s.total(v.judged & v.answered), s.total(v.inside)
    return np.where(inside > 0, ratio(2 * s.total(v.top_right & v.answered), given + inside), np.nan)


def _least_aurc(risk: Floats) -> Floats:
    """The AURC of an order that accepts every right query first, in the limit of many rows."""
    right = np.maximum(1 - risk, 1e-300)
    return risk + (1 - risk) * np.log(right)


def _excess(s: Sample) -> Floats:
    curve = selective(s)
    return curve.aurc() - _least_aurc(curve.final_risk())


def _normal(s: Sample) -> Floats:
    curve = selective(s)
    best, worst = _least_aurc(curve.final_risk()), curve.final_risk()
    return ratio(curve.aurc() - best, worst - best)


def _mean_choices(s: Sample) -> Floats:
    return s.mean(s.view.n_choices.astype(np.float64), s.view.clarified & s.view.judged)


def _mean_preciseness(s: Sample) -> Floats:
    """Mean over in-scope intents of right ÷ answers given with that intent."""
    v = s.view
    names, codes = np.unique(v.predicted, return_inverse=True)
    given = np.where(v.judged & v.answered, codes, -1)
    right = np.where(v.top_right & v.answered, codes, -1)
    return known_mean(ratio(by_code(s.weights, right, len(names)), by_code(s.weights, given, len(names))))


CRITERIA: tuple[Criterion, ...] = (
    share("decision.coverage", "in-scope queries that got an answer ÷ in-scope queries", _answered, _inside,
          source=_GLOSSARY),
    share("decision.preciseness", "right answers ÷ answers given (to judged queries)", _right,
          both(_judged, _answered), source=_GLOSSARY, lacks="answers"),
    share("decision.success", "in-scope queries answered with the right intent ÷ in-scope queries",
          both(_right, _answered), _inside, source=_GLOSSARY),
    share("decision.served", "queries with which the agent did right ÷ queries", lambda v: v.right,
          lambda v: v.every, source=_GLOSSARY),
    weighted("decision.f1", "harmonic mean of preciseness and success", _f1, source="van Rijsbergen (1979)"),
    weighted("decision.mean_preciseness", "mean preciseness over the intents that were answered with",
             _mean_preciseness, source=OWN, lacks="answers"),
    share("decision.wrong_answers", "judged queries that got a wrong answer ÷ judged queries",
          lambda v: v.wrong_answer, _judged, direction="lower", source=OWN),
    share("decision.in_scope_wrong_answers", "in-scope queries that got a wrong answer ÷ in-scope queries",
          lambda v: v.wrong_answer, _inside, direction="lower", source=OWN),
    share("decision.out_of_scope_answered", "out-of-scope queries that got an answer ÷ out-of-scope queries",
          _answered, _outside, direction="lower", source=OWN, lacks="out-of-scope rows"),
    share("decision.new_domain_answered", "legitimate out-of-scope requests that got an answer ÷ such requests",
          _answered, lambda v: v.oos, direction="lower", source=OWN, lacks="out-of-scope rows"),
    share("decision.irrelevant_answered", "irrelevant texts that got an answer ÷ irrelevant texts", _answered,
          lambda v: v.irrelevant, direction="lower", source=OWN, lacks="irrelevant rows"),
    share("decision.clarified", "in-scope queries asked back ÷ in-scope queries", _clarified, _inside,
          direction="lower", source=OWN),
    share("decision.handed_over", "in-scope queries handed over ÷ in-scope queries", _handed, _inside,
          direction="lower", source=OWN),
    share("decision.needless_handovers", "in-scope queries handed over although the top intent is right ÷ in-scope",
          both(_handed, _right), _inside, direction="lower", source=OWN),
    share("decision.justified_handovers", "hand-overs of judged queries whose top intent was not right ÷ hand-overs",
          lambda v: ~v.top_right, both(_judged, _handed), source=OWN, lacks="hand-overs"),
    share("decision.needless_questions", "in-scope queries asked back although the top intent is right ÷ asked back",
          _right, both(_inside, _clarified), direction="lower", source=OWN, lacks="queries asked back"),
    share("decision.out_of_scope_clarified", "out-of-scope queries asked back ÷ out-of-scope queries", _clarified,
          _outside, direction="lower", source=OWN, lacks="out-of-scope rows"),
    share("decision.choice_hits", "asked back, in scope: share with the right intent among the choices",
          lambda v: v.choice_hit, both(_inside, _clarified), needs=_LIST, source="Vovk et al. (2005)",
          lacks="in-scope queries asked back"),
    share("decision.choice_rescues", "asked back, in scope, top intent wrong: share with the right one among choices",
          lambda v: v.choice_hit, lambda v: v.inside & v.clarified & ~v.top_right, needs=_LIST, source=OWN,
          lacks="in-scope queries asked back with a wrong top intent"),
    weighted("decision.choices", "mean number of choices where asked back", _mean_choices, direction="lower",
             unit="choices", needs=_LIST, source=OWN, lacks="queries asked back", bounds=(0.0, np.inf)),
    share("decision.success_after_choice", "in-scope queries answered right, or asked with the right choice ÷ in scope",
          lambda v: (v.top_right & v.answered) | v.choice_hit, _inside, needs=_LIST, source=OWN),
    *(_coverage_at(p) for p in (0.8, 0.85, 0.9, 0.95, 0.98, 0.99)),
    *(_success_at(p) for p in (0.8, 0.9, 0.95, 0.99)),
    *(_preciseness_at(c) for c in (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)),
    weighted("decision.best_f1", "largest harmonic mean of preciseness and success over confidence thresholds",
             _best_f1, source="van Rijsbergen (1979)"),
    weighted("risk.aurc", "area under risk against the share accepted, surest first",
             lambda s: selective(s).aurc(), direction="lower", source=_GEIFMAN),
    weighted("risk.excess_aurc", "the area above that of a perfect order", _excess, direction="lower",
             source=_GEIFMAN, bounds=(-1.0, 1.0)),
    weighted("risk.normal_aurc", "the area between that of a perfect order (0) and of a random one (1)", _normal,
             direction="lower", source="Cattelan, Silva, UAI 2024", bounds=(-np.inf, np.inf),
             lacks="both right and wrong rows"),
    weighted("risk.augrc", "area under the share accepted and wrong, against the share accepted",
             lambda s: selective(s).augrc(), direction="lower", source="Traub et al., NeurIPS 2024"),
    weighted("risk.in_scope_aurc", "the AURC over in-scope queries alone",
             lambda s: selective(s, "in_scope").aurc(), direction="lower", source=_GEIFMAN),
    weighted("risk.scope_aurc", "the AURC where the scope score orders the queries",
             lambda s: selective(s, "scope_score").aurc(), direction="lower", source=_GEIFMAN),
    *(_risk_at(p) for p in (0.5, 0.6, 0.7, 0.8, 0.9)),
)  # fmt: skip
