"""PHASE 4: labels come in; quality by day and findings with their inception come out."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from noria.monitor.alarm import AlarmPolicy, Watched, advance, placed_again
from noria.monitor.production import QualityPolicy, window
from noria.monitor.quality import by_day, day_of
from noria.records import DAY_MS, Finding, Receipt

if TYPE_CHECKING:
    from noria.stores import Stores

__all__ = ["AlarmPolicy", "QualityPolicy", "by_day", "check", "day_of", "window"]

_STATE = "monitor.alarm"
# How far back a turn reads labels: for references and inceptions.
_HISTORY_MS = 120 * DAY_MS


def check(stores: Stores, policy: AlarmPolicy, *, until_ms: int) -> tuple[list[Finding], Receipt]:
    """Looks for changes in all labelled traffic until a time; stores and returns the findings that are new.

    What the detectors remember is kept, so that a turn takes only what came since the last one; a change of the policy
    lets them begin again. Open findings are placed again with the new labels.
    """
    journal = stores.journal
    state, known = journal.get_state(_STATE), journal.findings()
    same = state is not None and state["policy"] == asdict(policy)
    watched = Watched.from_json(state["watched"]) if state is not None and same else Watched()
    # What was told under another policy, or before detectors were kept, is not told again.
    told_ms = max([f.raised_ms for f in known if f.stream == "labels"], default=-1)
    told_ms = told_ms if state is None else max(told_ms, int(state["watched"]["seen"][0]))
    judged = journal.judged(max(0, watched.seen[0] - _HISTORY_MS), until_ms)
    queries = journal.counts_by_day()
    releases_ms = [r.since_ms for r in journal.releases()]
    raised, watched = advance(judged, releases_ms, policy, watched, queries, known)
    ids = {f.finding_id for f in known}
    fresh = [f for f in raised if f.finding_id not in ids and (same or f.raised_ms > told_ms)]
    again = placed_again([*known, *fresh], judged, policy, queries, until_ms=until_ms)
    placed = {f.finding_id: f for f in again}
    fresh = [placed.pop(f.finding_id, f) for f in fresh]
    journal.add_findings(fresh)
    journal.replace_findings(list(placed.values()))
    journal.set_state(_STATE, {"policy": asdict(policy), "watched": watched.to_json()})
    counts = {
        "labels": len(judged), "new_findings": len(fresh), "findings": len(known) + len(fresh),
        "placed_again": len(placed), "false_alarms_a_year": policy.false_alarms_a_year,
    }  # fmt: skip
    return fresh, Receipt("monitor", counts)
