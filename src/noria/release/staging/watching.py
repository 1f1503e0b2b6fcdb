"""The look at a challenger that a scheduler takes again and again: next stage, hold, or roll back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from noria.errors import StateError
from noria.records import Check, LedgerEntry
from noria.records.serving.staging import Challenger
from noria.release.staging.deciding import Evidence, Step, decide, described
from noria.release.staging.gathering import gather
from noria.release.staging.policy import StagePolicy
from noria.release.staging.record import StageEvent, record, with_stage_check

if TYPE_CHECKING:
    from noria.stores import Stores


@dataclass(frozen=True, slots=True)
class Watched:
    """What a look came to: the challenger as it stands now, the step with its checks, and its ledger entry, if any."""

    challenger: Challenger
    step: Step
    entry: LedgerEntry | None = None


def watch(stores: Stores, policy: StagePolicy, now_ms: int) -> Watched | None:
    """Looks at the challenger that is on its way, and takes the step that its answers ask for; None without one.

    It may be called as often as one likes, by several processes: the bounds hold at all times together, and of two
    that decide at once one takes the step.

    Args:
        stores: journal and blobs.
        policy: what a challenger must show.
        now_ms: the present; nothing later is looked at.

    Raises:
        UsageError: another process took a step meanwhile; the next look sees it.
    """
    running = stores.journal.staging.running()
    if running is None:
        return None
    live = stores.journal.current_release()
    if live is None or live.release != running.against:
        name = live.release if live else "nothing"
        why = f"{name} is live instead of {running.against}, with which it was compared; propose its tag again."
        return _roll_back(stores, running, _given_up(why), Evidence(), now_ms)
    evidence = gather(stores, running, now_ms)
    step = decide(running, evidence, policy)
    if step.kind == "roll back":
        return _roll_back(stores, running, step, evidence, now_ms)
    if step.kind == "hold":
        return Watched(running, step)
    if running.judged is None:
        sentence = f"{step.sentence} It did not pass the gate yet: noria release propose {running.candidate.tag}."
        return Watched(running, with_stage_check(step, sentence))
    return _advance(stores, running, step, evidence, now_ms)


def end(stores: Stores, *, why: str, now_ms: int) -> Watched:
    """Takes the challenger that is on its way back by hand.

    Raises:
        StateError: there is none.
    """
    running = stores.journal.staging.running()
    if running is None:
        raise StateError("no challenger is on its way, so there is none to end.")
    return _roll_back(stores, running, _given_up(f"Ended by hand{': ' + why if why else ''}."), Evidence(), now_ms)


def _given_up(why: str) -> Step:
    return Step("roll back", why, (Check("stages", False, why),))


def _advance(stores: Stores, running: Challenger, step: Step, evidence: Evidence, now_ms: int) -> Watched:
    event: StageEvent
    if running.stage + 1 < len(running.shares):
        after, event = replace(running, stage=running.stage + 1, since_ms=now_ms), "advance"
        now = described(after.share, after.unit)
        step = with_stage_check(step, f"{step.sentence} From now on it answers {now}.")
    else:
        after, event = replace(running, state="released"), "release"
        passed = ", then ".join(described(share, running.unit) for share in running.shares)
        step = replace(step, sentence=f"It answered {passed}. {step.sentence}")
    entry = record(stores, running, after, event, step, evidence, now_ms=now_ms)
    return Watched(after, replace(step, kind="advance"), entry)


def _roll_back(stores: Stores, running: Challenger, step: Step, evidence: Evidence, now_ms: int) -> Watched:
    after = replace(running, state="withdrawn")
    what = "Rolled back from a canary" if running.mode == "canary" else "Ended in shadow"
    step = replace(step, sentence=f"{what}: {step.sentence}")
    entry = record(stores, running, after, "roll back", step, evidence, now_ms=now_ms)
    return Watched(after, step, entry)
