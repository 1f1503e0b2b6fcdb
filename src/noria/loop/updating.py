"""The update half of a turn: topics, causes, the plan, the backlog, each from what the stores hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from noria import label, update
from noria.label.corrections import learnt_labels
from noria.loop.candidates.learning import full_fit_due
from noria.loop.scope import scope_of
from noria.records import (
    DAY_MS,
    BacklogItem,
    Finding,
    Judged,
    Plan,
    Receipt,
    Release,
    Topic,
    Triage,
)
from noria.release import load_agent
from noria.update.backlog import Week, backlog, outcomes
from noria.update.topics import DECIDED, TOPICS, find_topics, known_topics, taught
from noria.update.triage import Retried, of_finding

if TYPE_CHECKING:
    from noria.loop.house import House
    from noria.stores import Stores

ACCEPTED = "update.accepted"
BACKLOG = "update.backlog"
"""Where the backlog is kept as it stood last."""
_MOST_RETRIED = 2000


def plan_turn(house: House, live: Release, judged: Sequence[Judged], *, now_ms: int) -> Plan:
    """What the next turn would learn, accept and put into the backlog."""
    stores = house.stores
    _, rows = stores.lake.examples(live.candidate.examples.name)
    state = stores.journal.get_state(ACCEPTED) or {}
    return update.plan(
        [j for j in judged if not label.for_gate(j)],
        learnt=learnt_labels(rows),
        scope=scope_of(stores, live.candidate),
        accepted=list(state.get("intents", ())),
        findings=[f for f in stores.journal.findings() if f.stream == "labels" and f.raised_ms > live.since_ms],
        policy=house.policy.update,
        taught=taught(stores, rows),
        full_due=full_fit_due(house, live, now_ms=now_ms),
    )


def accept_intent(stores: Stores, intent: str) -> list[str]:
    """Lets labels that name an intent bring it into scope with the next turn that retrains; all that may."""
    state = stores.journal.get_state(ACCEPTED) or {}
    names = sorted({*state.get("intents", ()), intent})
    stores.journal.set_state(ACCEPTED, {"intents": names})
    return names


def look_for_topics(house: House, live: Release, *, now_ms: int) -> Receipt | None:
    """Looks for topics where it is time to; None where it is not."""
    return _find(house, live, now_ms)[1] if topics_due(house, now_ms=now_ms) else None


def topics_due(house: House, *, now_ms: int) -> bool:
    """Whether it is time to look for topics."""
    looked = (house.stores.journal.get_state(TOPICS) or {}).get("looked_ms")
    return looked is None or now_ms - looked >= house.policy.discovery.topic_every_days * DAY_MS


def find_now(house: House, live: Release, *, now_ms: int) -> list[Topic]:
    """The topics of this moment."""
    return _find(house, live, now_ms)[0]


def _find(house: House, live: Release, now_ms: int) -> tuple[list[Topic], Receipt]:
    candidate = live.candidate
    _, rows = house.stores.lake.examples(candidate.examples.name, candidate.examples.version)
    encoder, why = house.topic_encoder()
    topics, receipt = find_topics(house.stores, rows, encoder, house.policy.discovery, now_ms=now_ms)
    return topics, replace(receipt, warnings=(why,) if why else ())


def triage(house: House, judged: Sequence[Judged]) -> list[Triage]:
    """Why each finding since the last release came about, by the labels of now."""
    stores, policy = house.stores, house.policy.triage
    live = stores.journal.current_release()
    since_ms = live.since_ms if live else 0
    recent = [f for f in stores.journal.findings() if f.stream == "labels" and f.raised_ms > since_ms]
    return [of_finding(f, judged, policy, _retried(house, f, judged)) for f in recent]


def open_backlog(house: House, judged: Sequence[Judged], *, now_ms: int) -> list[BacklogItem]:
    """Everything that waits for people, best gain for its effort first, and what came of what was accepted."""
    stores, policy = house.stores, house.policy.backlog
    before, latest = (stores.journal.watching.count(now_ms - d * DAY_MS, now_ms - (d - 7) * DAY_MS) for d in (14, 7))
    lately = [j for j in judged if j.task.query_time_ms >= now_ms - 28 * DAY_MS and j.label.relevance == "in_scope"]
    weights = [1 / j.task.inclusion_probability for j in lately]
    right = sum(w for w, j in zip(weights, lately, strict=True) if j.right)
    week = Week(latest, before, right / sum(weights) if weights else 0.5)
    items = backlog(known_topics(stores), judged, triage(house, judged), week, now_ms=now_ms, policy=policy)
    releases = stores.journal.releases()
    items += outcomes(stores.journal.get_state(DECIDED) or {}, judged, releases)
    stores.journal.set_state(BACKLOG, {"time_ms": now_ms, "items": [asdict(item) for item in items]})
    return items


def _retried(house: House, finding: Finding, judged: Sequence[Judged]) -> Retried | None:
    """The release before, on the labelled queries since, where a release went live within the finding's inception."""
    ledger = [
        e
        for e in house.stores.journal.ledger()
        if e.release and (e.kind == "release" or (e.kind == "rollback" and "stage" not in e.evidence))
    ]
    within = [
        number
        for number, entry in enumerate(ledger)
        if number and finding.inception_low_ms <= entry.time_ms <= finding.inception_high_ms
    ]
    if not within:
        return None
    new, old = (house.stores.journal.release(str(ledger[n].release)) for n in (within[-1], within[-1] - 1))
    asked = [
        j
        for j in judged
        if j.task.query_time_ms >= finding.inception_ms
        and j.task.release == new.release
        and j.label.relevance == "in_scope"
        and j.label.intent in scope_of(house.stores, old.candidate)
    ][-_MOST_RETRIED:]
    if not asked:
        return None
    agent = load_agent(house.stores, old.candidate, house.encoders)
    answers = agent.answer_all([j.task.text for j in asked], [j.task.account for j in asked])
    was = [a.decision == "answer" and a.intent == j.label.intent for a, j in zip(answers, asked, strict=True)]
    now = [j.answered and j.label.intent == j.task.predicted_intent for j in asked]
    pairs = list(zip(was, now, strict=True))
    return Retried(
        new.release,
        old.release,
        b=sum(w and not n for w, n in pairs),
        c=sum(n and not w for w, n in pairs),
        n=len(pairs),
    )
