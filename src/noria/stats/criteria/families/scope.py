"""Criteria of the component scope: is what lies outside the scope told from what lies in it?

Two directions are common: "in scope" as the positive kind (false-positive rate at 95 % of in-scope queries kept), and
"out of scope" as the positive kind (recall of out-of-scope queries at so many false rejects).

Example:
    >>> CRITERIA[0].id
    'scope.auroc'
"""

from __future__ import annotations

import numpy as np

from noria.stats.criteria.criterion import Criterion, share, weighted
from noria.stats.criteria.sample import Curve, Sample, divided, ratio
from noria.stats.criteria.view import Flags, Floats, View

_HENDRYCKS = "Hendrycks, Gimpel, ICLR 2017"
_DHAMIJA = "Dhamija, Günther, Boult, NeurIPS 2018"
_LARSON = "Larson et al., EMNLP 2019"
_TWO_KINDS = "both in-scope and out-of-scope rows"
OWN = "own definition"


def keeping(s: Sample) -> Curve:
    """From the most in-scope score down; in scope is positive.

    Example:
        >>> from noria.stats.criteria.made_up import few_rows
        >>> keeping(few_rows()).tp.tolist()
        [[1.0, 2.0, 2.0]]
    """
    return s.curve("keeping", s.view.scope_score, s.view.inside, s.view.judged)


def rejecting(s: Sample) -> Curve:
    """From the least in-scope score up; out of scope is positive.

    Example:
        >>> from noria.stats.criteria.made_up import few_rows
        >>> rejecting(few_rows()).tp.tolist()
        [[1.0, 1.0, 1.0]]
    """
    return s.curve("rejecting", -s.view.scope_score, s.view.outside, s.view.judged)


def _against(s: Sample, name: str, outside: Flags) -> Curve:
    return s.curve(f"keeping {name}", s.view.scope_score, s.view.inside, s.view.inside | outside)


def _by_confidence(s: Sample) -> Curve:
    return s.curve("scope by confidence", s.view.confidence, s.view.inside, s.view.judged)


def _right_kept(s: Sample) -> tuple[Floats, Floats]:
    """Right and kept ÷ in scope, and out-of-scope kept ÷ out of scope (B, E), from the most in-scope score down."""
    kept = s.curve("right kept", s.view.scope_score, s.view.top_right, s.view.judged)
    inside, outside = s.total(s.view.inside), s.total(s.view.outside)
    return divided(kept.tp, inside[:, None], np.nan), divided(keeping(s).fp, outside[:, None], np.nan)


def _oscr(s: Sample) -> Floats:
    right, outside = _right_kept(s)
    start = np.zeros((len(right), 1))
    right, outside = np.hstack([start, right]), np.hstack([start, outside])
    return np.asarray((np.diff(outside, axis=1) * (right[:, 1:] + right[:, :-1]) / 2).sum(axis=1), dtype=np.float64)


def _right_at(most: float) -> Criterion:
    def compute(s: Sample) -> Floats:
        right, outside = _right_kept(s)
        best = np.where(outside <= most + 1e-9, right, 0.0).max(axis=1, initial=0.0)
        return np.where(s.total(s.view.outside) > 0, best, np.nan)

    said = f"in-scope queries kept with the right intent where {most:.0%} of out-of-scope queries are kept"
    return weighted(f"scope.right_at_{most * 100:g}_percent_kept", said, compute, source=_DHAMIJA, lacks=_TWO_KINDS)


def _recall_at(rate: float) -> Criterion:
    said = f"out-of-scope queries rejected by the threshold that rejects at most {rate:.0%} of in-scope queries"
    name = f"scope.recall_at_{rate * 100:g}_percent_false_rejects"
    return weighted(name, said, lambda s: rejecting(s).tpr_at_fpr(rate), source=_LARSON, lacks=_TWO_KINDS)


def _kept_at(tpr: float) -> Criterion:
    said = f"out-of-scope queries kept by the threshold that keeps {tpr:.0%} of in-scope queries"
    name = f"scope.fpr_at_{tpr * 100:g}"
    return weighted(
        name, said, lambda s: keeping(s).fpr_at_tpr(tpr), direction="lower", source=_HENDRYCKS, lacks=_TWO_KINDS
    )


def _false_rejects_at(recall: float) -> Criterion:
    said = f"in-scope queries rejected by the threshold that rejects {recall:.0%} of out-of-scope queries"
    name = f"scope.false_rejects_at_{recall * 100:g}_percent_recall"
    return weighted(
        name, said, lambda s: rejecting(s).fpr_at_tpr(recall), direction="lower", source=_HENDRYCKS, lacks=_TWO_KINDS
    )


def _rates(s: Sample) -> tuple[Floats, Floats, Floats]:
    """At the gate as it stands: recall, precision of rejections, share of in-scope queries kept (B,)."""
    v = s.view
    caught, rejected = s.total(v.outside & ~v.accepted), s.total(v.judged & ~v.accepted)
    kept = ratio(s.total(v.inside & v.accepted), s.total(v.inside))
    return ratio(caught, s.total(v.outside)), ratio(caught, rejected), kept


def _f1(s: Sample) -> Floats:
    v = s.view
    caught = s.total(v.outside & ~v.accepted)
    return ratio(2 * caught, s.total(v.outside) + s.total(v.judged & ~v.accepted))


def _mcc(s: Sample) -> Floats:
    v = s.view
    tp, fp = s.total(v.outside & ~v.accepted), s.total(v.inside & ~v.accepted)
    fn, tn = s.total(v.outside & v.accepted), s.total(v.inside & v.accepted)
    spread = np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
    return ratio(tp * tn - fp * fn, spread)


def _distance(s: Sample) -> Floats:
    v = s.view
    inside, outside = s.mean(v.scope_score, v.inside), s.mean(v.scope_score, v.outside)
    spread = s.mean(v.scope_score**2, v.inside) - inside**2 + s.mean(v.scope_score**2, v.outside) - outside**2
    return ratio(inside - outside, np.sqrt(np.maximum(spread, 0) / 2))


def _slack(s: Sample) -> Floats:
    """What the gate as it stands loses against the best threshold, in recall plus share kept."""
    recall, _, kept = _rates(s)
    return rejecting(s).youden() - (recall + kept - 1)


def _inside(view: View) -> Flags:
    return view.inside


CRITERIA: tuple[Criterion, ...] = (
    weighted("scope.auroc", "chance that an in-scope query scores higher than an out-of-scope one; ties count half",
             lambda s: keeping(s).auroc(), source="Hanley, McNeil, Radiology 143 (1982)", lacks=_TWO_KINDS),
    weighted("scope.aupr_in", "average precision, in scope being positive",
             lambda s: keeping(s).average_precision(), source=_HENDRYCKS, lacks=_TWO_KINDS),
    weighted("scope.aupr_out", "average precision, out of scope being positive",
             lambda s: rejecting(s).average_precision(), source=_HENDRYCKS, lacks=_TWO_KINDS),
    *(_kept_at(t) for t in (0.8, 0.9, 0.95, 0.99)),
    *(_recall_at(r) for r in (0.01, 0.02, 0.03, 0.04, 0.05, 0.1)),
    *(_false_rejects_at(r) for r in (0.8, 0.9, 0.95)),
    weighted("scope.partial_auroc_5", "mean recall of out-of-scope queries over false rejects from 0 to 5 %",
             lambda s: rejecting(s).partial_auroc(0.05), source="McClish (1989)", lacks=_TWO_KINDS),
    weighted("scope.youden", "largest recall of out-of-scope queries minus false rejects over all thresholds",
             lambda s: rejecting(s).youden(), source="Youden (1950)", lacks=_TWO_KINDS),
    weighted("scope.equal_error", "rate at which false rejects and missed out-of-scope queries meet",
             lambda s: rejecting(s).equal_error(), direction="lower", source="ISO/IEC 19795-1", lacks=_TWO_KINDS),
    weighted("scope.best_f1", "largest F1 of out-of-scope detection over all thresholds",
             lambda s: rejecting(s).best_f1(), source=OWN, lacks=_TWO_KINDS),
    weighted("scope.oscr", "area of right-and-kept against out-of-scope kept", _oscr, source=_DHAMIJA,
             lacks=_TWO_KINDS),
    *(_right_at(r) for r in (0.01, 0.05, 0.1, 0.2)),
    weighted("scope.distance", "difference of the mean scores in standard deviations", _distance,
             unit="standard deviations", source="Green, Swets (1966), d'", lacks=_TWO_KINDS,
             bounds=(-np.inf, np.inf)),
    weighted("scope.confidence_auroc", "chance that the confidence of an in-scope query exceeds an out-of-scope one's",
             lambda s: _by_confidence(s).auroc(), source=_HENDRYCKS, lacks=_TWO_KINDS),
    weighted("scope.new_domain_auroc", "the AUROC against legitimate out-of-scope requests alone",
             lambda s: _against(s, "oos", s.view.oos).auroc(), source=OWN, lacks="in-scope and out-of-scope rows"),
    weighted("scope.irrelevant_auroc", "the AUROC against irrelevant texts alone",
             lambda s: _against(s, "irrelevant", s.view.irrelevant).auroc(), source=OWN,
             lacks="in-scope and irrelevant rows"),
    share("scope.recall", "out-of-scope queries that the gate rejects ÷ out-of-scope queries",
          lambda v: ~v.accepted, lambda v: v.outside, source=_LARSON, lacks="out-of-scope rows"),
    share("scope.new_domain_recall", "legitimate out-of-scope requests that the gate rejects ÷ such requests",
          lambda v: ~v.accepted, lambda v: v.oos, source=OWN, lacks="out-of-scope rows"),
    share("scope.irrelevant_recall", "irrelevant texts that the gate rejects ÷ irrelevant texts",
          lambda v: ~v.accepted, lambda v: v.irrelevant, source=OWN, lacks="irrelevant rows"),
    share("scope.false_rejects", "in-scope queries that the gate rejects ÷ in-scope queries",
          lambda v: ~v.accepted, _inside, direction="lower", source=OWN),
    share("scope.harmful_rejects", "in-scope queries rejected although the top intent is right ÷ in-scope queries",
          lambda v: v.top_right & ~v.accepted, _inside, direction="lower", source=OWN),
    share("scope.precision", "out-of-scope queries among those the gate rejects", lambda v: v.outside,
          lambda v: v.judged & ~v.accepted, source=_LARSON, lacks="rejected rows"),
    weighted("scope.f1", "F1 of out-of-scope detection at the gate as it stands", _f1, source=_LARSON,
             lacks="out-of-scope rows"),
    weighted("scope.balanced_accuracy", "mean of recall and share of in-scope queries kept, at the gate as it stands",
             lambda s: (_rates(s)[0] + _rates(s)[2]) / 2, source="Brodersen et al., ICPR 2010", lacks=_TWO_KINDS),
    weighted("scope.mcc", "correlation of the gate's verdict with the truth", _mcc, unit="coefficient",
             source="Matthews (1975)", lacks=_TWO_KINDS, bounds=(-1.0, 1.0)),
    weighted("scope.slack", "what the gate loses against the best threshold, in recall plus share kept", _slack,
             direction="lower", unit="difference of shares", source=OWN, lacks=_TWO_KINDS, bounds=(0.0, 2.0)),
    share("scope.small_talk_recall", "small talk taken as small talk ÷ small talk",
          lambda v: v.predicted == "small_talk", lambda v: v.small_talk, source=OWN, lacks="small-talk rows"),
    share("scope.false_small_talk", "judged queries taken for small talk ÷ judged queries",
          lambda v: v.accepted & (v.predicted == "small_talk"), lambda v: v.judged, direction="lower", source=OWN),
)  # fmt: skip
