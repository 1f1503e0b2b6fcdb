"""The columns of a window: what is counted, into which bins, and how rows of them become a table and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from noria.monitor.quality import METRICS
from noria.records import DECISIONS, FEEDBACK_KINDS
from noria.stats.mergeable import SUMS

Floats = npt.NDArray[np.float64]

KEYS = ("level", "start_ms", "account", "kind", "value")
KINDS = ("all", "intent", "channel", "language", "release")
"""Slices of an account's traffic, or of all accounts' (account "*"). An account's own total is its kind "all"."""
EVERY = "*"
"""In the place of an account: all of them."""

SIXTEENTHS = np.linspace(0, 1, 17)[1:-1]
"""Of the confidence; of the scope score after the logistic function, since it has no limits."""
LATENCY_MS = 0.25 * 2.0 ** (np.arange(34) / 2)
"""Twice as much every second bin: a quantile is told to about a fifth."""
LENGTH = np.array([4, 8, 16, 32, 64, 128, 256, 512, 1024], dtype=float)
"""Characters."""
UNSEEN = np.array([1e-9, 0.25, 0.5, 0.75])
"""Share of a text's words that the training examples lack; the first bin holds none."""
EDGES: Mapping[str, Floats] = {
    "confidence": SIXTEENTHS, "scope": SIXTEENTHS, "latency": LATENCY_MS, "length": LENGTH, "unseen": UNSEEN,
}  # fmt: skip
COUNTS = ("predictions", "texts", "labels", *DECISIONS, *FEEDBACK_KINDS)
TOTALS = ("confidence_sum", "latency_sum", "length_sum", "unseen_sum")
"""Sums over predictions (confidence, latency in ms) and over texts (characters, unseen share)."""


@dataclass(frozen=True, slots=True)
class Keys:
    """What n windows are of. `level`: hours. `account`, `kind`, `value`: the slice (see `KINDS`)."""

    level: npt.NDArray[np.int64]
    start_ms: npt.NDArray[np.int64]
    account: npt.NDArray[np.object_]
    kind: npt.NDArray[np.object_]
    value: npt.NDArray[np.object_]

    def where(self, which: npt.NDArray[np.bool_] | npt.NDArray[np.intp]) -> Keys:
        """Some of them."""
        return Keys(*(getattr(self, name)[which] for name in KEYS))


@dataclass(frozen=True, slots=True)
class Windows:
    """n windows with their figures (n, w): counts, sums, bins and label sums, all of which add up.

    `columns`: name → (n, width). `vectors`: place → number of vectors and their sum, of those that have any.
    """

    keys: Keys
    columns: Mapping[str, Floats]
    vectors: Mapping[int, tuple[int, Floats]]

    def __len__(self) -> int:
        return len(self.keys.level)


WIDTHS: Mapping[str, int] = (
    dict.fromkeys((*COUNTS, *TOTALS), 1)
    | {name: len(edges) + 1 for name, edges in EDGES.items()}
    | dict.fromkeys(METRICS, len(SUMS))
)
_WHOLE = {*COUNTS, *EDGES}


def schema() -> pa.Schema:
    """The columns of the tables."""
    fields = [pa.field("level", pa.int64()), pa.field("start_ms", pa.int64())]
    fields += [pa.field(name, pa.string()) for name in KEYS[2:]]
    for name, width in WIDTHS.items():
        kind = pa.int64() if name in _WHOLE else pa.float64()
        fields.append(pa.field(name, kind if width == 1 else pa.list_(kind)))
    return pa.schema([*fields, pa.field("embedded", pa.int64()), pa.field("embedding", pa.list_(pa.float64()))])


def to_table(windows: Windows) -> pa.Table:
    """Windows as rows."""
    n, told = len(windows), schema()
    arrays: list[pa.Array] = [pa.array(getattr(windows.keys, name), told.field(name).type) for name in KEYS]
    for name, width in WIDTHS.items():
        kind = told.field(name).type
        flat = windows.columns[name].reshape(-1)
        if width == 1:
            arrays.append(pa.array(flat.astype(np.int64) if name in _WHOLE else flat, kind))
            continue
        values = pa.array(flat.astype(np.int64) if name in _WHOLE else flat, kind.value_type)
        arrays.append(pa.ListArray.from_arrays(pa.array(np.arange(n + 1) * width, pa.int32()), values))
    held = windows.vectors
    arrays.append(pa.array([held[i][0] if i in held else 0 for i in range(n)], pa.int64()))
    arrays.append(pa.array([held[i][1].tolist() if i in held else None for i in range(n)], pa.list_(pa.float64())))
    return pa.Table.from_arrays(arrays, schema=told)


def from_table(table: pa.Table, columns: Sequence[str] | None = None) -> Windows:
    """The inverse of `to_table`; with `columns` only those figures, and no vectors."""
    wanted = list(WIDTHS) if columns is None else list(columns)
    held = {name: _flat(table.column(name)).reshape(table.num_rows, WIDTHS[name]).astype(np.float64) for name in wanted}
    vectors = {}
    if columns is None:
        counts = table.column("embedded").to_numpy()
        sums = table.column("embedding")
        vectors = {int(i): (int(counts[i]), np.array(sums[int(i)].as_py())) for i in np.flatnonzero(counts)}
    texts = (np.array(table.column(name).to_pylist(), dtype=object) for name in KEYS[2:])
    keys = Keys(table.column("level").to_numpy(), table.column("start_ms").to_numpy(), *texts)
    return Windows(keys, held, vectors)


def _flat(column: pa.ChunkedArray) -> npt.NDArray[np.generic]:
    if pa.types.is_list(column.type):
        parts = [chunk.flatten().to_numpy(zero_copy_only=False) for chunk in column.chunks]
        return np.concatenate(parts) if parts else np.zeros(0)
    flat: npt.NDArray[np.generic] = column.to_numpy()
    return flat


def group(keys: Keys, figures: Mapping[str, Floats], vectors: Mapping[int, tuple[int, Floats]]) -> Windows:
    """Rows of equal keys added up, in order of keys; rows are added in the order given, so sums repeat exactly."""
    codes = [np.unique(getattr(keys, name), return_inverse=True)[1] for name in KEYS]
    code = np.zeros(len(keys.level), dtype=np.int64)
    for part in codes:
        code = code * (int(part.max(initial=0)) + 1) + part
        # kept small, so that no product of many keys overflows
        code = np.unique(code, return_inverse=True)[1].astype(np.int64)
    _, first, inverse = np.unique(code, return_index=True, return_inverse=True)
    n = len(first)
    summed: dict[str, Floats] = {}
    for name, values in figures.items():
        width = values.shape[1]
        place = (inverse[:, None] * width + np.arange(width)).reshape(-1)
        added = np.bincount(place, values.reshape(-1), n * width).astype(np.float64)
        summed[name] = added.reshape(n, width)
    together: dict[int, tuple[int, Floats]] = {}
    for row in sorted(vectors):
        to, (count, vector) = int(inverse[row]), vectors[row]
        before = together.get(to, (0, np.zeros_like(vector)))
        # of another encoder: the sum begins anew, for rows come in order of time
        known = before if before[1].shape == vector.shape else (0, np.zeros_like(vector))
        together[to] = (known[0] + count, known[1] + vector)
    return Windows(keys.where(first), summed, together)
