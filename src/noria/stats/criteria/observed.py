"""What was observed of an agent on labelled rows: the one input of every criterion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from noria.errors import UsageError
from noria.records import DECISIONS
from noria.stats.intervals import as_numbers

Numbers = Sequence[float] | npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Costs:
    """What each outcome of a query costs, in units of one hand-over to a person.

    handoff: a person takes over. clarify: the user is asked back. answer: an answer is given. wrong: what a wrong
    answer costs beside giving it: the user is led astray and comes back. The defaults are assumptions; give your own.
    """

    handoff: float = 1.0
    clarify: float = 0.1
    answer: float = 0.01
    wrong: float = 1.5


@dataclass(frozen=True, slots=True, eq=False)
class Perturbed:
    """What the agent made of changed texts. `rows`: (m,) places of the rows whose text was changed, each once."""

    rows: Sequence[int]
    predicted: Sequence[str]
    decision: Sequence[str]
    confidence: Numbers


@dataclass(frozen=True, slots=True, eq=False)
class Replica:
    """What the same recipe with another seed made of the same rows, in the same order."""

    predicted: Sequence[str]
    decision: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Observed:
    """Columns of one set of labelled rows (n,), with what an agent made of them; what is None was not observed.

    truth: right intent, or a reserved one (out of scope, irrelevant, small talk). predicted: top intent. decision:
    answer, clarify or handoff. confidence: 0 to 1. scope_score: higher = more likely in scope. in_scope: taken as in
    scope. scope_p: conformal p-value of "in scope".
    texts, domains, accounts, languages: of each row; an empty domain, account or language is unknown.
    classes, probabilities: (C,) intents and (n, C) what each was given. choices: intents offered where asked back.
    rankings, relevant: for each row the articles shown, best first, and the right ones (none = not judged).
    popularity: how often each article was the right one so far. articles: how many the agent could have shown.
    domain_of: domain of each intent. train_counts: training rows of each intent.
    perturbed: by name of the change (see `noria.stats.criteria.perturbing`). seeds: by seed.
    latencies_ms: of any number of answers. efficiency: single figures by name (see the catalogue).

    Example:
        >>> Observed(truth=["vpn"], predicted=["vpn"], decision=["answer"], confidence=[0.9], scope_score=[1.0],
        ...     in_scope=[True]).costs.handoff
        1.0
    """

    truth: Sequence[str]
    predicted: Sequence[str]
    decision: Sequence[str]
    confidence: Numbers
    scope_score: Numbers
    in_scope: Sequence[bool]
    scope_p: Numbers | None = None
    texts: Sequence[str] | None = None
    domains: Sequence[str] | None = None
    accounts: Sequence[str] | None = None
    languages: Sequence[str] | None = None
    classes: Sequence[str] | None = None
    probabilities: npt.NDArray[np.float32] | npt.NDArray[np.float64] | None = None
    choices: Sequence[Sequence[str]] | None = None
    rankings: Sequence[Sequence[str]] | None = None
    relevant: Sequence[frozenset[str]] | None = None
    popularity: Mapping[str, int] | None = None
    articles: int | None = None
    domain_of: Mapping[str, str] | None = None
    train_counts: Mapping[str, int] | None = None
    perturbed: Mapping[str, Perturbed] = field(default_factory=dict)
    seeds: Mapping[int, Replica] = field(default_factory=dict)
    latencies_ms: Numbers | None = None
    efficiency: Mapping[str, float] = field(default_factory=dict)
    costs: Costs = field(default_factory=Costs)

    def __post_init__(self) -> None:
        n = len(self.truth)
        for name in _COLUMNS:
            column = getattr(self, name)
            if column is not None and len(column) != n:
                raise UsageError(f"{name} has {len(column)} values for {n} rows; give one for each row.")
        self._check_values(n)
        for name, pairs in self.perturbed.items():
            lengths = {len(pairs.rows), len(pairs.predicted), len(pairs.decision), len(pairs.confidence)}
            if len(lengths) > 1 or len(set(pairs.rows)) < len(pairs.rows) or not set(pairs.rows) <= set(range(n)):
                raise UsageError(
                    f"perturbed {name!r}: give one value for each of its rows, each a place below {n}, once."
                )
        for seed, replica in self.seeds.items():
            if {len(replica.predicted), len(replica.decision)} != {n}:
                raise UsageError(f"seed {seed}: give a prediction and a decision for each of the {n} rows.")

    def _check_values(self, n: int) -> None:
        as_numbers("confidence", self.confidence, 0, 1)
        as_numbers("scope_score", self.scope_score)
        unknown = sorted(set(self.decision) - set(DECISIONS))
        if unknown:
            raise UsageError(f"decision holds {unknown[0]!r}; it is one of {', '.join(DECISIONS)}.")
        if (self.classes is None) is not (self.probabilities is None):
            raise UsageError("classes and probabilities belong together; give both or none.")
        if self.classes is not None and self.probabilities is not None:
            shape = (n, len(self.classes))
            if self.probabilities.shape != shape:
                raise UsageError(f"probabilities have the shape {self.probabilities.shape}, not {shape}.")


_COLUMNS = (
    "predicted",
    "decision",
    "confidence",
    "scope_score",
    "in_scope",
    "scope_p",
    "texts",
    "domains",
    "accounts",
    "languages",
    "choices",
    "rankings",
    "relevant",
)
