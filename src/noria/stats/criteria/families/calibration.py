"""Criteria of the component calibration: do stated chances come true?

The confidence is P(top intent is right) over judged queries: an out-of-scope query is always wrong. The probabilities
of the intents are judged on in-scope queries.

Example:
    >>> CRITERIA[0].id
    'calibration.ece'
"""

from __future__ import annotations

import numpy as np

from noria.stats.criteria.criterion import Criterion, share, weighted
from noria.stats.criteria.sample import Curve, Sample, by_code, known_most, ratio
from noria.stats.criteria.view import BINS, Flags, Floats, View, equal_mass

_NAEINI = "Naeini et al., AAAI 2015; equal mass: Nguyen, O'Connor, EMNLP 2015"
_MURPHY = "Murphy, J. Appl. Meteorol. 12 (1973) 595"
_BRIER = "Brier, Monthly Weather Review 78 (1950) 1"
_EDGE = float(np.finfo(np.float64).eps)
OWN = "own definition"
_SURE = "rows of such confidence"


def _log_loss(chance: Floats, happened: Flags) -> Floats:
    inside = np.clip(chance, _EDGE, 1 - _EDGE)
    return -np.log(np.where(happened, inside, 1 - inside))


def bin_sums(s: Sample, chance: Floats, right: Flags, rows: Flags, bins: int = BINS) -> tuple[Floats, Floats, Floats]:
    """Weights, summed chances and summed right rows (B, bins) of bins of equal mass of the rows as they are.

    Example:
        >>> from noria.stats.criteria.made_up import few_rows
        >>> s = few_rows()
        >>> bin_sums(s, s.view.confidence, s.view.top_right, s.view.inside, 1)[1].tolist()
        [[1.5]]
    """
    place = equal_mass(chance[rows], bins)
    weights = s.weights[:, rows]
    sums = [by_code(weights * v, place, bins) for v in (np.ones(int(rows.sum())), chance[rows], right[rows])]
    return sums[0], sums[1], sums[2]


def _confidence_bins(s: Sample) -> tuple[Floats, Floats, Floats]:
    v = s.view
    return s.memo("confidence bins", lambda: bin_sums(s, v.confidence, v.top_right, v.judged))


def expected_error(sums: tuple[Floats, Floats, Floats]) -> Floats:
    """Mean distance (B,) of chance and outcome over bins.

    Example:
        >>> expected_error((np.array([[2.0]]), np.array([[1.5]]), np.array([[1.0]]))).tolist()
        [0.25]
    """
    n, chance, right = sums
    return ratio(np.abs(chance - right).sum(axis=1), n.sum(axis=1))


def _ece_of(rows: str) -> Criterion:
    said = {"inside": "in-scope queries", "answered_judged": "queries that got an answer"}[rows]
    name = {"inside": "in_scope_ece", "answered_judged": "answered_ece"}[rows]

    def compute(s: Sample) -> Floats:
        v = s.view
        mask = v.inside if rows == "inside" else v.judged & v.answered
        return expected_error(bin_sums(s, v.confidence, v.top_right, mask))

    return weighted(f"calibration.{name}", f"the ECE over {said} alone", compute, direction="lower", source=_NAEINI)


def _equal_width(s: Sample) -> Floats:
    v = s.view
    place = np.minimum((v.confidence[v.judged] * BINS).astype(np.int64), BINS - 1)
    gap = by_code(s.of("judged") * (v.confidence - v.top_right)[v.judged], place, BINS)
    return ratio(np.abs(gap).sum(axis=1), s.of("judged").sum(axis=1))


def _largest(s: Sample) -> Floats:
    n, chance, right = _confidence_bins(s)
    return known_most(np.abs(ratio(chance - right, n)))


def _root_mean_square(s: Sample) -> Floats:
    n, chance, right = _confidence_bins(s)
    return np.sqrt(ratio((np.nan_to_num(ratio(chance - right, n)) ** 2 * n).sum(axis=1), n.sum(axis=1)))


def _one_sided(sign: int) -> Criterion:
    def compute(s: Sample) -> Floats:
        n, chance, right = _confidence_bins(s)
        return ratio(np.maximum(sign * (chance - right), 0).sum(axis=1), n.sum(axis=1))

    name, said = ("overconfidence", "above") if sign > 0 else ("underconfidence", "below")
    return weighted(
        f"calibration.{name}",
        f"the part of the ECE from bins whose confidence is {said} the share of right intents",
        compute,
        direction="lower",
        source="Thulasidasan et al., NeurIPS 2019",
    )


def _brier(s: Sample, rows: Flags) -> Floats:
    return s.mean((s.view.confidence - s.view.top_right) ** 2, rows)


def _skill(s: Sample) -> Floats:
    right = s.mean(s.view.top_right.astype(np.float64), s.view.judged)
    return 1 - ratio(_brier(s, s.view.judged), right * (1 - right))


def _resolution(s: Sample) -> Floats:
    n, _, right = _confidence_bins(s)
    overall = ratio(right.sum(axis=1), n.sum(axis=1))
    apart = np.nan_to_num(ratio(right, n) - overall[:, None]) ** 2
    return ratio((apart * n).sum(axis=1), n.sum(axis=1))


def _ranks_right(s: Sample) -> Curve:
    return s.curve("right by confidence", s.view.confidence, s.view.top_right, s.view.judged)


def _ranks_wrong(s: Sample) -> Curve:
    return s.curve("wrong by confidence", -s.view.confidence, ~s.view.top_right, s.view.judged)


def _spiegelhalter(s: Sample) -> Floats:
    v = s.view
    p, right = v.confidence[v.judged], v.top_right[v.judged]
    top = s.of("judged") @ ((right - p) * (1 - 2 * p))
    return ratio(top, np.sqrt(s.of("judged") @ ((1 - 2 * p) ** 2 * p * (1 - p))))


def _recalibration(s: Sample) -> tuple[Floats, Floats]:
    """Intercept and slope (B,) of the logistic regression of right on the log-odds of the confidence."""

    def fit() -> tuple[Floats, Floats]:
        v = s.view
        p = np.clip(v.confidence[v.judged], 1e-6, 1 - 1e-6)
        x, y, w = np.log(p / (1 - p)), v.top_right[v.judged].astype(np.float64), s.of("judged")
        # Replicates start where the rows themselves end, so that a few of Newton's steps do.
        first = None if len(w) == 1 else _recalibration(Sample(v, np.ones((1, v.n))))
        a, b = (np.zeros(len(w)), np.ones(len(w))) if first is None else (np.tile(e, len(w)) for e in first)
        for _ in range(12 if first is None else 4):
            mu = 1 / (1 + np.exp(-np.clip(a[:, None] + b[:, None] * x, -30, 30)))
            left, spread = w * (y - mu), w * mu * (1 - mu)
            g0, g1 = left.sum(axis=1), left @ x
            h00, h01, h11 = spread.sum(axis=1), spread @ x, spread @ (x * x)
            det = h00 * h11 - h01 * h01
            a = a + np.clip(ratio(h11 * g0 - h01 * g1, det), -5, 5)
            b = b + np.clip(ratio(h00 * g1 - h01 * g0, det), -5, 5)
        return np.where(np.abs(a) < 50, a, np.nan), np.where(np.abs(b) < 50, b, np.nan)

    return s.memo("recalibration", fit)


def _sure_mistakes(least: float) -> Criterion:
    name = f"calibration.wrong_at_{least * 100:g}_percent_sure"
    said = f"judged queries with a confidence of at least {least:g}: share whose top intent is wrong"
    return share(name, said, lambda v: ~v.top_right, lambda v: v.judged & (v.confidence >= least), direction="lower",
                 source=OWN, lacks=_SURE)  # fmt: skip


def _unsure_right(most: float) -> Criterion:
    name = f"calibration.right_below_{most * 100:g}_percent_sure"
    said = f"judged queries with a confidence below {most:g}: share whose top intent is right"
    return share(name, said, lambda v: v.top_right, lambda v: v.judged & (v.confidence < most), direction="lower",
                 source=OWN, lacks=_SURE)  # fmt: skip


def _intents(name: str, said: str, values: object, source: str, high: float) -> Criterion:
    def compute(s: Sample) -> Floats:
        of: Floats = values(s.view)  # type: ignore[operator]
        return ratio(s.of("inside") @ of, s.of("inside").sum(axis=1))

    return weighted(
        f"calibration.{name}", said, compute, direction="lower", unit="nats" if "log" in name else "share",
        needs=("probabilities",), source=source, bounds=(0.0, high),
    )  # fmt: skip


def _intent_brier(v: View) -> Floats:
    return v.square_sum - 2 * v.truth_chance + 1


def _intent_ece(s: Sample) -> Floats:
    v = s.view
    place = equal_mass(v.top_chance)
    gap = by_code(s.of("inside") * (v.top_chance - v.top_chance_right), place, BINS)
    return ratio(np.abs(gap).sum(axis=1), s.of("inside").sum(axis=1))


def _scope_p(view: View) -> Floats:
    return np.asarray(view.observed.scope_p, dtype=np.float64)


def _scope_p_distance(s: Sample) -> Floats:
    """Kolmogorov's distance of the p-values of in-scope rows from evenly spread ones."""
    p = _scope_p(s.view)[s.view.inside]
    order = np.argsort(p, kind="stable")
    w = s.of("inside")[:, order]
    upto = ratio(np.cumsum(w, axis=1), w.sum(axis=1, keepdims=True))
    before = np.hstack([np.zeros((len(w), 1)), upto[:, :-1]])
    # Tied p-values step together: only the ends of a tie are points of the distribution.
    ranked = p[order]
    last = np.append(ranked[1:] != ranked[:-1], [True] * min(1, len(ranked)))
    start = np.append([True] * min(1, len(ranked)), ranked[1:] != ranked[:-1])
    above = np.abs(upto - ranked)[:, last].max(axis=1, initial=0.0)
    below = np.abs(before - ranked)[:, start].max(axis=1, initial=0.0)
    return np.where(s.of("inside").sum(axis=1) > 0, np.maximum(above, below), np.nan)


def _scope_p_below(limit: float) -> Criterion:
    return share(
        f"calibration.scope_p_below_{limit * 100:g}",
        f"in-scope queries with a scope p-value of at most {limit:g} ÷ in-scope queries; it should be about {limit:g}",
        lambda v: _scope_p(v) <= limit,
        lambda v: v.inside,
        direction="target",
        target=limit,
        needs=("scope_p",),
        source="Vovk et al. (2005)",
    )


CRITERIA: tuple[Criterion, ...] = (
    weighted("calibration.ece", f"mean distance of confidence and share right over {BINS} bins of equal mass",
             lambda s: expected_error(_confidence_bins(s)), direction="lower", source=_NAEINI),
    weighted("calibration.ece_equal_width", f"distance of confidence and share right over {BINS} bins of equal width",
             _equal_width, direction="lower", source="Guo et al., ICML 2017"),
    weighted("calibration.largest_error", "largest distance of confidence and share right over bins of equal mass",
             _largest, direction="lower", source="Naeini et al., AAAI 2015"),
    weighted("calibration.root_mean_square_error", "root mean square of that distance over bins of equal mass",
             _root_mean_square, direction="lower", source="Kumar et al., NeurIPS 2019"),
    _one_sided(1),
    _one_sided(-1),
    _ece_of("inside"),
    _ece_of("answered_judged"),
    weighted("calibration.mean_gap", "mean confidence minus share right; positive = too sure",
             lambda s: s.mean(s.view.confidence - s.view.top_right, s.view.judged), direction="target",
             unit="difference of shares", source=OWN, target=0.0, bounds=(-1.0, 1.0)),
    weighted("calibration.slope", "slope of the logistic regression of right on the log-odds of the confidence",
             lambda s: _recalibration(s)[1], direction="target", unit="log-odds per log-odds", source="Cox (1958)",
             target=1.0, bounds=(-np.inf, np.inf), lacks="both right and wrong rows"),
    weighted("calibration.intercept", "intercept of that regression", lambda s: _recalibration(s)[0],
             direction="target", unit="log-odds", source="Cox (1958)", target=0.0, bounds=(-np.inf, np.inf),
             lacks="both right and wrong rows"),
    weighted("calibration.spiegelhalter_z", "normal statistic of calibration; beyond 2 either way is miscalibrated",
             _spiegelhalter, direction="target", unit="standard errors", source="Spiegelhalter (1986)", target=0.0,
             bounds=(-np.inf, np.inf)),
    weighted("calibration.brier", "mean squared distance of confidence and outcome, judged queries",
             lambda s: _brier(s, s.view.judged), direction="lower", source=_BRIER),
    weighted("calibration.in_scope_brier", "the Brier score over in-scope queries alone",
             lambda s: _brier(s, s.view.inside), direction="lower", source=_BRIER),
    weighted("calibration.brier_skill", "1 minus the Brier score over that of always saying the share right", _skill,
             unit="share", source=_MURPHY, bounds=(-np.inf, 1.0), lacks="both right and wrong rows"),
    weighted("calibration.reliability", "part of the Brier score from miscalibration, bins of equal mass",
             lambda s: _root_mean_square(s) ** 2, direction="lower", source=_MURPHY),
    weighted("calibration.resolution", "part of the Brier score saved by telling bins apart", _resolution,
             source=_MURPHY),
    weighted("calibration.log_loss", "mean of −log(confidence in what happened), judged queries",
             lambda s: s.mean(_log_loss(s.view.confidence, s.view.top_right), s.view.judged), direction="lower",
             unit="nats", source="Good (1952)", bounds=(0.0, 37.0)),
    weighted("calibration.in_scope_log_loss", "the log loss over in-scope queries alone",
             lambda s: s.mean(_log_loss(s.view.confidence, s.view.top_right), s.view.inside), direction="lower",
             unit="nats", source="Good (1952)", bounds=(0.0, 37.0)),
    weighted("calibration.right_auroc", "chance that the confidence of a right query exceeds a wrong one's",
             lambda s: _ranks_right(s).auroc(), source="Hendrycks, Gimpel, ICLR 2017",
             lacks="both right and wrong rows"),
    weighted("calibration.wrong_aupr", "average precision of finding wrong queries by low confidence",
             lambda s: _ranks_wrong(s).average_precision(), source="Hendrycks, Gimpel, ICLR 2017",
             lacks="a wrong row"),
    weighted("calibration.wrong_fpr_at_95", "wrong queries above the confidence that keeps 95 % of right ones",
             lambda s: _ranks_right(s).fpr_at_tpr(0.95), direction="lower", source="Hendrycks, Gimpel, ICLR 2017",
             lacks="both right and wrong rows"),
    weighted("calibration.sharpness", "variance of the confidence over judged queries",
             lambda s: s.mean(s.view.confidence**2, s.view.judged) - s.mean(s.view.confidence, s.view.judged) ** 2,
             source="Gneiting, Balabdaoui, Raftery, JRSS B 69 (2007)"),
    *(_sure_mistakes(p) for p in (0.8, 0.9, 0.95, 0.99)),
    _unsure_right(0.2),
    _intents("intent_log_loss", "mean of −log(probability of the right intent), in-scope queries",
             lambda v: -np.log(np.clip(v.truth_chance, _EDGE, 1)), "Good (1952)", 37.0),
    _intents("intent_brier", "mean squared distance of all probabilities and the outcome, in-scope queries",
             _intent_brier, _BRIER, 2.0),
    weighted("calibration.intent_ece", "the ECE of the largest probability, in-scope queries", _intent_ece,
             direction="lower", needs=("probabilities",), source=_NAEINI),
    weighted("calibration.scope_p_distance", "largest distance of the scope p-values of in-scope queries from even",
             _scope_p_distance, direction="lower", needs=("scope_p",), source="Kolmogorov (1933)"),
    *(_scope_p_below(p) for p in (0.01, 0.05, 0.1)),
)  # fmt: skip
