"""Figures agree with scikit-learn and scipy, also under weights: that is what a bootstrap replicate is."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics
from tests.stats.criteria.made_up_rows import columns

from noria.records import RESERVED_INTENTS
from noria.stats import classification, ranking
from noria.stats.criteria import CATALOGUE, Observed, measure
from noria.stats.criteria.sample import Sample
from noria.stats.criteria.view import View

TOLD = columns(700, 3)
SEEN = Observed(**TOLD)
TRUTH, SAID = np.array(TOLD["truth"]), np.array(TOLD["predicted"])
INSIDE = ~np.isin(TRUTH, sorted(RESERVED_INTENTS))
OUTSIDE = np.isin(TRUTH, ["oos", "irrelevant"])
JUDGED = INSIDE | OUTSIDE
CONFIDENCE, SCOPE = TOLD["confidence"], TOLD["scope_score"]
RIGHT = INSIDE & (TRUTH == SAID)
WEIGHTS = np.random.default_rng(5).integers(0, 4, 700).astype(float)


def value(name: str, weights: np.ndarray | None = None) -> float:
    """The figure on weighted rows."""
    one = CATALOGUE[name]
    if weights is None:
        return measure(SEEN, [name], replicates=0).values[name]
    assert one.weighted is not None
    return float(one.weighted(Sample(View(SEEN), weights[None, :]))[0])


def over(rows: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    return np.ones(rows.sum()) if weights is None else weights[rows]


BY_CLASS = {
    "intent.macro_f1": lambda t, p, w: metrics.f1_score(t, p, average="macro", sample_weight=w, zero_division=0),
    "intent.macro_precision": lambda t, p, w: metrics.precision_score(
        t, p, average="macro", sample_weight=w, zero_division=0
    ),
    "intent.weighted_f1": lambda t, p, w: metrics.f1_score(t, p, average="weighted", sample_weight=w, zero_division=0),
    "intent.macro_jaccard": lambda t, p, w: metrics.jaccard_score(
        t, p, average="macro", sample_weight=w, zero_division=0
    ),
    "intent.kappa": lambda t, p, w: metrics.cohen_kappa_score(t, p, sample_weight=w),
    "intent.mcc": lambda t, p, w: metrics.matthews_corrcoef(t, p, sample_weight=w),
}


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["rows", "weighted"])
@pytest.mark.parametrize("name", BY_CLASS)
def test_figures_by_class_are_scikit_learns(name, weights):
    expected = BY_CLASS[name](TRUTH[INSIDE], SAID[INSIDE], over(INSIDE, weights))
    assert value(name, weights) == pytest.approx(expected, abs=1e-12)


@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
def test_further_figures_by_class_are_scikit_learns():
    truth, said = TRUTH[INSIDE], SAID[INSIDE]
    assert value("intent.accuracy") == pytest.approx(metrics.accuracy_score(truth, said))
    assert value("intent.balanced_accuracy") == pytest.approx(metrics.balanced_accuracy_score(truth, said))
    assert value("intent.mutual_information") == pytest.approx(metrics.normalized_mutual_info_score(truth, said))
    recalls = metrics.recall_score(truth, said, average=None, labels=np.unique(truth))
    assert value("intent.worst_class_recall") == pytest.approx(recalls.min())
    assert value("intent.recall_spread") == pytest.approx(recalls.std())
    assert value("intent.geometric_recall") == pytest.approx(stats.gmean(recalls))
    assert value("intent.macro_f1") == pytest.approx(classification.macro_f1(truth, said))


@pytest.mark.parametrize("k", [2, 3, 5, 10])
def test_top_k_accuracy_is_scikit_learns(k):
    classes = sorted(set(TOLD["classes"]))
    order = [TOLD["classes"].index(name) for name in classes]
    chances = TOLD["probabilities"][INSIDE][:, order]
    expected = metrics.top_k_accuracy_score(TRUTH[INSIDE], chances, k=k, labels=classes)
    assert value(f"intent.top_{k}_accuracy") == pytest.approx(expected)


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["rows", "weighted"])
def test_scope_figures_are_scikit_learns(weights):
    w, inside, score = over(JUDGED, weights), INSIDE[JUDGED], SCOPE[JUDGED]
    assert value("scope.auroc", weights) == pytest.approx(metrics.roc_auc_score(inside, score, sample_weight=w))
    precise = metrics.average_precision_score(inside, score, sample_weight=w)
    assert value("scope.aupr_in", weights) == pytest.approx(precise)
    outwards = metrics.average_precision_score(~inside, -score, sample_weight=w)
    assert value("scope.aupr_out", weights) == pytest.approx(outwards)
    fpr, tpr, _ = metrics.roc_curve(inside, score, sample_weight=w, drop_intermediate=False)
    assert value("scope.fpr_at_95", weights) == pytest.approx(fpr[np.argmax(tpr >= 0.95 - 1e-12)])
    assert value("scope.youden", weights) == pytest.approx((tpr - fpr).max())
    fpr, tpr, _ = metrics.roc_curve(~inside, -score, sample_weight=w, drop_intermediate=False)
    assert value("scope.recall_at_5_percent_false_rejects", weights) == pytest.approx(tpr[fpr <= 0.05 + 1e-12].max())
    edge = np.interp(0.05, fpr, tpr)
    inner = fpr < 0.05
    area = metrics.auc([*fpr[inner], 0.05], [*tpr[inner], edge]) / 0.05
    assert value("scope.partial_auroc_5", weights) == pytest.approx(area)


def test_scope_figures_are_those_of_the_other_implementation():
    rejects = classification.recall_at_false_rejects(SCOPE[INSIDE], SCOPE[OUTSIDE], 0.04)
    assert value("scope.recall_at_4_percent_false_rejects") == pytest.approx(rejects)
    confidence, right = CONFIDENCE[JUDGED], RIGHT[JUDGED]
    assert value("calibration.ece") == pytest.approx(classification.ece(confidence, right))


def test_the_gate_as_it_stands_is_scikit_learns():
    outside, rejected = OUTSIDE[JUDGED], ~np.asarray(TOLD["in_scope"])[JUDGED]
    assert value("scope.recall") == pytest.approx(metrics.recall_score(outside, rejected))
    assert value("scope.precision") == pytest.approx(metrics.precision_score(outside, rejected))
    assert value("scope.f1") == pytest.approx(metrics.f1_score(outside, rejected))
    assert value("scope.mcc") == pytest.approx(metrics.matthews_corrcoef(outside, rejected))
    assert value("scope.balanced_accuracy") == pytest.approx(metrics.balanced_accuracy_score(outside, rejected))


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["rows", "weighted"])
def test_scores_of_chances_are_scikit_learns(weights):
    w, right, confidence = over(JUDGED, weights), RIGHT[JUDGED], CONFIDENCE[JUDGED]
    brier = metrics.brier_score_loss(right, confidence, sample_weight=w)
    assert value("calibration.brier", weights) == pytest.approx(brier)
    assert value("calibration.log_loss", weights) == pytest.approx(metrics.log_loss(right, confidence, sample_weight=w))
    auroc = metrics.roc_auc_score(right, confidence, sample_weight=w)
    assert value("calibration.right_auroc", weights) == pytest.approx(auroc)


def test_the_recalibration_is_scikit_learns_logistic_regression():
    from sklearn.linear_model import LogisticRegression

    p = np.clip(CONFIDENCE[JUDGED], 1e-6, 1 - 1e-6)
    fitted = LogisticRegression(C=1e10, tol=1e-10, max_iter=1000).fit(np.log(p / (1 - p))[:, None], RIGHT[JUDGED])
    assert value("calibration.slope") == pytest.approx(fitted.coef_[0, 0], rel=1e-4)
    assert value("calibration.intercept") == pytest.approx(fitted.intercept_[0], rel=1e-4)


def test_the_brier_score_is_what_its_parts_come_to_within_the_spread_inside_bins():
    parts = {n: value(f"calibration.{n}") for n in ("brier", "reliability", "resolution")}
    share = RIGHT[JUDGED].mean()
    assert parts["brier"] == pytest.approx(parts["reliability"] - parts["resolution"] + share * (1 - share), abs=0.01)


def test_the_distance_of_p_values_is_scipys():
    expected = stats.kstest(np.asarray(TOLD["scope_p"])[INSIDE], "uniform").statistic
    assert value("calibration.scope_p_distance") == pytest.approx(expected)


def test_risk_and_coverage_are_as_by_hand():
    distinct = CONFIDENCE + np.linspace(0, 1e-6, len(CONFIDENCE))
    seen = Observed(**(TOLD | {"confidence": distinct}))
    found = measure(seen, ["risk.aurc", "risk.augrc", "risk.risk_at_80_percent"], replicates=0).values
    order = np.argsort(-distinct[JUDGED])
    wrong, n = ~RIGHT[JUDGED][order], int(JUDGED.sum())
    accepted = np.arange(1, n + 1)
    assert found["risk.aurc"] == pytest.approx((np.cumsum(wrong) / accepted).mean())
    assert found["risk.augrc"] == pytest.approx((np.cumsum(wrong) / n).mean())
    take = int(np.ceil(0.8 * n))
    assert found["risk.risk_at_80_percent"] == pytest.approx(wrong[:take].mean())


def test_rankings_are_those_of_the_other_implementation_and_scikit_learn():
    rankings, relevant = TOLD["rankings"], TOLD["relevant"]
    assert value("ranking.mrr") == pytest.approx(ranking.mrr(rankings, relevant))
    for k in (1, 3, 5, 10):
        assert value(f"ranking.hit_at_{k}") == pytest.approx(ranking.hit_at_k(rankings, relevant, k))
    for k in (3, 5, 10):
        assert value(f"ranking.ndcg_at_{k}") == pytest.approx(ranking.ndcg_at_k(rankings, relevant, k))


def test_average_precision_is_scikit_learns_where_every_right_article_is_ranked():
    rng = np.random.default_rng(0)
    articles = [f"kb-{i}" for i in range(10)]
    rankings = [tuple(rng.permutation(articles)) for _ in range(50)]
    relevant = [frozenset(rng.choice(articles, 3, replace=False)) for _ in range(50)]
    seen = Observed(
        truth=["vpn"] * 50, predicted=["vpn"] * 50, decision=["answer"] * 50, confidence=[0.5] * 50,
        scope_score=[0.0] * 50, in_scope=[True] * 50, rankings=rankings, relevant=relevant,
    )  # fmt: skip
    found = measure(seen, ["ranking.map", "ranking.ndcg_at_5", "ranking.r_precision"], replicates=0).values
    flags = np.array([[a in rel for a in articles] for rel in relevant])
    scores = np.array([[-r.index(a) for a in articles] for r in rankings])
    assert found["ranking.map"] == pytest.approx(metrics.label_ranking_average_precision_score(flags, scores))
    assert found["ranking.ndcg_at_5"] == pytest.approx(metrics.ndcg_score(flags, scores, k=5))
    by_hand = np.mean([len(set(r[:3]) & rel) / 3 for r, rel in zip(rankings, relevant, strict=True)])
    assert found["ranking.r_precision"] == pytest.approx(by_hand)


def test_confusion_is_counted_both_ways():
    truth = ["a"] * 4 + ["b"] * 4 + ["c"]
    said = ["a", "b", "b", "b", "b", "b", "b", "a", "a"]
    seen = Observed(
        truth=truth, predicted=said, decision=["answer"] * 9, confidence=[0.5] * 9, scope_score=[0.0] * 9,
        in_scope=[True] * 9,
    )  # fmt: skip
    found = measure(seen, replicates=0).values
    # Mistakes: a taken for b three times, b for a once, c for a once.
    assert found["intent.confusion_asymmetry"] == pytest.approx((2 + 1) / 5)
    assert found["intent.confusion_top_pair"] == pytest.approx(4 / 5)
    assert found["intent.confusion_magnet"] == pytest.approx(3 / 5)


@pytest.mark.parametrize("name", ["scope.auroc", "calibration.ece", "intent.macro_f1", "risk.aurc"])
def test_intervals_cover_the_figure_of_the_population(name):
    """95 % wanted; of 60 samples of a known population at least 85 % must hold it."""
    rng = np.random.default_rng(1)
    population = columns(20_000, 9)
    kept = ("truth", "predicted", "decision", "confidence", "scope_score", "in_scope")
    table = {column: np.asarray(population[column]) for column in kept}
    truth = measure(Observed(**table), [name], replicates=0).values[name]
    covered = 0
    for seed in range(60):
        rows = rng.integers(20_000, size=600)
        found = measure(Observed(**{c: v[rows] for c, v in table.items()}), [name], replicates=150, seed=seed)
        low, high = found.intervals[name]
        covered += low <= truth <= high
    assert covered >= 51
