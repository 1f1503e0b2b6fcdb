"""Counts by class and by pair of confused classes, over in-scope rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from noria.stats.criteria.sample import Sample, divided, ratio
from noria.stats.criteria.view import Floats, Ints


@dataclass(frozen=True, slots=True)
class ClassCounts:
    """Weights (B, C) of rows by class: right (`hits`), of that class (`actual`), taken for it (`said`)."""

    hits: Floats
    actual: Floats
    said: Floats

    def recall(self) -> Floats:
        """(B, C), NaN for a class without rows."""
        return ratio(self.hits, self.actual)

    def precision(self) -> Floats:
        """(B, C), 0 for a class that was never said, NaN where it does not occur at all."""
        return np.where(self.actual + self.said > 0, divided(self.hits, self.said), np.nan)

    def f1(self) -> Floats:
        """(B, C), NaN where the class does not occur at all."""
        return ratio(2 * self.hits, self.actual + self.said)

    def jaccard(self) -> Floats:
        """(B, C), NaN where the class does not occur at all."""
        return ratio(self.hits, self.actual + self.said - self.hits)


def class_counts(s: Sample) -> ClassCounts:
    """Counts over in-scope rows.

    Example:
        >>> from noria.stats.criteria.made_up import few_rows
        >>> class_counts(few_rows()).hits.tolist()
        [[1.0, 0.0]]
    """

    def count() -> ClassCounts:
        names, truth, said = s.view.classes
        return _counts(s, truth, said, len(names))

    return s.memo("class counts", count)


def open_counts(s: Sample) -> ClassCounts:
    """Counts over judged rows, out of scope being one more class: true, and predicted where the scope gate said so.

    Example:
        >>> from noria.stats.criteria.made_up import few_rows
        >>> open_counts(few_rows()).actual.tolist()
        [[1.0, 1.0, 1.0]]
    """

    def count() -> ClassCounts:
        view = s.view
        truth = np.where(view.inside, view.truth, "")[view.judged]
        said = np.where(view.accepted, view.predicted, "")[view.judged]
        names, codes = np.unique(np.concatenate([truth, said]), return_inverse=True)
        return _counts(s, codes[: len(truth)], codes[len(truth) :], len(names), "judged")

    return s.memo("open counts", count)


def _counts(s: Sample, truth: Ints, said: Ints, size: int, rows: str = "inside") -> ClassCounts:
    weights = s.of(rows)
    right = np.where(truth == said, truth, -1)
    sums = [s.sums(f"{rows} {what}", codes, size, weights) for what, codes in _named(right, truth, said)]
    return ClassCounts(*sums)


def _named(right: Ints, truth: Ints, said: Ints) -> list[tuple[str, Ints]]:
    return [("right", right), ("truth", truth), ("said", said)]


@dataclass(frozen=True, slots=True)
class Confusion:
    """Weights of mistakes: by pair of classes (B, P) both ways, one way minus the other, and by class said."""

    both_ways: Floats
    difference: Floats
    by_said: Floats

    @property
    def mistakes(self) -> Floats:
        return np.asarray(self.both_ways.sum(axis=1), dtype=np.float64)


def confusion(s: Sample) -> Confusion:
    """Mistakes over in-scope rows.

    Example:
        >>> from noria.stats.criteria.made_up import few_rows
        >>> confusion(few_rows()).mistakes.tolist()
        [1.0]
    """

    def count() -> Confusion:
        names, truth, said = s.view.classes
        wrong, weights = truth != said, s.of("inside")
        low, high = np.minimum(truth, said), np.maximum(truth, said)
        pairs, place = np.unique((low * len(names) + high)[wrong], return_inverse=True)
        forward, backward, to = (np.full(len(truth), -1) for _ in range(3))
        upward = (truth < said)[wrong]
        forward[wrong], backward[wrong] = np.where(upward, place, -1), np.where(upward, -1, place)
        to[wrong] = said[wrong]
        one, other = (
            s.sums(f"confusion {n}", c, len(pairs), weights) for n, c in (("up", forward), ("down", backward))
        )
        return Confusion(one + other, one - other, s.sums("confusion to", to, len(names), weights))

    return s.memo("confusion", count)


def joint_information(s: Sample) -> Floats:
    """Mutual information (B,) of true and predicted class over the mean of their entropies, 0 to 1.

    Example:
        >>> from noria.stats.criteria.made_up import few_rows
        >>> joint_information(few_rows()).tolist()
        [0.0]
    """
    names, truth, said = s.view.classes
    pairs, place = np.unique(truth * len(names) + said, return_inverse=True)
    counts, joint = class_counts(s), s.sums("joint", place, len(pairs), s.of("inside"))
    of_truth, of_said, of_both = entropy(counts.actual), entropy(counts.said), entropy(joint)
    # Where truth and prediction are one class each there is nothing to tell, and nothing is missed.
    known = np.where(of_truth + of_said > 0, 2 * (of_truth + of_said - of_both), 1.0)
    shared = divided(known, np.where(of_truth + of_said > 0, of_truth + of_said, 1.0))
    return np.where(joint.sum(axis=1) > 0, shared, np.nan)


def entropy(counts: Floats) -> Floats:
    """Entropy (B,) in nats of counts (B, C).

    Example:
        >>> entropy(np.array([[1.0, 1.0]])).round(4).tolist()
        [0.6931]
    """
    shares = divided(counts, counts.sum(axis=1, keepdims=True))
    logs = np.log(np.where(shares > 0, shares, 1.0))
    return np.asarray(np.maximum(0.0, -(shares * logs).sum(axis=1)), dtype=np.float64)
