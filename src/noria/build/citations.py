"""Which articles answered which questions, by labels and by users' conduct: a versioned table to learn from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pyarrow as pa

from noria.agent.ranking import Citation, citations_of_feedback, citations_of_labels
from noria.errors import NotFound
from noria.records import DAY_MS, DataVersion, Judged
from noria.stores.journal.traffic import Which

if TYPE_CHECKING:
    from noria.stores import Stores

KIND = "citations"
DAYS = 180
"""How far back users' conduct is looked at; what was learnt from it stays."""
_KEYS = ("question_id", "article_id")
_SCHEMA = pa.schema(
    [
        ("question_id", pa.string()),
        ("article_id", pa.string()),
        ("text", pa.string()),
        ("account", pa.string()),
        ("weight", pa.float64()),
    ]
)


def keep_citations(stores: Stores, name: str, judged: Sequence[Judged], *, time_ms: int) -> DataVersion | None:
    """Brings what labels and users said of articles until now into the table; None where nobody ever said anything.

    Of a query and article that both speak of, the label counts. The same again makes no new version.

    Args:
        stores: journal and lake.
        name: the table, named like the examples.
        judged: settled labels.
        time_ms: when; nothing later is looked at.
    """
    since_ms = max(0, time_ms - DAYS * DAY_MS)
    predictions = stores.journal.predictions(since_ms, time_ms, which=Which(told=True))
    used = citations_of_feedback(predictions, stores.journal.feedback(since_ms, time_ms))
    ids = {p.query.query_id: p.prediction_id for p in predictions}
    found = {(ids.get(c.question_id, c.question_id), c.article_id): c for c in used}
    found |= {(c.question_id, c.article_id): c for c in citations_of_labels(judged)}
    if not found:
        return latest_citations(stores, name)
    rows = [
        {"question_id": question, "article_id": article, "text": c.text, "account": c.account, "weight": c.weight}
        for (question, article), c in sorted(found.items())
    ]
    note = {"source": "labels and feedback"}
    table = pa.Table.from_pylist(rows, schema=_SCHEMA)
    return stores.lake.write_table(KIND, name, table, mode="merge", note=note, time_ms=time_ms, keys=_KEYS).version


def latest_citations(stores: Stores, name: str) -> DataVersion | None:
    """The latest version of the table; None where there is none."""
    try:
        return stores.lake.resolve(KIND, name)
    except NotFound:
        return None


def citations_of(stores: Stores, version: DataVersion | None) -> list[Citation]:
    """The citations of a version, in order of question and article."""
    if version is None:
        return []
    _, table = stores.lake.read_table(KIND, version.name, version.version)
    rows = sorted(table.to_pylist(), key=lambda row: (row["question_id"], row["article_id"]))
    return [Citation(r["text"], r["article_id"], r["weight"], r["account"], r["question_id"]) for r in rows]
