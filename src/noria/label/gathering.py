"""Brings what people answered from the desk into the journal and settles it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from noria.label.settling import Settling, SettlingPolicy
from noria.ports.label_desk import LabelDesk
from noria.records import Receipt

if TYPE_CHECKING:
    from noria.stores import Stores

_STATE = "label.gather"
OVERLAP_MS = 3_600_000


def gather(stores: Stores, desk: LabelDesk, policy: SettlingPolicy | None = None) -> Receipt:
    """Collects labels since the last time and settles their tasks; a label that is known already counts once.

    It looks an hour further back than it must: a desk's clock may differ from ours.
    """
    since_ms = int((stores.journal.get_state(_STATE) or {}).get("until_ms", 0))
    labels = desk.collect(max(0, since_ms - OVERLAP_MS))
    new = stores.journal.add_labels(labels)
    stores.journal.set_state(_STATE, {"until_ms": max([since_ms, *(lab.time_ms for lab in labels)])})
    counts = {"collected": len(labels), "new": new, "open": desk.status().open}
    return Receipt("label.gather", counts | settle(stores, policy or SettlingPolicy()))


def settle(stores: Stores, policy: SettlingPolicy) -> dict[str, int]:
    """Settles every task that labels came in for, and counts what became of them: settled, to be adjudicated."""
    made = [settled for settled in stores.journal.settle(Settling(policy)) if settled is not None]
    return {status: sum(settled.status == status for settled in made) for status in ("settled", "adjudicate")}
