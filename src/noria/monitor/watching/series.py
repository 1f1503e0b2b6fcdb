"""The watched series of labelled outcomes: two metrics of all traffic, and success of each account and intent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from noria.records import DAY_MS, Judged
from noria.stats.design import read_floor

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
# 1970 began on a Thursday.
_FIRST_WEEKDAY = 3


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Outcomes (n,) in the order in which they became known: 1 = good.

    weight: the floor of the draw ÷ the label's own chance, 0 to 1: labels drawn for their uncertainty would else lower
    every rate the day such a draw begins. epoch: releases that went live before the query.
    """

    label_ms: Whole
    query_ms: Whole
    good: Floats
    weight: Floats
    confidence: Floats
    weekend: Flags
    epoch: Whole

    def __len__(self) -> int:
        return len(self.good)

    def take(self, which: Flags | slice) -> Rows:
        """Some of them."""
        return Rows(*(getattr(self, field.name)[which] for field in fields(Rows)))


@dataclass(frozen=True, slots=True)
class Series:
    """What is watched. `words` says how the metric is worded in a sentence; slice "" = all traffic; start: new rows."""

    metric: str
    slice: str
    words: str
    rows: Rows
    start: int = 0

    @property
    def name(self) -> str:
        return f"{self.metric}|{self.slice}"

    @property
    def family(self) -> str:
        """What shares one part of the budget: a metric of all traffic, or all slices of a kind."""
        return self.slice.split("=")[0] or self.metric


def in_order(judged: Sequence[Judged]) -> list[Judged]:
    """Labels that are evidence (drawn to estimate), in the order in which they became known."""
    return sorted((j for j in judged if j.task.purpose == "estimate"), key=when)


def when(judged: Judged) -> tuple[int, str]:
    """The place of a label in that order."""
    return judged.label.time_ms, judged.task.task_id


def series_of(ordered: Sequence[Judged], releases_ms: Sequence[int], seen: tuple[int, str]) -> list[Series]:
    """Every watched series of labels in order; those up to the place `seen` are history."""
    inside = [j for j in ordered if j.label.relevance == "in_scope"]
    legit = [j for j in ordered if j.label.relevance in ("in_scope", "new_domain")]
    right = "Success on in-scope queries"
    parts: dict[str, list[Judged]] = defaultdict(list)
    for j in inside:
        parts[f"account={j.task.account}"].append(j)
        if j.label.intent:
            parts[f"intent={j.label.intent}"].append(j)
    if sum(name.startswith("account=") for name in parts) == 1:
        parts = {name: items for name, items in parts.items() if not name.startswith("account=")}
    known = np.array(sorted(releases_ms), dtype=np.int64)

    def series(metric: str, part: str, words: str, items: Sequence[Judged]) -> Series:
        good = [j.right if metric == "success" else j.label.relevance == "in_scope" for j in items]
        start = sum(when(j) <= seen for j in items)
        return Series(metric, part, words, _rows(items, good, known), start)

    return [
        series("success", "", right, inside),
        series("new_domain", "", "The share of requests inside the scope", legit),
        *(series("success", name, f"{right} with {name.replace('=', ' ')}", parts[name]) for name in sorted(parts)),
    ]


def is_weekend(time_ms: Whole) -> Flags:
    """Whether each time (n,) lies on a Saturday or Sunday, UTC."""
    out: Flags = (time_ms // DAY_MS + _FIRST_WEEKDAY) % 7 >= 5
    return out


def _rows(items: Sequence[Judged], good: Sequence[bool], releases_ms: Whole) -> Rows:
    query_ms = np.array([j.task.query_time_ms for j in items], dtype=np.int64)
    weight = [(read_floor(j.task.design) or j.task.inclusion_probability) / j.task.inclusion_probability for j in items]
    return Rows(
        label_ms=np.array([j.label.time_ms for j in items], dtype=np.int64),
        query_ms=query_ms,
        good=np.array(good, dtype=np.float64),
        weight=np.minimum(np.array(weight, dtype=np.float64), 1.0),
        confidence=np.array([j.task.confidence for j in items], dtype=np.float64),
        weekend=is_weekend(query_ms),
        epoch=np.searchsorted(releases_ms, query_ms, side="right").astype(np.int64),
    )
