"""Brings what people answered from the desk into the journal, and settled labels into training rows."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from noria.label.settling import Settling, SettlingPolicy
from noria.ports.label_desk import LabelDesk
from noria.records import IRRELEVANT, OOS, SMALL_TALK, Example, Judged, Receipt

if TYPE_CHECKING:
    from noria.stores import Stores

_STATE = "label.gather"
OVERLAP_MS = 3_600_000
GATE_SHARE = 0.2


def gather(stores: Stores, desk: LabelDesk, policy: SettlingPolicy | None = None) -> Receipt:
    """Collects labels since the last time and settles their tasks; a label that is known already counts once.

    It looks an hour further back than it must: a desk's clock may differ from ours.
    """
    since_ms = int((stores.journal.get_state(_STATE) or {}).get("until_ms", 0))
    labels = desk.collect(max(0, since_ms - OVERLAP_MS))
    new = stores.journal.add_labels(labels)
    stores.journal.set_state(_STATE, {"until_ms": max([since_ms, *(lab.time_ms for lab in labels)])})
    made = [settled for settled in stores.journal.settle(Settling(policy or SettlingPolicy())) if settled is not None]
    counts = {"collected": len(labels), "new": new, "open": desk.status().open}
    counts |= {status: sum(settled.status == status for settled in made) for status in ("settled", "adjudicate")}
    return Receipt("label.gather", counts)


def for_gate(judged: Judged) -> bool:
    """Whether a label is kept for the gate and never trained on: a fixed fifth, by the sha256 of its task."""
    digest = hashlib.sha256(judged.task.task_id.encode()).digest()
    return int.from_bytes(digest[:4], "big") < GATE_SHARE * 2**32


def corrected(judged: Sequence[Judged], scope: Collection[str], accepted: Collection[str] = ()) -> list[Example]:
    """The examples that labels make: the right intent of the query, or the reserved intent of what it was.

    Args:
        judged: labels with their tasks.
        scope: the intents in scope.
        accepted: new intents that come into scope; a new-domain label that names one becomes its example.

    A label in scope whose intent is in neither is left out (its intent has left the scope).
    """
    rows = []
    for item in judged:
        label = item.label
        known = label.intent if label.intent in scope or label.intent in accepted else None
        intent = {
            "in_scope": known,
            "new_domain": known or OOS,
            "irrelevant": IRRELEVANT,
            "small_talk": SMALL_TALK,
        }[label.relevance]
        if intent is None:
            continue
        rows.append(
            Example(
                id=f"label-{label.label_id}",
                text=item.task.text,
                intent=intent,
                split="train",
                account=item.task.account,
                origin=f"label:{label.label_id}",
            )
        )
    return rows
