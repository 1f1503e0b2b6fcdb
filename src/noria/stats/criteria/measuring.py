"""Measures every criterion of the catalogue on what was observed, with intervals."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from noria.errors import UsageError
from noria.stats.criteria.catalogue import CATALOGUE, criterion
from noria.stats.criteria.criterion import Criterion
from noria.stats.criteria.observed import Observed
from noria.stats.criteria.sample import Sample
from noria.stats.criteria.view import Floats, View
from noria.stats.intervals import wilson

LEVEL = 0.95
LEAST_ROWS = 2
"""Fewer rows are not drawn from again: all replicates would be equal."""
_AT_ONCE = 50
"""Replicates that are computed together: few enough to stay near the processor, which halves the time."""
_NEEDED = {
    "probabilities": "the probabilities of all intents",
    "rankings": "rankings of articles",
    "relevant": "right articles",
    "popularity": "how often each article was right before",
    "articles": "the number of articles",
    "domains": "the domain of each row",
    "accounts": "the account of each row",
    "languages": "the language of each row",
    "texts": "the texts",
    "train_counts": "training rows of each intent",
    "scope_p": "scope p-values",
    "choices": "the choices offered",
    "seeds": "predictions by another seed",
    "latencies_ms": "timed answers",
}


@dataclass(frozen=True, slots=True)
class Measurement:
    """What was measured on `rows` rows; every criterion asked for is in `values` or in `missing`.

    `values`: id → finite figure. `intervals`: id → (low, high) at 95 %, of those that have one. `missing`: id → what
    it needs, in words.
    """

    rows: int
    values: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    missing: Mapping[str, str]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "rows": self.rows,
            "values": dict(self.values),
            "intervals": {name: list(ends) for name, ends in self.intervals.items()},
            "missing": dict(self.missing),
        }

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Measurement:
        """What `to_dict` gave."""
        intervals = {name: (float(low), float(high)) for name, (low, high) in told["intervals"].items()}
        return cls(int(told["rows"]), dict(told["values"]), intervals, dict(told["missing"]))


def measure(
    observed: Observed, only: Collection[str] | None = None, *, replicates: int = 200, seed: int = 0
) -> Measurement:
    """Every criterion that the observed columns can tell.

    Intervals of shares are Wilson's; the others are the percentiles of `replicates` bootstrap samples of the rows,
    moved by the bootstrap's estimate of the bias, so that a figure that is biased on resampled rows (a calibration
    error, the worst of many classes) still lies in its interval. Figures of time and size have none.

    Args:
        observed: labelled rows.
        only: ids; None = all.
        replicates: 0 = no bootstrap intervals.
        seed: of the bootstrap.

    Raises:
        NotFound: an unknown id. UsageError: fewer than 0 replicates.

    Source: Efron, Tibshirani (1993), chapters 10 and 13.

    Example:
        >>> seen = Observed(truth=["vpn", "vpn", "oos"], predicted=["vpn", "wifi", "vpn"], confidence=[0.9, 0.6, 0.2],
        ...     scope_score=[2.0, 1.0, -1.0], decision=["answer", "answer", "handoff"], in_scope=[True, True, False])
        >>> measure(seen, ["decision.preciseness", "ranking.mrr"]).values
        {'decision.preciseness': 0.5}
        >>> measure(seen, ["ranking.mrr"]).missing
        {'ranking.mrr': 'not measurable: needs rankings of articles'}
    """
    if replicates < 0:
        raise UsageError(f"{replicates} replicates make no sense; give 200, or 0 for no bootstrap intervals.")
    chosen = list(CATALOGUE.values()) if only is None else [criterion(name) for name in only]
    view = View(observed)
    point = Sample(view, np.ones((1, view.n)))
    drawn: list[Sample] = []
    if replicates and view.n >= LEAST_ROWS:
        weights = _draws(view.n, replicates, seed)
        drawn = [Sample(view, weights[i : i + _AT_ONCE]) for i in range(0, replicates, _AT_ONCE)]
    values: dict[str, float] = {}
    intervals: dict[str, tuple[float, float]] = {}
    missing: dict[str, str] = {}
    for one in chosen:
        lacking = [need for need in one.needs if not _has(observed, need)]
        if lacking:
            missing[one.id] = f"not measurable: needs {_words(lacking[0])}"
            continue
        value, ends = _measured(one, view, point, drawn)
        if not math.isfinite(value):
            missing[one.id] = f"not measurable: needs {one.lacks}"
            continue
        values[one.id] = value
        if ends is not None:
            intervals[one.id] = ends
    return Measurement(view.n, values, intervals, missing)


def _measured(
    one: Criterion, view: View, point: Sample, drawn: Sequence[Sample]
) -> tuple[float, tuple[float, float] | None]:
    if one.share is not None:
        counts, of = one.share
        rows = of(view)
        rate = wilson(int((counts(view) & rows).sum()), int(rows.sum()), LEVEL)
        return rate.value, (rate.low, rate.high)
    if one.plain is not None:
        return one.plain(view), None
    if one.weighted is None:
        raise UsageError(f"the criterion {one.id!r} has no way to be computed.")
    value = _within(float(one.weighted(point)[0]), one)
    if not drawn or not math.isfinite(value):
        return value, None
    replicates = np.concatenate([one.weighted(some) for some in drawn])
    return value, _interval(value, replicates[np.isfinite(replicates)], one)


def _interval(value: float, replicates: Floats, one: Criterion) -> tuple[float, float] | None:
    """Percentiles less the bias; None where hardly a replicate has a value."""
    if len(replicates) < 20:
        return None
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(replicates, [tail, 1 - tail]) - (float(replicates.mean()) - value)
    return min(value, _within(float(low), one)), max(value, _within(float(high), one))


def _within(value: float, one: Criterion) -> float:
    """A rounding error beyond a bound is taken back."""
    return value if math.isnan(value) else min(max(value, one.low), one.high)


def _draws(n: int, replicates: int, seed: int) -> Floats:
    """How often (B, n) each row was drawn, n draws with replacement in each replicate."""
    rng = np.random.default_rng(seed)
    drawn = rng.integers(n, size=(replicates, n)) + n * np.arange(replicates)[:, None]
    return np.bincount(drawn.ravel(), minlength=n * replicates).reshape(replicates, n).astype(np.float64)


def _has(observed: Observed, need: str) -> bool:
    name, _, key = need.partition(".")
    found = getattr(observed, name)
    if key:
        return key in found and (name != "perturbed" or len(found[key].rows) > 0)
    if name == "seeds":
        return bool(found)
    if name in {"domains", "accounts", "languages"}:
        return found is not None and any(found)
    return found is not None


def _words(need: str) -> str:
    name, _, key = need.partition(".")
    if name == "perturbed":
        return f"answers to texts changed by {key!r}"
    if name == "efficiency":
        return f"the figure {key!r}"
    return _NEEDED[name]
