"""Has quality fallen within any stratum? An e-detector whose strata keep weekends and labelling policies apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from noria.errors import UsageError
from noria.stats.detection.esr import baseline
from noria.stats.intervals import as_numbers

# Stakes for small to large drops: the best one for a shift of the log odds by d is about d.
STAKES = (0.1, 0.2, 0.4, 0.8, 1.6)
# The part of a sum that one label may take at most.
_MOST = 0.95
# Labels over which the usual weight of a stratum is followed.
_MEMORY = 100


@dataclass(frozen=True, slots=True)
class Tally:
    """Weighted outcomes of a stratum in the reference time. good: sum of weight × outcome; square: of weight²."""

    good: float = 0.0
    weight: float = 0.0
    square: float = 0.0

    def add(self, y: float, weight: float) -> Tally:
        """With one more label."""
        return Tally(self.good + weight * y, self.weight + weight, self.square + weight * weight)

    @property
    def n(self) -> float:
        """How many labels of equal weight it is worth (Kish)."""
        return self.weight**2 / self.square if self.square else 0.0

    @property
    def acceptable(self) -> float:
        """The rate less one standard error, as `baseline`; 0 of nothing."""
        if not self.square:
            return 0.0
        return baseline(self.n * min(1.0, self.good / self.weight), self.n)


@dataclass(frozen=True, slots=True)
class QualityWatch:
    """All that the detector of one series must remember; `to_json` and `from_json` keep it over a restart.

    M: sum of each stake. reference: stratum → tally of the reference time. floors: stratum → a rate that is accepted in
    any case as reached before, so that a worse reference does not excuse a drop. pace: stratum → usual weight of its
    labels and how many it rests on. labels: how many have been held against the reference. min_labels: labels that a
    stratum's reference must be worth; until then its labels go into it and are held against nothing.

    Example:
        >>> watch = QualityWatch(min_labels=50).learn("sure", [1, 1, 1, 1, 0] * 40)
        >>> watch, alarm = watch.run(["sure"] * 60, [1, 0] * 30, run_length=1000)
        >>> alarm, watch.labels
        (35, 36)
        >>> QualityWatch.from_json(watch.to_json()) == watch
        True
    """

    M: tuple[float, ...] = (0.0,) * len(STAKES)
    reference: Mapping[str, Tally] = field(default_factory=dict)
    floors: Mapping[str, float] = field(default_factory=dict)
    pace: Mapping[str, tuple[float, int]] = field(default_factory=dict)
    labels: int = 0
    min_labels: float = 30

    @property
    def value(self) -> float:
        """What is held against the run length; under no change its mean is at most `labels`."""
        return sum(self.M) / len(self.M)

    def learn(self, stratum: str, y: npt.ArrayLike, weight: npt.ArrayLike = 1.0) -> Self:
        """With labels (n,) of the reference time, all of one stratum.

        Raises:
            UsageError: outcomes not from 0 to 1, or weights not from 0 to 1.
        """
        outcomes = as_numbers("y", y, 0, 1)
        weights = as_numbers("weight", np.broadcast_to(np.asarray(weight, dtype=np.float64), outcomes.shape), 0, 1)
        old = self.reference.get(stratum, Tally())
        new = Tally(
            old.good + float(weights @ outcomes),
            old.weight + float(weights.sum()),
            old.square + float(weights @ weights),
        )
        pace = self.pace.get(stratum, (1.0, 0))
        for w in weights.tolist():
            pace = _follow(pace, w)
        return replace(self, reference={**self.reference, stratum: new}, pace={**self.pace, stratum: pace})

    def acceptable(self, stratum: str) -> float | None:
        """The acceptable rate of a stratum, or None while its reference is too small."""
        tally = self.reference.get(stratum, Tally())
        known = tally.acceptable if tally.n >= self.min_labels else None
        floor = self.floors.get(stratum)
        return known if floor is None else max(floor, known or 0.0)

    def run(
        self, strata: Sequence[str], y: npt.ArrayLike, weight: npt.ArrayLike = 1.0, *, run_length: float
    ) -> tuple[Self, int | None]:
        """Takes labels in order of time up to the first alarm.

        While each stratum's mean stays at its acceptable rate or above, E[labels to a false alarm] >= run_length, for
        any mix of strata and any dependence on the past. Within a stratum a label weighs (floor of the draw ÷ its own
        chance); the weight is measured by the stratum's usual one, as earlier labels tell, so that it is about 1.

        Args:
            strata: that of each label (n,).
            y: outcomes (n,), 0 (bad) to 1 (good).
            weight: one for all or (n,), 0 to 1; 1 where a stratum is drawn evenly.
            run_length: wanted labels to a false alarm, above 1.

        Returns:
            The watch after the last label taken, and the index of the label that raised the alarm, or None.

        Raises:
            UsageError: an argument is outside its limits or of another length.

        Source: Shin, Ramdas, Rinaldo, arXiv 2203.03532 (e-SR).
        """
        outcomes = as_numbers("y", y, 0, 1)
        weights = as_numbers("weight", np.broadcast_to(np.asarray(weight, dtype=np.float64), outcomes.shape), 0, 1)
        if len(strata) != len(outcomes):
            raise UsageError(f"{len(strata)} strata for {len(outcomes)} outcomes; give one for each.")
        if not run_length > 1:
            raise UsageError(f"a run length of {run_length} labels is always in alarm; give one above 1, say 10000.")
        means = {name: self.acceptable(name) for name in set(strata)}
        reference, pace = dict(self.reference), dict(self.pace)
        sums, labels, limit, alarm = self.M, self.labels, run_length * len(self.M), None
        for at, (name, outcome, w) in enumerate(zip(strata, outcomes.tolist(), weights.tolist(), strict=True)):
            mean, usual = means[name], pace.get(name, (1.0, 0))
            if mean is None:
                reference[name] = reference.get(name, Tally()).add(outcome, w)
                if reference[name].n >= self.min_labels:
                    means[name] = reference[name].acceptable
            else:
                labels += 1
                scale = 1 / max(usual[0], 1e-9)
                sums = _bet(sums, mean, outcome, w * scale, max(1.0, scale))
            pace[name] = _follow(usual, w)
            if sum(sums) >= limit:
                alarm = at
                break
        return replace(self, M=sums, reference=reference, pace=pace, labels=labels), alarm

    def anew(self) -> Self:
        """Nothing held against anything yet: for after an alarm or a release. The highest rates are kept as floors."""
        known = {name: rate for name in self.reference if (rate := self.acceptable(name)) is not None}
        return replace(self, M=(0.0,) * len(self.M), reference={}, floors={**self.floors, **known}, labels=0)

    def to_json(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> Self:
        """The watch that `to_json` wrote."""
        return cls(
            M=tuple(state["M"]),
            reference={name: Tally(**tally) for name, tally in state["reference"].items()},
            floors=dict(state["floors"]),
            pace={name: (float(mean), int(n)) for name, (mean, n) in state["pace"].items()},
            labels=int(state["labels"]),
            min_labels=float(state["min_labels"]),
        )


def bands(confidence: npt.ArrayLike, weekend: npt.ArrayLike, *, most: int = 4, min_labels: int = 100) -> list[float]:
    """Edges between bands of confidence, as many as the labels of the reference time can carry; [] = one band.

    Bands hold equally many labels; each has at least `min_labels` on weekends and on working days.

    Args:
        confidence: (n,) of the labels of the reference time.
        weekend: (n,) whether each was asked on a weekend.
        most: bands at most.
        min_labels: in each band, of either kind of day.

    Example:
        >>> bands([0.1, 0.2, 0.8, 0.9] * 2, [False] * 4 + [True] * 4, min_labels=2)
        [0.5]
    """
    known, ends = np.asarray(confidence, dtype=np.float64), np.asarray(weekend, dtype=bool)
    for count in range(most, 1, -1):
        edges = np.unique(np.quantile(known, np.arange(1, count) / count)) if len(known) else np.zeros(0)
        band = np.searchsorted(edges, known, side="right")
        size = np.bincount(2 * band + ends, minlength=2 * (len(edges) + 1))
        if len(edges) and size.min() >= min_labels:
            return [float(edge) for edge in edges]
    return []


def _bet(sums: tuple[float, ...], mean: float, outcome: float, weight: float, heaviest: float) -> tuple[float, ...]:
    gain, most = weight * (mean - outcome), _MOST / max(heaviest * (1 - mean), 1e-9)
    return tuple([(m + 1) * (1 + min(stake, most) * gain) for m, stake in zip(sums, STAKES, strict=True)])


def _follow(pace: tuple[float, int], weight: float) -> tuple[float, int]:
    """The usual weight after one more label: a plain mean at first, then one that forgets."""
    mean, n = pace
    n = min(n + 1, _MEMORY)
    return mean + (weight - mean) / n, n
