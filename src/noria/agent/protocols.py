"""What the parts of the agent promise each other, so that each can be replaced alone."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from noria.agent.recipe import Recipe
from noria.records import Article, Decision, Ranked

Floats = npt.NDArray[np.float64]
Floats32 = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]
Places = npt.NDArray[np.intp]
"""Indices, as NumPy takes them without converting; `array[places]` keeps the interpreter, `array.take` lets it go."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What an intent model makes of one text.

    `probabilities`: one per class, sum 1, as if the text were in scope. `top`: number of the largest. `logit`: log-odds
    of the top class. `known`: share of the text's words that the model has seen, rare ones weighing more (0 to 1).
    `blank`: the text means nothing to the model. `evidence`: raw figures for the scope model, in the order
    of `evidence_names`.
    """

    probabilities: Floats
    top: int
    logit: float
    known: float
    blank: bool
    evidence: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Decided:
    """What to do with a text; `choices` are the intents to offer where the decision is to clarify.

    `figures`: further scores that the decision stood on, to be logged with it.
    """

    decision: Decision
    in_scope: bool
    choices: tuple[str, ...] = ()
    figures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stored:
    """A part as a bundle keeps it: `figures` that JSON can hold, and `arrays` by name."""

    figures: Mapping[str, object]
    arrays: Mapping[str, npt.NDArray[np.generic]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Query:
    """One text as the members of an intent model see it. `vector`: (dim,) by the encoder, None where there is none."""

    text: str
    ngrams: Ngrammed
    vector: Floats32 | None


class Ngrammed(Protocol):
    """A text as weighted n-grams; see `heads.ngrams.Vector`."""

    @property
    def ids(self) -> Places: ...

    @property
    def weights(self) -> Floats32: ...

    @property
    def known(self) -> float: ...

    @property
    def blank(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """What an intent model is fitted on.

    `texts`: (n,), and `targets` the class number of each; `len(classes)` stands for "not in scope", and occurs only
    where `learns_reject`. `matrix`: the texts' n-grams as `csr_matrix` takes them, `n_grams` columns. `vectors`: (n,
    dim) by the encoder, None where there is none; their first `sentence_dim` columns are the usual sentence vector.
    `encoder_files`: of that encoder, where a member of the line-up fine-tunes it.
    """

    texts: tuple[str, ...]
    targets: tuple[int, ...]
    classes: tuple[str, ...]
    learns_reject: bool
    matrix: tuple[Floats32, Ints, Ints]
    n_grams: int
    vectors: Floats32 | None = None
    sentence_dim: int = 0
    encoder_files: Mapping[str, bytes] | None = None


class Member(Protocol):
    """One opinion on the intent; several are fused late, each refitted alone.

    `logits`: (classes,), or (classes + 1,) where the last says "not in scope"; -inf is not allowed. `evidence`: further
    figures for the scope model, higher = more in scope, in the order of `evidence_names`. A class of its own is found
    by the entry point `member.NAME` of the group `noria.components` and also has the class methods of `MemberMaker`.
    """

    @property
    def evidence_names(self) -> tuple[str, ...]: ...

    def logits(self, query: Query) -> Floats: ...

    def evidence(self, query: Query, logits: Floats) -> tuple[float, ...]: ...

    def stored(self) -> Stored: ...


class MemberMaker(Protocol):
    """What makes members: their class, by two class methods."""

    def train(self, rows: TrainingSet, recipe: Recipe) -> Member:
        """A member fitted on rows in the order given; same rows, same member, to the bit."""
        ...

    def load(self, stored: Stored, classes: Sequence[str], recipe: Recipe) -> Member:
        """The member that was stored."""
        ...


class IntentModel(Protocol):
    """Tells intents apart. `classes`: the intents in scope and, where there are examples of it, small talk; sorted."""

    @property
    def classes(self) -> tuple[str, ...]: ...

    @property
    def evidence_names(self) -> tuple[str, ...]: ...

    def read(self, text: str, vector: Floats32 | None = None) -> Reading: ...


class ScopeModel(Protocol):
    """Tells what is in scope from what is not: higher = more in scope; below `threshold` the agent does not answer."""

    @property
    def threshold(self) -> float: ...

    def score(self, reading: Reading) -> float: ...

    def p_value(self, score: float) -> float:
        """Share of in-scope queries that score no higher (conformal: at most `a` of them have a p-value up to `a`)."""
        ...

    def stored(self) -> Stored: ...


@dataclass(frozen=True, slots=True)
class Calibration:
    """Calibration rows, none of which the intent model learnt; what a scope model or a decider is fitted on.

    `inside`: readings of rows in scope and small talk, and `targets` the number of the right class of each. `outside`:
    readings of out-of-scope and irrelevant rows. `classes`: of the intent model. `evidence_names`: of the readings.
    `domains`: of each intent whose rows tell one.
    """

    inside: tuple[Reading, ...]
    targets: tuple[int, ...]
    outside: tuple[Reading, ...]
    classes: tuple[str, ...]
    evidence_names: tuple[str, ...]
    domains: Mapping[str, str] = field(default_factory=dict)


class ScopeMaker(Protocol):
    """What makes scope models: their class, by two class methods."""

    def train(self, rows: Calibration, recipe: Recipe) -> ScopeModel: ...

    def load(self, stored: Stored, recipe: Recipe) -> ScopeModel:
        """The scope model that was stored."""
        ...


class ConfidenceModel(Protocol):
    """The probability that the top intent is right, out-of-scope traffic counted as wrong."""

    def confidence(self, reading: Reading, scope_score: float) -> float: ...

    def stored(self) -> Stored: ...


class Decider(Protocol):
    """Answer, ask back, or hand over. `thresholds` are the limits it holds the figures against."""

    @property
    def thresholds(self) -> Mapping[str, float]: ...

    def decide(self, reading: Reading, scope_score: float, confidence: float) -> Decided: ...


class DeciderMaker(Protocol):
    """What makes deciders of other packages: their class, by two class methods; they also have `stored()`."""

    def train(self, rows: Calibration, scope: ScopeModel, confidence: ConfidenceModel, recipe: Recipe) -> Decider: ...

    def load(self, stored: Stored, classes: Sequence[str], recipe: Recipe) -> Decider:
        """The decider that was stored."""
        ...


class Retriever(Protocol):
    """Finds articles for a text among those that a reader may see; `intents`: probability of each likely intent.

    `audience`: groups that the reader belongs to. `vector`: what the encoder made of the text, where there is one.
    """

    def find(
        self,
        text: str,
        account: str,
        intents: Mapping[str, float],
        limit: int,
        *,
        audience: Collection[str] = (),
        vector: Floats32 | None = None,
    ) -> tuple[Ranked, ...]: ...

    def with_articles(self, articles: Iterable[Article]) -> Retriever:
        """The same over other articles; only what changed is computed anew."""
        ...


class RetrieverMaker(Protocol):
    """What makes retrievers of other packages: their class, by two class methods; they also have `stored()`.

    `citations`: `ranking.Citation`, which articles answered earlier questions. `encoder`: `encoding.Encoder`, or None.
    """

    def train(
        self, articles: Sequence[Article], citations: Sequence[Any], recipe: Recipe, encoder: Any | None
    ) -> Retriever: ...

    def load(self, stored: Stored, articles: Sequence[Article], recipe: Recipe, encoder: Any | None) -> Retriever:
        """The retriever that was stored, over the articles it was stored with."""
        ...


class ArticleRanker(Protocol):
    """Scores candidate articles by their features; see `ranking.FEATURES`. One of another package has `stored()`."""

    def scores(self, features: Floats) -> Floats:
        """(candidates,) for (candidates, features): the higher, the better; a row's score hangs on that row alone."""
        ...


class RankerMaker(Protocol):
    """What makes rankers of other packages: their class, by two class methods."""

    def train(self, taught: Sequence[tuple[Floats, Floats]], recipe: Recipe) -> ArticleRanker:
        """From questions: features of the candidates, and the share of its citations that each has; may be none."""
        ...

    def load(self, stored: Stored, recipe: Recipe) -> ArticleRanker:
        """The ranker that was stored."""
        ...
