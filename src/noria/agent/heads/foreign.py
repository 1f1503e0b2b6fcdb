"""Nearness to rows that people marked as out of scope: what was asked for in vain before will be asked for again.

Heard only where there are such rows and they are too few to be learnt as a class of their own.
"""

from __future__ import annotations

import numpy as np

from noria.agent.protocols import Floats32, Stored

NAME = "foreign"
"""Of the figure among the evidence."""
FAR = 1e-12
"""Loudness where no row is near."""
SAME = 1 - 1e-5
"""Cosine from which two points are one text."""
MOST_ROWS = 1000
"""More would slow down every answer, and be enough for a class of their own."""


class ForeignRows:
    """Out-of-scope rows as points.

    Args:
        points: (n, columns) unit rows: all layers of the vectors, which tell more here than the last alone.
        reach: cosine distance at which a row is worth 1/e.
    """

    def __init__(self, points: Floats32, reach: float) -> None:
        if points.ndim != 2 or not len(points) or reach <= 0:
            raise ValueError(f"{points.shape} points of out-of-scope rows, reach {reach}")
        self.points, self.reach = points, reach

    @classmethod
    def learn(cls, vectors: Floats32, reach: float) -> ForeignRows:
        """The rows of vectors (n, dim) in the order given; of very many, some spread evenly."""
        some = np.unique(np.linspace(0, len(vectors) - 1, min(len(vectors), MOST_ROWS)).astype(np.int64))
        return cls(np.stack([_unit(vectors[i]) for i in some]), reach)

    def distance(self, vector: Floats32, *, own: bool = False) -> float:
        """Minus the log of the summed nearness: the higher, the farther from all of them.

        Args:
            vector: (dim,) of the text.
            own: the text is one of the rows, and is judged by the others alone.
        """
        # einsum, not BLAS: the same bits however many threads the machine has
        cosines = np.einsum("ij,j->i", self.points, _unit(vector)).astype(np.float64)
        near = np.exp((cosines - 1) / self.reach)
        if own:
            near = near[cosines < SAME]
        return -float(np.log(near.sum() + FAR))

    def stored(self) -> Stored:
        return Stored({"reach": self.reach}, {"points": self.points})

    @classmethod
    def load(cls, stored: Stored) -> ForeignRows:
        """The rows that were stored."""
        return cls(np.asarray(stored.arrays["points"], np.float32), float(str(stored.figures["reach"])))


def _unit(vector: Floats32) -> Floats32:
    length = float(np.sqrt(np.einsum("i,i->", vector, vector)))
    return np.asarray(vector / length if length > 0 else vector, np.float32)
