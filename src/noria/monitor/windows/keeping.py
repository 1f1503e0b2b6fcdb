"""Keeps the windows in the lake: hours that changed are made anew, and every longer window above them."""

from __future__ import annotations

import contextlib
import functools
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from noria.errors import NotFound, StateError
from noria.monitor.windows.counting import ERASED, Columns, hourly, words_of
from noria.monitor.windows.ladder import LONG, SHORT, start_of, table_of
from noria.monitor.windows.layout import KEYS, Floats, Windows, from_table, group, schema, to_table
from noria.monitor.windows.policy import WindowPolicy
from noria.records import HOUR_MS, DataVersion, Receipt

if TYPE_CHECKING:
    from noria.stores import Stores

KIND = "windows"
"""Folder of the lake."""
STATE = "monitor.windows"
_HOURS_AT_ONCE = 24
Embed = Callable[[Sequence[str]], Floats]
"""Texts → vectors (n, d)."""


def update_windows(stores: Stores, policy: WindowPolicy, *, time_ms: int, embed: Embed | None = None) -> Receipt:
    """Makes the windows of every hour anew in which something changed: a query, feedback, a label, an erasure.

    However late it came. A run costs what the touched hours cost, not what history does; run after run gives the very
    rows that a rebuild gives. A run that is cut short is made up for by the next.

    Args:
        stores: journal and lake.
        policy: what they may cost.
        time_ms: the present, kept with the versions.
        embed: makes vectors of texts; None = windows without.
    """
    watching = stores.journal.watching
    counts = {"hours": 0, "windows": 0}
    while touched := watching.touched():
        counts["hours"] += len(touched)
        remake = functools.partial(_remake, stores, policy, sorted(touched), time_ms, embed)
        counts["windows"] += _tried(remake)
        watching.settled([note for notes in touched.values() for note in notes])
    if counts["hours"]:
        stores.journal.set_state(STATE, {"updated_ms": time_ms, "run": _next_run(stores)})
    return Receipt("monitor.windows", counts)


def rebuild_windows(stores: Stores, policy: WindowPolicy, *, time_ms: int, embed: Embed | None = None) -> Receipt:
    """Makes every window anew from the journal."""
    span = stores.journal.watching.span()
    if span is not None:
        first, last = (start_of(1, t) for t in span)
        stores.journal.watching.touch(range(first, last + 1, HOUR_MS))
    return update_windows(stores, policy, time_ms=time_ms, embed=embed)


def _tried(remake: Callable[[], int], times: int = 3) -> int:
    """What `remake` says; again where another run wrote in between, whose hours it has not seen."""
    for _ in range(times - 1):
        with contextlib.suppress(StateError):
            return remake()
    return remake()


def _next_run(stores: Stores) -> int:
    return int((stores.journal.get_state(STATE) or {}).get("run", 0)) + 1


def _remake(stores: Stores, policy: WindowPolicy, hours: Sequence[int], time_ms: int, embed: Embed | None) -> int:
    """Writes the windows above some hours, table by table; how many rows changed."""
    words = functools.cache(lambda release: _vocabulary(stores, release))
    changed = 0
    by_table: dict[str, list[int]] = {}
    for hour in hours:
        by_table.setdefault(table_of(1, hour), []).append(hour)
    for table, own in by_table.items():
        below = _counted(stores, policy, own, words, embed)
        # the four weeks of a table of short windows lie in one table of long ones
        for name, levels in ((table, SHORT), (table_of(LONG[0], own[0]), LONG)):
            version, held = _held(stores, name)
            below, rows = _climb(below, held, own, levels)
            spans = {(level, start_of(level, hour)) for level in levels for hour in own}
            changed += _write(stores, name, rows, held, spans, version, time_ms)
    return changed


def _counted(
    stores: Stores, policy: WindowPolicy, hours: Sequence[int], words: Callable[[str], frozenset[str]],
    embed: Embed | None,
) -> Windows:  # fmt: skip
    """The windows of the hours, counted from the journal a day's worth at a time."""
    parts: list[Windows] = []
    for run in _runs(hours):
        since, until = run[0], run[-1] + HOUR_MS
        columns = stores.journal.watching.columns(since, until)
        judged = stores.journal.judged(since, until)
        parts.append(hourly(columns, judged, words, _embedded(columns, embed, policy)))
    return _joined(parts)


def _runs(hours: Sequence[int]) -> Iterable[list[int]]:
    """Hours in a row, at most a day's at once."""
    run: list[int] = []
    for hour in hours:
        if run and (hour != run[-1] + HOUR_MS or len(run) == _HOURS_AT_ONCE):
            yield run
            run = []
        run.append(hour)
    if run:
        yield run


def _climb(fresh: Windows, held: Windows, hours: Sequence[int], levels: Sequence[int]) -> tuple[Windows, Windows]:
    """The windows of all levels above the hours, each added up from those of the level below.

    Args:
        fresh: the lowest level of `levels`, or windows of the level below it.
        held: what the table holds; siblings that did not change come from here.
        hours: those that changed.
        levels: from low to high.

    Returns:
        The windows of the highest level, with their siblings, and all that were made.
    """
    made: list[Windows] = []
    below = fresh
    for level in levels:
        starts = np.unique([start_of(level, hour) for hour in hours])
        if level == 1:
            own = below
        else:
            ups = np.array([start_of(level, int(s)) for s in below.keys.start_ms], dtype=np.int64)
            inside = np.isin(ups, starts)
            up = _at_level(below, level, ups, inside)
            own = group(up.keys, up.columns, up.vectors)
        made.append(own)
        siblings = (held.keys.level == level) & ~np.isin(held.keys.start_ms, starts)
        below = _in_order(_joined([own, _where(held, siblings)]))
    return below, _joined(made)


def _at_level(windows: Windows, level: int, starts: np.ndarray, inside: np.ndarray) -> Windows:
    kept = _where(windows, inside)
    keys = kept.keys
    moved = type(keys)(np.full(len(kept), level), starts[inside], keys.account, keys.kind, keys.value)
    return Windows(moved, kept.columns, kept.vectors)


def _where(windows: Windows, which: np.ndarray) -> Windows:
    places = np.flatnonzero(which)
    back = {int(old): new for new, old in enumerate(places)}
    vectors = {back[i]: held for i, held in windows.vectors.items() if i in back}
    return Windows(windows.keys.where(places), {k: v[places] for k, v in windows.columns.items()}, vectors)


def _in_order(windows: Windows) -> Windows:
    """In order of time: sums of numbers with fractions repeat only if they are added in the same order."""
    order = np.argsort(windows.keys.start_ms, kind="stable")
    back = {int(old): new for new, old in enumerate(order)}
    vectors = {back[i]: held for i, held in windows.vectors.items()}
    return Windows(windows.keys.where(order), {k: v[order] for k, v in windows.columns.items()}, vectors)


def _joined(parts: Sequence[Windows]) -> Windows:
    vectors: dict[int, tuple[int, Floats]] = {}
    start = 0
    for part in parts:
        vectors |= {start + i: held for i, held in part.vectors.items()}
        start += len(part)
    first = parts[0]
    keys = type(first.keys)(*(np.concatenate([getattr(p.keys, name) for p in parts]) for name in KEYS))
    return Windows(keys, {k: np.concatenate([p.columns[k] for p in parts]) for k in first.columns}, vectors)


def _held(stores: Stores, table: str) -> tuple[DataVersion | None, Windows]:
    try:
        version, rows = stores.lake.read_table(KIND, table)
    except NotFound:
        return None, from_table(schema().empty_table())
    return version, from_table(rows)


def _write(
    stores: Stores, table: str, rows: Windows, held: Windows, remade: set[tuple[int, int]],
    version: DataVersion | None, time_ms: int,
) -> int:  # fmt: skip
    """Writes windows over a version, and takes out those of the same spans that nothing is left of."""
    new = set(zip(*(getattr(rows.keys, name).tolist() for name in KEYS), strict=True))
    old = zip(*(getattr(held.keys, name).tolist() for name in KEYS), strict=True)
    gone = [key for key in old if key[:2] in remade and key not in new]
    if not len(rows) and not gone:
        return 0
    fields = [schema().field(name) for name in KEYS]
    deletes = pa.table([pa.array([k[i] for k in gone], f.type) for i, f in enumerate(fields)], schema=pa.schema(fields))
    written = stores.lake.write_table(
        KIND, table, to_table(rows), mode="merge", keys=KEYS, deletes=deletes if gone else None,
        note={"source": "journal"}, time_ms=time_ms, expect=version,
    )  # fmt: skip
    return written.new + written.changed + written.deleted


def _embedded(columns: Columns, embed: Embed | None, policy: WindowPolicy) -> Mapping[int, tuple[int, Floats]]:
    """Hour → vectors of its texts drawn by the hash of their ids, and their sum: the same however late one came."""
    if embed is None or not policy.embed_an_hour:
        return {}
    hours: dict[int, list[tuple[str, str]]] = {}
    for name, time_ms, text in zip(columns.prediction_id, columns.time_ms, columns.text, strict=True):
        if text != ERASED:
            lot = hashlib.sha256(name.encode()).hexdigest()
            hours.setdefault(time_ms // HOUR_MS * HOUR_MS, []).append((lot, text))
    drawn = {hour: [text for _, text in sorted(own)[: policy.embed_an_hour]] for hour, own in hours.items()}
    texts = [text for own in drawn.values() for text in own]
    if not texts:
        return {}
    vectors = np.asarray(embed(texts), dtype=np.float64)
    made, start = {}, 0
    for hour, own in drawn.items():
        made[hour] = (len(own), vectors[start : start + len(own)].sum(axis=0))
        start += len(own)
    return made


def _vocabulary(stores: Stores, release: str) -> frozenset[str]:
    """Words of a release's training examples; none where the release or its data are not known."""
    try:
        data = stores.journal.release(release).candidate.examples
        return words_of([row.text for row in stores.lake.examples(data.name, data.version)[1]])
    except NotFound:
        return frozenset()
