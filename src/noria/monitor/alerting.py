"""One alert for each change: how severe, whom to tell when, and when it is over. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from noria.monitor.explain import of_slice
from noria.records import HOUR_MS, Finding
from noria.records.findings import SEVERITIES, Alert, Explanation, Notice, Severity
from noria.stats import Estimate

QUALITY = ("success", "coverage", "preciseness", "helpfulness", "new_domain")
"""Metrics of labels; what unlabelled streams tell is for information, since a shift need not hurt."""
_HIGH, _MEDIUM = 0.10, 0.05


@dataclass(frozen=True, slots=True)
class AlertPolicy:
    """Whom not to wake.

    least_severity: channels are told of nothing below it. quiet_hours: after a channel was told, it hears of nothing
    that is not more severe for so long; what waits is told then. settled_labels: labels of the last week without which
    nothing is taken for over.
    """

    least_severity: Severity = "low"
    quiet_hours: float = 6.0
    settled_labels: int = 50


def severity_of(finding: Finding) -> Severity:
    """By the size of the drop: 10 points high, 5 medium, less low; no drop, and no metric of labels: info."""
    drop = finding.before - finding.after
    if finding.metric.split(":")[0].split("@")[0] not in QUALITY or not drop > 0:
        return "info"
    return "high" if drop >= _HIGH else "medium" if drop >= _MEDIUM else "low"


def gather(findings: Sequence[Finding], alerts: Sequence[Alert], *, now_ms: int) -> list[Alert]:
    """The alerts that are new or changed: findings whose inceptions overlap are one change, whatever their metric.

    Args:
        findings: all of them, in order of the time they were raised.
        alerts: as they are kept.
        now_ms: the present.
    """
    by_id = {f.finding_id: f for f in findings}
    told = {a.alert_id: a for a in alerts}
    kept = dict(told)
    held = {f for a in alerts for f in a.finding_ids}
    for finding in (f for f in findings if f.finding_id not in held):
        one = next((a for a in kept.values() if a.status != "resolved" and _same(finding, a, by_id)), None)
        name, words = finding.finding_id, finding.sentence
        if one is None:
            made = Alert(name, severity_of(finding), "open", (name,), words, finding.raised_ms, now_ms)
        else:
            made = replace(one, finding_ids=(*one.finding_ids, name))
        kept[made.alert_id] = made
    stand = [a if a.status == "resolved" else _as_it_stands(a, by_id) for a in kept.values()]
    return [replace(a, updated_ms=now_ms) for a in stand if a != told.get(a.alert_id)]


def _as_it_stands(alert: Alert, by_id: Mapping[str, Finding]) -> Alert:
    """The alert in the words of its worst finding, as that is placed by now; never less severe than it was."""
    found = worst(alert, by_id)
    if found is None:
        return alert
    severity = max(alert.severity, severity_of(found), key=SEVERITIES.index)
    return replace(alert, severity=severity, sentence=found.sentence)


def worst(alert: Alert, by_id: Mapping[str, Finding]) -> Finding | None:
    """The most severe finding of an alert, the first of those as severe; None where none is known."""
    own = (by_id[f] for f in alert.finding_ids if f in by_id)
    return max(own, key=lambda f: SEVERITIES.index(severity_of(f)), default=None)


def over(alert: Alert, lately: Sequence[tuple[Finding, Estimate]], policy: AlertPolicy, *, now_ms: int) -> Alert | None:
    """The alert resolved, where the last week's labels say of each of its falls that the rate is back; else None.

    Back: surely above the level since the change, and not surely below the one before it.

    Args:
        alert: open or acknowledged.
        lately: its findings on labels, each with its rate over the last seven days in its own slice.
        policy: how many labels it takes.
        now_ms: the present.
    """
    back = [
        rate.n >= policy.settled_labels and rate.low > finding.after and rate.high >= finding.before
        for finding, rate in lately
    ]
    if not back or not all(back):
        return None
    why = (
        f"{finding.metric.replace('_', ' ').capitalize()}{of_slice(finding)} is back at {100 * rate.value:.1f} % "
        f"({100 * rate.low:.1f} to {100 * rate.high:.1f}, {rate.n} labels of the last seven days)."
        for finding, rate in lately
    )
    return replace(alert, status="resolved", resolved_ms=now_ms, resolution=" ".join(why), updated_ms=now_ms)


def due(channel: str, alerts: Sequence[Alert], policy: AlertPolicy, *, now_ms: int) -> list[Alert]:
    """The alerts that a channel is to be told of now: new, more severe than told, or over; each once.

    An alert that is over before a channel heard of it is not told. What comes within the quiet time waits, unless it is
    more severe than all that was told in it.
    """
    told = {a.alert_id: _told(a, channel) for a in alerts}
    loudest = max(
        (SEVERITIES.index(t[1]) for t in told.values() if t and now_ms - t[0] < policy.quiet_hours * HOUR_MS),
        default=-1,
    )
    wanted = []
    for alert in alerts:
        rank, before = SEVERITIES.index(alert.severity), told[alert.alert_id]
        if rank < SEVERITIES.index(policy.least_severity):
            continue
        if before is None:
            if alert.status != "resolved" and rank > loudest:
                wanted.append(alert)
        elif alert.status == "resolved":
            if before[2] != "resolved":
                wanted.append(alert)
        elif rank > max(SEVERITIES.index(before[1]), loudest):
            wanted.append(alert)
    return sorted(wanted, key=lambda a: (-SEVERITIES.index(a.severity), a.opened_ms, a.alert_id))


def noted(alert: Alert, channel: str, *, now_ms: int) -> Alert:
    """The alert with the note that a channel has it."""
    state = "resolved" if alert.status == "resolved" else "open"
    return replace(alert, told={**alert.told, channel: f"{now_ms} {alert.severity} {state}"})


def notice(alert: Alert, explanation: Explanation | None, address: str, *, now_ms: int) -> Notice:
    """An alert in words: its sentence or why it is over, why its worst finding came about, and where to look."""
    state = "over" if alert.status == "resolved" else alert.severity
    lines: tuple[str, ...] = (alert.resolution,) if alert.status == "resolved" else (alert.sentence,)
    if explanation is not None and alert.status != "resolved":
        lines += explanation.sentences
    about = explanation.finding_id if explanation else alert.alert_id
    link = f"{address.rstrip('/')}/findings/{about}" if address else ""
    return Notice(alert, f"[{state}] {lines[0]}", lines, link, now_ms)


def _same(finding: Finding, alert: Alert, by_id: Mapping[str, Finding]) -> bool:
    """Whether a finding's inception overlaps with one of the alert's."""
    others = (by_id[f] for f in alert.finding_ids if f in by_id)
    return any(
        f.inception_low_ms <= finding.inception_high_ms and finding.inception_low_ms <= f.inception_high_ms
        for f in others
    )


def _told(alert: Alert, channel: str) -> tuple[int, Severity, str] | None:
    """When, as how severe and in which state a channel was told."""
    text = alert.told.get(channel)
    if text is None:
        return None
    time_ms, severity, state = text.split(" ")
    return int(time_ms), severity, state  # type: ignore[return-value]  # as `noted` wrote it
