"""Reads windows: of any span, slice by slice or as a series, each figure with its interval and count."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from noria.errors import NotFound
from noria.monitor.quality import METRICS
from noria.monitor.windows.keeping import KIND
from noria.monitor.windows.ladder import SHORT, cover, tables_between
from noria.monitor.windows.layout import EDGES, EVERY, KEYS, WIDTHS, Floats, Windows, from_table, schema
from noria.records import DECISIONS, FEEDBACK_KINDS, HOUR_MS, Rate
from noria.stats import Estimate, wilson
from noria.stats.mergeable import quantile, rate_from_sums

if TYPE_CHECKING:
    from noria.stores import Stores


@dataclass(frozen=True, slots=True)
class Measures:
    """What is known of a slice in a span: figures with counts, NaN where there is nothing to tell.

    metrics: production metric → estimate from labels. users: helpful among those who said. confidence, latency_ms,
    length: means; latency_p95_ms. unseen: share of words that the training examples lack. bins: distributions.
    """

    start_ms: int
    end_ms: int
    account: str
    kind: str
    value: str
    predictions: int
    labels: int
    metrics: Mapping[str, Estimate]
    decisions: Mapping[str, int]
    feedback: Mapping[str, int]
    users: Rate
    confidence: float
    latency_ms: float
    latency_p95_ms: float
    length: float
    unseen: float
    bins: Mapping[str, Floats]


def series(
    stores: Stores, level: int, *, since_ms: int, until_ms: int, account: str = EVERY, kind: str = "all",
    value: str = "",
) -> list[Measures]:  # fmt: skip
    """One slice over time: a window of `level` hours after the other, those without traffic left out.

    Every window that begins in since_ms <= start < until_ms.
    """
    where = f"{_slice(account, kind)} AND value = {_text(value)} AND level = {int(level)}"
    where += f" AND start_ms >= {int(since_ms)} AND start_ms < {int(until_ms)}"
    found = _read(stores, tables_between(level not in SHORT, since_ms, until_ms), where)
    order = np.argsort(found.keys.start_ms, kind="stable")
    return [_measures(found, [int(i)], level) for i in order]


def by_slice(
    stores: Stores, *, since_ms: int, until_ms: int, account: str = EVERY, kind: str = "all"
) -> list[Measures]:
    """Every slice of a kind over one span of whole hours, added up, the busiest first; "account" is a kind here too."""
    windows = list(cover(since_ms, until_ms))
    parts: list[Windows] = []
    for long in (True, False):
        own = [(level, start) for level, start in windows if (level not in SHORT) == long]
        if not own:
            continue
        pairs = " OR ".join(f"(level = {level} AND start_ms = {start})" for level, start in own)
        tables = tables_between(long, own[0][1], own[-1][1] + 1)
        slices = f"account <> '{EVERY}' AND kind = 'all'" if kind == "account" else _slice(account, kind)
        parts.append(_read(stores, tables, f"{slices} AND ({pairs})"))
    groups: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for p, part in enumerate(parts):
        for i, (name, value) in enumerate(zip(part.keys.account, part.keys.value, strict=True)):
            groups.setdefault((name, value), []).append((p, i))
    made = [_summed(parts, places, since_ms, until_ms, kind) for places in groups.values()]
    return sorted(made, key=lambda m: (-m.predictions, m.account, m.value))


def _summed(
    parts: Sequence[Windows], places: Iterable[tuple[int, int]], since_ms: int, until_ms: int, kind: str
) -> Measures:
    chosen = list(places)
    columns = {name: np.array([parts[p].columns[name][i] for p, i in chosen]).sum(axis=0) for name in WIDTHS}
    keys = parts[chosen[0][0]].keys
    at = chosen[0][1]
    account, value = str(keys.account[at]), str(keys.value[at])
    return _told(columns, since_ms, until_ms, account, kind, account if kind == "account" else value)


def _measures(found: Windows, places: Sequence[int], level: int) -> Measures:
    columns = {name: values[places].sum(axis=0) for name, values in found.columns.items()}
    keys, at = found.keys, places[0]
    start = int(keys.start_ms[at])
    return _told(
        columns, start, start + level * HOUR_MS, str(keys.account[at]), str(keys.kind[at]), str(keys.value[at])
    )


def _told(columns: Mapping[str, Floats], start: int, end: int, account: str, kind: str, value: str) -> Measures:
    def count(name: str) -> int:
        return round(float(columns[name][0]))

    def mean(name: str) -> float:
        of = float(columns[name].sum())
        return float(columns[f"{name}_sum"][0]) / of if of else float("nan")

    return Measures(
        start_ms=start,
        end_ms=end,
        account=account,
        kind=kind,
        value=value,
        predictions=count("predictions"),
        labels=count("labels"),
        metrics={name: rate_from_sums(columns[name]) for name in METRICS},
        decisions={name: count(name) for name in DECISIONS},
        feedback={name: count(name) for name in FEEDBACK_KINDS},
        users=wilson(count("helpful"), count("helpful") + count("not_helpful")),
        confidence=mean("confidence"),
        latency_ms=mean("latency"),
        latency_p95_ms=quantile(columns["latency"], EDGES["latency"], 0.95),
        length=mean("length"),
        unseen=mean("unseen"),
        bins={name: columns[name] for name in EDGES},
    )


def _read(stores: Stores, tables: Sequence[str], where: str) -> Windows:
    """The rows of some tables that fit, as far as the tables are there."""
    wanted = [*KEYS, *WIDTHS]
    batches = []
    for table in tables:
        try:
            batches += list(stores.lake.scan_table(KIND, table, columns=wanted, where=where)[1])
        except NotFound:
            continue
    fields = schema()
    chosen = pa.schema([fields.field(name) for name in wanted])
    return from_table(pa.Table.from_batches(batches, schema=chosen), list(WIDTHS))


def _slice(account: str, kind: str) -> str:
    return f"account = {_text(account)} AND kind = {_text(kind)}"


def _text(value: str) -> str:
    """A text as SQL."""
    return "'" + value.replace("'", "''") + "'"
