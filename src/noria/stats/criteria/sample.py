"""Weighted figures of rows: one function serves the rows as they are and all bootstrap replicates at once.

A replicate is a row of weights: how often each row was drawn. Every function takes weights (B, n) and gives (B,);
the point estimate is the same with all weights 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from noria.stats.criteria.view import Flags, Floats, Ints, View, indicator

T = TypeVar("T")
ROUNDING = 1e-9
"""So that rounding of a share times a count does not ask for one row more."""


@dataclass(frozen=True, slots=True)
class Curve:
    """Weights at or above each distinct score, highest first: of positive rows `tp` (B, E), of negative ones `fp`."""

    tp: Floats
    fp: Floats

    @property
    def positives(self) -> Floats:
        return self.tp[:, -1] if self.tp.shape[1] else np.zeros(len(self.tp))

    @property
    def negatives(self) -> Floats:
        return self.fp[:, -1] if self.fp.shape[1] else np.zeros(len(self.fp))

    def auroc(self) -> Floats:
        """Area under tp against fp; ties count half."""
        tp, fp = _with_origin(self.tp), _with_origin(self.fp)
        area = (np.diff(fp, axis=1) * (tp[:, 1:] + tp[:, :-1])).sum(axis=1) / 2
        return ratio(area, self.positives * self.negatives)

    def partial_auroc(self, most: float) -> Floats:
        """Area up to the false-positive rate `most`, divided by `most`."""
        tp, fp = _with_origin(self.tp), _with_origin(self.fp)
        limit = most * self.negatives
        left, right = np.minimum(fp[:, :-1], limit[:, None]), np.minimum(fp[:, 1:], limit[:, None])
        step = np.diff(fp, axis=1)
        slope = np.divide(np.diff(tp, axis=1), step, out=np.zeros_like(step), where=step > 0)
        height = tp[:, :-1] + slope * ((left + right) / 2 - fp[:, :-1])
        return ratio(((right - left) * height).sum(axis=1), limit * self.positives)

    def average_precision(self) -> Floats:
        """Precision at each threshold, weighted by the recall it adds."""
        precision = divided(self.tp, self.tp + self.fp)
        return ratio((np.diff(_with_origin(self.tp), axis=1) * precision).sum(axis=1), self.positives)

    def fpr_at_tpr(self, tpr: float) -> Floats:
        """False-positive rate at the highest threshold that keeps a share `tpr` of positive rows."""
        enough = self.tp >= (tpr * self.positives - ROUNDING)[:, None]
        at = first(enough)
        return ratio(np.where(self.positives > 0, pick(self.fp, at), np.nan), self.negatives)

    def tpr_at_fpr(self, fpr: float) -> Floats:
        """True-positive rate at the lowest threshold that takes at most a share `fpr` of negative rows."""
        allowed = self.fp <= (fpr * self.negatives + ROUNDING)[:, None]
        best = np.where(allowed, self.tp, 0.0).max(axis=1, initial=0.0)
        return ratio(np.where(self.negatives > 0, best, np.nan), self.positives)

    def youden(self) -> Floats:
        """Largest true-positive rate minus false-positive rate."""
        best = (self._tpr() - self._fpr()).max(axis=1, initial=0.0)
        return np.where((self.positives > 0) & (self.negatives > 0), best, np.nan)

    def equal_error(self) -> Floats:
        """The rate at which false positives and misses meet, halfway between the nearest thresholds."""
        fpr, miss = self._fpr(), 1 - self._tpr()
        if not fpr.shape[1]:
            return np.full(len(fpr), np.nan)
        at = np.argmin(np.abs(fpr - miss), axis=1)
        return (pick(fpr, at) + pick(miss, at)) / 2

    def best_f1(self) -> Floats:
        """Largest F1 over all thresholds."""
        f1 = divided(2 * self.tp, self.tp + self.fp + self.positives[:, None])
        return np.where(self.positives > 0, f1.max(axis=1, initial=0.0), np.nan)

    def _tpr(self) -> Floats:
        return divided(self.tp, self.positives[:, None], np.nan)

    def _fpr(self) -> Floats:
        return divided(self.fp, self.negatives[:, None], np.nan)


class Sample:
    """Weights (B, n) on the rows of a view; what several criteria share is computed once."""

    def __init__(self, view: View, weights: Floats) -> None:
        self.view, self.weights = view, weights
        self._memo: dict[str, Any] = {}

    def memo(self, name: str, compute: Callable[[], T]) -> T:
        """What `compute` gives, computed once under that name."""
        if name not in self._memo:
            self._memo[name] = compute()
        found: T = self._memo[name]
        return found

    def of(self, rows: str) -> Floats:
        """Weights (B, m) of the rows of a mask of the view, such as "inside"."""
        return self.memo(f"of {rows}", lambda: self.weights[:, getattr(self.view, rows)])

    def total(self, rows: Flags) -> Floats:
        """Sum (B,) of the weights of rows."""
        return np.asarray(self.weights @ rows.astype(np.float64))

    def mean(self, values: Floats, rows: Flags) -> Floats:
        """Mean (B,) of values (n,) over rows; NaN where there are none."""
        counted = np.where(rows, values, 0.0)
        return ratio(self.weights @ counted, self.total(rows))

    def curve(self, name: str, score: Floats, positive: Flags, rows: Flags) -> Curve:
        """The curve of a score (n,) over some rows, kept under a name."""
        return self.memo(f"curve {name}", lambda: curve(self.weights, score, positive, rows))

    def sums(self, name: str, codes: Ints, size: int, weights: Floats) -> Floats:
        """Weights (B, size) by code, kept under a name."""
        return self.memo(f"sums {name}", lambda: by_code(weights, codes, size))


def curve(weights: Floats, score: Floats, positive: Flags, rows: Flags) -> Curve:
    """Cumulative weights of positive and negative rows from the highest score down, tied scores together.

    Example:
        >>> right, all_rows = np.array([True, True, False]), np.ones(3, np.bool_)
        >>> seen = curve(np.ones((1, 3)), np.array([0.9, 0.5, 0.5]), right, all_rows)
        >>> seen.tp.tolist(), seen.fp.tolist()
        ([[1.0, 2.0]], [[0.0, 1.0]])
    """
    places = np.flatnonzero(rows)
    order = places[np.argsort(-score[places], kind="stable")]
    ranked = score[order]
    ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], np.ones(min(1, len(ranked)), dtype=np.bool_)))
    drawn = weights[:, order]
    everything = np.cumsum(drawn, axis=1)[:, ends]
    tp = np.cumsum(drawn * positive[order], axis=1)[:, ends]
    return Curve(tp, everything - tp)


def by_code(weights: Floats, codes: Ints, size: int) -> Floats:
    """Sum (B, size) of weights (B, n) over the rows of each code; rows with -1 are in none.

    Example:
        >>> by_code(np.array([[1.0, 2.0, 4.0]]), np.array([0, 1, 0]), 2).tolist()
        [[5.0, 2.0]]
    """
    return np.asarray((indicator(codes, size) @ weights.T).T, dtype=np.float64)


def ratio(top: Floats, bottom: Floats) -> Floats:
    """Top / bottom, NaN where bottom is 0.

    Example:
        >>> ratio(np.array([1.0, 1.0]), np.array([2.0, 0.0])).tolist()
        [0.5, nan]
    """
    return divided(top, bottom, np.nan)


def divided(top: Floats, bottom: Floats, otherwise: float = 0.0) -> Floats:
    """Top / bottom, `otherwise` where bottom is 0.

    Example:
        >>> divided(np.array([1.0, 1.0]), np.array([2.0, 0.0])).tolist()
        [0.5, 0.0]
    """
    top, bottom = np.broadcast_arrays(np.asarray(top, np.float64), np.asarray(bottom, np.float64))
    quotient = np.divide(top, bottom, out=np.full(top.shape, otherwise), where=bottom != 0)
    return np.asarray(quotient, dtype=np.float64)


def first(flags: Flags) -> Ints:
    """Place (B,) of the first true value of each row; 0 where there is none.

    Example:
        >>> first(np.array([[False, True, True]])).tolist()
        [1]
    """
    return np.asarray(flags.argmax(axis=1) if flags.shape[1] else np.zeros(len(flags)), dtype=np.int64)


def pick(values: Floats, at: Ints) -> Floats:
    """The value (B,) at one place of each row; NaN where rows are empty.

    Example:
        >>> pick(np.array([[5.0, 7.0]]), np.array([1])).tolist()
        [7.0]
    """
    if not values.shape[1]:
        return np.full(len(values), np.nan)
    return np.asarray(values[np.arange(len(values)), at], dtype=np.float64)


def _with_origin(values: Floats) -> Floats:
    return np.concatenate([np.zeros((len(values), 1)), values], axis=1)


def known_mean(values: Floats) -> Floats:
    """Mean (B,) of the values (B, C) that are known; NaN where none is.

    Example:
        >>> known_mean(np.array([[1.0, np.nan, 3.0]])).tolist()
        [2.0]
    """
    known = ~np.isnan(values)
    return ratio(np.where(known, values, 0.0).sum(axis=1), known.sum(axis=1))


def known_least(values: Floats) -> Floats:
    """Least (B,) of the values (B, C) that are known; NaN where none is.

    Example:
        >>> known_least(np.array([[1.0, np.nan, 3.0]])).tolist()
        [1.0]
    """
    known = ~np.isnan(values)
    least = np.where(known, values, np.inf).min(axis=1, initial=np.inf)
    return np.where(known.any(axis=1), least, np.nan)


def known_most(values: Floats) -> Floats:
    """Largest (B,) of the values (B, C) that are known; NaN where none is.

    Example:
        >>> known_most(np.array([[1.0, np.nan, 3.0]])).tolist()
        [3.0]
    """
    return -known_least(-values)


def known_spread(values: Floats) -> Floats:
    """Standard deviation (B,) of the values (B, C) that are known; NaN where none is.

    Example:
        >>> known_spread(np.array([[1.0, np.nan, 3.0]])).tolist()
        [1.0]
    """
    mean = known_mean(values)
    return np.sqrt(known_mean((values - mean[:, None]) ** 2))


def known_share(values: Floats, passes: Flags) -> Floats:
    """Share (B,) of the known values (B, C) that pass.

    Example:
        >>> values = np.array([[1.0, np.nan, 3.0]])
        >>> known_share(values, values > 2).tolist()
        [0.5]
    """
    known = ~np.isnan(values)
    return ratio((known & passes).sum(axis=1), known.sum(axis=1))


def lowest_mean(values: Floats, part: float) -> Floats:
    """Mean (B,) of the lowest part (0 to 1, one value at least) of the known values (B, C).

    Example:
        >>> lowest_mean(np.array([[1.0, np.nan, 3.0, 5.0]]), 0.5).tolist()
        [2.0]
    """
    ranked = np.sort(values, axis=1)  # NaN goes last
    size = (~np.isnan(values)).sum(axis=1)
    count = np.maximum(1, np.ceil(part * size - ROUNDING)).astype(np.int64)
    taken = np.arange(values.shape[1])[None, :] < count[:, None]
    total = np.where(taken & ~np.isnan(ranked), ranked, 0.0).sum(axis=1)
    return np.where(size > 0, total / count, np.nan)
