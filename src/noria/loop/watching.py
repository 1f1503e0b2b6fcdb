"""The watch after the alarm: windows up to date, findings explained, people told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from noria.errors import OutsideError
from noria.monitor.alerting import due as to_tell
from noria.monitor.alerting import gather, noted, notice, over, severity_of, worst
from noria.monitor.explain import Around, counts, explain, outcome
from noria.monitor.windows.keeping import Embed, update_windows
from noria.records import DAY_MS, HOUR_MS, Finding, Judged, Receipt
from noria.records.findings import Happening
from noria.stats import Estimate, hajek
from noria.update.topics import known_topics

if TYPE_CHECKING:
    from noria.loop.house import House
    from noria.stores import Stores

_DATA = ("examples", "articles")
_LATELY_MS = 28 * DAY_MS


def sentence_vectors(house: House) -> Embed | None:
    """What makes vectors of texts for the windows; None where there is no encoder."""
    if not house.policy.windows.embed_an_hour:
        return None
    encoder, _ = house.topic_encoder()
    if encoder is None:
        return None
    return lambda texts: encoder.encode(list(texts), "query")[:, : encoder.sentence_dim].astype(np.float64)


def watch(house: House, *, now_ms: int) -> Receipt:
    """Brings windows, explanations and alerts up to date; a finding is explained anew while labels of it still come."""
    stores = house.stores
    windows = update_windows(stores, house.policy.windows, time_ms=now_ms, embed=sentence_vectors(house))
    known = stores.journal.watching.explanations()
    due = [
        f for f in stores.journal.findings() if f.finding_id not in known or f.raised_ms >= now_ms - _LATELY_MS
    ]  # fmt: skip
    around = around_now(stores) if due else Around()
    stores.journal.watching.explain([explain(stores, f, around, house.policy.explain, now_ms=now_ms) for f in due])
    told, warnings = _tell(house, now_ms)
    counts = {**windows.counts, "explained": len(due), "told": told}
    return Receipt("monitor.watch", counts, warnings=warnings)


def _tell(house: House, now_ms: int) -> tuple[int, tuple[str, ...]]:
    """Brings alerts up to date and tells each channel what is due; how many notices went out, and who took none."""
    watching, policy = house.stores.journal.watching, house.policy.alert
    findings = house.stores.journal.findings()
    watching.keep_alerts(gather(findings, watching.alerts(), now_ms=now_ms))
    by_id = {f.finding_id: f for f in findings}
    _resolve(house, by_id, now_ms)
    explanations = watching.explanations()
    told, warnings = 0, []
    for channel in house.channels:
        for alert in to_tell(channel.name, watching.alerts(), policy, now_ms=now_ms):
            found = worst(alert, by_id)
            why = explanations.get(found.finding_id) if found else None
            try:
                channel.tell(notice(alert, why, house.address, now_ms=now_ms))
            except OutsideError as error:
                warnings.append(f"the channel {channel.name} took no alert; the next turn tries again: {error}")
                break
            # kept at once: what a channel has must not come twice when the next one fails; and alone: sending takes
            # seconds, in which somebody may have taken the alert
            watching.change_alert(alert.alert_id, told=noted(alert, channel.name, now_ms=now_ms).told)
            told += 1
    return told, tuple(warnings)


def _resolve(house: House, findings: Mapping[str, Finding], now_ms: int) -> None:
    """Ends the alerts of which the labels of the last week say that the rates are back."""
    watching = house.stores.journal.watching
    waiting = [a for a in watching.alerts() if a.status != "resolved"]
    span = watching.span() if waiting else None
    if span is None:
        return
    end = min(now_ms, span[1] + HOUR_MS)
    judged = house.stores.journal.judged(end - 7 * DAY_MS, end)
    for alert in waiting:
        falls = [f for name in alert.finding_ids if (f := findings.get(name)) and severity_of(f) != "info"]
        if any(f.raised_ms > end - 7 * DAY_MS for f in falls):
            continue
        done = over(alert, [(f, _rate(judged, f)) for f in falls], house.policy.alert, now_ms=now_ms)
        if done is not None:
            watching.keep_alerts([done])


def _rate(judged: Sequence[Judged], finding: Finding) -> Estimate:
    """What some labels say of a finding's metric in its slice."""
    good = outcome(finding.metric)
    said = [
        (good(j) is True, j.task.inclusion_probability) for j in judged if counts(j, finding) and good(j) is not None
    ]
    return hajek([float(yes) for yes, _ in said], [chance for _, chance in said])


def around_now(stores: Stores) -> Around:
    """What happened so far, from the ledger, the lake and the topics."""
    topics = known_topics(stores)
    happened = [
        Happening(
            e.time_ms, "release" if e.kind == "release" else "rollback", str(e.release),
            f"Release {e.release} went live" if e.kind == "release" else f"Release {e.release} was put back",
        )
        for e in stores.journal.ledger()
        if e.kind in ("release", "rollback")
    ]  # fmt: skip
    # a basket only judges: nothing is answered from it
    named = [(kind, name) for kind in _DATA for name in stores.lake.names(kind) if not name.endswith("-basket")]
    happened += [h for kind, name in named for h in _loads(stores, kind, name)]
    happened += [
        Happening(t.first_seen_ms, "topic", t.topic_id, f"The topic “{t.title}” was asked for the first time")
        for t in topics
    ]
    return Around(happened, {member: t.title for t in topics for member in t.members})


def _loads(stores: Stores, kind: str, name: str) -> list[Happening]:
    """Versions of a table of the lake as things that happened."""
    what = "articles" if kind == "articles" else "data"
    return [
        Happening(
            int(str(made["time_ms"])), "articles" if kind == "articles" else "data", f"{name}@{made['version']}",
            f"Version {made['version']} of the {what} {name} was written ({made['rows']} rows)",
        )
        for made in stores.lake.history(kind, name)
    ]  # fmt: skip
