"""One lap of the loop, top to bottom: labels → findings → plan → candidate → verdict → release → new label tasks.

The lap is cut into steps. What a step gives back is small and plain (ids, counts, no text of anybody), so that it can
be kept; a step that was interrupted and runs again does nothing twice. With a `run` that keeps results a turn that was
killed goes on where it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from noria import build, label, monitor
from noria.build.citations import keep_citations
from noria.errors import NoRelease, OutsideError
from noria.loop.candidates.basket import grow
from noria.loop.candidates.comparing import apart_rows, judged_again, wait_for_labels, waiting_for_labels
from noria.loop.candidates.learning import learn_quickly
from noria.loop.house import House
from noria.loop.scope import scope_of
from noria.loop.updating import look_for_topics, open_backlog, plan_turn
from noria.records import DAY_MS, Candidate, DataVersion, Example, Judged, Receipt, Release, TurnReceipt
from noria.release.staging import go_live, watch
from noria.stores.journal.codec import Plain, receipt_from, receipt_json, version_json
from noria.update.topics import taught

Step = Callable[[], dict[str, Plain]]
Run = Callable[[str, Step], Mapping[str, Any]]
"""Runs a step by its name, or gives back what it gave before."""

VERSION = 1
"""Of the steps and what they give back: a turn that was begun under another one cannot go on."""
_NOTE = "noria.turn"


def at_once(_name: str, step: Step) -> Mapping[str, Any]:
    """Runs a step and keeps nothing."""
    return step()


def turn(house: House, *, now_ms: int, turn_id: str, run: Run = at_once) -> TurnReceipt:
    """Turns the loop once.

    Args:
        house: stores, label desk and policies.
        now_ms: the present; nothing later is looked at.
        turn_id: name of the turn.
        run: how a step is run.

    Raises:
        NoRelease: nothing is live, so there is no traffic to learn from.
    """
    if house.stores.journal.current_release() is None:
        raise NoRelease
    lap = _Lap(house, now_ms, turn_id)
    done = [run("label.gather", lap.gather), run("monitor", lap.check), run("stages", lap.watch)]
    done.append(run("plan", lap.plan))
    plan, verdict = done[-1], None
    tag = plan["waited"]
    if plan["retrain"]:
        learnt = run("learn", lambda: lap.learn(plan))
        done.append(run("build", lambda: lap.build(plan, learnt)))
        tag = done[-1]["tag"]
    if tag:
        verdict = run("release", lambda: lap.release(tag))
        done.append(verdict)
        if verdict["kind"] == "hold" and not verdict["staged"] and house.policy.gate.compare_labels:
            done.append(run("compare", lambda: lap.compare(tag)))
    done.append(run("label.send", lap.send))
    receipts = tuple(receipt_from(receipt) for step in done for receipt in step["receipts"])
    kind, live = (verdict["kind"], verdict["release"]) if verdict else (None, None)
    whole = TurnReceipt(turn_id, now_ms, receipts, kind, live)
    house.stores.journal.add_turn(whole)
    return whole


def fresh_rows(house: House, judged: Sequence[Judged], candidate: Candidate, now_ms: int) -> list[Example]:
    """Labelled production queries of the gate's window that no model was trained on."""
    since_ms = now_ms - house.policy.gate.fresh_days * DAY_MS
    kept = [j for j in judged if label.for_gate(j) and j.task.query_time_ms >= since_ms]
    return label.corrected(kept, scope_of(house.stores, candidate))


def look_for_changes(house: House, now_ms: int) -> Iterator[Receipt]:
    """Findings, then windows, explanations and alerts; each receipt as soon as its part is done."""
    encoder = house.topic_encoder()[0]
    yield monitor.check(house.stores, house.policy.alarm, until_ms=now_ms, encoder=encoder)[1]
    if house.watch is not None:
        yield house.watch(now_ms)


def watch_challenger(house: House, now_ms: int) -> Iterator[Receipt]:
    """A challenger that answers beside the live release goes a stage on, back, or waits; nothing without one."""
    watched = watch(house.stores, house.policy.stages, now_ms)
    if watched is not None:
        ids = {"challenger": watched.challenger.challenger_id, "step": watched.step.sentence}
        yield Receipt("release", {}, ids)


@dataclass
class _Lap:
    """The steps of one turn; each can be run again."""

    house: House
    now_ms: int
    turn_id: str

    @cached_property
    def _judged(self) -> list[Judged]:
        return self.house.stores.journal.judged(0, self.now_ms)

    def gather(self) -> dict[str, Plain]:
        """Labels come in."""
        house, timer = self.house, _Timer(self.house.clock)
        timer.add(_or_warning("label.gather", lambda: label.gather(house.stores, house.desk, house.policy.settling)))
        return timer.told()

    def check(self) -> dict[str, Plain]:
        """Looks for changes."""
        timer = _Timer(self.house.clock)
        for receipt in look_for_changes(self.house, self.now_ms):
            timer.add(receipt)
        return timer.told()

    def watch(self) -> dict[str, Plain]:
        """A challenger that answers beside the live release goes a stage on, back, or waits."""
        timer = _Timer(self.house.clock)
        for receipt in watch_challenger(self.house, self.now_ms):
            timer.add(receipt)
        return timer.told()

    def plan(self) -> dict[str, Plain]:
        """What to learn, and from which version of the data; a candidate that waits for its labels goes first."""
        house, timer, live = self.house, _Timer(self.house.clock), self._live()
        plan = plan_turn(house, live, self._judged, now_ms=self.now_ms)
        held = waiting_for_labels(house, self._judged, now_ms=self.now_ms)
        running = house.stores.journal.staging.running()
        first = held.sentence if held else ""
        if running is not None and running.judged is not None:
            held, first = None, f"{running.candidate.tag} is on its way to go live, as {running.challenger_id}"
        if first:
            plan = replace(plan, retrain=False, reason=first, label_ids=(), new_intents=())
        looked = look_for_topics(house, live, now_ms=self.now_ms)
        if looked is not None:
            timer.add(looked)
        waiting = open_backlog(house, self._judged, now_ms=self.now_ms)
        counts = {"labels": len(plan.label_ids), "backlog": len(plan.backlog) + len(waiting)}
        timer.add(Receipt("update", counts, {"plan": plan.reason}))
        base = house.stores.lake.resolve("examples", live.candidate.examples.name)
        return timer.told(
            retrain=plan.retrain,
            waited=held.tag if held is not None and held.ready else "",
            reason=plan.reason,
            label_ids=list(plan.label_ids),
            new_intents=list(plan.new_intents),
            live=live.release,
            base=version_json(base),
        )

    def learn(self, plan: Mapping[str, Any]) -> dict[str, Plain]:
        """Labels and accepted topics become rows of a new version of the data, and of the basket."""
        stores, timer = self.house.stores, _Timer(self.house.clock)
        base, live = DataVersion(**plan["base"]), stores.journal.release(plan["live"])
        chosen = set(plan["label_ids"])
        judged = [j for j in self._judged if j.label.label_id in chosen]
        rows = label.corrected(judged, scope_of(stores, live.candidate), plan["new_intents"])
        # what the version knew that the plan was made on: this step may have written already
        rows += taught(stores, stores.lake.examples(base.name, base.version)[1])
        note = {"source": "labels", "why": plan["reason"]}
        examples = build.extend_examples(stores, base.name, rows, note=note, time_ms=self.now_ms)
        grow(stores, examples, self._judged, time_ms=self.now_ms)
        if live.candidate.articles is not None:
            keep_citations(stores, base.name, self._judged, time_ms=self.now_ms)
        return timer.told(examples=version_json(examples), rows=[row.id for row in rows])

    def build(self, plan: Mapping[str, Any], learnt: Mapping[str, Any]) -> dict[str, Plain]:
        """A candidate of the data; of a turn there is one only."""
        house, timer = self.house, _Timer(self.house.clock)
        stores = house.stores
        warnings: tuple[str, ...] = ()
        examples, live = DataVersion(**learnt["examples"]), stores.journal.release(plan["live"])
        candidate = stores.tracker.noted(_NOTE, self.turn_id)
        if candidate is None:
            candidate, warnings = self._candidate(live, examples, set(learnt["rows"]))
        timer.add(Receipt("build", {"rows": candidate.examples.rows}, {"tag": candidate.tag}, warnings=warnings))
        return timer.told(tag=candidate.tag)

    def release(self, tag: str) -> dict[str, Plain]:
        """The verdict on the candidate, and its release; both stand in the ledger, once."""
        house, timer = self.house, _Timer(self.house.clock)
        stores = house.stores
        candidate = stores.tracker.candidate(tag)
        entry = next((e for e in stores.journal.ledger() if e.tag == tag and e.time_ms == self.now_ms), None)
        if entry is None:
            fresh = fresh_rows(house, self._judged, candidate, self.now_ms)
            gate = house.policy.gate
            apart = apart_rows(house, candidate, self._judged)
            verdict = house.judge(
                stores, candidate, fresh, gate, time_ms=self.now_ms, encoders=house.encoders, differing=apart
            )
            if verdict.kind == "promote":
                go_live(stores, candidate, verdict, house.policy.stages, now_ms=self.now_ms)
            entry = stores.journal.ledger()[-1]
        kind = "promote" if entry.kind == "release" else entry.kind
        score, reason = float(entry.evidence["basket_score"]), str(entry.evidence["reason"])
        live = self._live().release
        timer.add(Receipt("release", {"basket_score": score}, {"verdict": kind, "reason": reason, "release": live}))
        judged_again(house, tag)
        return timer.told(kind=kind, release=live, staged="stage" in entry.evidence)

    def compare(self, tag: str) -> dict[str, Plain]:
        """Labels are asked for where the held candidate answers unlike what is live."""
        house, timer = self.house, _Timer(self.house.clock)

        def asked() -> Receipt:
            found = wait_for_labels(house, house.stores.tracker.candidate(tag), now_ms=self.now_ms)
            if found is None:
                return Receipt("label.compare", {}, {"tag": tag})
            counts = {"traffic": found.traffic, "differing": found.differing, "tasks": found.asked}
            return Receipt("label.compare", counts, {"tag": tag})

        timer.add(_or_warning("label.compare", asked))
        return timer.told()

    def send(self) -> dict[str, Plain]:
        """New tasks go to people."""
        house, timer, now_ms = self.house, _Timer(self.house.clock), self.now_ms
        scope = sorted(scope_of(house.stores, self._live().candidate))

        def sent() -> Receipt:
            return label.send(
                house.stores, house.desk, house.policy.sampling, scope=scope, until_ms=now_ms, time_ms=now_ms
            )

        timer.add(_or_warning("label.send", sent))
        return timer.told()

    def _live(self) -> Release:
        live = self.house.stores.journal.current_release()
        if live is None:
            raise NoRelease
        return live

    def _candidate(self, live: Release, examples: DataVersion, learnt: set[str]) -> tuple[Candidate, tuple[str, ...]]:
        """By a warm start where that may be, else by a full training; with what there is to warn of."""
        house, notes = self.house, {_NOTE: self.turn_id}
        rows = [r for r in house.stores.lake.examples(examples.name, examples.version)[1] if r.id in learnt]
        quick = learn_quickly(house, live, rows, examples, now_ms=self.now_ms, notes=notes)
        if quick is not None:
            return quick, ()
        articles = live.candidate.articles
        encoder, why = house.encoder()
        candidate, agent = build.train(
            house.stores,
            examples.ref,
            articles_ref=articles.name if articles else None,
            recipe=house.policy.recipe,
            time_ms=self.now_ms,
            code=house.code,
            clock=house.clock,
            encoder=encoder,
            notes=notes,
        )
        return candidate, (*((why,) if why else ()), *agent.warnings)


def _or_warning(room: str, exchange: Callable[[], Receipt]) -> Receipt:
    """What a label desk was asked, or the warning that it is out of reach: the turn goes on with the labels it has."""
    try:
        return exchange()
    except OutsideError as error:
        return Receipt(room, {}, warnings=(f"the label desk is out of reach; the next turn tries again: {error}",))


class _Timer:
    """Collects the receipts of a step and gives each the seconds since the one before."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock, self._last = clock, clock()
        self._receipts: list[Plain] = []

    def add(self, receipt: Receipt) -> None:
        now = self._clock()
        self._receipts.append(receipt_json(replace(receipt, seconds=round(now - self._last, 4))))
        self._last = now

    def told(self, **facts: Plain) -> dict[str, Plain]:
        """The receipts with the facts that later steps need."""
        return {"receipts": self._receipts, **facts}
