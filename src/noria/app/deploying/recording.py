"""What was deployed, when, by whom and how it ended: in the audit log, beside the release that was live then."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from noria.records.access import ALL_ACCOUNTS, AuditEntry

if TYPE_CHECKING:
    from noria.stores.journal import Journal

ACTION = "deploy"


def record(journal: Journal, target: str, facts: Mapping[str, str], *, actor: str, entry_id: str, time_ms: int) -> None:
    """Notes a rollout that ended.

    Args:
        journal: whose audit log.
        target: where, e.g. `ecs:noria`.
        facts: image, tag, outcome (live, rolled_back, gave_up), reason.
        actor: who ordered it.
        entry_id: of the entry.
        time_ms: when it ended.
    """
    live = journal.current_release()
    ledger = journal.ledger()
    detail = {
        **facts,
        "release": live.release if live else "",
        "ledger": f"{ledger[-1].seq}:{ledger[-1].hash}" if ledger else "",
    }
    journal.access.note(AuditEntry(entry_id, time_ms, actor, ACTION, ALL_ACCOUNTS, target, detail))


def image_before(journal: Journal, target: str, now: str) -> str | None:
    """The image that was live at a target before the one that is now; None where none is known."""
    entries = [e for e in journal.access.audit(0, 2**62) if e.action == ACTION and e.target == target]
    lived = [e.detail["image"] for e in entries if e.detail.get("outcome") == "live"]
    return next((image for image in reversed(lived) if image != now), None)
