"""Pure numbers in, small results out: intervals, estimators, paired tests, gates, detection, inception, measures."""

from noria.stats.classification import (
    ConfusedPair,
    accuracy,
    auprc,
    auroc,
    brier,
    confusion_pairs,
    ece,
    fpr_at_tpr,
    log_loss,
    macro_f1,
    recall_at_false_rejects,
)
from noria.stats.detection import ESRState, baseline, e_sr
from noria.stats.estimators import Estimate, active_mean, active_ratio, hajek
from noria.stats.gating import Paired, compare, e_gate, mcnemar, tango_lower
from noria.stats.inception import Inception, locate
from noria.stats.intervals import Difference, clopper_pearson, newcombe, wilson
from noria.stats.ranking import hit_at_k, mrr, ndcg_at_k
from noria.stats.sampling import inclusion_probability, simple_random

__all__ = [
    "ConfusedPair",
    "Difference",
    "ESRState",
    "Estimate",
    "Inception",
    "Paired",
    "accuracy",
    "active_mean",
    "active_ratio",
    "auprc",
    "auroc",
    "baseline",
    "brier",
    "clopper_pearson",
    "compare",
    "confusion_pairs",
    "e_gate",
    "e_sr",
    "ece",
    "fpr_at_tpr",
    "hajek",
    "hit_at_k",
    "inclusion_probability",
    "locate",
    "log_loss",
    "macro_f1",
    "mcnemar",
    "mrr",
    "ndcg_at_k",
    "newcombe",
    "recall_at_false_rejects",
    "simple_random",
    "tango_lower",
    "wilson",
]
