"""Arms of a replay: the same stream, people and start under other rules, to say what each part of the loop is worth."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from noria.errors import NotFound
from noria.loop.house import House, LoopPolicy
from noria.records import Verdict

MONTH_DAYS = 28


@dataclass(frozen=True, slots=True)
class Arm:
    """One way to run the loop. `policy_on`: the policy of a day (0 = the first); `gated`: whether the gate decides."""

    name: str
    title: str
    policy_on: Callable[[LoopPolicy, int], LoopPolicy]
    gated: bool = True

    def house_on(self, house: House, day: int) -> House:
        """The house as this arm has it on a day."""
        judge = house.judge if self.gated else promote_always
        return replace(house, policy=self.policy_on(house.policy, day), judge=judge)


def promote_always(*_: object, **__: object) -> Verdict:
    """The verdict of no gate at all."""
    return Verdict("promote", "this arm has no gate", (), basket_score=math.nan, champion_basket_score=None)


def _same(policy: LoopPolicy, _day: int) -> LoopPolicy:
    return policy


def _monthly(policy: LoopPolicy, day: int) -> LoopPolicy:
    """Everything labelled is learnt once in four weeks, by a full training, and goes live as it is."""
    due = day % MONTH_DAYS == MONTH_DAYS - 1
    least = 1 if due else 10**9
    update = replace(policy.update, min_new_labels=least, min_after_finding=least, quick=False)
    return replace(policy, update=update)


def _oracle(policy: LoopPolicy, _day: int) -> LoopPolicy:
    """Every query is labelled."""
    drawn = replace(policy.sampling, daily_budget=10**6, floor_share=1.0, explore_share=0.0)
    return replace(policy, sampling=drawn)


ARMS: Mapping[str, Arm] = {
    arm.name: arm
    for arm in (
        Arm("noria", "Noria", _same),
        Arm("ungated", "Noria without its gate", _same, gated=False),
        Arm("monthly", "retrained every four weeks, no gate", _monthly, gated=False),
        Arm("oracle", "Noria with every query labelled", _oracle),
    )
}


def arm_of(name: str) -> Arm:
    """The arm of a name.

    Raises:
        NotFound: there is none.
    """
    if name not in ARMS:
        raise NotFound("arm", name, ARMS)
    return ARMS[name]
