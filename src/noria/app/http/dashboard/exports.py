"""The figures of the pages as CSV: shares from 0 to 1, empty where there is nothing to tell."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from fastapi.responses import Response

from noria.app.http.rendering import without_nan
from noria.monitor.quality import METRICS
from noria.monitor.windows.reading import Measures
from noria.records import DECISIONS, FEEDBACK_KINDS
from noria.records.findings import Explanation


def attachment(name: str, text: str) -> Response:
    """A CSV file to be saved."""
    headers = {"Content-Disposition": f'attachment; filename="noria-{name}.csv"'}
    return Response(text, media_type="text/csv; charset=utf-8", headers=headers)


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Rows as CSV; a cell that a spreadsheet would take for a formula is quoted with an apostrophe."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([_safe(v) for v in without_nan(list(row))] for row in rows)
    return out.getvalue()


def measures(rows: Sequence[Measures]) -> str:
    """Windows or slices: every figure that is kept of them."""
    parts = ("value", "low", "high", "n")
    header = [
        "start_ms", "end_ms", "account", "kind", "value", "queries", "labels", *DECISIONS, *FEEDBACK_KINDS,
        "confidence", "latency_ms", "latency_p95_ms", "length", "unseen",
        *(f"{metric}_{part}" for metric in METRICS for part in parts),
    ]  # fmt: skip
    told = (
        [
            m.start_ms, m.end_ms, m.account, m.kind, m.value, m.predictions, m.labels,
            *(m.decisions[d] for d in DECISIONS), *(m.feedback[k] for k in FEEDBACK_KINDS),
            m.confidence, m.latency_ms, m.latency_p95_ms, m.length, m.unseen,
            *(getattr(m.metrics[metric], part) for metric in METRICS for part in parts),
        ]
        for m in rows
    )  # fmt: skip
    return table(header, told)


def explanation(told: Explanation) -> str:
    """Every part of a change."""
    fields = ("mix", "within", "share_before", "share_after", "before", "after", "labels_before", "labels_after", "z")
    rows = [[d.name, p.value, *(getattr(p, f) for f in fields)] for d in told.dimensions for p in d.parts]
    return table(["dimension", "value", *fields], rows)


def _safe(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value
