"""A detector's life between turns: it takes a reference, holds labels against it, and meets releases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, Self

import numpy as np

from noria.monitor.watching.series import Floats, Rows, Whole
from noria.records import DAY_MS
from noria.stats.detection import QualityWatch, bands
from noria.stats.detection.stratified import Tally

YEAR_MS = 365 * DAY_MS
# A whole false alarm is never spent on one label.
_MOST = 0.5
Kind = Literal["within", "across"]


@dataclass(frozen=True, slots=True)
class Reference:
    """From how much a reference is taken: days from its beginning, and labels at least."""

    days: int
    labels: int


@dataclass(frozen=True, slots=True)
class Lane:
    """One detector of a series.

    kind: "within" takes a new reference with every release, in bands of confidence; "across" keeps evidence over
    releases and holds each against what the one before reached. began_ms: time of the query from which the reference
    is taken; None = that of the next label. epoch: release it stands at. lately: stratum → outcomes since the release.
    last_ms: when the last label became known.
    """

    kind: Kind
    began_ms: int | None = None
    epoch: int = 0
    edges: tuple[float, ...] = ()
    watch: QualityWatch | None = None
    lately: Mapping[str, Tally] = field(default_factory=dict)
    last_ms: int | None = None

    def advance(self, rows: Rows, start: int, per_year: float, wanted: Reference) -> tuple[Self, int | None]:
        """Takes the rows from `start` on, up to the first alarm; those before are history, to take references from.

        Spends `per_year` false alarms a year, by the time between labels.
        """
        lane, at, n = self, start, len(rows)
        while at < n:
            if int(rows.epoch[at]) > lane.epoch:
                lane = lane.released(int(rows.epoch[at]), int(rows.query_ms[at]))
            later = np.flatnonzero(rows.epoch[at:] > lane.epoch)
            end = at + int(later[0]) if len(later) else n
            if lane.watch is None:
                lane, at = lane.learn(rows, at, end, wanted)
            if at < end and lane.watch is not None:
                lane, alarm = lane.run(rows, at, end, per_year)
                if alarm is not None:
                    return lane, alarm
            at = end
        return lane, None

    def after(self, inception_ms: int, epoch: int) -> Self:
        """From the beginning again: its reference is what has been since the change that was just told."""
        return type(self)(self.kind, inception_ms, epoch)

    def to_json(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> Self:
        """The lane that `to_json` wrote."""
        return cls(
            kind=state["kind"],
            began_ms=state["began_ms"],
            epoch=int(state["epoch"]),
            edges=tuple(state["edges"]),
            watch=QualityWatch.from_json(state["watch"]) if state["watch"] else None,
            lately={name: Tally(**tally) for name, tally in state["lately"].items()},
            last_ms=state["last_ms"],
        )

    def released(self, epoch: int, query_ms: int) -> Self:
        """At a later release, whose first labelled query was asked at `query_ms`."""
        if self.kind == "within":
            return type(self)("within", query_ms, epoch, last_ms=self.last_ms)
        if self.watch is None:
            return replace(self, epoch=epoch)
        return replace(self, epoch=epoch, watch=self.watch.raised(self.lately), lately={})

    def learn(self, rows: Rows, at: int, end: int, wanted: Reference) -> tuple[Self, int]:
        """The lane with its reference where there is enough by now, and the first row to be held against it."""
        began_ms = int(rows.query_ms[at]) if self.began_ms is None else self.began_ms
        own = rows.query_ms[:end] >= began_ms
        if self.kind == "within":
            own &= rows.epoch[:end] == self.epoch
        before: Whole = np.cumsum(own) - own
        ready = (before >= wanted.labels) & (rows.query_ms[:end] >= began_ms + wanted.days * DAY_MS)
        found = np.flatnonzero(ready[at:])
        lane = replace(self, began_ms=began_ms, last_ms=int(rows.label_ms[end - 1]))
        if len(found) == 0:
            return lane, end
        first = at + int(found[0])
        known = rows.take(np.append(own[:first], np.zeros(len(rows) - first, dtype=bool)))
        edges = tuple(bands(known.confidence, known.weekend)) if self.kind == "within" else ()
        watch, strata = QualityWatch(), _strata(known, edges)
        for name in dict.fromkeys(strata):
            here = np.array([s == name for s in strata])
            watch = watch.learn(name, known.good[here], known.weight[here])
        last_ms = int(rows.label_ms[first - 1]) if first else int(rows.label_ms[first])
        return replace(lane, edges=edges, watch=watch, lately=_tallied({}, known, strata), last_ms=last_ms), first

    def run(self, rows: Rows, at: int, end: int, per_year: float) -> tuple[Self, int | None]:
        """Holds rows `at` to `end` of this release against the reference."""
        here = np.arange(at, end)
        if self.kind == "within":
            here = here[rows.epoch[at:end] == self.epoch]
        if len(here) == 0 or self.watch is None:
            return self, None
        part = rows.take(np.isin(np.arange(len(rows)), here))
        last_ms = int(part.label_ms[0]) if self.last_ms is None else self.last_ms
        passed = np.maximum(np.diff(np.maximum.accumulate(part.label_ms), prepend=last_ms), 0)
        strata = _strata(part, self.edges)
        spend: Floats = np.minimum(passed / YEAR_MS * per_year, _MOST)
        watch, alarm = self.watch.run(strata, part.good, part.weight, spend=spend)
        taken = len(part) if alarm is None else alarm + 1
        lately = _tallied(self.lately, part.take(slice(taken)), strata[:taken])
        lane = replace(self, watch=watch, lately=lately, last_ms=max(last_ms, int(part.label_ms[taken - 1])))
        return lane, None if alarm is None else int(here[alarm])


def _strata(rows: Rows, edges: tuple[float, ...]) -> list[str]:
    band = np.searchsorted(np.array(edges), rows.confidence, side="right")
    return [f"{b}{'we' if end else 'wd'}" for b, end in zip(band.tolist(), rows.weekend.tolist(), strict=True)]


def _tallied(before: Mapping[str, Tally], rows: Rows, strata: list[str]) -> dict[str, Tally]:
    out = dict(before)
    names = np.array(strata)
    for name in dict.fromkeys(strata):
        here = names == name
        out[name] = out.get(name, Tally()).with_all(rows.good[here], rows.weight[here])
    return out
