"""An intent that was accepted into scope brings its own rows into the frozen basket."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from noria import label
from noria.errors import NotFound
from noria.records import RESERVED_INTENTS, DataVersion, Example, Judged
from noria.release.judging.contract import words_of
from noria.release.rollout import basket_name
from noria.stores.lake.care.baskets import grow_basket
from noria.stores.lake.lake import FROZEN

if TYPE_CHECKING:
    from noria.stores import Stores

ROWS_AN_INTENT = 10


def brought_in(rows: Sequence[Example]) -> set[str]:
    """Intents in scope of which every example came from a label or a topic: the loop brought them in."""
    ours = [row for row in rows if row.intent not in RESERVED_INTENTS]
    original = {row.intent for row in ours if not row.origin.startswith(("label:", "topic:"))}
    return {row.intent for row in ours} - original


def grow(stores: Stores, examples: DataVersion, judged: Sequence[Judged], *, time_ms: int) -> int:
    """Adds rows of intents that the loop brought in to the basket, up to ten each; returns how many.

    They are the labels kept for the gate and the held-out queries of accepted topics; no model learns from them.
    Without them a basket knows only what was in scope at the first release, and every new intent can but cost on it.
    The decision that the basket grows is the one that accepted the intent.

    Args:
        stores: lake with examples and basket.
        examples: the version that the next candidate learns from.
        judged: all settled labels.
        time_ms: when.
    """
    _, rows = stores.lake.examples(examples.name, examples.version)
    intents = brought_in(rows)
    if not intents:
        return 0
    name = basket_name(examples.name)
    try:
        _, held = stores.lake.examples(name)
    except NotFound:
        return 0
    new = _new(rows, held, judged, intents)
    if not new:
        # after a crash between the rows and their pin
        stores.lake.pin(stores.lake.resolve("examples", name), FROZEN)
    else:
        why = f"accepted into scope: {', '.join(sorted({row.intent for row in new}))}"
        grow_basket(stores.lake, name, new, source=examples, why=why, time_ms=time_ms)
    return len(new)


def _new(
    rows: Sequence[Example], held: Sequence[Example], judged: Sequence[Judged], intents: Collection[str]
) -> list[Example]:
    kept = [j for j in judged if label.for_gate(j) and j.label.intent in intents]
    offered = [replace(row, split="test") for row in label.corrected(kept, intents, intents) if row.intent in intents]
    offered += [row for row in rows if row.split == "test" and row.intent in intents]
    learnt = {words_of(row.text) for row in rows if row.split != "test"} | {words_of(row.text) for row in held}
    ids, count = {row.id for row in held}, Counter(row.intent for row in held)
    new: list[Example] = []
    for row in sorted(offered, key=lambda r: r.id):
        reading = words_of(row.text)
        if row.id in ids or reading in learnt or count[row.intent] >= ROWS_AN_INTENT:
            continue
        ids.add(row.id)
        learnt.add(reading)
        count[row.intent] += 1
        new.append(row)
    return new
