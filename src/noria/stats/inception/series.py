"""When did any series change? Levels or trends, noise that depends on the past, and a daily or weekly rhythm."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from noria.errors import UsageError
from noria.stats.inception.partition import Cost, Places, lines, partition, squares
from noria.stats.intervals import Floats

Model = Literal["level", "trend"]
# Log-likelihood, in units of log(n), that a change must win.
PENALTY = 4.0
_SHORTEST = 5
FEWEST = 2 * _SHORTEST
# Places at which a cut is looked for at once; of longer series first every so-manieth, then each beside those found.
_PLACES = 10_000
# Dependence of neighbours beyond which a series is taken for one with changes rather than with long memory.
_MOST_MEMORY = 0.8
_ROUNDS = 3
# Standard deviations from the running median beyond which a few rows are a spike.
_FAR = 8.0
# Scatter, as a part of the largest value, up to which a series is taken for constant.
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a series.

    index: the most likely first observation of the new state. low, high: the 95 % likelihood set. alarm: the
    observation with which it could be told apart from noise, or None where only what followed tells it. before, after:
    means of the segments beside it, without the rhythm. gain: log-likelihood won by it.
    """

    index: int
    low: int
    high: int
    alarm: int | None
    before: float
    after: float
    gain: float


@dataclass(frozen=True, slots=True)
class Changes:
    """What a series shows.

    model: whether its segments are levels or straight lines. period: observations of its rhythm, 0 for none. noise:
    standard deviation of an observation. memory: correlation of neighbours (0 to 1).
    """

    found: tuple[Change, ...]
    model: Model
    period: int
    noise: float
    memory: float


def changes(
    values: npt.ArrayLike,
    weights: npt.ArrayLike = 1.0,
    *,
    periods: Sequence[int] = (),
    at: npt.ArrayLike | None = None,
    penalty: float = PENALTY,
    c: float = 3.68,
) -> Changes:
    """Every lasting change of a series, each with its likelihood set.

    The series is cut into levels and into straight lines, whichever tells it in fewer figures (BIC); scatter is learnt
    from what the segments leave, and where neighbours resemble each other a cut has to win the more.

    Args:
        values: (n,) in order of time. Fewer than `FEWEST` (10) tell nothing.
        weights: observations behind each value, e.g. queries behind a rate; one for all or (n,), above 0.
        periods: lengths of rhythms to look for, in steps (24 and 168 for hours).
        at: (n,) whole number of steps at which each value lies, so that gaps shift no rhythm; None = no gaps.
        penalty: log-likelihood that a change must win, in units of log(n).
        c: width of the set in log-likelihood: -log(1 - sqrt(level)), 3.68 at 95 %.

    Raises:
        UsageError: values or weights are no finite numbers, or weights not above 0.

    Source: optimal partitioning (see `partition`); penalty inflated by (1 + r) / (1 - r) for AR(1) noise, Lavielle,
    Moulines, Journal of Time Series Analysis 21 (2000) 33.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> told = changes(rng.normal(size=120) + np.where(np.arange(120) < 70, 0, 3))
        >>> [(change.index, change.low, change.high) for change in told.found], told.model
        ([(70, 70, 70)], 'level')
        >>> changes(rng.normal(size=120)).found
        ()
    """
    x = np.asarray(values, dtype=np.float64)
    w = np.broadcast_to(np.asarray(weights, dtype=np.float64), x.shape).copy()
    if x.ndim != 1 or not (np.isfinite(x).all() and np.isfinite(w).all() and (w > 0).all()):
        raise UsageError("values and weights must be finite numbers, one series, and weights above 0.")
    unit = float(np.abs(x).max(initial=0.0))
    if len(x) < FEWEST or unit == 0:
        return Changes((), "level", 0, 0.0, 0.0)
    # Sums and squares of figures near the ends of what a float can hold would leave it.
    x = x / unit
    scale = float(x.std())
    if scale <= _ROUNDING:
        return Changes((), "level", 0, 0.0, 0.0)
    w /= w.max()
    w /= w.mean()
    flat, period = without_rhythm(x, periods, at)
    calm = without_spikes(flat, w)
    z = (calm - calm.mean()) / scale
    flat = flat * unit
    fits = [_fit(z, w, model, penalty) for model in ("level", "trend")]
    best = min(fits, key=lambda fit: fit.score)
    found = tuple(_change(z, w, best, i, c, penalty, flat) for i in range(len(best.cuts)))
    return Changes(found, best.model, period, best.noise * scale * unit, best.memory)


def without_rhythm(values: Floats, periods: Sequence[int], at: npt.ArrayLike | None = None) -> tuple[Floats, int]:
    """The series less its rhythm, and the rhythm's length in steps (0: none, the series as it is).

    A rhythm is the median of each place in the period; it counts where what it takes away is worth its figures (BIC),
    in a series that holds at least two periods.

    Example:
        >>> wave = np.tile([0.0, 0.0, 5.0, 5.0], 10)
        >>> without_rhythm(wave, [4])[1], without_rhythm(wave, [7])[1]
        (4, 0)
    """
    best, length, least = values, 0, 0.0
    steps = np.arange(len(values)) if at is None else np.asarray(at, dtype=np.int64)
    usual = float(np.abs(values - np.median(values)).sum())
    for period in sorted(set(periods)):
        if period < 2 or 2 * period > len(values):
            continue
        places, place = np.unique(steps % period, return_inverse=True)
        profile = np.array([np.median(values[place == p]) for p in range(len(places))])
        left = values - profile[place] + np.median(values)
        share = max(float(np.abs(left - np.median(left)).sum()) / max(usual, 1e-300), 1e-12)
        score = 2 * len(values) * math.log(share) + period * math.log(len(values))
        if score < least:
            best, length, least = left, period, score
    return best, length


def without_spikes(values: Floats, weights: Floats) -> Floats:
    """The series (n,) with the running median in place of what leaves it far, for fewer rows than a segment has.

    Far is beyond eight times the usual scatter about the median, weights (n,) of a mean of 1 heeded. Where most rows
    lie on the median itself, nothing is far.

    Source: Hampel's identifier, Journal of the American Statistical Association 69 (1974) 383.

    Example:
        >>> wave = np.tile([0.0, 1.0, 2.0, 1.0], 5)
        >>> spoilt = wave + 50 * (np.arange(20) == 9)
        >>> float(without_spikes(spoilt, np.ones(20)).max())
        2.0
    """
    reach = _SHORTEST - 1
    median = np.median(sliding_window_view(np.pad(values, reach, mode="edge"), 2 * reach + 1), axis=1)
    away = np.abs(values - median) * np.sqrt(weights)
    usual = float(np.median(away)) / 0.6745
    return np.where(away > _FAR * usual, median, values) if usual > 0 else values


@dataclass(frozen=True, slots=True)
class _Fit:
    model: Model
    cuts: tuple[int, ...]
    noise: float
    memory: float
    score: float


def _fit(z: Floats, w: Floats, model: Model, penalty: float) -> _Fit:
    n, extra = len(z), 0 if model == "level" else 1
    cost = _cost(z, w, model)
    step = np.diff(z)
    variance = (float(np.median(np.abs(step - np.median(step)))) / 0.6745) ** 2 / 2 or float(step.var()) / 2
    memory, left = 0.0, z
    cuts: tuple[int, ...] = ()
    for _ in range(_ROUNDS):
        price = 2 * penalty * (1 + extra / 2) * math.log(n) * variance * (1 + memory) / (1 - memory)
        cuts = _cuts(cost, n, max(price, 1e-12))
        left = _left(z, w, cuts, model)
        variance = max(float(w @ left**2) / max(n - (1 + extra) * (len(cuts) + 1), 1), 1e-12)
        memory = min(max(float(left[1:] @ left[:-1]) / max(float(left @ left), 1e-300), 0.0), _MOST_MEMORY)
    innovation = left[1:] - memory * left[:-1]
    figures = (2 + extra) * (len(cuts) + 1) + 1
    score = n * math.log(max(float(innovation.var()), 1e-12)) + figures * math.log(n)
    return _Fit(model, cuts, math.sqrt(variance), memory, score)


def _cuts(cost: Cost, n: int, price: float) -> tuple[int, ...]:
    """The cheapest cut; of a series of more than `_PLACES` first at every so-manieth place, then each where it is best.

    What an exact search costs grows with the square of a series in which nothing changes.
    """
    stride = -(-n // _PLACES)
    if stride == 1:
        return partition(cost, n, price, _SHORTEST)

    def coarse(starts: Places, end: int) -> Floats:
        return cost(starts * stride, min(end * stride, n))

    shortest = -(-_SHORTEST // stride)
    cuts = [c * stride for c in partition(coarse, n // stride, price, shortest)]
    for i, cut in enumerate(cuts):
        start, end = ([0, *cuts, n][i], [0, *cuts, n][i + 2])
        near = np.arange(max(start + _SHORTEST, cut - stride), min(end - _SHORTEST, cut + stride) + 1, dtype=np.intp)
        own = np.array([start], dtype=np.intp)
        both = np.array([float(cost(own, int(place))[0]) for place in near]) + cost(near, end)
        cuts[i] = int(near[int(both.argmin())])
    return tuple(cuts)


def _cost(z: Floats, w: Floats, model: Model) -> Cost:
    return squares(z[:, None], w) if model == "level" else lines(z, w)


def _left(z: Floats, w: Floats, cuts: Sequence[int], model: Model) -> Floats:
    """What the segments leave of each value."""
    left = np.empty(len(z))
    edges = [0, *cuts, len(z)]
    for i in range(len(edges) - 1):
        start, end = edges[i], edges[i + 1]
        y, v = z[start:end], w[start:end]
        t = np.arange(len(y)) - (len(y) - 1) / 2
        t = t - (v @ t) / v.sum()
        level = float(v @ y / v.sum())
        slope = float(v @ (t * y) / max(float(v @ t**2), 1e-300)) if model == "trend" else 0.0
        left[start:end] = y - level - slope * t
    return left


def _change(z: Floats, w: Floats, fit: _Fit, i: int, c: float, penalty: float, flat: Floats) -> Change:
    """One cut with its set among the places between its neighbours."""
    edges = [0, *fit.cuts, len(z)]
    start, index, end = edges[i], edges[i + 1], edges[i + 2]
    cost = _cost(z, w, fit.model)
    unit = 2 * fit.noise**2 * (1 + fit.memory) / (1 - fit.memory)
    own = np.array([start], dtype=np.intp)
    places = np.arange(start + 1, end, dtype=np.intp)
    whole = float(cost(own, end)[0])
    first = np.array([float(cost(own, int(place))[0]) for place in places])
    gain = (whole - first - cost(places, end)) / unit
    inside = places[gain >= gain[index - start - 1] - c]
    needed = penalty * (1.0 if fit.model == "level" else 1.5) * math.log(len(z))
    cut = np.array([index], dtype=np.intp)
    alarm = None
    for last in range(index + 1, end + 1):
        won = float(cost(own, last)[0]) - float(cost(own, index)[0]) - float(cost(cut, last)[0])
        if won / unit >= needed:
            alarm = last - 1
            break
    before, after = float(flat[start:index].mean()), float(flat[index:end].mean())
    low, high = min(int(inside[0]), index), max(int(inside[-1]), index)
    return Change(index, low, high, alarm, before, after, float(gain[index - start - 1]))
