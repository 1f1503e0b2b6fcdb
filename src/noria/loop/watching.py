"""The watch after the alarm: windows up to date, findings explained, people told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from noria.errors import OutsideError
from noria.monitor.alerting import due as to_tell
from noria.monitor.alerting import gather, noted, notice, over
from noria.monitor.explain import Around, explain
from noria.monitor.windows.keeping import Embed, update_windows
from noria.monitor.windows.reading import by_slice
from noria.records import DAY_MS, HOUR_MS, Finding, Receipt
from noria.records.findings import Happening
from noria.stats import Estimate
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
    _resolve(house, {f.finding_id: f for f in findings}, now_ms)
    explanations = watching.explanations()
    told, warnings = 0, []
    for channel in house.channels:
        for alert in to_tell(channel.name, watching.alerts(), policy, now_ms=now_ms):
            try:
                channel.tell(notice(alert, explanations.get(alert.alert_id), house.address, now_ms=now_ms))
            except OutsideError as error:
                warnings.append(f"the channel {channel.name} took no alert; the next turn tries again: {error}")
                break
            # kept at once: what a channel has must not come twice when the next one fails
            watching.keep_alerts([noted(alert, channel.name, now_ms=now_ms)])
            told += 1
    return told, tuple(warnings)


def _resolve(house: House, findings: Mapping[str, Finding], now_ms: int) -> None:
    """Ends the alerts of which the labels of the last week say that the rate is back."""
    watching = house.stores.journal.watching
    waiting = [a for a in watching.alerts() if a.status != "resolved" and a.alert_id in findings]
    span = watching.span() if waiting else None
    if span is None:
        return
    end = min(now_ms, span[1] + HOUR_MS)
    lately = by_slice(house.stores, since_ms=end - 7 * DAY_MS, until_ms=end)
    for alert in waiting:
        finding = findings[alert.alert_id]
        if not lately or finding.metric not in lately[0].metrics or finding.raised_ms > end - 7 * DAY_MS:
            continue
        rate = lately[0].metrics[finding.metric]
        if finding.metric == "new_domain":
            # a finding tells of the share inside the scope
            rate = Estimate(1 - rate.value, 1 - rate.high, 1 - rate.low, rate.n, rate.n_effective)
        done = over(alert, finding, rate, house.policy.alert, now_ms=now_ms)
        if done is not None:
            watching.keep_alerts([done])


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
