"""Has quality fallen within any stratum? An e-detector whose strata keep weekends and labelling policies apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from noria.errors import UsageError
from noria.stats.intervals import Floats, as_numbers, score_bounds

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

    def less(self, errors: float = 1.0) -> float:
        """The rate less so many standard errors (lower end of Wilson's interval at that z); 0 of nothing."""
        if not self.square:
            return 0.0
        return score_bounds(min(1.0, self.good / self.weight), self.n, errors)[0]

    def with_all(self, y: Floats, weight: Floats) -> Tally:
        """With labels (n,)."""
        good, total, square = float(weight @ y), float(weight.sum()), float(weight @ weight)
        return Tally(self.good + good, self.weight + total, self.square + square)


@dataclass(frozen=True, slots=True)
class QualityWatch:
    """All that the detector of one series must remember; `to_json` and `from_json` keep it over a restart.

    M: sum of each stake, an alarm where their mean reaches 1. reference: stratum → tally of the reference time. floors:
    stratum → a rate that is accepted in any case as reached before, so that a worse reference does not excuse a drop.
    pace: stratum → usual weight of its labels and how many it rests on. labels: how many have been held against the
    reference; spent: the part of a false alarm that they were allowed. min_labels: labels that a stratum's reference
    must be worth; until then its labels go into it and are held against nothing.

    Example:
        >>> watch = QualityWatch(min_labels=50).learn("sure", [1, 1, 1, 1, 0] * 40)
        >>> watch, alarm = watch.run(["sure"] * 60, [1, 0] * 30, spend=1 / 1000)
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
    spent: float = 0.0
    min_labels: float = 30

    @property
    def value(self) -> float:
        """What raises the alarm at 1; under no change its mean is at most `spent`."""
        return sum(self.M) / len(self.M)

    def learn(self, stratum: str, y: npt.ArrayLike, weight: npt.ArrayLike = 1.0) -> Self:
        """With labels (n,) of the reference time, all of one stratum.

        Raises:
            UsageError: outcomes not from 0 to 1, or weights not from 0 to 1.
        """
        outcomes = as_numbers("y", y, 0, 1)
        weights = as_numbers("weight", np.broadcast_to(np.asarray(weight, dtype=np.float64), outcomes.shape), 0, 1)
        new = self.reference.get(stratum, Tally()).with_all(outcomes, weights)
        pace = self.pace.get(stratum, (1.0, 0))
        for w in weights.tolist():
            pace = _follow(pace, w)
        return replace(self, reference={**self.reference, stratum: new}, pace={**self.pace, stratum: pace})

    def acceptable(self, stratum: str) -> float | None:
        """The acceptable rate of a stratum, or None while its reference is too small."""
        tally = self.reference.get(stratum, Tally())
        known = tally.less() if tally.n >= self.min_labels else None
        floor = self.floors.get(stratum)
        return known if floor is None else max(floor, known or 0.0)

    def run(
        self, strata: Sequence[str], y: npt.ArrayLike, weight: npt.ArrayLike = 1.0, *, spend: npt.ArrayLike
    ) -> tuple[Self, int | None]:
        """Takes labels in order of time up to the first alarm.

        While each stratum's mean stays at its acceptable rate or above, the mean of what is spent until a false alarm
        is at least 1, for any mix of strata and any dependence on the past. Spending 1 / A on each label makes that A
        labels; spending by the time that has passed makes it a number of years, however many labels come. Within a
        stratum a label weighs (floor of the draw ÷ its own chance); the weight is measured by the stratum's usual one,
        as earlier labels tell, so that it is about 1.

        Args:
            strata: that of each label (n,).
            y: outcomes (n,), 0 (bad) to 1 (good).
            weight: one for all or (n,), 0 to 1; 1 where a stratum is drawn evenly.
            spend: part of a false alarm that each label may cost, one for all or (n,), 0 to below 1; it may depend on
                what is known before the label.

        Returns:
            The watch after the last label taken, and the index of the label that raised the alarm, or None.

        Raises:
            UsageError: an argument is outside its limits or of another length.

        Source: Shin, Ramdas, Rinaldo, arXiv 2203.03532 (e-SR), with weights of the starting points.
        """
        outcomes = as_numbers("y", y, 0, 1)
        weights = as_numbers("weight", np.broadcast_to(np.asarray(weight, dtype=np.float64), outcomes.shape), 0, 1)
        spends = as_numbers("spend", np.broadcast_to(np.asarray(spend, dtype=np.float64), outcomes.shape), 0, 1)
        if len(strata) != len(outcomes):
            raise UsageError(f"{len(strata)} strata for {len(outcomes)} outcomes; give one for each.")
        if (spends >= 1).any():
            raise UsageError("a whole false alarm spent on one label is always in alarm; spend less, say 1 / 10000.")
        means = {name: self.acceptable(name) for name in set(strata)}
        reference, pace = dict(self.reference), dict(self.pace)
        sums, labels, spent, limit, alarm = self.M, self.labels, self.spent, float(len(self.M)), None
        rows = zip(strata, outcomes.tolist(), weights.tolist(), spends.tolist(), strict=True)
        for at, (name, outcome, w, cost) in enumerate(rows):
            mean, usual = means[name], pace.get(name, (1.0, 0))
            if mean is None:
                reference[name] = reference.get(name, Tally()).add(outcome, w)
                if reference[name].n >= self.min_labels:
                    means[name] = reference[name].less()
            else:
                labels, spent = labels + 1, spent + cost
                scale = 1 / max(usual[0], 1e-9)
                sums = _bet(sums, cost, mean, w * scale * (mean - outcome), max(1.0, scale))
            pace[name] = _follow(usual, w)
            if sum(sums) >= limit:
                alarm = at
                break
        return replace(self, M=sums, reference=reference, pace=pace, labels=labels, spent=spent), alarm

    def raised(self, reached: Mapping[str, Tally], errors: float = 2.0) -> Self:
        """Holds later labels against these tallies, too: stratum → what was reached, less so many standard errors.

        For a release: what the one before reached is the least that is acceptable, and evidence is kept. Two errors,
        since the best of many releases was lucky as well as good.
        """
        known = {name: tally.less(errors) for name, tally in reached.items() if tally.n >= self.min_labels}
        higher = {name: max(rate, self.floors.get(name, 0.0)) for name, rate in known.items()}
        return replace(self, floors={**self.floors, **higher})

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
            spent=float(state["spent"]),
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


def _bet(sums: tuple[float, ...], cost: float, mean: float, gain: float, heaviest: float) -> tuple[float, ...]:
    most = _MOST / max(heaviest * (1 - mean), 1e-9)
    return tuple([(m + cost) * (1 + min(stake, most) * gain) for m, stake in zip(sums, STAKES, strict=True)])


def _follow(pace: tuple[float, int], weight: float) -> tuple[float, int]:
    """The usual weight after one more label: a plain mean at first, then one that forgets."""
    mean, n = pace
    n = min(n + 1, _MEMORY)
    return mean + (weight - mean) / n, n
