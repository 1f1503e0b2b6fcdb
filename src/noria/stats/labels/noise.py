"""Labels that are likely wrong, from what a model that never saw them says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Suspects:
    """Rows whose label is doubted, the most doubtful first.

    `rows`: their places. `better`: the class that the model takes each for. `margin`: probability of that class less
    that of the given one. `thresholds`: (classes,) the mean probability of a class on rows that carry it; NaN without.
    """

    rows: Ints
    better: Ints
    margin: Floats
    thresholds: Floats


def suspects(given: npt.ArrayLike, probabilities: npt.ArrayLike) -> Suspects:
    """Rows that are confidently of another class than their label says (confident learning).

    A row counts confidently for a class if its probability there reaches the mean over the rows that carry that class,
    so that a class of which the model is never sure is not held against its rows.

    Args:
        given: (n,) class numbers as labelled.
        probabilities: (n, classes), out of fold: by a model that did not learn the row.

    Example:
        The last row is labelled 0, but the model is sure that it is 1:

        >>> found = suspects([0, 0, 1, 1, 0], [[0.9, 0.1], [0.8, 0.2], [0.2, 0.8], [0.1, 0.9], [0.05, 0.95]])
        >>> found.rows.tolist(), found.better.tolist(), found.margin.round(2).tolist()
        ([4], [1], [0.9])

    Source: Northcutt, Jiang and Chuang, Confident Learning, JAIR 70, 2021, equations 1 and 2.
    """
    labels, p = np.asarray(given, dtype=np.intp), np.asarray(probabilities, dtype=float)
    if p.ndim != 2 or len(p) != len(labels):
        raise ValueError(f"{len(labels)} labels need as many rows of probabilities, not {p.shape}.")
    own = p[np.arange(len(labels)), labels]
    rows_of = np.bincount(labels, minlength=p.shape[1])
    with np.errstate(invalid="ignore"):
        thresholds = np.bincount(labels, weights=own, minlength=p.shape[1]) / np.where(rows_of, rows_of, np.nan)
    confident = np.where(p >= np.where(np.isnan(thresholds), np.inf, thresholds) - 1e-12, p, -1.0)
    better = confident.argmax(axis=1) if len(labels) else np.zeros(0, dtype=np.intp)
    doubted = np.flatnonzero((confident.max(axis=1, initial=-1.0) >= 0) & (better != labels))
    margin = p[doubted, better[doubted]] - own[doubted]
    order = np.lexsort((doubted, -margin))
    return Suspects(doubted[order], better[doubted][order], margin[order], thresholds)
