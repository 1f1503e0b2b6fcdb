"""Where a change of labelled outcomes began: most likely time, 95 % set, shape, others beside it, a second opinion."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from noria.monitor.watching.series import Floats, Rows, Whole
from noria.records import DAY_MS, ChangeShape
from noria.stats.detection import bands
from noria.stats.inception import HOURLY_RAMPS, Inception, locate
from noria.stats.inception.partition import partition, squares

HOUR_MS = 3_600_000
# A change is looked for among the labels of so many days before its alarm.
LOOK_BACK_DAYS = 56
# Twice the log-likelihood, in units of log(n), that a cut of the second opinion must win (MBIC).
_CUT = 3.0
# Variance (n p q) that a segment of it holds at least: of rare failures two in a row would be a fall by the bell curve.
_SHORTEST = 2.0
# Level at which a set holds the beginning in 95 %. An alarm falls on a moment at which chance has helped, so that a set
# taken soon after errs about twice as often.
LEVEL, SOON = 0.95, 0.975


@dataclass(frozen=True, slots=True)
class Place:
    """Where a change began; the fields of the same names of `Finding` say more."""

    inception_ms: int
    low_ms: int
    high_ms: int
    shape: ChangeShape
    ramp_ms: int
    before: float
    after: float
    others: tuple[int, ...]
    agrees: bool | None


def place(rows: Rows, later: Rows | None = None, *, provisional: bool = False) -> Place:
    """Places one change among outcomes, by the hour, within strata of confidence and weekend.

    Args:
        rows: what is known of the time before and since the change, at least one.
        later: more of the same, in which only further changes are looked for; None = the same rows.
        provisional: whether it is placed soon after its alarm and will be again; the set is then a wider one.

    Source: `noria.stats.inception.locate`; the second opinion is PELT (`partition`) on standardised residuals.
    """
    edges = bands(rows.confidence, rows.weekend)
    start_ms = int(rows.query_ms.min()) // HOUR_MS * HOUR_MS
    k, n = _cells(rows, edges, start_ms)
    found = locate(k, n, HOURLY_RAMPS, SOON if provisional else LEVEL)
    hour = (rows.query_ms - start_ms) // HOUR_MS
    if found is None:
        found = Inception(int(hour[-1]), 0, len(n) - 1, 0, math.nan, math.nan, "either")
    index, low, high, ramp = found.index, found.low, found.high, found.ramp
    before, after = _rates(rows, edges, hour < index, hour >= index + max(ramp, 1) - 1, hour >= index)
    cuts = [start_ms + c * HOUR_MS for c in _falls(*_cells(later or rows, edges, start_ms))]
    first_ms, low_ms, high_ms = (start_ms + i * HOUR_MS for i in (index, low, high))
    ramp_ms = ramp * HOUR_MS
    inside = [low_ms <= c <= high_ms + ramp_ms for c in cuts]
    others = tuple(c for c in cuts if c < low_ms - DAY_MS or c > high_ms + ramp_ms + DAY_MS)
    agrees = any(inside) if cuts else None
    return Place(first_ms, low_ms, high_ms, found.shape, ramp_ms, before, after, others, agrees)


def _stratum(rows: Rows, edges: list[float]) -> Whole:
    out: Whole = 2 * np.searchsorted(np.array(edges), rows.confidence, side="right") + rows.weekend
    return out


def _cells(rows: Rows, edges: list[float], start_ms: int) -> tuple[Floats, Floats]:
    """Successes and labels (hours, strata), weighted ones as many as they are worth (Kish) in their stratum."""
    hour, stratum = (rows.query_ms - start_ms) // HOUR_MS, _stratum(rows, edges)
    n_strata = 2 * (len(edges) + 1)
    total = np.bincount(stratum, weights=rows.weight, minlength=n_strata)
    square = np.bincount(stratum, weights=rows.weight**2, minlength=n_strata)
    worth = rows.weight * (total / np.maximum(square, 1e-300))[stratum]
    size = (int(hour.max()) + 1) * n_strata
    cell = hour * n_strata + stratum
    n: Floats = np.bincount(cell, weights=worth, minlength=size).reshape(-1, n_strata).astype(np.float64)
    k: Floats = np.bincount(cell, weights=worth * rows.good, minlength=size).reshape(-1, n_strata).astype(np.float64)
    return np.minimum(k, n), n


def _falls(k: Floats, n: Floats) -> list[int]:
    """Hours at which PELT cuts the outcomes and the level falls, whatever stratum each label is of."""
    p = k.sum(axis=0) / np.maximum(n.sum(axis=0), 1e-300)
    spread = n @ (p * (1 - p))
    filled = np.flatnonzero(spread > 0)
    if len(filled) < 2:
        return []
    mass = spread[filled]
    level = (k - n * p).sum(axis=1)[filled] / mass
    shortest = math.ceil(_SHORTEST / float(mass.mean()))
    cuts = partition(squares(level[:, None], mass), len(filled), _CUT * math.log(len(filled)), shortest)
    edges = [0, *cuts, len(filled)]
    means = [float(np.average(level[a:b], weights=mass[a:b])) for a, b in itertools.pairwise(edges)]
    return [int(filled[cut]) for cut, old, new in zip(cuts, means[:-1], means[1:], strict=True) if new < old]


def _rates(
    rows: Rows, edges: list[float], old: np.ndarray, complete: np.ndarray, begun: np.ndarray
) -> tuple[float, float]:
    """Weighted rates before and after for the mix of all rows in strata seen on both sides."""
    new = complete if complete.any() else begun
    stratum = _stratum(rows, edges)
    n_strata = 2 * (len(edges) + 1)
    mass, good = (
        [np.bincount(stratum[part], weights=v[part], minlength=n_strata) for part in (old, new)]
        for v in (rows.weight, rows.weight * rows.good)
    )
    seen = (mass[0] > 0) & (mass[1] > 0)
    if not seen.any():
        plain = [float(g.sum() / m.sum()) if m.sum() else math.nan for g, m in zip(good, mass, strict=True)]
        return plain[0], plain[1]
    mix = np.bincount(stratum, weights=rows.weight, minlength=n_strata)[seen]
    before, after = (float((g[seen] / m[seen]) @ mix / mix.sum()) for g, m in zip(good, mass, strict=True))
    return before, after
