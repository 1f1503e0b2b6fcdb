"""What every prediction tells without a label: its confidence, decision, length and words, counted by the hour."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Self

import numpy as np

from noria.monitor.watching.placing import HOUR_MS
from noria.monitor.watching.series import Floats, is_weekend
from noria.records import DECISIONS, Prediction, Stream
from noria.stats.detection.glr import SPANS, dispersions

_CONFIDENCES, _LENGTHS, _WORDS = 16, 10, 64
# Windows are as many hours as hold so many queries on average; the longest that is watched is so many windows.
WIDTHS, ENOUGH, KEPT = (1, 3, 6, 12, 24), 20, 168
_TOKEN = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Measure:
    """A mix that is watched. of: bins that a prediction counts in; level: its figure, for sentences and for the mean.

    by_release: a release changes it by its nature, so that each has a reference of its own. among: how many watches
    share the part of the family.
    """

    name: str
    stream: Stream
    words: str
    bins: int
    of: Callable[[Prediction], Sequence[int]]
    level: Callable[[Prediction], float]
    by_release: bool = False
    among: int = 1


def _length(text: str) -> float:
    return float(len(text))


@lru_cache(maxsize=50_000)
def _bucket(word: str) -> int:
    return hashlib.blake2b(word.encode("utf-8", "replace"), digest_size=2).digest()[0] % _WORDS


def _buckets(p: Prediction) -> list[int]:
    # A word counts once a query: repeating it makes no more of it.
    return [_bucket(word) for word in sorted(set(_TOKEN.findall(p.query.text.lower())))]


MEASURES = (
    Measure(
        "confidence", "confidence", "The confidence of the agent", _CONFIDENCES,
        lambda p: (min(int(p.answer.intent_confidence * _CONFIDENCES), _CONFIDENCES - 1),),
        lambda p: p.answer.intent_confidence, by_release=True,
    ),
    Measure(
        "decisions", "decisions", "The share of answers", len(DECISIONS),
        lambda p: (DECISIONS.index(p.answer.decision),), lambda p: float(p.answer.decision == "answer"),
        by_release=True,
    ),
    Measure(
        "length", "text", "The length of queries, in characters,", _LENGTHS,
        lambda p: (min(len(p.query.text).bit_length(), _LENGTHS - 1),), lambda p: _length(p.query.text), among=2,
    ),
    Measure("words", "text", "The wording of queries", _WORDS, _buckets, lambda p: _length(p.query.text), among=2),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Window:
    """Counts of an hour, or of a window. moments: number, sum and sum of squares of the level."""

    at: int
    counts: tuple[float, ...]
    moments: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Mix:
    """What a measure's detector remembers.

    began_ms: from when the reference is taken. width: hours of a window, 0 while the reference is taken. before,
    moments: of the reference, for working days and weekends. scatter: see `dispersions`. windows: single hours of the
    reference time, then the latest windows.
    """

    began_ms: int | None = None
    release: str = ""
    width: int = 0
    before: tuple[tuple[float, ...], ...] = ()
    moments: tuple[tuple[float, ...], ...] = ()
    scatter: tuple[float, ...] = (1.0,) * len(SPANS)
    windows: tuple[Window, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """Plain values, ready for JSON; windows as the bytes of one table, for there are many figures."""
        table = np.array([(w.at, *w.moments, *w.counts) for w in self.windows], dtype=np.float64)
        return {
            "began_ms": self.began_ms, "release": self.release, "width": self.width, "before": self.before,
            "moments": self.moments, "scatter": self.scatter, "n_windows": len(self.windows),
            "windows": base64.b64encode(table.tobytes()).decode("ascii"),
        }  # fmt: skip

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> Self:
        """The mix that `to_json` wrote."""
        flat = np.frombuffer(base64.b64decode(state["windows"]))
        table = flat.reshape(max(state["n_windows"], 1), -1)[: state["n_windows"]]
        windows = tuple(Window(int(at), tuple(counts), (n, s, q)) for at, n, s, q, *counts in table.tolist())
        rows = {name: tuple(tuple(row) for row in state[name]) for name in ("before", "moments")}
        told = state["scatter"]
        scatter = (float(told),) * len(SPANS) if isinstance(told, int | float) else tuple(told)  # one figure: of before
        return cls(state["began_ms"], state["release"], state["width"], **rows, scatter=scatter, windows=windows)

    def take(self, measure: Measure, predictions: Sequence[Prediction]) -> Self:
        """With later predictions in order of time; another release begins a new reference where that matters."""
        if not predictions:
            return self
        mix, taken = self, list(predictions)
        if measure.by_release and taken[-1].release != self.release:
            taken = [p for p in taken if p.release == taken[-1].release]
            mix = type(self)(release=taken[-1].release)
        began_ms = taken[0].query.time_ms // HOUR_MS * HOUR_MS if mix.began_ms is None else mix.began_ms
        known = {w.at: w for w in mix.windows}
        width = max(mix.width, 1)
        hours: dict[int, list[Prediction]] = {}
        for p in taken:
            hours.setdefault(p.query.time_ms // HOUR_MS // width, []).append(p)
        for at, own in hours.items():
            known[at] = _added(known.get(at), _window(measure, at, own))
        kept = sorted(known.values(), key=lambda w: w.at)
        return replace(mix, began_ms=began_ms, windows=tuple(kept if mix.width == 0 else kept[-KEPT:]))

    def settled(self, until_ms: int, days: int, least: int) -> Self:
        """With its reference, once that many days have passed and queries been asked."""
        if self.width or self.began_ms is None or until_ms < self.began_ms + days * 24 * HOUR_MS:
            return self
        asked = sum(w.moments[0] for w in self.windows)
        if asked < least:
            return self
        hours = (until_ms - self.began_ms) / HOUR_MS
        width = next((w for w in WIDTHS if asked / hours * w >= ENOUGH), WIDTHS[-1])
        joined: dict[int, Window] = {}
        for w in self.windows:
            joined[w.at // width] = _added(joined.get(w.at // width), replace(w, at=w.at // width))
        mix = replace(self, width=width, windows=tuple(joined[at] for at in sorted(joined)))
        cells = mix.cells(mix.windows)
        ends = mix.weekends(mix.windows)
        rows = np.array([w.moments for w in mix.windows])
        before = tuple(tuple(row) for row in cells.sum(axis=0).tolist())
        moments = tuple(tuple(rows[ends == end].sum(axis=0).tolist()) for end in (False, True))
        return replace(mix, before=before, moments=moments, scatter=dispersions(cells), windows=())

    def weekends(self, windows: Sequence[Window]) -> np.ndarray:
        """Whether each window lies on a weekend."""
        at = np.array([w.at for w in windows], dtype=np.int64) * max(self.width, 1) * HOUR_MS
        return is_weekend(at)

    def cells(self, windows: Sequence[Window]) -> Floats:
        """Counts (windows, kinds of day, bins)."""
        ends = self.weekends(windows)
        out = np.zeros((len(windows), 2, len(windows[0].counts)))
        out[np.arange(len(windows)), ends.astype(np.int64)] = [w.counts for w in windows]
        return out


def _window(measure: Measure, at: int, predictions: Sequence[Prediction]) -> Window:
    level = np.array([measure.level(p) for p in predictions])
    bins = np.array([b for p in predictions for b in measure.of(p)], dtype=np.int64)
    counts = np.bincount(bins, minlength=measure.bins).astype(float)
    return Window(at, tuple(counts.tolist()), (float(len(level)), float(level.sum()), float(level @ level)))


def _added(one: Window | None, two: Window) -> Window:
    if one is None:
        return two
    counts = tuple(a + b for a, b in zip(one.counts, two.counts, strict=True))
    n, total, square = (a + b for a, b in zip(one.moments, two.moments, strict=True))
    return Window(two.at, counts, (n, total, square))
