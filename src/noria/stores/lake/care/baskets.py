"""Frozen baskets: examples that judge candidates. They only grow, and only by a decision that is kept with them."""

from __future__ import annotations

import hashlib

from noria.errors import DataError, NotFound, Problem
from noria.records import DataVersion, Example
from noria.stores.lake.lake import FROZEN, Lake


def missing_from_basket(lake: Lake, basket: str, source: DataVersion) -> list[Example]:
    """The test rows of a version that the basket does not have.

    Raises:
        NotFound: there is no basket yet; the gate makes it. DataError: a row is known with another content, or reads
        like a row that models may learn from.
    """
    _, rows = lake.examples(source.name, source.version)
    try:
        _, held = lake.examples(basket)
    except NotFound:
        raise NotFound("basket", basket, lake.names("examples"), "The first proposed release freezes it.") from None
    known = {row.id: row for row in held}
    learnt = {_reading(row.text): row.id for row in rows if row.split != "test"}
    problems = []
    for row in (r for r in rows if r.split == "test"):
        if known.get(row.id, row) != row:
            problems.append(Problem(source.ref, None, "id", f"the basket holds {row.id!r} with another content."))
        elif row.id not in known and (twin := learnt.get(_reading(row.text))):
            problems.append(
                Problem(source.ref, None, "text", f"{row.id!r} reads like {twin!r}, which models learn from.")
            )
    if problems:
        raise DataError(problems, "Nothing was added. Mend the table, or take these rows out of its split 'test'.")
    return [row for row in rows if row.split == "test" and row.id not in known]


def grow_basket(
    lake: Lake, basket: str, rows: list[Example], *, source: DataVersion, why: str, time_ms: int
) -> DataVersion:
    """Adds rows to a basket and pins the new version; the earlier ones stay pinned."""
    note = {"source": source.ref, "why": why}
    version = lake.write_examples(basket, rows, mode="append", note=note, time_ms=time_ms)
    lake.pin(version, FROZEN)
    return version


def _reading(text: str) -> str:
    """Equal for texts that differ in case and blanks only."""
    return hashlib.sha256(" ".join(text.casefold().split()).encode()).hexdigest()
