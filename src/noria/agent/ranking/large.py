"""Nearest of very many vectors by inverted lists (faiss), an optional extra behind the same promise as `Scan`."""

from __future__ import annotations

from importlib import import_module

import numpy as np
import numpy.typing as npt

from noria.agent.protocols import Floats32
from noria.agent.ranking.vectors import Rounded, largest
from noria.errors import UsageError

_TRAINED_ON = 50
"""Vectors for each list that its middle is found from; more costs time and finds no better ones."""
_LOOKED_AT = 4


class InvertedLists:
    """Vectors in lists by their nearest middle; a query looks into the `probes` nearest lists (IVF, 8-bit vectors).

    What it finds gets its true likeness; what lies in other lists is missed. Worth it from about 50,000 vectors;
    below, `Scan` misses next to nothing and needs no building. Pass it as `ArticleFinder(nearest=InvertedLists)`.

    Args:
        vectors: to be looked through; 1,000 or more, or there is nothing to divide.
        probes: lists that are looked into: more find more, in proportion slower.

    Raises:
        UsageError: the package faiss-cpu is not installed, or there are too few vectors.

    Source: Jégou, Douze, Schmid, IEEE TPAMI 33 (2011) 117.
    """

    def __init__(self, vectors: Rounded, probes: int = 32) -> None:
        if len(vectors) < 1000:
            raise UsageError(f"{len(vectors)} vectors are too few for inverted lists; use Scan.")
        try:
            faiss = import_module("faiss")
        except ImportError as error:
            raise UsageError("inverted lists need the package faiss-cpu: pip install 'noria[large]'.") from error
        self._vectors = vectors
        floats = vectors.floats()
        lists = int(2 ** np.round(np.log2(np.sqrt(len(floats)) * 2)))
        # The middles are found from a fixed start, so the same vectors make the same lists.
        dim = floats.shape[1]
        self._middles = faiss.IndexFlatIP(dim)
        bits = faiss.ScalarQuantizer.QT_8bit
        self._index = faiss.IndexIVFScalarQuantizer(self._middles, dim, lists, bits, faiss.METRIC_INNER_PRODUCT)
        self._index.train(np.ascontiguousarray(floats[:: max(1, len(floats) // (lists * _TRAINED_ON))]))
        self._index.add(floats)
        self._index.nprobe = min(probes, lists)

    def nearest(self, query: Rounded, count: int, above: float) -> tuple[npt.NDArray[np.intp], Floats32]:
        """Places, rising, and true likeness of about the `count` nearest that are above a limit."""
        _, found = self._index.search(query.floats(), min(count * _LOOKED_AT, len(self._vectors)))
        at = np.sort(found[0][found[0] >= 0]).astype(np.intp)
        likeness = self._vectors.rows(at).dots(query)
        near = largest(likeness, count, above)
        return at[near], likeness[near]
