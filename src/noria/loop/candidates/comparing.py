"""A candidate that lacks labels gets them where they tell most: on queries that it answers unlike what is live."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from noria.label.drawing.comparing import Comparison, compare_tasks, comparison, key_of
from noria.loop.house import House
from noria.loop.scope import scope_of
from noria.records import DAY_MS, Candidate, Judged
from noria.release.apart import Apart, differing, for_gate, rivals, trained_on
from noria.release.gate import Differing

MOST = 20_000
"""Queries that are compared, the latest ones."""


@dataclass(frozen=True, slots=True)
class Compared:
    """What came of a comparison: `differing` of `traffic` queries are answered differently, `asked` go to people."""

    champion: str
    anchor: str
    traffic: int
    differing: int
    asked: int


def ask_apart(house: House, candidate: Candidate, *, size: int, now_ms: int) -> Compared:
    """Puts up to `size` tasks on the label desk, from the queries of the gate's window that are answered differently.

    Raises:
        StateError: nothing is live.
    """
    stores = house.stores
    against = rivals(stores)
    learnt = trained_on(stores, candidate)
    since_ms = now_ms - house.policy.gate.fresh_days * DAY_MS
    traffic = [p for p in stores.journal.predictions(since_ms, now_ms) if p.prediction_id not in learnt][-MOST:]
    apart = differing(stores, candidate, [(p.query.text, p.query.account) for p in traffic], house.encoders)
    scope = sorted(scope_of(stores, candidate))
    tasks = compare_tasks(
        stores, house.desk, candidate.tag, against, traffic, apart, size=size, scope=scope, time_ms=now_ms
    )
    return Compared(*against, len(traffic), sum(apart), len(tasks))


def compared(house: House, candidate: Candidate, judged: Sequence[Judged]) -> Comparison | None:
    """How the comparison of a candidate stands; None where none was asked for."""
    return comparison(house.stores, candidate.tag, judged, scope_of(house.stores, candidate))


def apart_rows(house: House, candidate: Candidate, judged: Sequence[Judged]) -> Differing | None:
    """The labels of a comparison as evidence for the gate, once nearly all of them are there."""
    found = compared(house, candidate, judged)
    if found is None or not found.ready:
        return None
    apart = Apart(found.rows, found.traffic, found.differing, found.champion, found.anchor)
    return for_gate(apart, house.stores, house.policy.gate)


WAITING = "compare.waiting"
"""Journal state: the candidate that waits for its labels."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A held candidate whose labels were asked for; `ready`: nearly all have come, it can be judged again."""

    tag: str
    ready: bool
    sentence: str


def wait_for_labels(house: House, candidate: Candidate, *, now_ms: int) -> Compared | None:
    """Asks for labels on a held candidate, once; the turns that follow wait for them (see `waiting_for_labels`)."""
    if house.stores.journal.get_state(key_of(candidate.tag)) is not None:
        return None
    asked = ask_apart(house, candidate, size=house.policy.gate.compare_labels, now_ms=now_ms)
    house.stores.journal.set_state(WAITING, {"tag": candidate.tag, "since_ms": now_ms} if asked.asked else {})
    return asked


def waiting_for_labels(house: House, judged: Sequence[Judged], *, now_ms: int) -> Waiting | None:
    """The candidate that waits for labels; None after `compare_days`, and once champion or anchor moved."""
    state = house.stores.journal.get_state(WAITING) or {}
    if not state or now_ms - state["since_ms"] > house.policy.gate.compare_days * DAY_MS:
        return None
    found = compared(house, house.stores.tracker.candidate(state["tag"]), judged)
    if found is None or (found.champion, found.anchor) != rivals(house.stores):
        return None
    said = (
        f"{state['tag']} waits for labels where it answers unlike {found.champion}: {found.labelled} of {found.asked}"
    )
    return Waiting(state["tag"], found.ready, said)


def judged_again(house: House, tag: str) -> None:
    """The candidate waits no longer."""
    if (house.stores.journal.get_state(WAITING) or {}).get("tag") == tag:
        house.stores.journal.set_state(WAITING, {})
