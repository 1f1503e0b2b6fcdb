"""The training rows near a text: each votes for its intent, the nearer the louder (Nadaraya 1964, Watson 1964).

A late member costs little to fit, is right where an intent has many faces, and takes in new rows at once.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from noria.agent.members.dense import vector_of, vectors_of
from noria.agent.members.warm import Change
from noria.agent.protocols import Floats, Floats32, Ints, Query, Stored, TrainingSet
from noria.agent.recipe import Recipe

FAR = 1e-9
"""Loudness of a class without rows nearby."""
SAME = 1 - 1e-5
"""Cosine from which two points are one text."""


class Neighbours:
    """A Member over the sentence part of vectors.

    Args:
        points: (n, d) unit rows, in order of class.
        counts: (classes + 1,) rows of each class; the last rejects.
        mean: (columns,) taken off a vector first, and `axes` (columns, d) it is then laid on; both None where points
            are sentence vectors as they are.
        reach: cosine distance at which a vote is worth 1/e.
        rejects: whether the last class is told.
    """

    evidence_names = ("density",)

    def __init__(
        self,
        points: Floats32,
        counts: Ints,
        mean: Floats32 | None,
        axes: Floats32 | None,
        reach: float,
        *,
        rejects: bool,
    ) -> None:
        if counts.sum() != len(points) or (axes is not None and axes.shape[1] != points.shape[1]):
            raise ValueError(f"{len(points)} points of {points.shape[1]} columns do not fit their classes or axes")
        self.points, self.counts, self.mean, self.axes = points, counts, mean, axes
        self.reach, self.rejects = reach, rejects
        self._present = np.flatnonzero(counts)
        self._starts = (np.cumsum(counts) - counts)[self._present]

    @classmethod
    def train(cls, rows: TrainingSet, recipe: Recipe) -> Neighbours:
        """The rows as points; many rows lie on their main axes, which takes a fraction of the time."""
        targets = np.array(rows.targets, np.int64)
        order = np.argsort(targets, kind="stable")
        sentences = vectors_of(rows)[:, : rows.sentence_dim]
        mean = axes = None
        if len(targets) >= recipe.all_layers_from and recipe.neighbour_axes < rows.sentence_dim:
            mean, axes = _axes(sentences, recipe.neighbour_axes)
        counts = np.bincount(targets, minlength=len(rows.classes) + 1).astype(np.int32)
        points = _laid(sentences[order], mean, axes)
        return cls(points, counts, mean, axes, recipe.neighbour_reach, rejects=rows.learns_reject)

    @classmethod
    def load(cls, stored: Stored, classes: Sequence[str], recipe: Recipe) -> Neighbours:
        points, counts = (
            np.asarray(stored.arrays["points"], np.float32),
            np.asarray(stored.arrays["counts"], np.int32),
        )
        if len(counts) != len(classes) + 1:
            raise ValueError(f"neighbours of {len(counts) - 1} classes, not {len(classes)}")
        mean, axes = (
            np.asarray(stored.arrays[name], np.float32) if name in stored.arrays else None for name in ("mean", "axes")
        )
        return cls(points, counts, mean, axes, recipe.neighbour_reach, rejects=bool(stored.figures["rejects"]))

    def warm(self, change: Change, recipe: Recipe) -> Neighbours:  # noqa: ARG002 - of the protocol
        """The points with new rows among them; what a row was before it was corrected is forgotten."""
        rows, count = change.rows, len(change.rows.classes)
        columns = self.points.shape[1] if self.mean is None else len(self.mean)
        added = _laid(vectors_of(rows)[list(change.new), :columns], self.mean, self.axes)
        known = np.append(change.places, count)
        of = np.repeat(known, self.counts)
        stale = np.zeros(len(self.points), bool)
        for point in added:
            stale |= np.einsum("ij,j->i", self.points, point) > SAME
        of = np.concatenate((of[~stale], np.array(rows.targets, np.int64)[list(change.new)]))
        points = np.concatenate((self.points[~stale], added))
        order = np.argsort(of, kind="stable")
        counts = np.bincount(of, minlength=count + 1).astype(np.int32)
        return Neighbours(points[order], counts, self.mean, self.axes, self.reach, rejects=self.rejects)

    def logits(self, query: Query) -> Floats:
        """(classes [+ 1],): log of the summed votes."""
        sentence = vector_of(query)[: self.points.shape[1] if self.mean is None else len(self.mean)]
        point = _laid(sentence[None], self.mean, self.axes)[0]
        # einsum, not BLAS: the same bits however many threads the machine has
        votes = np.exp((np.einsum("ij,j->i", self.points, point) - 1) / np.float32(self.reach))
        heard = np.full(len(self.counts), FAR)
        heard[self._present] += np.add.reduceat(votes, self._starts)
        return np.asarray(np.log(heard if self.rejects else heard[:-1]))

    def evidence(self, query: Query, logits: Floats) -> tuple[float, ...]:  # noqa: ARG002 - of the protocol
        return (float(logits[: len(self.counts) - 1].max()),)

    def stored(self) -> Stored:
        arrays = {"points": self.points, "counts": self.counts}
        if self.mean is not None and self.axes is not None:
            arrays |= {"mean": self.mean, "axes": self.axes}
        return Stored({"rejects": self.rejects}, arrays)


def _axes(sentences: Floats32, count: int) -> tuple[Floats32, Floats32]:
    """Mean and the main axes (columns, count) of rows."""
    from threadpoolctl import threadpool_limits

    mean = sentences.mean(axis=0, dtype=np.float64)
    with threadpool_limits(1):  # sums of several threads would differ in their last bits
        centred = sentences - mean
        _, found = np.linalg.eigh(centred.T @ centred)
    axes = found[:, ::-1][:, :count]
    # an axis may point either way: make its largest entry positive, wherever it is computed
    axes *= np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(count)])
    return mean.astype(np.float32), np.ascontiguousarray(axes, np.float32)


def _laid(sentences: Floats32, mean: Floats32 | None, axes: Floats32 | None) -> Floats32:
    """Sentence vectors (n, columns) as unit points."""
    if mean is None or axes is None:
        return sentences
    points = np.einsum("ij,jk->ik", sentences - mean, axes)
    lengths = np.sqrt(np.einsum("ij,ij->i", points, points))[:, None]
    return np.asarray(points / np.where(lengths > 0, lengths, 1), np.float32)
