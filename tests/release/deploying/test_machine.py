"""A rollout ends live, rolled back, or with the reason why neither: the machine against a scripted platform."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.ports.deployer import Seen, Trouble
from noria.release.deploying.driving import roll_out
from noria.release.deploying.machine import begin, step, told
from noria.release.deploying.states import Finish, Patience, Promote, RollBack, Wait

MINUTE = 60_000
THROTTLED = Trouble("throttled", "Rate exceeded")
DENIED = Trouble("denied", "not authorized to perform: ecs:DescribeServices")


@dataclass
class Platform:
    """A service on version 1 that changes by script.

    script: (milliseconds after the order, what is then seen until the next line). back: the same after the order to go
    back. before: what is seen before any order. promoting, going_back: what the orders are answered, the last for ever.
    """

    script: list[tuple[int, Seen]] = field(default_factory=list)
    back: list[tuple[int, Seen]] = field(default_factory=lambda: [(0, Seen("returning", "2")), (90_000, steady("1"))])
    before: Seen = field(default_factory=lambda: steady("1"))
    promoting: list[Trouble | None] = field(default_factory=lambda: [None])
    going_back: list[Trouble | None] = field(default_factory=lambda: [None])
    now_ms: int = 0
    ordered_ms: int | None = None
    back_ms: int | None = None
    orders: list[str] = field(default_factory=list)

    def describe(self) -> Seen:
        if self.back_ms is not None:
            return self._line(self.back, self.back_ms)
        return self.before if self.ordered_ms is None else self._line(self.script, self.ordered_ms)

    def promote(self, to: str) -> Trouble | None:
        self.orders.append(f"promote {to}")
        answer = self._next(self.promoting)
        if (answer is None or answer.kind == "unreachable") and self.ordered_ms is None:
            self.ordered_ms = self.now_ms
        return answer

    def roll_back(self, to: str | None) -> Trouble | None:
        self.orders.append(f"back to {to}")
        answer = self._next(self.going_back)
        if answer is None:
            self.back_ms = self.now_ms
        return answer

    def _line(self, script: list[tuple[int, Seen]], since_ms: int) -> Seen:
        return [seen for at_ms, seen in script if self.now_ms - since_ms >= at_ms][-1]

    @staticmethod
    def _next(answers: list[Trouble | None]) -> Trouble | None:
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def run(self) -> Finish:
        def sleep(milliseconds: int) -> None:
            assert 0 < milliseconds <= MINUTE
            self.now_ms += milliseconds

        return roll_out(self, "2", now_ms=lambda: self.now_ms, sleep_ms=sleep)


def steady(version: str, **told: object) -> Seen:
    return Seen("steady", version, **told)  # type: ignore[arg-type]


def moving(**told: object) -> Seen:
    return Seen("moving", "2", **told)  # type: ignore[arg-type]


WELL = [(0, moving()), (3 * MINUTE, steady("2"))]


def test_a_rollout_that_goes_well_is_live_after_its_baking_time():
    platform = Platform(WELL)
    end = platform.run()
    assert end.outcome == "live"
    assert platform.orders == ["promote 2"]
    assert platform.now_ms >= 8 * MINUTE


def test_the_version_that_serves_already_is_left_alone():
    platform = Platform(before=steady("2"))
    assert platform.run().outcome == "live"
    assert platform.orders == []


def test_the_circuit_breaker_of_the_platform_is_awaited_and_told():
    breaker = Seen("returning", "1", detail="tasks failed to start")
    platform = Platform([(0, moving(failed=2)), (2 * MINUTE, breaker), (4 * MINUTE, steady("1"))])
    end = platform.run()
    assert (end.outcome, platform.orders) == ("rolled_back", ["promote 2"])
    assert "tasks failed to start" in end.reason


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ([(0, moving()), (MINUTE, moving(alarms=("5xx",)))], "an alarm rings (5xx)"),
        ([*WELL, (5 * MINUTE, steady("2", alarms=("5xx", "slow")))], "alarms ring (5xx, slow) after it was stable"),
        ([(0, moving()), (MINUTE, moving(failed=4, detail="exit code 1"))], "4 tasks failed: exit code 1"),
        ([(0, moving())], "not stable after 15 min"),
        ([(0, moving()), (MINUTE, Seen("unseen", trouble=THROTTLED))], "cannot be watched: Rate exceeded"),
        ([(0, moving()), (MINUTE, Seen("unseen", trouble=DENIED))], "cannot be watched: not authorized"),
        ([(0, moving()), (MINUTE, Seen("stuck", "2", detail="half-way"))], "stuck: half-way"),
    ],
)
def test_a_rollout_that_goes_wrong_is_rolled_back_with_the_reason(script, why):
    platform = Platform(script)
    end = platform.run()
    assert end.outcome == "rolled_back"
    assert platform.orders == ["promote 2", "back to 1"]
    assert why in end.reason


@pytest.mark.parametrize(
    ("platform", "why"),
    [
        (Platform(promoting=[Trouble("denied", "not authorized")]), "not authorized"),
        (Platform(promoting=[Trouble("missing", "no image 2")]), "no image 2"),
        (Platform(promoting=[THROTTLED]), "not taken for"),
        (Platform(before=Seen("unseen", trouble=THROTTLED)), "Rate exceeded"),
        (Platform(before=Seen("unseen", trouble=DENIED)), "not authorized"),
        (Platform(before=steady("1", alarms=("5xx",))), "an alarm rings (5xx) before the rollout"),
        (Platform(before=Seen("moving", "1", detail="UPDATE_IN_PROGRESS")), "another change is under way"),
        (Platform(before=Seen("broken", detail="ROLLBACK_COMPLETE")), "takes no change: ROLLBACK_COMPLETE"),
    ],
)
def test_what_cannot_begin_changes_nothing_and_says_why(platform, why):
    end = platform.run()
    assert end.outcome == "gave_up"
    assert why in end.reason
    assert end.reason.endswith("nothing was changed")
    assert platform.now_ms < 20 * MINUTE


def test_a_throttled_beginning_is_overcome():
    platform = Platform(WELL, promoting=[THROTTLED, THROTTLED, None])
    assert platform.run().outcome == "live"
    assert platform.orders == ["promote 2"] * 3


def test_an_order_whose_answer_was_lost_is_not_given_twice():
    platform = Platform(WELL, promoting=[Trouble("unreachable", "timed out"), None])
    assert platform.run().outcome == "live"
    assert platform.orders == ["promote 2"]


def test_an_order_that_had_no_effect_on_anything_seen_ends_as_rolled_back():
    assert Platform([(0, steady("1"))]).run().outcome == "rolled_back"


def test_a_change_by_somebody_else_is_told():
    end = Platform([(0, moving()), (MINUTE, steady("3"))]).run()
    assert end.outcome == "gave_up"
    assert "3 serves: somebody else" in end.reason


@pytest.mark.parametrize("phase", ["broken", "absent"])
def test_the_first_rollout_has_nothing_to_go_back_to(phase):
    fails = [(0, moving()), (MINUTE, Seen("returning", detail="no task starts")), (2 * MINUTE, Seen(phase, detail="x"))]
    platform = Platform(fails, before=Seen("absent"))
    end = platform.run()
    assert (end.outcome, platform.orders) == ("gave_up", ["promote 2"])
    assert "no task starts" in end.reason
    assert "nothing to go back to" in end.reason


def test_a_way_back_that_is_stuck_is_tried_again():
    stuck = [(0, Seen("returning", "2")), (2 * MINUTE, Seen("stuck", "2"))]
    platform = Platform([(0, moving(alarms=("5xx",)))], stuck)
    end = platform.run()
    assert end.outcome == "gave_up"
    assert platform.orders == ["promote 2", *["back to 1"] * 3]
    assert "5xx" in end.reason


def test_a_stuck_service_is_freed_before_anything_else():
    platform = Platform(before=Seen("stuck", "1"), back=[(0, Seen("returning", "1")), (MINUTE, steady("2"))])
    assert platform.run().outcome == "live"
    assert platform.orders == ["back to None"]


def test_a_refused_way_back_is_told_with_both_reasons():
    end = Platform([(0, moving(alarms=("5xx",)))], going_back=[DENIED]).run()
    assert end.outcome == "gave_up"
    assert "5xx" in end.reason
    assert "refused: not authorized" in end.reason


def test_a_throttled_way_back_is_ordered_again():
    platform = Platform([(0, moving(alarms=("5xx",)))], going_back=[THROTTLED, None])
    assert platform.run().outcome == "rolled_back"
    assert platform.orders == ["promote 2", "back to 1", "back to 1"]


TROUBLES = st.builds(
    Trouble, st.sampled_from(["throttled", "unreachable", "busy", "denied", "missing", "refused"]), st.just("it said")
)
LOOKS = st.one_of(
    st.builds(
        Seen,
        st.sampled_from(["absent", "steady", "steady", "moving", "moving", "returning", "stuck", "broken"]),
        st.sampled_from(["", "1", "1", "2", "2", "3"]),
        st.sampled_from([(), (), (), ("5xx",)]),
        st.sampled_from([0, 0, 0, 9]),
    ),
    st.builds(Seen, st.just("unseen"), trouble=TROUBLES),
)


def for_ever(looks: list[Seen]) -> Iterator[Seen]:
    yield from looks
    while True:
        yield looks[-1]


@given(
    looks=st.lists(LOOKS, min_size=1, max_size=30),
    answers=st.lists(st.one_of(st.none(), st.none(), TROUBLES), min_size=1, max_size=6),
    pauses=st.lists(st.integers(1, 6 * MINUTE), min_size=1, max_size=10),
)
def test_whatever_is_seen_it_ends_in_a_known_state_and_says_why(looks, answers, pauses):
    patience, seen_of = Patience(), for_ever(looks)
    now_ms, rollout, seen = 0, begin("2", 0), looks[0]
    accepted, orders = False, []
    for turn in range(2_000):
        seen = next(seen_of)
        rollout, action = step(rollout, seen, now_ms, patience)
        if isinstance(action, Finish):
            break
        if isinstance(action, Wait):
            now_ms += max(action.wait_ms, pauses[turn % len(pauses)])
            continue
        orders.append(action)
        answer = answers[len(orders) % len(answers)]
        assert not (isinstance(action, Promote) and accepted), "ordered twice"
        accepted |= isinstance(action, Promote) and answer is None
        rollout = told(rollout, action, answer, now_ms)
        now_ms += patience.look_ms
    else:
        raise AssertionError("it did not end")
    backs = [order for order in orders if isinstance(order, RollBack) and order.to is not None]
    assert action.reason
    assert step(rollout, looks[0], now_ms + 1, patience) == (rollout, action)
    if action.outcome == "live":
        assert (seen.phase, seen.version, seen.trouble) == ("steady", "2", None)
        assert not backs
        assert not accepted or (not seen.alarms and seen.failed == 0)
    elif action.outcome == "rolled_back":
        assert (seen.phase, seen.version) == ("steady", rollout.before)
    elif accepted and not backs:
        # nothing to go back to, or it was no longer ours to go back
        first, gone = rollout.before is None, seen.phase in {"absent", "broken"}
        elsewhere = seen.phase == "steady" and seen.version not in {"2", rollout.before}
        turned = rollout.reason.startswith("it should go back") and "by itself" in rollout.reason
        assert first or gone or elsewhere or turned
    else:
        assert accepted or backs or rollout.promoted or "nothing was changed" in action.reason
