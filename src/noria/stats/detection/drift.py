"""How far has each column moved? Histograms of windows and slices in one pass, and the usual distances from them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from noria.errors import UsageError
from noria.stats.intervals import Floats

Counts = npt.NDArray[np.signedinteger]

# Rows that are binned at a time: as many as the processor's cache holds, so memory does not grow with rows.
_BLOCK = 1 << 15
_FINE = 256
_SHORT = 16
_TRIANGLE = np.triu(np.ones((_SHORT, _SHORT)))
# Part of a column at either end that may share the first and the last fine cell.
_TAIL = 0.001
# A category that one side lacks counts as this share, so that PSI stays finite.
_LEAST = 1e-4


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """How a column is cut up: `cells` fine cells of width `step` from `low` on, and the first cell of each bin.

    What lies outside counts in the first or last cell. Counts of two grids that are alike add up (in int64, beyond two
    billion rows).
    """

    low: float
    step: float
    cells: int
    bins: npt.NDArray[np.intp]

    def counts(self, values: npt.ArrayLike, group: npt.ArrayLike | None = None, groups: int = 1) -> Counts:
        """Rows of each fine cell, (groups, cells).

        Args:
            values: (n,) of the column, finite.
            group: number of the window, or of window × slice, of each row (n,); None = one group for all.
            groups: how many there are.

        Raises:
            UsageError: lengths differ, or a group is not from 0 to groups - 1.
        """
        own = np.zeros(np.shape(values), dtype=np.int8) if group is None else group
        return count([self], [values], [own], [groups])[0]


@dataclass(frozen=True, slots=True, eq=False)
class Drift:
    """Distances (..., groups) from the reference; NaN where a group or its reference has no rows.

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
        [251, 249, 253, 247]
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
    low, *quantiles, high = _quantiles(column, np.array([_TAIL, *(np.arange(1, bins) / bins), 1 - _TAIL]))
    step = (high - low) / _FINE or 1.0
    first = np.ceil((np.array(quantiles) - low) / step - 1e-9).astype(np.intp)
    return Grid(low, step, _FINE, np.unique(np.concatenate([[0], np.minimum(first, _FINE - 1)])))


def _quantiles(column: npt.NDArray[np.generic], shares: Floats) -> list[float]:
    """np.quantile's values; to sort once takes a third of its time."""
    ordered, place = np.sort(column), shares * (len(column) - 1)
    below = place.astype(np.intp)
    least, next_one = ordered[below], ordered[np.minimum(below + 1, len(ordered) - 1)]
    told: list[float] = (least + (next_one - least) * (place - below)).tolist()
    return told


def count(
    grids: Sequence[Grid], columns: Sequence[npt.ArrayLike], by: Sequence[npt.ArrayLike], sizes: Sequence[int]
) -> list[Counts]:
    """Rows of each fine cell of several columns, in one pass: (*sizes, cells) for each column, whole numbers.

    Args:
        grids: one for each column.
        columns: (n,) each, finite.
        by: what rows are grouped by (day, account, ...): numbers (n,) from 0 on for each.
        sizes: how many groups each of these has.

    Raises:
        UsageError: lengths differ, a number is not from 0 to its size - 1, or a value is not a number.

    Example:
        >>> at = grid([0, 1, 1, 0])
        >>> count([at], [[0, 1, 1]], by=[[0, 0, 1], [0, 1, 1]], sizes=[2, 2])[0][0].tolist()
        [[1, 0, 0], [0, 1, 0]]
    """
    values, numbers = [np.asarray(c) for c in columns], [np.asarray(b) for b in by]
    rows = values[0].shape
    if len(rows) != 1 or any(part.shape != rows for part in [*values, *numbers]):
        shapes = [part.shape for part in values], [part.shape for part in numbers]
        raise UsageError(f"columns {shapes[0]} in groups {shapes[1]}: give one number of each for each row.")
    whole: type[np.signedinteger] = np.int32 if rows[0] < 1 << 31 else np.int64
    ends = math.prod(sizes) * np.cumsum([at.cells for at in grids])
    out, one = np.split(np.zeros(ends[-1], dtype=whole), ends[:-1]), whole(1)
    # What the processor's cache holds is used by all columns before the next rows are read.
    memory = np.empty((3, min(rows[0], _BLOCK)), dtype=np.int64)
    scratch = np.empty(memory.shape[1])
    with np.errstate(invalid="ignore"):
        for low in range(0, rows[0], _BLOCK):
            block = slice(low, min(low + _BLOCK, rows[0]))
            group, first, cell = memory[:, : block.stop - low]
            scaled, cells = scratch[: len(cell)], 0
            _groups([n[block] for n in numbers], sizes, group)
            for at, column, counted in zip(grids, values, out, strict=True):
                if at.cells != cells:
                    cells = at.cells
                    np.multiply(group, cells, out=first)
                _cells(at, column[block], scaled, cell)
                np.add(cell, first, out=cell)
                try:
                    np.add.at(counted, cell, one)
                except IndexError:
                    raise UsageError(
                        f"rows {low} to {block.stop - 1}: a value is not a number: leave it out."
                    ) from None
    return [counted.reshape(*sizes, at.cells) for at, counted in zip(grids, out, strict=True)]


def _groups(numbers: list[npt.NDArray[np.integer]], sizes: Sequence[int], out: npt.NDArray[np.int64]) -> None:
    """The number of each row's group among all combinations, the last of which changes first."""
    for n, (own, size) in enumerate(zip(numbers, sizes, strict=True)):
        if not 0 <= int(own.min()) <= int(own.max()) < size:
            raise UsageError(f"groups from {own.min()} to {own.max()} of {size}: give numbers from 0 to {size - 1}.")
        if n == 0:
            np.copyto(out, own, casting="unsafe")
        else:
            np.multiply(out, size, out=out)
            np.add(out, own, out=out, casting="unsafe")


def _cells(
    at: Grid, column: npt.NDArray[np.generic], scaled: npt.NDArray[np.float64], out: npt.NDArray[np.int64]
) -> None:
    """The cell of each value."""
    if at.low == 0 and at.step == 1 and np.issubdtype(column.dtype, np.integer):
        np.clip(column, 0, at.cells - 1, out=out, casting="unsafe")
        return
    np.subtract(column, at.low, out=scaled)
    np.multiply(scaled, 1 / at.step, out=scaled)
    np.clip(scaled, 0, at.cells - 1, out=scaled)
    np.copyto(out, scaled, casting="unsafe")


def drift(at: Grid, reference: npt.ArrayLike, counts: npt.ArrayLike) -> Drift:
    """How far groups of rows lie from the reference.

    Args:
        at: the grid of both.
        reference: counts (cells,) of the reference time, or one such for each group, broadcast to `counts`: with
            counts (days, accounts, cells) a reference (accounts, cells) holds each account against itself.
        counts: (..., groups, cells).

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

    before, cells = np.asarray(reference, dtype=np.float64), np.asarray(counts)
    before = before.reshape((1,) * (cells.ndim - before.ndim) + before.shape)
    total = before.sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        rows, ks, new = _cumulated(before, cells, at.bins)
        old = np.moveaxis(np.add.reduceat(before, at.bins, axis=-1), -1, 0)
        p, q = old / total, new / rows
        safe_p, safe_q = np.maximum(p, _LEAST), np.maximum(q, _LEAST)
        psi = ((safe_q - safe_p) * np.log(safe_q / safe_p)).sum(axis=0)
        middle = (p + q) / 2
        js = np.sqrt(np.clip((_terms(q, middle) + _terms(p, middle)).sum(axis=0) / 2, 0, 1))
        joint = old + new
        expected = joint * (rows / (rows + total))
        told = np.where(joint > 0, (new - expected) ** 2 / expected + (new - expected) ** 2 / (joint - expected), 0.0)
        chi2 = told.sum(axis=0)
        free = np.maximum((joint > 0).sum(axis=0) - 1, 1)
    empty = (rows == 0) | (total == 0)
    psi, js, ks, chi2 = (np.where(empty, np.nan, v) for v in (psi, js, ks, chi2))
    return Drift(psi, js, ks, chi2, chdtrc(free, chi2), rows)


def _cumulated(before: Floats, cells: Counts, bins: npt.NDArray[np.intp]) -> tuple[Floats, Floats, Floats]:
    """Of each group: its rows, the largest gap of its cumulative shares to those of `before`, rows of bins (bins, ...).

    In pieces that the processor's cache holds.
    """
    tables, last = cells.reshape(-1, *cells.shape[-2:]), np.append(bins[1:], cells.shape[-1]) - 1
    known = np.cumsum(before, axis=-1) / before.sum(axis=-1)[..., None]
    alike = before.size == math.prod(before.shape[-2:])
    known = known.reshape(-1, *known.shape[-2:]) if alike else np.broadcast_to(known, cells.shape).reshape(tables.shape)
    rows, gaps, ends = (
        np.empty(tables.shape[:-1]),
        np.empty(tables.shape[:-1]),
        np.empty((*tables.shape[:-1], len(last))),
    )
    many = max(1, _BLOCK // tables[0].size)
    memory = np.empty((2, min(many, len(tables)), *tables.shape[1:]))
    for low in range(0, len(tables), many):
        here = slice(low, low + many)
        part, summed = memory[:, : len(tables[here])]
        np.copyto(part, tables[here])
        _running(part, summed)
        rows[here], ends[here] = summed[..., -1], summed[..., last]
        np.multiply(summed, (1 / rows[here])[..., None], out=summed)
        np.subtract(summed, known if alike else known[here], out=summed)
        np.abs(summed, out=summed).max(axis=-1, out=gaps[here])
    shape = cells.shape[:-1]
    return (
        rows.reshape(shape),
        gaps.reshape(shape),
        np.diff(np.moveaxis(ends.reshape(*shape, -1), -1, 0), axis=0, prepend=0),
    )


def _running(values: Floats, out: Floats) -> None:
    """Running sums over the last axis; `values` are spent.

    np.cumsum waits for each sum before it adds the next. So short stretches begin with the sum of those before them and
    are summed by a product, all at once.
    """
    if values.shape[-1] % _SHORT:
        np.cumsum(values, axis=-1, out=out)
        return
    short = values.reshape(-1, _SHORT)
    sums = (short @ _TRIANGLE[:, -1]).reshape(*values.shape[:-1], -1)
    values[..., _SHORT::_SHORT] += np.cumsum(sums[..., :-1], axis=-1)
    np.matmul(short, _TRIANGLE, out=out.reshape(-1, _SHORT))


def _terms(share: Floats, middle: Floats) -> Floats:
    out: Floats = np.where(share > 0, share * np.log2(share / middle), 0.0)
    return out
