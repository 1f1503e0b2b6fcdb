"""Have the queries changed in meaning? Detectors on embeddings against a reference sample."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from noria.errors import UsageError
from noria.stats.intervals import Floats


@dataclass(frozen=True, slots=True, eq=False)
class VectorReference:
    """Two samples of embeddings of a quiet time: directions are found with `one` (m, d), judged with `other` (k, d).

    A figure of the reference comes from data that was not used to find what is judged, else every window alarms.
    """

    one: Floats
    other: Floats

    def __post_init__(self) -> None:
        if self.one.ndim != 2 or self.other.ndim != 2 or self.one.shape[1] != self.other.shape[1]:
            raise UsageError(f"samples of shape {self.one.shape} and {self.other.shape}: give (m, d) and (k, d).")
        if min(len(self.one), len(self.other)) < 30:
            raise UsageError(f"{len(self.one)} and {len(self.other)} vectors; a reference takes 30 of each at least.")


def halves(vectors: Floats) -> VectorReference:
    """A reference from the embeddings (n, d) of a quiet time in order of time: even ones and odd ones.

    Example:
        >>> import numpy as np
        >>> halves(np.random.default_rng(0).normal(size=(100, 3))).one.shape
        (50, 3)
    """
    return VectorReference(vectors[::2], vectors[1::2])


def direction_z(vectors: Floats, reference: VectorReference) -> float:
    """How far the window has moved: about a standard normal where nothing changed, large and positive where it has.

    Even queries tell the direction in which the window's mean has moved, odd ones how far they lie along it.

    Args:
        vectors: embeddings (n, d) of the window in order of time; fewer than 20 tell nothing (0).
        reference: samples of the quiet time.

    Source: split-half test of a data-driven direction (sample splitting, Cox, Biometrika 62 (1975) 441).

    Example:
        >>> import numpy as np
        >>> rng = np.random.default_rng(0)
        >>> known = halves(rng.normal(size=(2000, 16)))
        >>> new = rng.normal(size=(400, 16)) + 4 * (rng.random(400) < 0.15)[:, None]
        >>> abs(direction_z(rng.normal(size=(400, 16)), known)) < 3, direction_z(new, known) > 6
        (True, True)
    """
    if len(vectors) < 20:
        return 0.0
    direction = vectors[::2].mean(axis=0) - reference.one.mean(axis=0)
    length = float(np.linalg.norm(direction))
    if length == 0:
        return 0.0
    seen, usual = vectors[1::2] @ (direction / length), reference.other @ (direction / length)
    error = math.sqrt(float(seen.var(ddof=1)) / len(seen) + float(usual.var(ddof=1)) / len(usual))
    return float(seen.mean() - usual.mean()) / error if error else 0.0


def direction_run_length(z: float, windows: int = 2) -> float:
    """Looks from one such z by chance to the next, when the largest of some overlapping windows is taken.

    Example:
        >>> round(direction_run_length(3.9))
        10396
    """
    return 1 / max(windows * 0.5 * math.erfc(z / math.sqrt(2)), 1e-300)


def novelty(vectors: Floats, reference: Floats, block: int = 2048) -> Floats:
    """Distance (n,) of each embedding from the nearest of the reference (m, d): 1 - cosine, 0 to 2.

    Example:
        >>> import numpy as np
        >>> novelty(np.array([[1.0, 0.0], [0.0, 2.0]]), np.array([[3.0, 0.0]])).tolist()
        [0.0, 1.0]
    """
    known = _unit(reference)
    parts = [1 - (_unit(vectors[i : i + block]) @ known.T).max(axis=1) for i in range(0, len(vectors), block)]
    out: Floats = np.concatenate(parts) if parts else np.zeros(0)
    return out


def _unit(vectors: Floats) -> Floats:
    out: Floats = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return out
