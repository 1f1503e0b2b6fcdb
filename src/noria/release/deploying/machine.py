"""The state machine of a rollout: how the service stands comes in, the next action comes out. Pure.

checking → watching → baking → over (live)
    any stage after the change was ordered → returning → over (rolled back)
    any stage → over (gave up, with the reason and with how the service was left)
"""

from __future__ import annotations

from dataclasses import replace

from noria.ports.deployer import Seen, Trouble
from noria.release.deploying.states import (
    Action,
    Finish,
    Outcome,
    Patience,
    Promote,
    RollBack,
    Rollout,
    Stage,
    Wait,
)

Step = tuple[Rollout, Action]
UNTOUCHED = "nothing was changed"


def begin(target: str, now_ms: int) -> Rollout:
    """A rollout that has done nothing yet."""
    return Rollout(target, started_ms=now_ms, since_ms=now_ms)


def step(now: Rollout, seen: Seen, now_ms: int, patience: Patience) -> Step:
    """The next action, and the rollout as it then is; after Finish always the same Finish."""
    if now.outcome is not None:
        return now, Finish(now.outcome, now.reason)
    if seen.trouble is not None:
        return _unseen(now, seen.trouble, now_ms, patience)
    now = replace(now, unseen_ms=None, looks=0)
    late = now.promoted and now.stage != "returning" and now_ms - now.started_ms > patience.total_ms
    if late:
        return _go_back(now, f"it took longer than {_minutes(patience.total_ms)} altogether", now_ms, patience)
    return {"checking": _check, "watching": _watch, "baking": _bake, "returning": _return}[now.stage](
        now, seen, now_ms, patience
    )


def told(now: Rollout, action: Action, trouble: Trouble | None, now_ms: int) -> Rollout:
    """The rollout after an order was given, and perhaps refused."""
    if isinstance(action, Promote):
        if trouble is None:
            return replace(_to(now, "watching", now_ms), promoted=True)
        if trouble.passes:
            # an answer that was lost does not mean that nothing was done
            return replace(now, promoted=now.promoted or trouble.kind == "unreachable")
        return _over(now, "gave_up", f"{trouble.message}; {UNTOUCHED}")[0]
    if isinstance(action, RollBack):
        now = replace(now, tries=now.tries + 1)
        if trouble is not None and not trouble.passes:
            begun = f"{action.why}; {UNTOUCHED}" if now.stage == "checking" else _why_back(now)
            return _over(now, "gave_up", f"{begun}, and the way back was refused: {trouble.message}")[0]
    return now


def _unseen(now: Rollout, trouble: Trouble, now_ms: int, patience: Patience) -> Step:
    since_ms = now_ms if now.unseen_ms is None else now.unseen_ms
    now = replace(now, unseen_ms=since_ms, looks=now.looks + 1)
    patient = trouble.passes and now_ms - since_ms <= patience.unseen_ms
    if patient:
        return now, Wait(min(patience.look_ms * 2 ** min(now.looks, 20), patience.longest_look_ms))
    if not now.promoted:
        return _over(now, "gave_up", f"{trouble.message}; {UNTOUCHED}")
    if now.stage == "returning":
        return _over(now, "gave_up", f"{_why_back(now)}, and how that goes cannot be seen: {trouble.message}")
    # blind, once: what cannot be watched must not stay live
    return _go_back(replace(now, unseen_ms=None), f"it cannot be watched: {trouble.message}", now_ms, patience)


def _check(now: Rollout, seen: Seen, now_ms: int, patience: Patience) -> Step:
    waited_ms = now_ms - now.since_ms
    if seen.phase == "broken":
        return _over(now, "gave_up", f"the service takes no change: {seen.detail}; {UNTOUCHED}")
    if seen.phase == "stuck":
        if now.tries >= patience.tries:
            return _over(now, "gave_up", f"an earlier change is stuck: {seen.detail}; {UNTOUCHED}")
        return now, RollBack(None, f"an earlier change is stuck: {seen.detail}")
    if seen.phase in {"moving", "returning"}:
        if now.promoted:
            return _watch(_to(now, "watching", now_ms), seen, now_ms, patience)
        if waited_ms > patience.busy_ms:
            return _over(now, "gave_up", f"another change is under way: {seen.detail}; {UNTOUCHED}")
        return now, Wait(patience.look_ms)
    if seen.phase == "steady" and seen.version == now.target:
        if now.promoted:
            return _watch(_to(now, "watching", now_ms), seen, now_ms, patience)
        return _over(now, "live", f"{now.target} served already; {UNTOUCHED}")
    if seen.alarms:
        return _over(now, "gave_up", f"{_alarms(seen)} before the rollout; {UNTOUCHED}")
    if waited_ms > patience.busy_ms:
        return _over(now, "gave_up", f"the change was not taken for {_minutes(waited_ms)}; {UNTOUCHED}")
    return replace(now, before=seen.version or None), Promote(now.target)


def _watch(now: Rollout, seen: Seen, now_ms: int, patience: Patience) -> Step:
    waited_ms = now_ms - now.since_ms
    if why := _sick(seen, patience):
        return _go_back(now, why, now_ms, patience)
    if seen.phase == "steady":
        if seen.version == now.target:
            return _to(now, "baking", now_ms), Wait(patience.look_ms)
        if waited_ms <= patience.settle_ms:
            return now, Wait(patience.look_ms)
        return _elsewhere(now, seen)
    if seen.phase == "moving":
        if waited_ms > patience.stable_ms:
            return _go_back(now, f"it was not stable after {_minutes(patience.stable_ms)}", now_ms, patience)
        return now, Wait(patience.look_ms)
    return _turned(now, seen, now_ms, patience)


def _bake(now: Rollout, seen: Seen, now_ms: int, patience: Patience) -> Step:
    if why := _sick(seen, patience):
        return _go_back(now, f"{why} after it was stable", now_ms, patience)
    if seen.phase == "steady":
        if seen.version != now.target:
            return _elsewhere(now, seen)
        if now_ms - now.since_ms >= patience.bake_ms:
            return _over(now, "live", f"{now.target} serves and was without an alarm for {_minutes(patience.bake_ms)}")
        return now, Wait(patience.look_ms)
    if seen.phase == "moving":
        return _to(now, "watching", now_ms), Wait(patience.look_ms)
    return _turned(now, seen, now_ms, patience)


def _return(now: Rollout, seen: Seen, now_ms: int, patience: Patience) -> Step:
    waited_ms = now_ms - now.since_ms
    if seen.phase == "steady" and seen.version == now.before:
        return _over(now, "rolled_back", now.reason)
    if seen.phase in {"broken", "absent"} or (seen.phase == "steady" and seen.version not in {now.target, now.before}):
        left = f"now {seen.version} serves" if seen.version else f"the service is {seen.phase}"
        return _over(now, "gave_up", f"{_why_back(now)}, but {left}: {seen.detail or 'no more is known'}")
    if waited_ms > patience.back_ms:
        return _over(now, "gave_up", f"{_why_back(now)}, but was not there after {_minutes(patience.back_ms)}")
    again = seen.phase == "stuck" or (seen.phase in {"steady", "moving"} and seen.version == now.target)
    if not again or waited_ms <= patience.settle_ms * now.tries:
        return now, Wait(patience.look_ms)
    if now.tries >= patience.tries:
        return _over(now, "gave_up", f"{_why_back(now)}, but {now.tries} orders did not bring it: {seen.detail}")
    return now, RollBack(now.before, now.reason)


def _turned(now: Rollout, seen: Seen, now_ms: int, patience: Patience) -> Step:
    """The platform does what we did not order."""
    detail = seen.detail or "it gives no reason"
    if seen.phase == "returning":
        back = replace(_to(now, "returning", now_ms), reason=f"the platform goes back by itself: {detail}", tries=1)
        return back, Wait(patience.look_ms)
    if seen.phase == "stuck":
        return _go_back(now, f"the rollout is stuck: {detail}", now_ms, patience)
    nowhere = "" if now.before is not None else "; it was the first one, so there is nothing to go back to"
    return _over(now, "gave_up", f"the rollout ended with a service that is {seen.phase}: {detail}{nowhere}")


def _elsewhere(now: Rollout, seen: Seen) -> Step:
    """The service is steady on something that is not the target."""
    if now.before is not None and seen.version == now.before:
        why = seen.detail or "it gives no reason"
        return _over(now, "rolled_back", f"the platform went back by itself: {why}")
    return _over(now, "gave_up", f"{seen.version or 'something unknown'} serves: somebody else changed the service")


def _go_back(now: Rollout, why: str, now_ms: int, patience: Patience) -> Step:
    if now.before is None:
        reason = f"{why}; it is the first rollout, so there is nothing to go back to: the service is left as it is"
        return _over(now, "gave_up", reason)
    if now.tries >= patience.tries:
        return _over(now, "gave_up", f"{why}, and {now.tries} orders to go back had no effect")
    return replace(_to(now, "returning", now_ms), reason=why), RollBack(now.before, why)


def _sick(seen: Seen, patience: Patience) -> str:
    if seen.phase not in {"steady", "moving"}:
        return ""
    if seen.alarms:
        return _alarms(seen)
    return f"{seen.failed} tasks failed: {seen.detail}" if seen.failed > patience.failed else ""


def _alarms(seen: Seen) -> str:
    return f"{'an alarm rings' if len(seen.alarms) == 1 else 'alarms ring'} ({', '.join(seen.alarms)})"


def _why_back(now: Rollout) -> str:
    if now.before is None:
        return f"the first rollout failed ({now.reason}), and there is nothing to go back to"
    return f"it should go back to {now.before} because {now.reason}"


def _to(now: Rollout, stage: Stage, now_ms: int) -> Rollout:
    return replace(now, stage=stage, since_ms=now_ms)


def _over(now: Rollout, outcome: Outcome, reason: str) -> Step:
    return replace(now, stage="over", outcome=outcome, reason=reason), Finish(outcome, reason)


def _minutes(milliseconds: int) -> str:
    return f"{milliseconds / 60_000:.3g} min"
