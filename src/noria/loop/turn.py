"""One lap of the loop, top to bottom: labels → findings → plan → candidate → verdict → release → new label tasks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from noria import build, label, monitor, release
from noria.errors import NoRelease, OutsideError
from noria.loop.basket import grow
from noria.loop.house import House
from noria.loop.learning import learn_quickly
from noria.loop.updating import look_for_topics, open_backlog, plan_turn, scope_of
from noria.records import (
    DAY_MS,
    Candidate,
    Example,
    Judged,
    Plan,
    Receipt,
    Release,
    TurnReceipt,
    Verdict,
)
from noria.update.topics import taught


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
    timer.add(_or_warning("label.gather", lambda: label.gather(stores, house.desk, policy.settling)))
    timer.add(monitor.check(stores, policy.alarm, until_ms=now_ms)[1])
    if house.watch is not None:
        timer.add(house.watch(now_ms))
    judged = stores.journal.judged(0, now_ms)
    plan = plan_turn(house, live, judged, now_ms=now_ms)
    looked = look_for_topics(house, live, now_ms=now_ms)
    if looked is not None:
        timer.add(looked)
    waiting = open_backlog(house, judged, now_ms=now_ms)
    counts = {"labels": len(plan.label_ids), "backlog": len(plan.backlog) + len(waiting)}
    timer.add(Receipt("update", counts, {"plan": plan.reason}))
    verdict: Verdict | None = None
    if plan.retrain:
        candidate, warnings = _candidate(house, live, judged, plan, now_ms)
        timer.add(Receipt("build", {"rows": candidate.examples.rows}, {"tag": candidate.tag}, warnings=warnings))
        fresh = fresh_rows(house, judged, candidate, now_ms)
        verdict = house.judge(stores, candidate, fresh, policy.gate, time_ms=now_ms, encoders=house.encoders)
        if verdict.kind == "promote":
            live = release.roll_out(stores, candidate, verdict, time_ms=now_ms)
        ids = {"verdict": verdict.kind, "reason": verdict.reason, "release": live.release}
        timer.add(Receipt("release", {"basket_score": verdict.basket_score}, ids))
    scope = sorted(scope_of(stores, live.candidate))
    timer.add(
        _or_warning(
            "label.send",
            lambda: label.send(stores, house.desk, policy.sampling, scope=scope, until_ms=now_ms, time_ms=now_ms),
        )
    )
    done = TurnReceipt(
        turn_id, now_ms, tuple(timer.receipts), verdict.kind if verdict else None, live.release if verdict else None
    )
    stores.journal.add_turn(done)
    return done


def fresh_rows(house: House, judged: Sequence[Judged], candidate: Candidate, now_ms: int) -> list[Example]:
    """Labelled production queries of the gate's window that no model was trained on."""
    since_ms = now_ms - house.policy.gate.fresh_days * DAY_MS
    kept = [j for j in judged if label.for_gate(j) and j.task.query_time_ms >= since_ms]
    return label.corrected(kept, scope_of(house.stores, candidate))


def _candidate(
    house: House, live: Release, judged: Sequence[Judged], plan: Plan, now_ms: int
) -> tuple[Candidate, tuple[str, ...]]:
    """Labels become rows of a new data version, and the data a candidate; with what there is to warn of."""
    chosen = set(plan.label_ids)
    rows = label.corrected(
        [j for j in judged if j.label.label_id in chosen], scope_of(house.stores, live.candidate), plan.new_intents
    )
    name = live.candidate.examples.name
    rows += taught(house.stores, house.stores.lake.examples(name)[1])
    note = {"source": "labels", "why": plan.reason}
    examples = build.extend_examples(house.stores, name, rows, note=note, time_ms=now_ms)
    grow(house.stores, examples, judged, time_ms=now_ms)
    if (quick := learn_quickly(house, live, rows, examples, now_ms=now_ms)) is not None:
        return quick, ()
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


def _or_warning(room: str, exchange: Callable[[], Receipt]) -> Receipt:
    """What a label desk was asked, or the warning that it is out of reach: the turn goes on with the labels it has."""
    try:
        return exchange()
    except OutsideError as error:
        return Receipt(room, {}, warnings=(f"the label desk is out of reach; the next turn tries again: {error}",))


class _Timer:
    """Collects receipts and gives each the seconds since the one before."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock, self._last = clock, clock()
        self.receipts: list[Receipt] = []

    def add(self, receipt: Receipt) -> None:
        now = self._clock()
        self.receipts.append(replace(receipt, seconds=round(now - self._last, 4)))
        self._last = now
