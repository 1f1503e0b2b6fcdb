"""PHASE 4: labels come in; quality by day and findings with their inception come out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from noria.monitor.alarm import AlarmPolicy, findings
from noria.monitor.production import QualityPolicy, window
from noria.monitor.quality import by_day, day_of
from noria.records import Finding, Receipt

if TYPE_CHECKING:
    from noria.stores import Stores

__all__ = ["AlarmPolicy", "QualityPolicy", "by_day", "check", "day_of", "window"]


def check(stores: Stores, policy: AlarmPolicy, *, until_ms: int) -> tuple[list[Finding], Receipt]:
    """Looks for changes in all labelled traffic until a time; stores and returns the findings that are new."""
    judged = stores.journal.judged(0, until_ms)
    known = {f.finding_id for f in stores.journal.findings()}
    releases_ms = [r.since_ms for r in stores.journal.releases()]
    fresh = [f for f in findings(judged, releases_ms, policy) if f.finding_id not in known]
    stores.journal.add_findings(fresh)
    return fresh, Receipt(
        "monitor",
        {"labels": len(judged), "new_findings": len(fresh), "findings": len(known | {f.finding_id for f in fresh})},
    )
