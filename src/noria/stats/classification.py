"""How good classes, scores and confidences are, from rows whose truth is known.

Everything is 0 to 1 unless it says otherwise. Where a figure has no meaning (no rows; only one kind of rows for a
ranking of two kinds) it is NaN, not an error.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from noria.errors import UsageError
from noria.stats.intervals import Flags, Floats, as_flags, as_numbers, same_length


@dataclass(frozen=True, slots=True)
class ConfusedPair:
    """Rows of one class that were taken for another, and how many."""

    truth: str
    predicted: str
    count: int


def accuracy(truth: npt.ArrayLike, predicted: npt.ArrayLike) -> float:
    """Share of rows whose class was predicted.

    Args:
        truth: right class (n,) of each row, names or numbers.
        predicted: predicted class (n,).

    Raises:
        UsageError: different lengths.

    Example:
        >>> accuracy(["vpn", "wifi", "vpn"], ["vpn", "vpn", "vpn"])
        0.6666666666666666
    """
    _, right, said = _codes(truth, predicted)
    return float((right == said).mean()) if len(right) else math.nan


def macro_f1(truth: npt.ArrayLike, predicted: npt.ArrayLike) -> float:
    """Mean F1 over the classes that are in the truth or were predicted, each class counting the same.

    A class that was never predicted right has F1 0.

    Args:
        truth: right class (n,) of each row, names or numbers.
        predicted: predicted class (n,).

    Raises:
        UsageError: different lengths.

    Example:
        >>> macro_f1(["vpn", "wifi", "vpn"], ["vpn", "vpn", "vpn"])
        0.4
    """
    classes, right, said = _codes(truth, predicted)
    if not len(right):
        return math.nan
    hits = np.bincount(right[right == said], minlength=len(classes))
    both = np.bincount(right, minlength=len(classes)) + np.bincount(said, minlength=len(classes))
    return float((2 * hits / both).mean())


def confusion_pairs(truth: npt.ArrayLike, predicted: npt.ArrayLike, top: int = 10) -> list[ConfusedPair]:
    """The most frequent mistakes, largest count first, then by name; empty where there is none.

    Args:
        truth: right class (n,) of each row, names or numbers.
        predicted: predicted class (n,).
        top: how many at most.

    Raises:
        UsageError: different lengths.

    Example:
        >>> confusion_pairs(["vpn", "vpn", "wifi", "mail"], ["wifi", "wifi", "vpn", "mail"])
        [ConfusedPair(truth='vpn', predicted='wifi', count=2), ConfusedPair(truth='wifi', predicted='vpn', count=1)]
    """
    classes, right, said = _codes(truth, predicted)
    wrong = right != said
    pairs, counts = np.unique(right[wrong] * len(classes) + said[wrong], return_counts=True)
    order = np.argsort(-counts, kind="stable")[: max(top, 0)]
    names = [str(name) for name in classes.tolist()]
    return [ConfusedPair(names[pairs[i] // len(names)], names[pairs[i] % len(names)], int(counts[i])) for i in order]


def auroc(score: npt.ArrayLike, positive: npt.ArrayLike) -> float:
    """The chance that a positive row scores higher than a negative one; ties count half.

    Args:
        score: (n,), higher = more likely positive.
        positive: truth values (n,).

    Raises:
        UsageError: different lengths, a score is NaN, or no truth values.

    Source: Hanley, McNeil, Radiology 143 (1982) 29.

    Example:
        >>> auroc([0.1, 0.4, 0.35, 0.8], [False, False, True, True])
        0.75
    """
    hits, misses = _by_score(score, positive)
    n_hits, n_misses = hits.sum(), misses.sum()
    if not (n_hits and n_misses):
        return math.nan
    worse = n_misses - np.cumsum(misses)
    return float((hits * (worse + misses / 2)).sum() / (n_hits * n_misses))


def auprc(score: npt.ArrayLike, positive: npt.ArrayLike) -> float:
    """Average precision: the precision at each threshold, weighted by the recall it adds; tied scores share one.

    Args:
        score: (n,), higher = more likely positive.
        positive: truth values (n,).

    Raises:
        UsageError: different lengths, a score is NaN, or no truth values.

    Example:
        >>> round(auprc([0.1, 0.4, 0.35, 0.8], [False, False, True, True]), 4)
        0.8333
    """
    hits, misses = _by_score(score, positive)
    if not hits.sum():
        return math.nan
    found = np.cumsum(hits)
    return float((hits * found / (found + np.cumsum(misses))).sum() / found[-1])


def fpr_at_tpr(score: npt.ArrayLike, positive: npt.ArrayLike, tpr: float = 0.95) -> float:
    """Share of negative rows at or above the highest threshold that keeps a share `tpr` of the positive rows.

    Args:
        score: (n,), higher = more likely positive.
        positive: truth values (n,).
        tpr: above 0 to 1.

    Raises:
        UsageError: different lengths, a score is NaN, no truth values, or tpr outside its limits.

    Example:
        >>> fpr_at_tpr([0.1, 0.4, 0.35, 0.8], [False, False, True, True])
        0.5
    """
    if not 0 < tpr <= 1:
        raise UsageError(f"a share of {tpr} of the positive rows; give one above 0 and at most 1, such as 0.95.")
    hits, misses = _by_score(score, positive)
    if not (hits.sum() and misses.sum()):
        return math.nan
    # Rounding of tpr times a count must not ask for one row more.
    enough = int(np.argmax(np.cumsum(hits) >= tpr * hits.sum() - 1e-9))
    return float(np.cumsum(misses)[enough] / misses.sum())


def recall_at_false_rejects(score_in: npt.ArrayLike, score_out: npt.ArrayLike, rate: float) -> float:
    """Share of out-of-scope rows rejected by the threshold that rejects at most a share `rate` of in-scope rows.

    A row is rejected where its score is below the threshold; rows that tie with it are kept.

    Args:
        score_in: scope scores (n,) of in-scope rows, higher = more likely in scope.
        score_out: scope scores (m,) of out-of-scope rows.
        rate: 0 to 1.

    Raises:
        UsageError: a score is NaN, or rate is outside its limits.

    Example:
        >>> recall_at_false_rejects([0.2, 0.6, 0.7, 0.9], [0.1, 0.3, 0.65, 0.8], rate=0.25)
        0.5
    """
    if not 0 <= rate <= 1:
        raise UsageError(f"a share of {rate} false rejects; give one from 0 to 1, such as 0.03.")
    inside, outside = np.sort(as_numbers("score_in", score_in)), as_numbers("score_out", score_out)
    if not (len(inside) and len(outside)):
        return math.nan
    allowed = int(rate * len(inside) + 1e-9)
    if allowed == len(inside):
        return 1.0
    return float((outside < inside[allowed]).mean())


def ece(confidence: npt.ArrayLike, right: npt.ArrayLike, bins: int = 15) -> float:
    """Expected calibration error: mean distance of confidence and share of right answers over bins of equal mass.

    Rows of equal confidence stay in one bin, so that the order of rows does not matter.

    Args:
        confidence: (n,), 0 to 1.
        right: truth values (n,).
        bins: 1 or more; those that stay empty do not count.

    Raises:
        UsageError: different lengths, values outside their limits, or bins < 1.

    Source: Naeini et al., AAAI 2015; equal mass: Nguyen, O'Connor, EMNLP 2015.

    Example:
        >>> round(ece([0.9] * 10 + [0.6] * 10, [True] * 8 + [False] * 2 + [True] * 6 + [False] * 4), 6)
        0.05
    """
    confidences, flags = _confidences(confidence, right)
    if bins < 1:
        raise UsageError(f"{bins} bins; give 1 or more, such as 15.")
    n = len(flags)
    if n == 0:
        return math.nan
    _, value, counts = np.unique(confidences, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - counts / 2
    place = (bins * middle / n).astype(np.int64)[value]
    return float(np.abs(np.bincount(place, weights=confidences - flags)).sum() / n)


def brier(confidence: npt.ArrayLike, right: npt.ArrayLike) -> float:
    """Mean squared distance of confidence and outcome; 0 is perfect, 0.25 is a coin.

    Args:
        confidence: (n,), 0 to 1.
        right: truth values (n,).

    Raises:
        UsageError: different lengths, or values outside their limits.

    Source: Brier, Monthly Weather Review 78 (1950) 1.

    Example:
        >>> round(brier([0.9, 0.6], [True, False]), 3)
        0.185
    """
    confidences, flags = _confidences(confidence, right)
    return float(((confidences - flags) ** 2).mean()) if len(flags) else math.nan


def log_loss(confidence: npt.ArrayLike, right: npt.ArrayLike) -> float:
    """Mean of -log(confidence in what happened), in nats, 0 to about 36.

    Confidences of 0 and 1 are moved inside by 2.2e-16, so that one sure mistake does not make the mean infinite.

    Args:
        confidence: (n,), 0 to 1.
        right: truth values (n,).

    Raises:
        UsageError: different lengths, or values outside their limits.

    Example:
        >>> round(log_loss([0.9, 0.6], [True, False]), 3)
        0.511
    """
    confidences, flags = _confidences(confidence, right)
    if not len(flags):
        return math.nan
    edge = np.finfo(np.float64).eps
    inside = np.clip(confidences, edge, 1 - edge)
    return float(-np.log(np.where(flags, inside, 1 - inside)).mean())


def _codes(
    truth: npt.ArrayLike, predicted: npt.ArrayLike
) -> tuple[npt.NDArray[np.generic], npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Classes in order, and the number of the class (n,) of truth and prediction."""
    right, said = np.asarray(truth), np.asarray(predicted)
    if right.ndim != 1 or said.ndim != 1:
        raise UsageError(f"classes of the shapes {right.shape} and {said.shape}; give one for each row, shape (n,).")
    n = same_length(truth=right, predicted=said)
    classes, codes = np.unique(np.concatenate([right, said]), return_inverse=True)
    return classes, codes[:n], codes[n:]


def _by_score(score: npt.ArrayLike, positive: npt.ArrayLike) -> tuple[Floats, Floats]:
    """How many positive and how many negative rows have each distinct score, from the highest score on."""
    scores, flags = as_numbers("score", score), as_flags("positive", positive)
    same_length(score=scores, positive=flags)
    values, place = np.unique(scores, return_inverse=True)
    hits = np.bincount(place[flags], minlength=len(values)).astype(np.float64)
    misses = np.bincount(place[~flags], minlength=len(values)).astype(np.float64)
    return hits[::-1], misses[::-1]


def _confidences(confidence: npt.ArrayLike, right: npt.ArrayLike) -> tuple[Floats, Flags]:
    confidences, flags = as_numbers("confidence", confidence, 0, 1), as_flags("right", right)
    same_length(confidence=confidences, right=flags)
    return confidences, flags
