"""When did a new kind of query begin? The inception of a change among embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from noria.stats.detection.vectors import VectorReference
from noria.stats.inception.partition import squares
from noria.stats.inception.scan import HOURLY_RAMPS, Inception, locate
from noria.stats.intervals import Floats

# Queries of the reference that count as members of the new kind.
_CHANCE = 0.002


def locate_vectors(
    vectors: Floats,
    window: npt.ArrayLike,
    reference: VectorReference,
    *,
    latest: int = 72,
    ramps: Sequence[int] = HOURLY_RAMPS,
    c: float = 3.68,
) -> Inception | None:
    """The beginning of a change among embeddings; rates are shares of queries that look like the new kind.

    Even queries of the latest windows tell the direction of the change; an odd query is a member where it lies further
    along it than 99.8 % of the reference; the counts of members are scanned for a step or a ramp upwards. Of a sudden
    change the place is that of the best cut of the windows' means (KernelCPD with a linear kernel).

    Args:
        vectors: embeddings (n, d) in order of time, from the reference time to now.
        window: number of each one's window (n,), from 0, not falling.
        reference: samples of the quiet time, not from `vectors`.
        latest: windows at the end in which the change is complete or nearly so.
        ramps: as in `locate`.
        c: as in `locate`.

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
    n_windows = int(at[-1]) + 1
    even, odd = np.arange(len(at)) % 2 == 0, np.arange(len(at)) % 2 == 1
    recent = vectors[even & (at >= n_windows - latest)]
    if len(recent) == 0:
        return None
    direction = recent.mean(axis=0) - reference.one.mean(axis=0)
    limit = np.quantile(reference.other @ direction, 1 - _CHANCE)
    members = vectors[odd] @ direction > limit
    k = np.bincount(at[odd], weights=members, minlength=n_windows)
    n = np.bincount(at[odd], minlength=n_windows)
    found = locate(k, n, ramps, c, direction="up")
    if found is None or found.ramp > 1:
        return found
    cut = best_cut(vectors, at, n_windows)
    return found if cut is None else replace(found, index=cut, low=min(found.low, cut), high=max(found.high, cut))


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
