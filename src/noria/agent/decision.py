"""Answer, ask back, or hand over to a person."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from noria.agent.protocols import Decided, Floats, Reading
from noria.agent.recipe import Recipe
from noria.records import SMALL_TALK


@dataclass(frozen=True, slots=True)
class Domains:
    """What intents are about, as rows tell: `of` each intent; `choice`: least probability of a domain to ask about."""

    of: Mapping[str, str]
    choice: float


class ThresholdDecider:
    """A Decider: the scope gate first, then confidence, then whether few intents are all that it can be.

    Where intents have domains and too many intents are likely to ask about, but few domains, the user is asked by
    domain: the likeliest intent of each is offered.

    Args:
        classes: of the intent model.
        scope_threshold: scores below are out of scope.
        choice: least probability of an intent to be among the choices; see `fit_choice`.
        recipe: `answer_at`, `max_choices`.
        domains: of intents, where rows tell any.
    """

    def __init__(
        self,
        classes: Sequence[str],
        scope_threshold: float,
        choice: float,
        recipe: Recipe,
        domains: Domains | None = None,
    ) -> None:
        self._classes, self._max_choices, self.domains = tuple(classes), recipe.max_choices, domains
        names = sorted({*domains.of.values()}) if domains else []
        # classes without a domain share the last number, which is never offered
        of = domains.of if domains else {}
        self._domain_of = np.array([names.index(of[c]) if c in of else len(names) for c in classes])
        self._domain_count = len(names)
        self._scope, self._answer, self._choice = scope_threshold, recipe.answer_at, choice
        self._thresholds = MappingProxyType({"scope": self._scope, "answer": self._answer, "choice": self._choice})

    @property
    def thresholds(self) -> Mapping[str, float]:
        return self._thresholds

    def decide(self, reading: Reading, scope_score: float, confidence: float) -> Decided:
        """The decision on a text; small talk is answered, but is not in scope."""
        figures: dict[str, float] = {}
        if self.domains is not None:
            of_domains = self.domain_probabilities(reading.probabilities)
            figures = {"domain_probability": float(of_domains[self._domain_of[reading.top]])}
        if reading.blank or scope_score < self._scope:
            return Decided("handoff", in_scope=False, figures=figures)
        small_talk = self._classes[reading.top] == SMALL_TALK
        if confidence >= self._answer:
            return Decided("answer", in_scope=not small_talk, figures=figures)
        choices = self._choices(reading.probabilities) or self._by_domain(reading.probabilities)
        if choices:
            return Decided("clarify", in_scope=not small_talk, choices=choices, figures=figures)
        return Decided("handoff", in_scope=not small_talk, figures=figures)

    def domain_probabilities(self, probabilities: Floats) -> Floats:
        """(domains + 1,) in order of name; the last is of the intents that have none. Sum 1."""
        summed = np.bincount(self._domain_of, weights=probabilities, minlength=self._domain_count + 1)
        return np.asarray(summed, np.float64)

    def _by_domain(self, probabilities: Floats) -> tuple[str, ...]:
        """The likeliest intent of each likely domain, best domain first; none where they are one or too many."""
        if self.domains is None or self._classes[int(probabilities.argmax())] == SMALL_TALK:
            return ()
        of_domains = self.domain_probabilities(probabilities)
        likely = [d for d in np.argsort(-of_domains, kind="stable") if of_domains[d] >= self.domains.choice]
        if not 1 < len(likely) <= self._max_choices or self._domain_count in likely:
            return ()
        return tuple(self._classes[int(np.where(self._domain_of == d, probabilities, -1.0).argmax())] for d in likely)

    def _choices(self, probabilities: Floats) -> tuple[str, ...]:
        """The intents that are likely enough, two at least, best first; none where they are too many to ask about."""
        if self._classes[int(probabilities.argmax())] == SMALL_TALK:
            return ()
        chosen: list[str] = []
        for i in np.argsort(-probabilities, kind="stable"):
            if len(chosen) > 1 and probabilities[i] < self._choice:
                break
            if self._classes[i] == SMALL_TALK:
                continue
            chosen.append(self._classes[i])
            if len(chosen) > self._max_choices:
                return ()
        return tuple(chosen) if len(chosen) > 1 else ()


def fit_domains(
    of: Mapping[str, str], classes: Sequence[str], probabilities: Sequence[Floats], right: Sequence[int], miss: float
) -> Domains | None:
    """Domains of intents with the limit under which the right domain is missed at most that often; None without any.

    Args:
        of: domain of each intent that has one.
        classes: of the intent model; small talk has no domain.
        probabilities: (classes,) of each calibration row in scope, and `right` the number of its class.
        miss: share of in-scope queries whose domain has a probability below the limit; see `fit_choice`.
    """
    known = {c: d for c, d in of.items() if c in classes and c != SMALL_TALK}
    if len({*known.values()}) < 2:
        return None
    own = [known.get(c) for c in classes]
    of_right = [
        float(sum(p for p, d in zip(row.tolist(), own, strict=True) if d == own[target]))
        for row, target in zip(probabilities, right, strict=True)
        if own[target] is not None
    ]
    return Domains(known, fit_choice(of_right, miss))


def fit_choice(right: Sequence[float], miss: float) -> float:
    """The least probability of a choice with which a set of choices misses the right intent at most that often.

    Split conformal (Vovk et al. 2005): it holds for queries that are exchangeable with the calibration rows.

    Args:
        right: (n,) probability of the right intent of each calibration row in scope.
        miss: share of in-scope queries.
    """
    rank = math.floor(miss * (len(right) + 1))
    return sorted(right)[rank - 1] if rank else 0.0
