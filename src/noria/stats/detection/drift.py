"""How far has each column moved? Histograms of windows and slices in one pass, and the usual distances from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from noria.errors import UsageError
from noria.stats.intervals import Floats

# Rows that are binned at a time, so that memory does not grow with rows.
_CHUNK = 1 << 18
# Of these as many as the processor's cache holds.
_BLOCK = 1 << 14
_FINE = 256
# Part of a column at either end that may share the first and the last fine cell.
_TAIL = 0.001
# A category that one side lacks counts as this share, so that PSI stays finite.
_LEAST = 1e-4


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """How a column is cut up: `cells` fine cells of width `step` from `low` on, and the first cell of each bin.

    What lies outside counts in the first or last cell. Counts of two grids that are alike add up.
    """

    low: float
    step: float
    cells: int
    bins: npt.NDArray[np.intp]

    def counts(self, values: npt.ArrayLike, group: npt.ArrayLike | None = None, groups: int = 1) -> Floats:
        """Rows of each fine cell, (groups, cells).

        Args:
            values: (n,) of the column, finite.
            group: number of the window, or of window × slice, of each row (n,); None = one group for all.
            groups: how many there are.

        Raises:
            UsageError: lengths differ, or a group is not from 0 to groups - 1.
        """
        column = np.asarray(values)
        own = np.zeros(len(column), dtype=np.int64) if group is None else np.asarray(group)
        if own.shape != column.shape or (len(own) and not 0 <= int(own.min()) <= int(own.max()) < groups):
            raise UsageError(
                f"{column.shape} values in groups {own.shape} of {groups}: give one group from 0 for each."
            )
        out = np.zeros(groups * self.cells, dtype=np.int64)
        scale, top = 1 / self.step, self.cells - 1
        place, scaled = np.empty(min(len(column), _CHUNK), dtype=np.int64), np.empty(_BLOCK)
        for start in range(0, len(column), _CHUNK):
            end = min(start + _CHUNK, len(column))
            for low in range(start, end, _BLOCK):
                high = min(low + _BLOCK, end)
                part, at = scaled[: high - low], place[low - start : high - start]
                np.subtract(column[low:high], self.low, out=part)
                np.multiply(part, scale, out=part)
                np.clip(part, 0, top, out=part)
                np.multiply(own[low:high], self.cells, out=at, casting="unsafe")
                np.add(at, part, out=at, casting="unsafe")
            out += np.bincount(place[: end - start], minlength=len(out))
        return out.reshape(groups, self.cells).astype(np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Drift:
    """Distances (groups,) from the reference; NaN where a group has no rows.

    psi: population stability index. js: Jensen-Shannon distance (0 to 1, base 2). ks: largest gap of the cumulative
    shares, by fine cells. chi2: Pearson's statistic of two samples; p: its chance. rows: in each group.
    """

    psi: Floats
    js: Floats
    ks: Floats
    chi2: Floats
    p: Floats
    rows: Floats


def grid(reference: npt.ArrayLike, bins: int = 10) -> Grid:
    """A grid from a reference column: bins of equal counts of numbers, one bin for each value of at most 64 codes.

    Args:
        reference: (n,) numbers, or whole numbers from 0 on as codes of categories.
        bins: of numbers.

    Raises:
        UsageError: no rows, or a value is not finite.

    Example:
        >>> at = grid(np.arange(1000.0), bins=4)
        >>> counts = at.counts(np.arange(1000.0))
        >>> np.add.reduceat(counts[0], at.bins).tolist()
        [251.0, 249.0, 253.0, 247.0]
    """
    column = np.asarray(reference)
    if len(column) == 0 or not np.isfinite(column).all():
        raise UsageError(f"a reference of {len(column)} rows: it takes some, all of them finite numbers.")
    low, high = float(column.min()), float(column.max())
    if np.issubdtype(column.dtype, np.integer) and 0 <= low <= high < _FINE:
        cells = int(high) + 2
        if cells <= 65:
            return Grid(0.0, 1.0, cells, np.arange(cells))
        edges = np.unique(np.quantile(column, np.arange(1, bins) / bins, method="higher")).astype(np.intp)
        return Grid(0.0, 1.0, cells, np.unique(np.concatenate([[0], edges])))
    low, *edges, high = np.quantile(column, [_TAIL, *(np.arange(1, bins) / bins), 1 - _TAIL]).tolist()
    step = (high - low) / _FINE or 1.0
    first = np.ceil((np.array(edges) - low) / step - 1e-9).astype(np.intp)
    return Grid(low, step, _FINE, np.unique(np.concatenate([[0], np.minimum(first, _FINE - 1)])))


def drift(at: Grid, reference: npt.ArrayLike, counts: npt.ArrayLike) -> Drift:
    """How far groups of rows lie from the reference.

    Args:
        at: the grid of both.
        reference: counts (cells,) or (1, cells) of the reference time.
        counts: (groups, cells).

    Source: PSI (Siddiqi, Credit Risk Scorecards, 2006); Jensen-Shannon (Lin, IEEE Trans. Inf. Theory 37 (1991) 145).

    Example:
        >>> rng = np.random.default_rng(0)
        >>> usual = rng.normal(size=20_000)
        >>> at = grid(usual)
        >>> told = drift(at, at.counts(usual), at.counts(rng.normal(1.0, size=5_000)))
        >>> bool(told.psi[0] > 0.5), round(float(told.ks[0]), 2)
        (True, 0.39)
    """
    from scipy.special import chdtrc

    before, cells = np.asarray(reference, dtype=np.float64).reshape(-1), np.asarray(counts, dtype=np.float64)
    rows, total = cells.sum(axis=1), before.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        ks = np.abs(np.cumsum(cells, axis=1) / rows[:, None] - np.cumsum(before) / total).max(axis=1)
        old, new = np.add.reduceat(before, at.bins), np.add.reduceat(cells, at.bins, axis=1)
        p, q = old / total, new / rows[:, None]
        safe_p, safe_q = np.maximum(p, _LEAST), np.maximum(q, _LEAST)
        psi = ((safe_q - safe_p) * np.log(safe_q / safe_p)).sum(axis=1)
        middle = (p + q) / 2
        js = np.sqrt(np.clip((_terms(q, middle) + _terms(p[None], middle)).sum(axis=1) / 2, 0, 1))
        joint = old + new
        expected = joint * (rows / (rows + total))[:, None]
        told = np.where(joint > 0, (new - expected) ** 2 / expected + (new - expected) ** 2 / (joint - expected), 0.0)
        chi2 = told.sum(axis=1)
        free = np.maximum((joint > 0).sum(axis=1) - 1, 1)
    empty = rows == 0
    psi, js, ks, chi2 = (np.where(empty, np.nan, v) for v in (psi, js, ks, chi2))
    return Drift(psi, js, ks, chi2, chdtrc(free, chi2), rows)


def _terms(share: Floats, middle: Floats) -> Floats:
    out: Floats = np.where(share > 0, share * np.log2(share / middle), 0.0)
    return out
