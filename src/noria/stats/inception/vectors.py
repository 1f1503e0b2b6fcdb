"""When did a new kind of query begin? The inception of a change among embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from noria.stats.detection.vectors import VectorReference
from noria.stats.inception.onset import ONSET_RAMPS, onset
from noria.stats.inception.partition import squares
from noria.stats.inception.scan import Inception
from noria.stats.intervals import Floats

# Queries of the reference that count as members of the new kind.
_CHANCE = 0.002
# Part of the mean variance that is added to each direction: a reference has few vectors for its dimensions.
_RIDGE = 0.1
# How often the direction is told from the members so far, and how many those must be.
_ROUNDS, _FEW = 3, 5


def locate_vectors(
    vectors: Floats,
    window: npt.ArrayLike,
    reference: VectorReference,
    *,
    latest: int = 72,
    ramps: Sequence[int] = ONSET_RAMPS,
    c: float = 3.68,
) -> Inception | None:
    """The beginning of a change among embeddings; rates are shares of queries that look like the new kind.

    Half of the latest queries tell what is new: the direction from the reference to their mean, then to those of them
    that lie furthest along it, in the metric of the reference (Fisher's discriminant). Of the other half a query is a
    member where it lies further along it than 99.8 % of the reference; then the halves change places, so that all
    queries count and none judges itself. The counts of members are searched for a beginning (`onset`). Of a sudden
    change the place is that of the best cut of the windows' means (KernelCPD with a linear kernel).

    Args:
        vectors: embeddings (n, d) in order of time, from the reference time to now.
        window: number of each one's window (n,), from 0, not falling.
        reference: samples of the quiet time, not from `vectors`.
        latest: windows at the end in which the change is complete or nearly so.
        ramps: as in `onset`.
        c: as in `onset`.

    Returns:
        Windows of the change, or None where no share rose.

    Example:
        >>> from noria.stats.detection.vectors import halves
        >>> rng = np.random.default_rng(4)
        >>> hour = np.repeat(np.arange(120), 40)
        >>> new = (rng.random(4800) < np.where(hour < 80, 0, 0.1))[:, None] * np.eye(8)[0] * 9
        >>> known = halves(rng.normal(size=(2000, 8)))
        >>> found = locate_vectors(rng.normal(size=(4800, 8)) + new, hour, known, latest=24)
        >>> found.low <= 80 <= found.high, abs(found.index - 80) <= 2
        (True, True)
    """
    at = np.asarray(window, dtype=np.int64)
    if len(at) == 0:
        return None
    k, n = members(vectors, at, reference, latest=latest)
    if not n.any():
        return None
    found = onset(k, n, chance=_CHANCE, ramps=ramps, c=c)
    if found is None or found.ramp > 1:
        return found
    cut = best_cut(vectors, at, len(n))
    return found if cut is None else replace(found, index=cut, low=min(found.low, cut), high=max(found.high, cut))


def members(
    vectors: Floats, window: npt.NDArray[np.int64], reference: VectorReference, *, latest: int
) -> tuple[Floats, Floats]:
    """Queries of each window that look like what is new in the latest ones, and queries; see `locate_vectors`.

    Args:
        vectors: of the queries (n, d), in order of time.
        window: number of the window of each (n,), from 0 on.
        reference: of the time before.
        latest: how many windows at the end show what is new.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> usual, later = rng.normal(size=(400, 3)), rng.normal(size=(200, 3))
        >>> later[100:] += 6.0
        >>> half = VectorReference(usual[:200], usual[200:])
        >>> k, n = members(later, np.repeat(np.arange(4), 50), half, latest=2)
        >>> n.tolist(), k.tolist()
        ([50.0, 50.0, 50.0, 50.0], [0.0, 0.0, 50.0, 50.0])
    """
    n_windows = int(window[-1]) + 1
    half = np.arange(len(window)) % 2
    usual = reference.one.mean(axis=0)
    spread = np.cov(reference.one.T).reshape(len(usual), -1)
    spread += _RIDGE * np.trace(spread) / len(spread) * np.eye(len(spread))
    k, n = np.zeros(n_windows), np.zeros(n_windows)
    for fit in (0, 1):
        recent = vectors[(half == fit) & (window >= n_windows - latest)]
        judged = half != fit
        if len(recent) == 0:
            continue
        direction, limit = _direction(recent, usual, spread, reference.other)
        new = vectors[judged] @ direction > limit
        k += np.bincount(window[judged], weights=new, minlength=n_windows)
        n += np.bincount(window[judged], minlength=n_windows)
    return k, n


def _direction(recent: Floats, usual: Floats, spread: Floats, other: Floats) -> tuple[Floats, float]:
    """Where to the latest queries have moved, and how far along it hardly any of the reference lies."""
    new = recent
    direction, limit = np.zeros(len(usual)), 0.0
    for _ in range(_ROUNDS):
        direction = np.linalg.solve(spread, new.mean(axis=0) - usual)
        limit = float(np.quantile(other @ direction, 1 - _CHANCE))
        new = recent[recent @ direction > limit]
        if len(new) < _FEW:
            break
    return direction, limit


def best_cut(vectors: Floats, window: npt.NDArray[np.int64], n_windows: int) -> int | None:
    """The window at which a cut in two leaves the means of windows closest to those of their side; None for none.

    Windows without queries are passed over.

    Example:
        >>> best_cut(np.array([[0.0], [0.1], [1.0], [1.1]]), np.array([0, 1, 3, 4]), 5)
        3
    """
    n = np.bincount(window, minlength=n_windows)
    sums = np.zeros((n_windows, vectors.shape[1]))
    np.add.at(sums, window, vectors)
    filled = np.flatnonzero(n)
    if len(filled) < 2:
        return None
    cost = squares(sums[filled] / n[filled, None])
    places = np.arange(1, len(filled), dtype=np.intp)
    first = np.array([cost(np.zeros(1, dtype=np.intp), int(place))[0] for place in places])
    return int(filled[places[int((first + cost(places, len(filled))).argmin())]])
