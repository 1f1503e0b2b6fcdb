"""Carries a rollout out: looks, asks the state machine, does what it says, until it is over."""

from __future__ import annotations

from collections.abc import Callable

from noria.ports.deployer import Deployer, Seen
from noria.release.deploying.machine import begin, step, told
from noria.release.deploying.states import Action, Finish, Patience, Promote, Wait


def roll_out(
    deployer: Deployer,
    target: str,
    *,
    now_ms: Callable[[], int],
    sleep_ms: Callable[[int], None],
    patience: Patience | None = None,
    tell: Callable[[Seen, Action], None] = lambda _seen, _action: None,
) -> Finish:
    """Brings a version live, or back to what was before; returns how it ended and why.

    Args:
        deployer: where.
        target: the version.
        now_ms: monotonic milliseconds.
        sleep_ms: waits.
        patience: when it ends.
        tell: called after each look with what was seen and what is done.
    """
    patience = patience or Patience()
    rollout = begin(target, now_ms())
    while True:
        seen = deployer.describe()
        rollout, action = step(rollout, seen, now_ms(), patience)
        tell(seen, action)
        if isinstance(action, Finish):
            return action
        if isinstance(action, Wait):
            sleep_ms(action.wait_ms)
            continue
        trouble = deployer.promote(action.to) if isinstance(action, Promote) else deployer.roll_back(action.to)
        rollout = told(rollout, action, trouble, now_ms())
        sleep_ms(patience.look_ms)
