"""What the parts of the agent promise each other, so that each can be replaced alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from noria.records import Decision, Ranked

Floats = npt.NDArray[np.float64]
Floats32 = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]


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
    """What to do with a text; `choices` are the intents to offer where the decision is to clarify."""

    decision: Decision
    in_scope: bool
    choices: tuple[str, ...] = ()


class IntentModel(Protocol):
    """Tells intents apart. `classes`: the intents in scope and, where there are examples of it, small talk; sorted."""

    @property
    def classes(self) -> tuple[str, ...]: ...

    @property
    def evidence_names(self) -> tuple[str, ...]: ...

    def read(self, text: str) -> Reading: ...


class ScopeModel(Protocol):
    """Tells what is in scope from what is not: higher = more in scope; below `threshold` the agent does not answer."""

    @property
    def threshold(self) -> float: ...

    def score(self, reading: Reading) -> float: ...


class ConfidenceModel(Protocol):
    """The probability that the top intent is right, out-of-scope traffic counted as wrong."""

    def confidence(self, reading: Reading, scope_score: float) -> float: ...


class Decider(Protocol):
    """Answer, ask back, or hand over. `thresholds` are the limits it holds the figures against."""

    @property
    def thresholds(self) -> Mapping[str, float]: ...

    def decide(self, reading: Reading, scope_score: float, confidence: float) -> Decided: ...


class Retriever(Protocol):
    """Finds articles for a text among those that an account may see; `intents`: probability of each likely intent."""

    def find(self, text: str, account: str, intents: Mapping[str, float], limit: int) -> tuple[Ranked, ...]: ...
