"""Care of the lake: what changed between versions and whence they come, old files away, proofs that all is readable."""

from __future__ import annotations

from noria.stores.lake.care.differences import TableDiff, diff
from noria.stores.lake.care.drill import Drilled, restore_drill
from noria.stores.lake.care.forgetting import Forgotten, forget_before, older_pins
from noria.stores.lake.care.lineage import Step, lineage
from noria.stores.lake.care.vacuuming import Vacuumed, vacuum
from noria.stores.lake.care.verifying import Checked, verify

__all__ = [
    "Checked", "Drilled", "Forgotten", "Step", "TableDiff", "Vacuumed", "diff", "forget_before", "lineage",
    "older_pins", "restore_drill", "vacuum", "verify",
]  # fmt: skip
