"""What a turn would do if it ran now; nothing is written, fetched or sent."""

from __future__ import annotations

from dataclasses import dataclass

from noria.errors import NoRelease, OutsideError
from noria.label.drawing.sampling import outlook
from noria.loop.candidates.learning import full_fit_due, warm_start_may
from noria.loop.house import House
from noria.loop.turn import fresh_rows
from noria.loop.updating import ACCEPTED, plan_turn, topics_due
from noria.records import Judged, Plan, Release
from noria.release.standing import standing


@dataclass(frozen=True, slots=True)
class Planned:
    """A step of the turn and what it would do, in a sentence."""

    step: str
    sentence: str


def explain(house: House, *, now_ms: int) -> list[Planned]:
    """The steps of a turn that began now, in order, by what the stores hold; new labels on the desk may change it.

    Raises:
        NoRelease: nothing is live.
    """
    stores = house.stores
    live = stores.journal.current_release()
    if live is None:
        raise NoRelease
    judged = stores.journal.judged(0, now_ms)
    plan = plan_turn(house, live, judged, now_ms=now_ms)
    steps = [
        Planned("label.gather", _desk(house)),
        Planned("monitor", f"Looks for changes in {len(judged)} settled labels."),
        Planned("plan", _plan(house, plan, now_ms=now_ms)),
    ]
    if plan.retrain:
        steps += [
            Planned("learn", _learn(plan)),
            Planned("build", _build(house, live, now_ms=now_ms)),
            Planned("release", _release(house, live, judged, now_ms=now_ms)),
        ]
    waiting, tasks = outlook(stores, house.policy.sampling, until_ms=now_ms, time_ms=now_ms)
    steps.append(Planned("label.send", f"Draws about {tasks:.0f} tasks from {waiting} predictions."))
    return steps


def _desk(house: House) -> str:
    try:
        status = house.desk.status()
    except OutsideError as error:
        return f"The label desk is out of reach ({error}); the turn would go on with the labels it has."
    return f"Fetches labels; {status.open} tasks on the desk still wait for an answer."


def _plan(house: House, plan: Plan, *, now_ms: int) -> str:
    looks = " Looks for topics among queries that were not served." if topics_due(house, now_ms=now_ms) else ""
    accepted = (house.stores.journal.get_state(ACCEPTED) or {}).get("intents", ())
    waits = f" {len(plan.backlog)} intents wait for a person." if plan.backlog else ""
    names = f" Accepted by people: {', '.join(accepted)}." if accepted else ""
    return f"{'Retrains' if plan.retrain else 'Does not retrain'}: {plan.reason}.{looks}{waits}{names}"


def _learn(plan: Plan) -> str:
    new = f"; new in scope: {', '.join(plan.new_intents)}" if plan.new_intents else ""
    return f"Makes a new version of the examples with {len(plan.label_ids)} labels{new}."


def _build(house: House, live: Release, *, now_ms: int) -> str:
    if full_fit_due(house, live, now_ms=now_ms) or not warm_start_may(house, live, now_ms=now_ms):
        return "Trains in full."
    return f"Starts warm from {live.release} where the rows allow it, else trains in full."


def _release(house: House, live: Release, judged: list[Judged], *, now_ms: int) -> str:
    gate, stand = house.policy.gate, standing(house.stores.journal.ledger())
    fresh = len(fresh_rows(house, judged, live.candidate, now_ms))
    level = stand.gate(gate.alpha, gate.cycles).level
    if fresh < gate.min_fresh:
        then = "it is held until there are" if gate.require_fresh else "the basket decides alone"
        enough = f"{fresh} of {gate.min_fresh} fresh labels are there, so {then}; the gate holds"
    else:
        enough = f"{fresh} fresh labels of the last {gate.fresh_days} days and the frozen basket hold"
    watched = f", and every {', '.join(gate.protected)} apart" if gate.protected else ""
    anchor = stand.anchor or live.release
    return (
        f"{enough[0].upper()}{enough[1:]} the candidate against the anchor {anchor} at level {level:.4f}{watched} "
        f"(verdict {stand.cycle + 1}); the live release is {live.release}."
    )
