"""Several opinions on a text as one: log-probabilities of each member, weighed and added (late fusion)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from noria.agent.protocols import Floats

STEPS = 10
"""Weights of members are tried in steps of one tenth: the optimum is flat."""
PRIOR_ROWS = 5
MOST_ROWS = 4000
"""Calibration rows that weights are tried on; more tell no more."""


@dataclass(frozen=True, slots=True)
class Fusion:
    """`Σ weight · log softmax(temperature · logits)` over members; `final` multiplies the sum."""

    weights: tuple[float, ...]
    temperatures: tuple[float, ...]
    final: float = 1.0

    def __call__(self, logits: Sequence[Floats]) -> Floats:
        """(classes,) for one text, or (n, classes) for many, up to a constant; a single member's logits stay as are."""
        if len(logits) == 1:
            return np.asarray(self.final * self.temperatures[0] * logits[0])
        terms = [
            weight * log_softmax(temperature * member)
            for weight, temperature, member in zip(self.weights, self.temperatures, logits, strict=True)
            if weight
        ]
        return np.asarray(self.final * sum(terms[1:], start=terms[0]))


def log_softmax(logits: Floats) -> Floats:
    """Log-probabilities along the last axis."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


def fit_fusion(logits: Sequence[Floats], targets: Sequence[int]) -> Fusion:
    """Weights and temperatures under which right classes are most likely; equal weights without rows.

    Args:
        logits: of each member, (n, classes).
        targets: (n,) class numbers.
    """
    count = len(logits)
    if not len(targets):
        return Fusion((1 / count,) * count, (1.0,) * count)
    # evenly over the rows, which stand in order of id: the same ones every time
    some = np.unique(np.linspace(0, len(targets) - 1, min(len(targets), MOST_ROWS)).astype(np.int64))
    truth = np.array(targets)[some]
    few = [member[some] for member in logits]
    temperatures = tuple(fit_temperature(member, truth) for member in few)
    if count == 1:
        return Fusion((1.0,), temperatures)
    terms = [log_softmax(t * member) for t, member in zip(temperatures, few, strict=True)]
    best = min(_simplex(count), key=lambda w: (_loss(w, terms, truth) + _caution(w, len(truth)), w))
    plain = Fusion(best, temperatures)
    return Fusion(best, temperatures, fit_temperature(plain(few), truth))


def fit_temperature(logits: Floats, targets: Sequence[int] | np.ndarray[tuple[int], np.dtype[np.int64]]) -> float:
    """The temperature (0.05 to 100) under which right classes are most likely; 1 without rows.

    A small share of each row stands for "some other class", so that rows without an error do not ask for certainty.
    """
    if not len(targets):
        return 1.0
    right = logits[np.arange(len(targets)), np.array(targets)]
    doubt = 1 / (len(targets) + 2)
    wanted = (1 - doubt) * right + doubt * logits.mean(axis=1)

    def loss(log_temperature: float) -> float:
        scaled = math.exp(log_temperature) * logits
        top = scaled.max(axis=1)
        likely = top + np.log(np.exp(scaled - top[:, None]).sum(axis=1))
        return float((likely - math.exp(log_temperature) * wanted).mean())

    low, high = math.log(0.05), math.log(100.0)
    ratio = (math.sqrt(5) - 1) / 2
    for _ in range(30):
        left, right_end = high - ratio * (high - low), low + ratio * (high - low)
        if loss(left) < loss(right_end):
            high = right_end
        else:
            low = left
    return math.exp((low + high) / 2)


def _simplex(count: int) -> list[tuple[float, ...]]:
    """Every way to share one between members in steps."""
    shares = itertools.product(range(STEPS + 1), repeat=count - 1)
    return [tuple(s / STEPS for s in (*share, STEPS - sum(share))) for share in shares if sum(share) <= STEPS]


def _caution(weights: tuple[float, ...], rows: int) -> float:
    """What it costs to listen to few: as if some rows spoke for equal weights; rows without an error decide little."""
    return -PRIOR_ROWS / rows * sum(math.log(max(w, 0.01)) for w in weights) / len(weights)


def _loss(
    weights: tuple[float, ...], terms: Sequence[Floats], truth: np.ndarray[tuple[int], np.dtype[np.int64]]
) -> float:
    mixed = sum((w * t for w, t in zip(weights[1:], terms[1:], strict=True)), start=weights[0] * terms[0])
    return -float(log_softmax(mixed)[np.arange(len(truth)), truth].mean())
