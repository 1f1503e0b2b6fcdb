"""Has a stream without labels changed? Likelihood ratios of its latest windows against a reference time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from noria.errors import UsageError
from noria.stats.intervals import Floats

# How many latest windows are held against the reference, each on its own.
SPANS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 72, 96, 120, 168)
# Spans and windows overlap: about this many independent looks a window, checked by simulation (docs/monitoring.md).
LOOKS = 5.0
# A spread is learnt from so many sums at least.
_BLOCKS = 8

Dispersion = float | Sequence[float]


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What speaks for a change at each window (T,), and how long it has lasted.

    run_length: windows from one such deviation by chance to the next, on average; an alarm is where it reaches the
    wanted one. span: windows, up to this one, that deviate most.
    """

    run_length: Floats
    span: npt.NDArray[np.int64]

    def alarm(self, run_length: float) -> int | None:
        """The first window in alarm."""
        hits = np.flatnonzero(self.run_length >= run_length)
        return int(hits[0]) if len(hits) else None


def shape_glr(
    reference: npt.ArrayLike, counts: npt.ArrayLike, *, dispersion: Dispersion = 1.0, spans: Sequence[int] = SPANS
) -> Evidence:
    """Evidence that the mix of categories (bins of confidence, decisions, intents) differs from the reference time.

    Categories that neither side has count for nothing; strata (working days and weekends) are compared each with its
    own reference and added up, so that a rhythm is no change.

    Args:
        reference: counts of the reference time, (categories,) or (strata, categories).
        counts: of each window, (T, categories) or (T, strata, categories).
        dispersion: how much more counts scatter than independent ones, 1 or above, or that for each span; see
            `dispersion` and `dispersions`.
        spans: windows to look back, each.

    Raises:
        UsageError: shapes do not fit, a count is negative, or dispersion is below 1.

    Source: multinomial generalised likelihood ratio of two samples; limits by chi-square (Wilks).

    Example:
        >>> quiet, other = [[50, 30, 20]] * 40, [[40, 30, 30]] * 20
        >>> evidence = shape_glr([5000, 3000, 2000], quiet + other)
        >>> evidence.alarm(10_000), int(evidence.span[49])
        (43, 12)
    """
    from scipy.special import gammaincc

    before, cells = _strata(reference, counts)
    wider = _each(dispersion, spans)
    total = np.concatenate([np.zeros((1, *cells.shape[1:])), np.cumsum(cells, axis=0)])
    one = _entropy(before[None], before.sum(axis=1)[None])
    gains, freedom = [], []
    for span in spans:
        start = np.maximum(np.arange(len(cells)) + 1 - span, 0)
        part = total[1:] - total[start]
        mass = part.sum(axis=2)
        joint = part + before
        gain = _entropy(part, mass) + one - _entropy(joint, joint.sum(axis=2))
        seen = (mass > 0) & (before.sum(axis=1) > 0)
        gains.append((gain * seen).sum(axis=1))
        freedom.append((np.maximum((joint > 0).sum(axis=2) - 1, 0) * seen).sum(axis=1))
    told, free = np.array(gains) / wider[:, None], np.array(freedom)
    chances = np.where(free > 0, gammaincc(np.maximum(free, 1) / 2, np.maximum(told, 0)), 1.0)
    return _evidence(told, chances, spans)


def begin(
    reference: npt.ArrayLike, counts: npt.ArrayLike, *, dispersion: float = 1.0, c: float = 3.68
) -> tuple[int, int, int]:
    """When a mix left the reference, for good: the most likely first window, first and last of the likelihood set.

    Args:
        reference: as in `shape_glr`.
        counts: of windows up to an alarm, as in `shape_glr`, at least one.
        dispersion: as in `shape_glr`.
        c: width of the set in log-likelihood: -log(1 - sqrt(level)), 3.68 at 95 %.

    Example:
        >>> begin([5000, 3000, 2000], [[50, 30, 20]] * 40 + [[35, 30, 35]] * 20)
        (40, 40, 40)
    """
    before, cells = _strata(reference, counts)
    _each(dispersion, (1,))
    since = np.cumsum(cells[::-1], axis=0)[::-1]
    until = cells.sum(axis=0)[None] - since + before
    gain = (_entropy(since, since.sum(axis=2)) + _entropy(until, until.sum(axis=2))).sum(axis=1) / dispersion
    inside = np.flatnonzero(gain >= gain.max() - c)
    return int(gain.argmax()), int(inside[0]), int(inside[-1])


def mean_glr(
    reference: npt.ArrayLike,
    n: npt.ArrayLike,
    sums: npt.ArrayLike,
    *,
    dispersion: Dispersion = 1.0,
    spans: Sequence[int] = SPANS,
) -> Evidence:
    """Evidence that a mean (confidence, length, latency, a rate) differs from the reference time, up or down.

    The spread is learnt from the reference, so chances are Student's, with the degrees of freedom that strata of
    unequal size leave (Satterthwaite): a reference of a few dozen values takes more to ring than one of thousands.

    Args:
        reference: (3,) or (strata, 3): count, sum and sum of squares of the reference time.
        n: values in each window, (T,) or (T, strata).
        sums: their sums, same shape.
        dispersion: as in `shape_glr`; see `spreads`.
        spans: as in `shape_glr`.

    Raises:
        UsageError: shapes do not fit or dispersion is below 1.

    Source: Satterthwaite, Biometrics Bulletin 2 (1946) 110.

    Example:
        >>> evidence = mean_glr([4000, 3200, 2800], [50] * 60, [40] * 40 + [34] * 20)
        >>> evidence.alarm(10_000)
        41
    """
    from scipy.special import betainc

    known = np.atleast_2d(np.asarray(reference, dtype=np.float64))
    size, total = np.asarray(n, dtype=np.float64), np.asarray(sums, dtype=np.float64)
    size, total = (v[:, None] if v.ndim == 1 else v for v in (size, total))
    if known.shape[1] != 3 or size.shape != total.shape or size.shape[1] != len(known):
        raise UsageError(f"a reference of shape {known.shape} for windows of shape {size.shape}: see the docstring.")
    wider = _each(dispersion, spans)
    count = np.maximum(known[:, 0], 1)
    mean = known[:, 1] / count
    free = np.maximum(known[:, 0] - 1, 1)
    variance = np.maximum(known[:, 2] / count - mean**2, 0) * count / free
    usable = known[:, 0] > 1
    n_sums, sums_ = (_sums(v * usable) for v in (size, total))
    gains, chances = [], []
    for span, times in zip(spans, wider, strict=True):
        start = np.maximum(np.arange(len(size)) + 1 - span, 0)
        part, level = n_sums[1:] - n_sums[start], sums_[1:] - sums_[start]
        excess = (level - part * mean).sum(axis=1)
        each = times * part * variance * (1 + part / count)
        spread = each.sum(axis=1)
        squares = np.where(spread > 0, excess**2 / np.maximum(spread, 1e-300), np.where(excess == 0, 0, np.inf))
        degrees = spread**2 / np.maximum((each**2 / free).sum(axis=1), 1e-300)
        gains.append(squares / 2)
        chances.append(betainc(np.maximum(degrees, 1) / 2, 0.5, 1 / (1 + squares / np.maximum(degrees, 1))))
    return _evidence(np.array(gains), np.array(chances), spans)


def dispersion(reference: npt.ArrayLike, counts: npt.ArrayLike) -> float:
    """How much more the windows of a quiet time scatter than independent counts would: Pearson's chi-square a degree.

    Users who ask twice, and rhythm that strata do not carry, make it larger than 1; it is never told below 1.

    Args:
        reference: counts of the whole quiet time, as in `shape_glr`.
        counts: its windows.

    Example:
        >>> dispersion([60, 40], [[6, 4]] * 10), round(dispersion([60, 40], [[9, 1], [3, 7]] * 5), 2)
        (1.0, 4.17)
    """
    before, cells = _strata(reference, counts)
    share = before / np.maximum(before.sum(axis=1, keepdims=True), 1)
    expected = share[None] * cells.sum(axis=2, keepdims=True)
    # Cells of which hardly any are expected tell nothing of the scatter.
    told = expected >= 1
    squares = np.where(told, (cells - expected) ** 2 / np.maximum(expected, 1e-300), 0.0).sum()
    free = max(float(told.sum() - told.any(axis=2).sum() - (told.any(axis=0).sum(axis=1) - 1).clip(0).sum()), 1.0)
    return max(1.0, float(squares) / free)


def dispersions(counts: npt.ArrayLike, *, spans: Sequence[int] = SPANS) -> tuple[float, ...]:
    """`dispersion` of sums of so many windows in a row, for each span: what lasts for some windows adds up in them.

    Independent windows have the same at each span. Real traffic does not: a busy topic stays for days, and a limit
    that was learnt from single windows then rings too often on the mean of several.

    Args:
        counts: windows of a quiet time, as in `shape_glr`. Spans that fit fewer than eight times take the last figure.
        spans: as in `shape_glr`, rising.

    Example:
        >>> [round(value, 1) for value in dispersions([[9, 1]] * 8 + [[1, 9]] * 8, spans=(1, 2))]
        [6.8, 14.6]
    """
    cells = np.asarray(counts, dtype=np.float64)

    def of(span: int) -> float:
        sums = _blocks(cells, span)
        return dispersion(sums.sum(axis=0), sums)

    return _rising(len(cells), spans, of)


def spreads(n: npt.ArrayLike, sums: npt.ArrayLike, *, spans: Sequence[int] = SPANS) -> tuple[float, ...]:
    """How much more sums over so many windows in a row scatter than single windows tell, for each span; 1 or above.

    Args:
        n: values in each window of a quiet time, (T,) or (T, strata).
        sums: their sums, same shape.
        spans: as in `dispersions`.

    Example:
        >>> [round(value, 1) for value in spreads([1] * 16, [2, 2, 0, 0] * 4, spans=(1, 2))]
        [1.0, 2.0]
    """
    size, total = (np.asarray(v, dtype=np.float64).reshape(len(np.asarray(v)), -1) for v in (n, sums))
    left = (total - size * total.sum(axis=0) / np.maximum(size.sum(axis=0), 1)).sum(axis=1)
    single = max(float((left**2).mean()), 1e-300) if len(left) else 1.0
    return _rising(len(left), spans, lambda span: float((_blocks(left, span) ** 2).mean()) / span / single)


def _strata(reference: npt.ArrayLike, counts: npt.ArrayLike) -> tuple[Floats, Floats]:
    before = np.atleast_2d(np.asarray(reference, dtype=np.float64))
    cells = np.asarray(counts, dtype=np.float64)
    cells = cells[:, None, :] if cells.ndim == 2 else cells
    if cells.ndim != 3 or cells.shape[1:] != before.shape:
        raise UsageError(f"a reference of shape {before.shape} for windows of shape {cells.shape}: give the same mix.")
    if not ((before >= 0).all() and (cells >= 0).all()):
        raise UsageError("a count is negative or no number; counts are 0 or above.")
    return before, cells


def _each(dispersion: Dispersion, spans: Sequence[int]) -> Floats:
    """A dispersion for each span."""
    values = np.asarray(dispersion, dtype=np.float64)
    if not (values >= 1).all() or values.shape not in {(), (len(spans),)}:
        raise UsageError(f"a dispersion of {dispersion}; it is 1 (independent) or above, one or one for each span.")
    return np.broadcast_to(values, (len(spans),))


def _rising(counted: int, spans: Sequence[int], of: Callable[[int], float]) -> tuple[float, ...]:
    """What is told of each span that fits often enough, never less than of a shorter one."""
    told = [1.0]
    for span in spans:
        told.append(max(told[-1], of(span)) if counted // span >= _BLOCKS else told[-1])
    return tuple(told[1:])


def _blocks(values: Floats, span: int) -> Floats:
    """Sums over so many windows in a row, the latest ones whole."""
    many = len(values) // span
    out: Floats = values[len(values) - many * span :].reshape(many, span, *values.shape[1:]).sum(axis=1)
    return out


def _entropy(cells: Floats, mass: Floats) -> Floats:
    """Sum of c log(c / mass) over categories."""
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = np.where(cells > 0, cells * np.log(cells / mass[..., None]), 0.0)
    out: Floats = parts.sum(axis=-1)
    return out


def _evidence(gains: Floats, chance: Floats, spans: Sequence[int]) -> Evidence:
    """The least likely span of each window."""
    # Where chances are too small for a float, the larger gain decides.
    best = np.lexsort((-gains, chance), axis=0)[0]
    smallest = np.take_along_axis(chance, best[None], axis=0)[0]
    return Evidence(1 / (LOOKS * np.maximum(smallest, 1e-300)), np.asarray(spans, dtype=np.int64)[best])


def _sums(values: Floats) -> Floats:
    return np.concatenate([np.zeros((1, *values.shape[1:])), np.cumsum(values, axis=0)])
