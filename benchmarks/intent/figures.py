"""Figures of a set of answers, each with its 95 % interval: Wilson for shares, a percentile bootstrap for the rest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from noria.records import OOS
from noria.stats.classification import auroc
from noria.stats.intervals import wilson

DRAWS = 500
BINS = 15
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Told:
    """What was said of rows: `top` intent, scope `score`, whether it passed the gate, `confidence`; and the truth."""

    truth: npt.NDArray[np.str_]
    top: npt.NDArray[np.str_]
    score: Floats
    passed: Flags
    confidence: Floats

    @property
    def inside(self) -> Flags:
        """Which rows are in scope."""
        return self.truth != OOS

    @property
    def right(self) -> Flags:
        """Whose top intent is right."""
        return self.truth == self.top

    def at(self, rows: npt.NDArray[np.int64]) -> Told:
        """Those rows."""
        return Told(self.truth[rows], self.top[rows], self.score[rows], self.passed[rows], self.confidence[rows])


def share(flags: Sequence[bool] | Flags) -> str:
    """A share in percent, with Wilson's interval."""
    rate = wilson(int(np.sum(flags)), len(flags))
    return f"{100 * rate.value:.1f} ({100 * rate.low:.1f}–{100 * rate.high:.1f})"


def with_interval(measure: Callable[[Told], float], told: Told, form: str) -> str:
    """A measure with its interval over rows drawn anew, within and without scope each; "–" where it is not defined."""
    value = measure(told)
    if np.isnan(value):
        return "–"
    dice = np.random.default_rng(0)
    kinds = [np.flatnonzero(told.inside), np.flatnonzero(~told.inside)]
    drawn = [measure(told.at(np.concatenate([dice.choice(k, len(k)) for k in kinds if len(k)]))) for _ in range(DRAWS)]
    low, high = np.nanpercentile(drawn, (2.5, 97.5))
    return f"{value:{form}} ({low:{form}}–{high:{form}})"


def scope_auroc(told: Told) -> float:
    """How well the scope score tells in scope from out of scope."""
    return auroc(told.score, told.inside)


def recall_at(accuracy: float) -> Callable[[Told], float]:
    """Share of out-of-scope rows rejected where so many in-scope rows are both let pass and right, in percent."""

    def measure(told: Told) -> float:
        scores, right = told.score[told.inside], told.right[told.inside]
        spare = int(np.floor((right.mean() - accuracy) * len(right) + 1e-9))
        if spare < 0:
            return float("nan")
        order = np.argsort(scores, kind="stable")
        cut = min(int(np.searchsorted(np.cumsum(right[order]), spare, side="right")), len(order) - 1)
        return 100 * float((told.score[~told.inside] < scores[order][cut]).mean())

    return measure


def matthews(told: Told) -> float:
    """Matthews' coefficient over intents and "none of them", by what passes the gate (Gorodkin 2004)."""
    said = np.where(told.passed, told.top, OOS)
    names, codes = np.unique(np.concatenate((told.truth, said)), return_inverse=True)
    table = np.zeros((len(names), len(names)))
    np.add.at(table, (codes[: len(said)], codes[len(said) :]), 1)
    of, as_, n = table.sum(axis=1), table.sum(axis=0), table.sum()
    both = np.sqrt((n * n - (of * of).sum()) * (n * n - (as_ * as_).sum()))
    return float((np.trace(table) * n - (of * as_).sum()) / both) if both else 0.0


def calibration_error(outside_share: float) -> Callable[[Told], float]:
    """Expected calibration error of the confidence in traffic with that share out of scope, in percent."""

    def measure(told: Told) -> float:
        inside = told.inside
        weights = np.where(inside, (1 - outside_share) / inside.sum(), outside_share / max(1, (~inside).sum()))
        order = np.argsort(told.confidence, kind="stable")
        said, right, weights = told.confidence[order], (told.right & inside)[order], weights[order]
        middle = np.cumsum(weights) - weights / 2
        bins = np.minimum((middle / weights.sum() * BINS).astype(np.int64), BINS - 1)
        off = np.zeros(BINS)
        np.add.at(off, bins, weights * (said - right))
        return 100 * float(np.abs(off).sum() / weights.sum())

    return measure
