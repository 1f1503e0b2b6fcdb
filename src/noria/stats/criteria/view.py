"""What criteria derive from the observed columns, each column once."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from noria.records import IRRELEVANT, OOS, RESERVED_INTENTS, SMALL_TALK
from noria.stats.criteria.observed import Observed

if TYPE_CHECKING:
    from scipy import sparse

Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Names = npt.NDArray[np.str_]

T = TypeVar("T")
BINS = 15
"""Bins of equal mass of the calibration errors."""


class View:
    """Columns (n,) made from what was observed; names are the glossary's.

    inside: in scope by its truth. outside: out of scope or irrelevant. judged: inside or outside. top_right: in scope
    and the top intent is right. right: the agent served the query (`did_right`). wrong_answer: judged rows that got an
    answer that was wrong.
    """

    def __init__(self, observed: Observed) -> None:
        self.observed = observed
        self.n = len(observed.truth)
        self._memo: dict[str, Any] = {}

    def memo(self, name: str, compute: Callable[[], T]) -> T:
        """What `compute` gives, computed once under that name."""
        if name not in self._memo:
            self._memo[name] = compute()
        found: T = self._memo[name]
        return found

    @cached_property
    def truth(self) -> Names:
        return np.asarray(self.observed.truth, dtype=np.str_)

    @cached_property
    def predicted(self) -> Names:
        return np.asarray(self.observed.predicted, dtype=np.str_)

    @cached_property
    def confidence(self) -> Floats:
        return np.asarray(self.observed.confidence, dtype=np.float64)

    @cached_property
    def scope_score(self) -> Floats:
        return np.asarray(self.observed.scope_score, dtype=np.float64)

    @cached_property
    def accepted(self) -> Flags:
        return np.asarray(self.observed.in_scope, dtype=np.bool_)

    @cached_property
    def inside(self) -> Flags:
        return _flags(~np.isin(self.truth, sorted(RESERVED_INTENTS)))

    @cached_property
    def oos(self) -> Flags:
        return _flags(self.truth == OOS)

    @cached_property
    def irrelevant(self) -> Flags:
        return _flags(self.truth == IRRELEVANT)

    @cached_property
    def outside(self) -> Flags:
        return self.oos | self.irrelevant

    @cached_property
    def judged(self) -> Flags:
        return self.inside | self.outside

    @cached_property
    def small_talk(self) -> Flags:
        return _flags(self.truth == SMALL_TALK)

    @cached_property
    def every(self) -> Flags:
        return np.ones(self.n, dtype=np.bool_)

    @cached_property
    def top_right(self) -> Flags:
        return _flags(self.inside & (self.truth == self.predicted))

    @cached_property
    def answered(self) -> Flags:
        return _flags(np.asarray(self.observed.decision, dtype=np.str_) == "answer")

    @cached_property
    def clarified(self) -> Flags:
        return _flags(np.asarray(self.observed.decision, dtype=np.str_) == "clarify")

    @cached_property
    def handed(self) -> Flags:
        return ~(self.answered | self.clarified)

    @cached_property
    def right(self) -> Flags:
        small_talk = self.small_talk & (self.predicted == SMALL_TALK)
        return _flags((self.top_right & self.answered) | (self.outside & ~self.answered) | small_talk)

    @cached_property
    def wrong_answer(self) -> Flags:
        return self.judged & self.answered & ~self.top_right

    @cached_property
    def n_choices(self) -> Ints:
        return np.array([len(c) for c in self.observed.choices or ()], dtype=np.int64)

    @cached_property
    def choice_hit(self) -> Flags:
        """Asked back, and the right intent is among the choices."""
        pairs = zip(self.observed.truth, self.observed.choices or (), strict=True)
        return np.array([t in c for t, c in pairs], dtype=np.bool_) & self.clarified & self.inside

    @cached_property
    def words(self) -> Ints:
        return np.array([len(text.split()) for text in self.observed.texts or ()], dtype=np.int64)

    @cached_property
    def classes(self) -> tuple[Names, Ints, Ints]:
        """Classes of in-scope rows (true or predicted), and the class numbers (n_inside,) of truth and prediction."""
        truth, said = self.truth[self.inside], self.predicted[self.inside]
        names, codes = np.unique(np.concatenate([truth, said]), return_inverse=True)
        return names, codes[: len(truth)].astype(np.int64), codes[len(truth) :].astype(np.int64)

    @cached_property
    def domain_right(self) -> Flags:
        """In scope, and the top intent is of the row's domain; an intent's domain is what its rows say, if any."""
        observed = self.observed
        domains = np.asarray(observed.domains if observed.domains is not None else (), dtype=np.str_)
        known = dict(zip(self.truth[self.inside].tolist(), domains[self.inside].tolist(), strict=True))
        of = {**(observed.domain_of or {}), **known}
        said = np.array([of.get(p, "") for p in self.predicted.tolist()], dtype=np.str_)
        return _flags(self.inside & (said == domains) & (domains != ""))

    def groups(self, column: str, least: int) -> tuple[Names, Ints]:
        """Values of a column with at least `least` in-scope rows, and each row's number (n,) of them; -1: none."""
        values = np.asarray(getattr(self.observed, column), dtype=np.str_)
        names, counts = np.unique(values[self.inside & (values != "")], return_counts=True)
        kept = names[counts >= least]
        place = np.searchsorted(kept, values)
        found = np.minimum(place, max(len(kept) - 1, 0))
        known = np.isin(values, kept)
        return kept, np.where(known, found, -1).astype(np.int64)

    @cached_property
    def truth_rank(self) -> Ints:
        """Rank (n_inside,) of the right intent by probability, ties behind; 0 where it is no class."""
        chances, column = self._chances
        own = np.where(column >= 0, chances[np.arange(len(column)), np.maximum(column, 0)], np.inf)
        ranks = (chances >= own[:, None]).sum(axis=1)
        return np.where(column >= 0, ranks, 0).astype(np.int64)

    @cached_property
    def truth_chance(self) -> Floats:
        """Probability (n_inside,) that was given to the right intent; 0 where it is no class."""
        chances, column = self._chances
        return np.where(column >= 0, chances[np.arange(len(column)), np.maximum(column, 0)], 0.0)

    @cached_property
    def square_sum(self) -> Floats:
        """Sum (n_inside,) of the squared probabilities of all intents."""
        return np.asarray((self._chances[0] ** 2).sum(axis=1), dtype=np.float64)

    @cached_property
    def top_chance(self) -> Floats:
        """The largest probability (n_inside,)."""
        return np.asarray(self._chances[0].max(axis=1), dtype=np.float64)

    @cached_property
    def top_chance_right(self) -> Flags:
        """Whether the likeliest intent (n_inside,) is the right one."""
        chances, column = self._chances
        return np.asarray(chances.argmax(axis=1) == column, dtype=np.bool_)

    @cached_property
    def _chances(self) -> tuple[Floats, Ints]:
        """Probabilities (n_inside, C) and the column (n_inside,) of the right intent, -1 where there is none."""
        classes = {name: i for i, name in enumerate(self.observed.classes or ())}
        chances = np.asarray(self.observed.probabilities, dtype=np.float64)[self.inside]
        column = np.array([classes.get(str(name), -1) for name in self.truth[self.inside]], dtype=np.int64)
        return chances, column


def _flags(values: npt.ArrayLike) -> Flags:
    return np.asarray(values, dtype=np.bool_)


def equal_mass(values: Floats, bins: int = BINS) -> Ints:
    """The bin (n,) of each value; bins hold about as many rows each, and equal values share one.

    Example:
        >>> equal_mass(np.array([0.1, 0.9, 0.1, 0.8]), 2).tolist()
        [0, 1, 0, 1]
    """
    if not len(values):
        return np.zeros(0, dtype=np.int64)
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - counts / 2
    return np.asarray((bins * middle / len(values)).astype(np.int64)[place], dtype=np.int64)


def indicator(codes: Ints, size: int) -> sparse.csr_matrix:
    """(size, n): 1 where the row has the code; rows with -1 are in none.

    Example:
        >>> indicator(np.array([0, 1, -1]), 2).toarray().tolist()
        [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    """
    from scipy import sparse

    known = np.flatnonzero(codes >= 0)
    ones = np.ones(len(known))
    return sparse.csr_matrix((ones, (codes[known], known)), shape=(size, len(codes)))
