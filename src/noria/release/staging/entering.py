"""The way in: what passed the gate begins its first stage, or goes live at once where there are none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from noria.errors import StateError, UsageError
from noria.records import Candidate, Check, Release, Verdict
from noria.records.serving.staging import Challenger, StageUnit
from noria.release.certificate import evidence as evidence_of
from noria.release.rollout import check_current, roll_out, with_certificate
from noria.release.staging.deciding import Evidence, Step, described
from noria.release.staging.policy import StagePolicy
from noria.release.staging.record import record, stage_facts, with_stage_check

if TYPE_CHECKING:
    from noria.stores import Stores


def go_live(
    stores: Stores, candidate: Candidate, verdict: Verdict, policy: StagePolicy, *, now_ms: int
) -> Release | Challenger:
    """Makes a promoted candidate the live release, or a challenger where the policy names stages.

    A first release has nobody to be held against, and goes live at once.

    Raises:
        UsageError: the verdict is no promotion; the ledger has moved on since; another challenger is on its way.
    """
    if not policy.shares or stores.journal.current_release() is None or verdict.kind != "promote":
        return roll_out(stores, candidate, verdict, time_ms=now_ms)
    return _enter(stores, candidate, verdict, policy.shares, policy.unit, now_ms)


def start_shadow(stores: Stores, candidate: Candidate, *, now_ms: int) -> Challenger:
    """Has any candidate answer in shadow, without the gate: it shows what it would say, and cannot go live by it.

    Raises:
        StateError: nothing is live. UsageError: it is live itself; another challenger is on its way.
    """
    live = _live(stores, candidate)
    made = Challenger(_name(stores), candidate, (0.0,), "session", live.release, now_ms, now_ms)
    check_alone(stores, None)
    stores.journal.staging.step(None, made, time_ms=now_ms)
    return made


def start_canary(
    stores: Stores,
    candidate: Candidate,
    verdict: Verdict | None,
    policy: StagePolicy,
    *,
    share: float,
    unit: StageUnit,
    now_ms: int,
) -> Challenger:
    """Gives a candidate a share by hand; larger shares of the policy follow as usual.

    Args:
        stores: journal and bundles.
        candidate: what to try.
        verdict: of the gate; None for the challenger that passed it and is on its way already.
        policy: its stages.
        share: above 0 to 1.
        unit: what the share is counted in.
        now_ms: the present.

    Raises:
        UsageError: no promotion; a share below the present one; another challenger is on its way.
    """
    later = tuple(larger for larger in policy.shares if larger > share)
    running = stores.journal.staging.running()
    if verdict is not None:
        return _enter(stores, candidate, verdict, (share, *later), unit, now_ms)
    if running is None or running.candidate.tag != candidate.tag or running.judged is None:
        raise UsageError(f"{candidate.tag} is not on its way with a verdict of the gate; propose it.")
    if share <= running.share or (running.mode == "canary" and unit != running.unit):
        raise UsageError(
            f"{running.challenger_id} is {described(running.share, running.unit)} now; a share can only grow, and "
            f"stays one of {running.unit}s. End it first: noria release end."
        )
    shares = (*running.shares[: running.stage + 1], share, *later)
    after = replace(running, shares=shares, unit=unit, stage=running.stage + 1, since_ms=now_ms)
    sentence = f"By hand: {running.challenger_id} goes on {described(share, unit)}."
    record(stores, running, after, "advance", with_stage_check(Step("hold", "", ()), sentence), Evidence(),
           now_ms=now_ms)  # fmt: skip
    return after


def _enter(
    stores: Stores, candidate: Candidate, verdict: Verdict, shares: Sequence[float], unit: StageUnit, now_ms: int
) -> Challenger:
    if verdict.kind != "promote":
        raise UsageError(f"{candidate.tag} was not promoted ({verdict.kind}: {verdict.reason}), so it cannot begin.")
    live, began_ms = _live(stores, candidate), now_ms
    running = stores.journal.staging.running()
    check_alone(stores, candidate)
    if running is not None:
        began_ms = running.began_ms
        stores.journal.staging.step(running, replace(running, state="withdrawn"), time_ms=now_ms)
    made = Challenger(_name(stores), candidate, tuple(shares), unit, live.release, began_ms, now_ms)
    facts = evidence_of(verdict)
    check_current(stores, candidate, facts)
    sentence = f"It passed the gate and answers {described(made.share, unit)} before it goes live."
    gate = facts.get("gate")
    moves = bool(gate and gate["moves_anchor"])
    if gate:
        facts["gate"] = {**gate, "moves_anchor": False}
    facts["stage"] = {**stage_facts(made, "enter"), "moves_anchor": moves}
    facts["checks"] = [*facts["checks"], asdict(Check("stages", None, sentence))]
    facts |= {"verdict": "hold", "reason": f"{verdict.reason} {sentence}"}
    facts = with_certificate(stores, facts, candidate, release=None, time_ms=now_ms)
    entry = stores.journal.staging.step(None, made, time_ms=now_ms, kind="hold", evidence=facts)
    return replace(made, judged=entry.seq if entry else None)


def _live(stores: Stores, candidate: Candidate) -> Release:
    live = stores.journal.current_release()
    if live is None:
        raise StateError("no release is live that a challenger could be held against: noria release propose.")
    if live.candidate.tag == candidate.tag:
        raise UsageError(f"{candidate.tag} is live already as {live.release}.")
    return live


def check_alone(stores: Stores, candidate: Candidate | None) -> None:
    """One challenger at a time; only what answers in shadow without a verdict makes room, for the same tag.

    Ask this before a candidate is judged that would have to go by stages: a verdict spends labels.

    Raises:
        UsageError: another challenger is on its way.
    """
    running = stores.journal.staging.running()
    if running is None or (candidate and running.judged is None and running.candidate.tag == candidate.tag):
        return
    raise UsageError(
        f"{running.challenger_id} ({running.candidate.tag}) is on its way {described(running.share, running.unit)}; "
        "wait for it, or end it: noria release end."
    )


def _name(stores: Stores) -> str:
    return f"c{len(stores.journal.staging.challengers()) + 1:04d}"
