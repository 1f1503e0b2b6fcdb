"""PHASE 4: labels come in; quality by day and findings with their inception come out."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from noria.monitor.alarm import AlarmPolicy, Watched, advance, placed_again
from noria.monitor.production import QualityPolicy, window
from noria.monitor.quality import by_day, day_of
from noria.monitor.watching.meaning import look
from noria.monitor.watching.placing import HOUR_MS
from noria.monitor.watching.unlabelled import Mixes, watch
from noria.records import DAY_MS, Finding, Receipt

if TYPE_CHECKING:
    from noria.agent.encoding import Encoder
    from noria.stores import Stores

__all__ = ["AlarmPolicy", "QualityPolicy", "by_day", "check", "day_of", "window"]

_STATE = "monitor.alarm"
# How far back a turn reads labels: for references and inceptions.
_HISTORY_MS = 120 * DAY_MS


def check(
    stores: Stores, policy: AlarmPolicy, *, until_ms: int, encoder: Encoder | None = None
) -> tuple[list[Finding], Receipt]:
    """Looks for changes in all traffic until a time, by labels and without; stores and returns the new findings.

    What the detectors remember is kept, so that a turn takes only what came since the last one; a change of the policy
    lets them begin again. Open findings are placed again with the new labels. Queries are watched for a change of
    meaning where there is an encoder.
    """
    journal = stores.journal
    state, known = journal.get_state(_STATE) or {}, journal.findings()
    same = state.get("policy") == asdict(policy)
    watched = Watched.from_json(state["watched"]) if same else Watched()
    mixes = Mixes.from_json(state["mixes"]) if same else Mixes()
    # What was told under another policy, or before detectors were kept, is not told again.
    told_ms = max([f.raised_ms for f in known] + ([int(state["watched"]["seen"][0])] if state else []), default=-1)
    judged = journal.judged(max(0, watched.seen[0] - _HISTORY_MS), until_ms)
    queries = journal.counts_by_day()
    releases_ms = [r.since_ms for r in journal.releases()]
    raised, watched = advance(judged, releases_ms, policy, watched, queries, known)
    hours_ms = until_ms // HOUR_MS * HOUR_MS
    looked, mixes, n_predictions = _unlabelled(stores, policy, mixes, hours_ms)
    if encoder is not None:
        looked += look(
            stores, encoder, per_year=policy.per_year("embeddings"), days=policy.baseline_days, until_ms=until_ms
        )
    ids = {f.finding_id for f in known}
    fresh = [f for f in [*raised, *looked] if f.finding_id not in ids and (same or f.raised_ms > told_ms)]
    again = placed_again([*known, *fresh], judged, policy, queries, until_ms=until_ms)
    placed = {f.finding_id: f for f in again}
    fresh = [placed.pop(f.finding_id, f) for f in fresh]
    journal.add_findings(fresh)
    journal.replace_findings(list(placed.values()))
    kept = {"policy": asdict(policy), "watched": watched.to_json(), "mixes": mixes.to_json()}
    journal.set_state(_STATE, kept)
    counts = {
        "labels": len(judged), "predictions": n_predictions, "new_findings": len(fresh),
        "findings": len(known) + len(fresh), "placed_again": len(placed),
        "false_alarms_a_year": policy.false_alarms_a_year,
    }  # fmt: skip
    return fresh, Receipt("monitor", counts)


def _unlabelled(stores: Stores, policy: AlarmPolicy, mixes: Mixes, until_ms: int) -> tuple[list[Finding], Mixes, int]:
    """Takes predictions a day at a time: history is held against its first days, as turns would have done it."""
    streams = {name: policy.per_year(name) for name in ("confidence", "decisions", "text")}
    found, taken = list[Finding](), 0
    since_ms = max(mixes.seen_ms, until_ms - _HISTORY_MS)
    while since_ms < until_ms:
        end_ms = min(since_ms + DAY_MS, until_ms)
        predictions = stores.journal.predictions(since_ms, end_ms)
        raised, mixes = watch(predictions, mixes, streams, days=policy.baseline_days, until_ms=end_ms)
        found += raised
        taken, since_ms = taken + len(predictions), end_ms
    return found, mixes, taken
