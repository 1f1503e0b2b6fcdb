"""From the traffic and the labels of some hours to their windows, for all traffic and every slice."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from noria.monitor.quality import METRICS, outcomes
from noria.monitor.windows.layout import (
    COUNTS,
    EDGES,
    EVERY,
    KINDS,
    TOTALS,
    WIDTHS,
    Floats,
    Keys,
    Windows,
    group,
)
from noria.records import DECISIONS, FEEDBACK_KINDS, HOUR_MS, Judged
from noria.stats.mergeable import bin_of, rate_sums

ERASED = "[erased]"
_WORD = re.compile(r"\w+")
Vocabulary = Callable[[str], frozenset[str]]
"""Release → the words of its training examples; none where they are not known."""


class Columns(Protocol):
    """Traffic as columns (see `noria.stores.journal.watching.columns`)."""

    @property
    def prediction_id(self) -> Sequence[str]: ...
    @property
    def time_ms(self) -> Sequence[int]: ...
    @property
    def account(self) -> Sequence[str]: ...
    @property
    def intent(self) -> Sequence[str]: ...
    @property
    def channel(self) -> Sequence[str]: ...
    @property
    def language(self) -> Sequence[str]: ...
    @property
    def release(self) -> Sequence[str]: ...
    @property
    def decision(self) -> Sequence[str]: ...
    @property
    def intent_confidence(self) -> Sequence[float | None]: ...
    @property
    def scope_score(self) -> Sequence[float | None]: ...
    @property
    def latency_ms(self) -> Sequence[float | None]: ...
    @property
    def text(self) -> Sequence[str]: ...
    @property
    def said(self) -> Mapping[str, frozenset[str]]: ...


@dataclass(frozen=True, slots=True)
class _Rows:
    """One row for each prediction or label: hour, the slices it belongs to, its figures (n, width)."""

    start_ms: npt.NDArray[np.int64]
    account: npt.NDArray[np.object_]
    slices: Mapping[str, npt.NDArray[np.object_]]
    figures: Mapping[str, Floats]


def hourly(
    columns: Columns,
    judged: Sequence[Judged],
    vocabulary: Vocabulary,
    vectors: Mapping[int, tuple[int, Floats]],
) -> Windows:
    """The windows of single hours.

    Args:
        columns: the predictions of whole hours, with the feedback on them.
        judged: settled labels of the same hours; those drawn to explore do not count.
        vocabulary: words of a release's training examples.
        vectors: hour (start) → number of vectors of its texts and their sum, kept with all traffic's window.
    """
    asked = _asked(columns, vocabulary)
    drawn = [j for j in judged if j.task.purpose == "estimate"]
    told = _told(drawn, {p: i for i, p in enumerate(columns.prediction_id)}, asked)
    parts = [view for rows in (asked, told) if len(rows.start_ms) for view in _views(rows)]
    if not parts:
        none = np.zeros(0, dtype=object)
        keys = Keys(np.zeros(0, np.int64), np.zeros(0, np.int64), none, none, none)
        return Windows(keys, {name: np.zeros((0, width)) for name, width in WIDTHS.items()}, {})
    keys = Keys(
        *(np.concatenate([getattr(part, name) for part, _ in parts]) for name in ("level", "start_ms")),
        *(np.concatenate([getattr(part, name) for part, _ in parts]) for name in ("account", "kind", "value")),
    )
    figures = {name: np.concatenate([held[name] for _, held in parts]) for name in WIDTHS}
    made = group(keys, figures, {})
    totals = np.flatnonzero((made.keys.account == EVERY) & (made.keys.kind == "all"))
    placed = {int(made.keys.start_ms[i]): int(i) for i in totals}
    return Windows(made.keys, made.columns, {placed[h]: held for h, held in vectors.items() if h in placed})


def _views(rows: _Rows) -> Iterator[tuple[Keys, Mapping[str, Floats]]]:
    """The rows once for every slice they belong to, of their account and of all accounts."""
    n = len(rows.start_ms)
    every = np.full(n, EVERY, dtype=object)
    for account in (every, rows.account):
        for kind in KINDS:
            value = rows.slices[kind]
            known = np.array([v is not None for v in value], dtype=bool)
            keys = Keys(np.ones(n, np.int64), rows.start_ms, account, np.full(n, kind, dtype=object), value)
            yield keys.where(known), {name: held[known] for name, held in rows.figures.items()}


def _asked(columns: Columns, vocabulary: Vocabulary) -> _Rows:
    n = len(columns.prediction_id)
    confidence, scope, latency = (
        np.array([np.nan if v is None else v for v in values], dtype=np.float64)
        for values in (columns.intent_confidence, columns.scope_score, columns.latency_ms)
    )
    texts = np.array([t != ERASED for t in columns.text], dtype=bool)
    length = np.where(texts, np.array([len(t) for t in columns.text], dtype=np.float64), np.nan)
    unseen = np.where(texts, _unseen(columns, vocabulary), np.nan)
    with np.errstate(over="ignore"):
        squashed = 1 / (1 + np.exp(-scope))
    said = [columns.said.get(p, frozenset()) for p in columns.prediction_id]
    counts = {"predictions": np.ones(n), "texts": texts, "labels": np.zeros(n)}
    counts |= {d: np.array([v == d for v in columns.decision], dtype=np.float64) for d in DECISIONS}
    counts |= {kind: np.array([kind in kinds for kinds in said], dtype=np.float64) for kind in FEEDBACK_KINDS}
    sums = zip(TOTALS, (confidence, latency, length, unseen), strict=True)
    binned = zip(EDGES, (confidence, squashed, latency, length, unseen), strict=True)
    figures = {name: counts[name].astype(np.float64).reshape(-1, 1) for name in COUNTS}
    figures |= {name: np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0).reshape(-1, 1) for name, values in sums}
    figures |= {name: _one_hot(bin_of(values, EDGES[name]), len(EDGES[name]) + 1) for name, values in binned}
    figures |= {metric: np.zeros((n, WIDTHS[metric])) for metric in METRICS}
    slices = {kind: np.array(getattr(columns, kind), dtype=object) for kind in KINDS[1:]}
    slices["all"] = np.full(n, "", dtype=object)
    times = np.array(columns.time_ms, dtype=np.int64)
    return _Rows(times // HOUR_MS * HOUR_MS, np.array(columns.account, dtype=object), slices, figures)


def _told(drawn: Sequence[Judged], place: Mapping[str, int], asked: _Rows) -> _Rows:
    """Labels as rows; a label whose prediction is not there counts where its task says enough."""
    n = len(drawn)
    at = [place.get(j.task.prediction_id) for j in drawn]
    own = {
        "all": [""] * n,
        "intent": [j.task.predicted_intent for j in drawn],
        "channel": [None if i is None else asked.slices["channel"][i] for i in at],
        "language": [None if i is None else asked.slices["language"][i] for i in at],
        "release": [j.task.release for j in drawn],
    }
    figures = {name: np.zeros((n, width)) for name, width in WIDTHS.items()}
    figures["labels"][:] = 1
    chance = np.array([j.task.inclusion_probability for j in drawn], dtype=np.float64)
    for metric, results in outcomes(drawn).items():
        counts = np.array([r is not None for r in results], dtype=bool)
        good = np.array([r is True for r in results], dtype=np.float64)
        figures[metric] = rate_sums(good, chance) * counts[:, None] if n else figures[metric]
    times = np.array([j.task.query_time_ms for j in drawn], dtype=np.int64)
    accounts = np.array([j.task.account for j in drawn], dtype=object)
    slices = {kind: np.array(values, dtype=object) for kind, values in own.items()}
    return _Rows(times // HOUR_MS * HOUR_MS, accounts, slices, figures)


def _unseen(columns: Columns, vocabulary: Vocabulary) -> Floats:
    """Share of each text's words that the examples of its release lack; 0 without words, NaN without examples."""
    known = {release: vocabulary(release) for release in dict.fromkeys(columns.release)}
    shares = np.zeros(len(columns.text))
    for i, (text, release) in enumerate(zip(columns.text, columns.release, strict=True)):
        words = _WORD.findall(text.lower())
        if not known[release]:
            shares[i] = np.nan
        elif words:
            shares[i] = sum(word not in known[release] for word in words) / len(words)
    return shares


def words_of(texts: Sequence[str]) -> frozenset[str]:
    """Every word of some texts, in lower case."""
    return frozenset(word for text in texts for word in _WORD.findall(text.lower()))


def _one_hot(bins: npt.NDArray[np.int64], width: int) -> Floats:
    made = np.zeros((len(bins), width))
    held = np.flatnonzero(bins >= 0)
    made[held, bins[held]] = 1
    return made
