"""Average-linkage groups of unit vectors, cut where the groups of known kinds come out best."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from noria.errors import UsageError

Floats = npt.NDArray[np.float64]

CUTS = 60
"""How many cuts are tried: quantiles of the heights at which groups join."""


def distances(vectors: Any) -> Floats:
    """Cosine distances of every pair of rows, in scipy's condensed form (n(n−1)/2,).

    Args:
        vectors: (n, d), rows of unit length (or zero), an array or a scipy sparse matrix. Needs n² numbers of memory.

    >>> distances(np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])).tolist()
    [1.0, 0.0, 1.0]
    """
    product = vectors @ vectors.T
    likeness = np.asarray(product.todense() if hasattr(product, "todense") else product, dtype=np.float64)
    upper = np.triu_indices(likeness.shape[0], k=1)
    return np.clip(1.0 - likeness[upper], 0.0, 2.0)


def groups(apart: Floats, cut: float) -> npt.NDArray[np.int64]:
    """(n,) the group of each row, numbered by size, the largest 0: ties in order of their first row.

    Groups join while their rows are at most `cut` apart on average (UPGMA, Sokal and Michener 1958).

    Args:
        apart: condensed distances of n rows (see `distances`); empty for none or one row.
        cut: the greatest mean distance within which groups join.

    >>> groups(np.array([0.9, 0.8, 0.1]), 0.5).tolist()  # rows 1 and 2 are alike
    [1, 0, 0]
    """
    from scipy.cluster.hierarchy import fcluster, linkage

    if apart.size == 0:
        return np.zeros(0, np.int64)
    found = fcluster(linkage(apart, "average"), cut, "distance")
    _, first, member, count = np.unique(found, return_index=True, return_inverse=True, return_counts=True)
    order = np.lexsort((first, -count))
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    return place[member]


def choose_cut(apart: Floats, kinds: Sequence[str]) -> float:
    """The cut at which groups agree best with known kinds, by the adjusted Rand index (Hubert and Arabie 1985).

    So "alike" means what it means among the intents that people have told apart already, whatever made the vectors.

    Args:
        apart: condensed distances of n rows.
        kinds: (n,) the known kind (intent) of each row.

    Raises:
        UsageError: fewer than two kinds, or not one for each row.

    >>> near, far = 0.1, 0.9
    >>> 0.1 <= choose_cut(np.array([near, far, far, far, far, near]), ["vpn", "vpn", "tv", "tv"]) < 0.9
    True
    """
    from scipy.cluster.hierarchy import fcluster, linkage
    from sklearn.metrics import adjusted_rand_score

    if len(kinds) * (len(kinds) - 1) // 2 != len(apart):
        raise UsageError(f"{len(kinds)} kinds do not fit {len(apart)} distances: n rows have n(n-1)/2.")
    if len(set(kinds)) < 2:
        raise UsageError("one kind alone cannot tell how far apart kinds are: two or more are needed.")
    tree = linkage(apart, "average")
    cuts = np.unique(np.quantile(tree[:, 2], np.linspace(0.3, 1.0, CUTS)))
    scores = [adjusted_rand_score(kinds, fcluster(tree, cut, "distance")) for cut in cuts]
    return float(cuts[int(np.argmax(scores))])
