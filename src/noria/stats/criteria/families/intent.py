"""Criteria of the component intent: is the top intent of in-scope queries the right one?

Example:
    >>> CRITERIA[0].id
    'intent.accuracy'
"""

from __future__ import annotations

import numpy as np

from noria.stats.criteria.counting.by_class import class_counts, confusion, joint_information, open_counts
from noria.stats.criteria.criterion import Criterion, share, weighted
from noria.stats.criteria.sample import (
    Sample,
    known_least,
    known_mean,
    known_share,
    known_spread,
    lowest_mean,
    ratio,
)
from noria.stats.criteria.view import Flags, Floats, View

SOKOLOVA = "Sokolova, Lapalme, Inf. Process. Manag. 45 (2009) 427"
OWN = "own definition"
_DIFFERENT = "intents with different numbers of training rows"


def _inside(view: View) -> Flags:
    return view.inside


def _right(view: View) -> Flags:
    return view.top_right


def _kappa(s: Sample) -> Floats:
    c = class_counts(s)
    n = c.actual.sum(axis=1)
    by_chance = ratio((c.actual * c.said).sum(axis=1), n * n)
    return ratio(ratio(c.hits.sum(axis=1), n) - by_chance, 1 - by_chance)


def _mcc(s: Sample) -> Floats:
    c = class_counts(s)
    n = c.actual.sum(axis=1)
    top = c.hits.sum(axis=1) * n - (c.actual * c.said).sum(axis=1)
    spread = (n * n - (c.said**2).sum(axis=1)) * (n * n - (c.actual**2).sum(axis=1))
    return ratio(top, np.sqrt(np.maximum(spread, 0.0)))


def _weighted_f1(s: Sample) -> Floats:
    c = class_counts(s)
    return ratio((np.nan_to_num(c.f1()) * c.actual).sum(axis=1), c.actual.sum(axis=1))


def _geometric(s: Sample) -> Floats:
    recall = class_counts(s).recall()
    logs = np.log(np.maximum(recall, 1e-300))
    return np.exp(known_mean(logs))


def _skew(s: Sample) -> Floats:
    c = class_counts(s)
    return ratio(np.abs(c.said - c.actual).sum(axis=1), 2 * c.actual.sum(axis=1))


def _asymmetry(s: Sample) -> Floats:
    c = confusion(s)
    return ratio(np.abs(c.difference).sum(axis=1), c.mistakes)


def _of_mistakes(counts: Floats, mistakes: Floats, top: int) -> Floats:
    largest = np.sort(counts, axis=1)[:, ::-1][:, :top]
    return ratio(largest.sum(axis=1), mistakes)


def _by_rows(view: View, *, rare: bool) -> Flags:
    """In-scope rows of the quarter of intents with the fewest (or most) training rows; none where all have as many."""
    counts = view.observed.train_counts or {}
    names, place = np.unique(view.truth, return_inverse=True)
    rows = np.array([counts.get(str(name), 0) for name in names], dtype=np.float64)[place]
    of_intents = np.array([counts.get(str(name), 0) for name in np.unique(view.truth[view.inside])], dtype=np.float64)
    if not len(of_intents):
        return view.inside
    low, high = np.quantile(of_intents, [0.25, 0.75])
    if low == high:
        return np.zeros(view.n, dtype=np.bool_)
    return np.asarray(view.inside & (rows <= low if rare else rows >= high), dtype=np.bool_)


def _few_shot(view: View) -> Flags:
    counts = view.observed.train_counts or {}
    return view.inside & np.array([counts.get(name, 0) <= 10 for name in view.observed.truth], dtype=np.bool_)


def _rare_gap(s: Sample) -> Floats:
    rare, frequent = _by_rows(s.view, rare=True), _by_rows(s.view, rare=False)
    right = s.view.top_right.astype(np.float64)
    return s.mean(right, frequent) - s.mean(right, rare)


def _reciprocal(s: Sample) -> Floats:
    ranks = s.view.truth_rank
    gain = np.where(ranks > 0, 1 / np.maximum(ranks, 1), 0.0)
    return ratio(s.of("inside") @ gain, s.of("inside").sum(axis=1))


def _mean_rank(s: Sample) -> Floats:
    size = len(s.view.observed.classes or ())
    ranks = np.where(s.view.truth_rank > 0, s.view.truth_rank, size + 1).astype(np.float64)
    return ratio(s.of("inside") @ ranks, s.of("inside").sum(axis=1))


def _within(k: int) -> Criterion:
    def hits(view: View) -> Flags:
        found = np.zeros(view.n, dtype=np.bool_)
        found[view.inside] = (view.truth_rank > 0) & (view.truth_rank <= k)
        return found

    said = f"in-scope queries with the right intent among the {k} likeliest ÷ in-scope queries"
    return share(f"intent.top_{k}_accuracy", said, hits, _inside, needs=("probabilities",), source=OWN)


CRITERIA: tuple[Criterion, ...] = (
    share("intent.accuracy", "in-scope queries whose top intent is right ÷ in-scope queries", _right, _inside,
          source="Manning, Raghavan, Schütze (2008)"),
    weighted("intent.macro_f1", "mean F1 over classes, each counting the same",
             lambda s: known_mean(class_counts(s).f1()), source=SOKOLOVA),
    weighted("intent.macro_precision", "mean precision over classes, each counting the same",
             lambda s: known_mean(class_counts(s).precision()), source=SOKOLOVA),
    weighted("intent.balanced_accuracy", "mean recall over classes, each counting the same",
             lambda s: known_mean(class_counts(s).recall()), source="Brodersen et al., ICPR 2010"),
    weighted("intent.weighted_f1", "mean F1 over classes, each counting by its rows", _weighted_f1, source=SOKOLOVA),
    weighted("intent.macro_jaccard", "mean over classes of right ÷ (of the class or taken for it)",
             lambda s: known_mean(class_counts(s).jaccard()), source="Jaccard (1912)"),
    weighted("intent.geometric_recall", "geometric mean of the recalls of the classes; 0 where one is never found",
             _geometric, source="Kubat, Matwin, ICML 1997"),
    weighted("intent.kappa", "agreement of truth and prediction beyond chance", _kappa, unit="coefficient",
             source="Cohen (1960)", bounds=(-1.0, 1.0)),
    weighted("intent.mcc", "correlation of truth and prediction over all classes", _mcc, unit="coefficient",
             source="Gorodkin (2004)", bounds=(-1.0, 1.0)),
    weighted("intent.mutual_information", "mutual information of truth and prediction ÷ mean of their entropies",
             joint_information, source="Strehl, Ghosh, JMLR 3 (2002)"),
    weighted("intent.worst_class_recall", "recall of the class with the least",
             lambda s: known_least(class_counts(s).recall()), source=OWN),
    weighted("intent.worst_class_precision", "precision of the class with the least",
             lambda s: known_least(class_counts(s).precision()), source=OWN),
    weighted("intent.worst_class_f1", "F1 of the class with the least",
             lambda s: known_least(class_counts(s).f1()), source=OWN),
    weighted("intent.worst_tenth_recall", "mean recall of the tenth of classes with the least",
             lambda s: lowest_mean(class_counts(s).recall(), 0.1), source=OWN),
    weighted("intent.worst_tenth_f1", "mean F1 of the tenth of classes with the least",
             lambda s: lowest_mean(class_counts(s).f1(), 0.1), source=OWN),
    weighted("intent.recall_spread", "standard deviation of the recalls of the classes",
             lambda s: known_spread(class_counts(s).recall()), direction="lower", source=OWN),
    weighted("intent.weak_classes", "classes with a recall below 0.8 ÷ classes",
             lambda s: known_share(class_counts(s).recall(), class_counts(s).recall() < 0.8),
             direction="lower", source=OWN),
    weighted("intent.failed_classes", "classes with a recall below 0.5 ÷ classes",
             lambda s: known_share(class_counts(s).recall(), class_counts(s).recall() < 0.5),
             direction="lower", source=OWN),
    weighted("intent.silent_classes", "classes that were never predicted ÷ classes",
             lambda s: known_share(class_counts(s).recall(), class_counts(s).said == 0),
             direction="lower", source=OWN),
    weighted("intent.perfect_classes", "classes without a miss and without a false hit ÷ classes",
             lambda s: known_share(class_counts(s).f1(), class_counts(s).f1() == 1), source=OWN),
    weighted("intent.skew", "distance (total variation) of the predicted shares of the classes from the true ones",
             _skew, direction="lower", source=OWN),
    weighted("intent.confusion_asymmetry", "over pairs of classes: mistakes one way minus the other ÷ mistakes",
             _asymmetry, direction="lower", source=OWN, lacks="a mistake"),
    weighted("intent.confusion_top_pair", "mistakes between the two classes confused most ÷ mistakes",
             lambda s: _of_mistakes(confusion(s).both_ways, confusion(s).mistakes, 1),
             direction="lower", source=OWN, lacks="a mistake"),
    weighted("intent.confusion_top_10_pairs", "mistakes between the ten pairs of classes confused most ÷ mistakes",
             lambda s: _of_mistakes(confusion(s).both_ways, confusion(s).mistakes, 10),
             direction="lower", source=OWN, lacks="a mistake"),
    weighted("intent.confusion_magnet", "mistakes that end in the one class that attracts most ÷ mistakes",
             lambda s: _of_mistakes(confusion(s).by_said, confusion(s).mistakes, 1),
             direction="lower", source=OWN, lacks="a mistake"),
    *(_within(k) for k in (2, 3, 5, 10)),
    weighted("intent.mrr", "mean of 1 ÷ rank of the right intent by probability; 0 where it is no class", _reciprocal,
             needs=("probabilities",), source="Voorhees, TREC-8 (1999)"),
    weighted("intent.mean_rank", "mean rank of the right intent by probability; behind all where it is no class",
             _mean_rank, direction="lower", unit="rank", needs=("probabilities",), source=OWN, bounds=(1.0, np.inf)),
    share("intent.rare_recall", "in-scope queries of the quarter of intents with the fewest training rows: share right",
          _right, lambda v: _by_rows(v, rare=True), needs=("train_counts",), source=OWN, lacks=_DIFFERENT),
    share("intent.frequent_recall",
          "in-scope queries of the quarter of intents with the most training rows: share right",
          _right, lambda v: _by_rows(v, rare=False), needs=("train_counts",), source=OWN, lacks=_DIFFERENT),
    weighted("intent.rare_gap", "recall of the quarter of intents with most training rows minus that with fewest",
             _rare_gap, direction="lower", unit="difference of shares", needs=("train_counts",), source=OWN,
             lacks=_DIFFERENT, bounds=(-1.0, 1.0)),
    share("intent.few_shot_recall", "in-scope queries of intents with at most 10 training rows: share right", _right,
          _few_shot, needs=("train_counts",), source=OWN, lacks="intents with at most 10 training rows"),
    share("intent.domain_accuracy", "in-scope queries whose top intent is of the right domain ÷ in-scope queries",
          lambda v: v.domain_right, _inside, needs=("domains",), source="Larson et al., EMNLP 2019"),
    share("intent.mistakes_within_domain", "mistakes that stay in the right domain ÷ mistakes",
          lambda v: v.domain_right, lambda v: v.inside & ~v.top_right, needs=("domains",), source=OWN,
          lacks="a mistake"),
    share("intent.open_accuracy", "judged queries with the right class, out of scope being one ÷ judged queries",
          lambda v: np.where(v.inside, v.top_right & v.accepted, ~v.accepted), lambda v: v.judged,
          source="Larson et al., EMNLP 2019"),
    weighted("intent.open_macro_f1", "mean F1 over classes, out of scope being one of them",
             lambda s: known_mean(open_counts(s).f1()), source="Shu, Xu, Liu, EMNLP 2017"),
    share("intent.accuracy_of_accepted", "accepted in-scope queries whose top intent is right ÷ accepted in-scope ones",
          _right, lambda v: v.inside & v.accepted, source=OWN),
)  # fmt: skip
