"""One lap of the loop, top to bottom: labels → findings → plan → candidate → verdict → release → new label tasks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from noria import build, label, monitor, release, update
from noria.agent import Recipe
from noria.agent.bundle import Encoders
from noria.agent.encoding import Encoder
from noria.errors import NoRelease
from noria.label import SamplingPolicy, SettlingPolicy
from noria.label.corrections import learnt_labels
from noria.monitor import AlarmPolicy
from noria.records import (
    DAY_MS,
    RESERVED_INTENTS,
    Candidate,
    Example,
    Judged,
    Plan,
    Receipt,
    Release,
    TurnReceipt,
    Verdict,
)
from noria.release import GatePolicy
from noria.update import UpdatePolicy

if TYPE_CHECKING:
    from noria.ports.label_desk import LabelDesk
    from noria.stores import Stores

ACCEPTED = "update.accepted"


@dataclass(frozen=True, slots=True)
class LoopPolicy:
    """What every room of the loop goes by."""

    recipe: Recipe = field(default_factory=Recipe)
    sampling: SamplingPolicy = field(default_factory=SamplingPolicy)
    settling: SettlingPolicy = field(default_factory=SettlingPolicy)
    alarm: AlarmPolicy = field(default_factory=AlarmPolicy)
    gate: GatePolicy = field(default_factory=GatePolicy)
    update: UpdatePolicy = field(default_factory=UpdatePolicy)


def no_encoder() -> tuple[Encoder | None, str]:
    """Train without an encoder."""
    return None, ""


@dataclass(frozen=True, slots=True)
class House:
    """What a turn works with.

    `clock`: seconds, for receipts and training times only. `code`: facts on the code. `encoders`: gives the encoder of
    a spec, for agents that need one. `encoder`: the one to train with, or None and why there is none.
    """

    stores: Stores
    desk: LabelDesk
    policy: LoopPolicy
    clock: Callable[[], float]
    code: Mapping[str, str] = field(default_factory=dict)
    encoders: Encoders | None = None
    encoder: Callable[[], tuple[Encoder | None, str]] = no_encoder


def turn(house: House, *, now_ms: int, turn_id: str) -> TurnReceipt:
    """Turns the loop once.

    Args:
        house: stores, label desk and policies.
        now_ms: the present; nothing later is looked at.
        turn_id: name of the turn.

    Raises:
        NoRelease: nothing is live, so there is no traffic to learn from.
    """
    stores, policy, timer = house.stores, house.policy, _Timer(house.clock)
    live = stores.journal.current_release()
    if live is None:
        raise NoRelease
    timer.add(label.gather(stores, house.desk, policy.settling))
    timer.add(monitor.check(stores, policy.alarm, until_ms=now_ms)[1])
    judged = stores.journal.judged(0, now_ms)
    plan = plan_turn(house, live, judged)
    timer.add(Receipt("update", {"labels": len(plan.label_ids), "backlog": len(plan.backlog)}, {"plan": plan.reason}))
    verdict: Verdict | None = None
    if plan.retrain:
        candidate, warnings = _candidate(house, live, judged, plan, now_ms)
        timer.add(Receipt("build", {"rows": candidate.examples.rows}, {"tag": candidate.tag}, warnings=warnings))
        fresh = fresh_rows(house, judged, candidate, now_ms)
        verdict = release.consider(stores, candidate, fresh, policy.gate, time_ms=now_ms, encoders=house.encoders)
        if verdict.kind == "promote":
            live = release.roll_out(stores, candidate, verdict, time_ms=now_ms)
        ids = {"verdict": verdict.kind, "reason": verdict.reason, "release": live.release}
        timer.add(Receipt("release", {"basket_score": verdict.basket_score}, ids))
    scope = sorted(scope_of(stores, live.candidate))
    timer.add(label.send(stores, house.desk, policy.sampling, scope=scope, until_ms=now_ms, time_ms=now_ms))
    done = TurnReceipt(
        turn_id, now_ms, tuple(timer.receipts), verdict.kind if verdict else None, live.release if verdict else None
    )
    stores.journal.add_turn(done)
    return done


def plan_turn(house: House, live: Release, judged: Sequence[Judged]) -> Plan:
    """What the next turn would learn, accept and put into the backlog."""
    stores = house.stores
    _, rows = stores.lake.examples(live.candidate.examples.name)
    state = stores.journal.get_state(ACCEPTED) or {}
    return update.plan(
        [j for j in judged if not label.for_gate(j)],
        learnt=learnt_labels(rows),
        scope=scope_of(stores, live.candidate),
        accepted=list(state.get("intents", ())),
        findings=[f for f in stores.journal.findings() if f.raised_ms > live.since_ms],
        policy=house.policy.update,
    )


def fresh_rows(house: House, judged: Sequence[Judged], candidate: Candidate, now_ms: int) -> list[Example]:
    """Labelled production queries of the gate's window that no model was trained on."""
    since_ms = now_ms - house.policy.gate.fresh_days * DAY_MS
    kept = [j for j in judged if label.for_gate(j) and j.task.query_time_ms >= since_ms]
    return label.corrected(kept, scope_of(house.stores, candidate))


def scope_of(stores: Stores, candidate: Candidate) -> set[str]:
    """The intents that a candidate's examples declare."""
    _, rows = stores.lake.examples(candidate.examples.name, candidate.examples.version)
    return {row.intent for row in rows} - RESERVED_INTENTS


def _candidate(
    house: House, live: Release, judged: Sequence[Judged], plan: Plan, now_ms: int
) -> tuple[Candidate, tuple[str, ...]]:
    """Labels become rows of a new data version, and the data a candidate; with what there is to warn of."""
    chosen = set(plan.label_ids)
    rows = label.corrected(
        [j for j in judged if j.label.label_id in chosen], scope_of(house.stores, live.candidate), plan.new_intents
    )
    name = live.candidate.examples.name
    note = {"source": "labels", "why": plan.reason}
    examples = build.extend_examples(house.stores, name, rows, note=note, time_ms=now_ms)
    articles = live.candidate.articles
    encoder, why = house.encoder()
    candidate, agent = build.train(
        house.stores,
        examples.ref,
        articles_ref=articles.name if articles else None,
        recipe=house.policy.recipe,
        time_ms=now_ms,
        code=house.code,
        clock=house.clock,
        encoder=encoder,
    )
    return candidate, (*((why,) if why else ()), *agent.warnings)


class _Timer:
    """Collects receipts and gives each the seconds since the one before."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock, self._last = clock, clock()
        self.receipts: list[Receipt] = []

    def add(self, receipt: Receipt) -> None:
        now = self._clock()
        self.receipts.append(replace(receipt, seconds=round(now - self._last, 4)))
        self._last = now
