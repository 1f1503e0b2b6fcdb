"""Draws predictions for labelling with a known probability each, within a budget that fills up with time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from noria.label.drawing.expectation import Expectation, Floats, learn
from noria.label.drawing.strata import novelty, stratum
from noria.label.drawing.tasks import task_on
from noria.ports.label_desk import LabelDesk
from noria.records import DAY_MS, LabelTask, Prediction, Purpose, Receipt
from noria.stats.design import (
    chances,
    coins,
    company,
    floor_of,
    spread_out,
    thumbs,
    uncertainty,
    write_design,
)

if TYPE_CHECKING:
    from noria.stores import Stores

DESIGN = "active-1"
EXPLORE = "explore-1"
_STATE = "label.draw"


@dataclass(frozen=True, slots=True)
class SamplingPolicy:
    """How many predictions people are asked about, and from which seed they are drawn.

    daily_budget: answers a day that people are asked for, on average; a task for two people costs two. A budget not
    used on days without traffic is not saved up beyond `carry_days`. explore_share: part of it (0 to 1) for tasks that
    serve training and no estimate. floor_share: part of the rest that is spread evenly over all traffic (0 to 1); what
    remains goes where the outcome is least certain.
    blind_share: part of the evenly spread tasks that do not show what the agent thought. several_share: part of all
    tasks that `several` people are asked, to see whether they agree. min_fit, fit_days: labels, and days they may be
    old, from which the expectation is learnt; before, the agent's confidence is taken.
    """

    daily_budget: int = 40
    seed: int = 20_260_101
    carry_days: float = 7.0
    explore_share: float = 0.2
    floor_share: float = 0.2
    blind_share: float = 0.25
    several_share: float = 0.1
    several: int = 2
    min_fit: int = 200
    fit_days: int = 90

    @property
    def answers_a_task(self) -> float:
        """What a task costs on average."""
        return 1 + self.several_share * (max(1, self.several) - 1)


@dataclass(frozen=True, slots=True, eq=False)
class Waiting:
    """Predictions to draw from, in a fixed order, with what is expected and known of each before it is labelled.

    right, in_scope: probabilities (n,). thumb: prediction id → what its user let on. seed: of this draw.
    """

    predictions: Sequence[Prediction]
    right: Floats
    in_scope: Floats
    thumb: Mapping[str, int]
    seed: int
    scope: Sequence[str]
    time_ms: int


def draw(waiting: Waiting, expected: float, policy: SamplingPolicy) -> list[LabelTask]:
    """Throws one coin for each prediction; its chance is stored with the task, and so is the floor that all had.

    The same predictions, expectations and seed give the same tasks, and the coin of a task can be thrown again from
    its seed and prediction id alone: below the floor it belongs to the evenly spread part.

    Args:
        waiting: what to draw from.
        expected: tasks wanted on average, above 0.
        policy: shares of the design.
    """
    n = len(waiting.predictions)
    if n == 0:
        return []
    # One chance for all metrics, from whichever outcome is less certain.
    u = np.maximum(uncertainty(waiting.right), uncertainty(waiting.in_scope))
    pi, floor = chances(u, expected, policy.floor_share), floor_of(expected, n, policy.floor_share)
    keys = [p.prediction_id for p in waiting.predictions]
    coin = coins(keys, waiting.seed)
    blind = (coin < floor) & (coins(keys, waiting.seed, "blind") < policy.blind_share)
    design = write_design(DESIGN, floor)
    return [
        _task(waiting, i, policy, "estimate", design=design, chance=float(pi[i]), blind=bool(blind[i]))
        for i in np.flatnonzero(coin < pi).tolist()
    ]


def explore(waiting: Waiting, size: int, taken: Sequence[LabelTask], policy: SamplingPolicy) -> list[LabelTask]:
    """Picks what would teach most among predictions that were not drawn: bad feedback, new topics, uncertain ones.

    In turns from the three, the most telling first, and none that says the same as one before. They were not drawn by
    chance, hence `purpose` explore and probability 1: no estimate counts them.

    Args:
        waiting: what to pick from.
        size: how many at most.
        taken: what was drawn from the same predictions.
        policy: shares of the design.
    """
    gone = {task.prediction_id for task in taken}
    left = [i for i, p in enumerate(waiting.predictions) if p.prediction_id not in gone]
    if not left or size <= 0:
        return []
    texts = [p.query.text for p in waiting.predictions]
    u = uncertainty(waiting.right)
    new = np.array([novelty(p) for p in waiting.predictions])
    foreign = sorted((i for i in left if new[i] > 0), key=lambda i: -new[i])
    crowd = dict(zip(foreign, company([texts[i] for i in foreign]).tolist(), strict=True))
    rankings = [
        sorted(
            (i for i in left if waiting.thumb.get(waiting.predictions[i].prediction_id, 0) < 0), key=lambda i: -u[i]
        ),
        sorted(foreign, key=lambda i: (-crowd[i], -new[i])),
        sorted(left, key=lambda i: -u[i]),
    ]
    order = list(dict.fromkeys(_in_turns(rankings)))
    chosen = spread_out(-np.arange(len(order), dtype=np.float64), [texts[i] for i in order], size)
    return [_task(waiting, order[c], policy, "explore", design=EXPLORE, chance=1.0, blind=False) for c in chosen]


def send(
    stores: Stores, desk: LabelDesk, policy: SamplingPolicy, *, scope: Sequence[str], until_ms: int, time_ms: int
) -> Receipt:
    """Draws from the predictions since the last draw and puts the tasks on the desk.

    Each budget is a bucket that fills by so many a day, so that turning the loop more often asks no more of people;
    what coins drew beyond it is taken off the next draw. The window stays open while the bucket or the window is empty,
    hence no prediction is left without a chance.

    Asked again for the same `time_ms`, after it was interrupted, it draws nothing new: the tasks of that time go onto
    the desk once more, which takes each only once.
    """
    state = stores.journal.get_state(_STATE) or {}
    if state.get("filled_ms") == time_ms and "counts" in state:
        desk.push([t for t in stores.journal.tasks(0, until_ms) if t.created_ms == time_ms])
        return Receipt("label.send", state["counts"], warnings=tuple(state["warnings"]))
    since_ms, filled_ms = int(state.get("until_ms", 0)), int(state.get("filled_ms", time_ms))
    tokens, spare = _buckets(state, policy, (time_ms - filled_ms) / DAY_MS)
    predictions = stores.journal.predictions(since_ms, until_ms)
    tasks: list[LabelTask] = []
    picked: list[LabelTask] = []
    warnings: tuple[str, ...] = ()
    if predictions and tokens >= 1:
        waiting = _waiting(stores, predictions, policy, scope=scope, since_ms=since_ms, time_ms=time_ms)
        tasks = draw(waiting, tokens / policy.answers_a_task, policy)
        picked = explore(waiting, int(spare / policy.answers_a_task), tasks, policy)
        tokens -= sum(task.annotators for task in tasks)
        spare -= sum(task.annotators for task in picked)
        since_ms = until_ms
    elif predictions:
        warnings = (f"today's label budget is spent; {len(predictions)} predictions wait for the next draw.",)
    counts = {
        "predictions": len(predictions),
        "tasks": len(tasks),
        "explore": len(picked),
        "budget_left": max(0, int(tokens + 1e-9)),
    }
    kept = {
        "until_ms": since_ms, "tokens": tokens, "explore_tokens": spare, "filled_ms": time_ms,
        "counts": counts, "warnings": list(warnings),
    }  # fmt: skip
    # the journal first: a label that comes back must find its task, whichever desk it was made on
    stores.journal.add_tasks([*tasks, *picked], (_STATE, kept))
    desk.push([*tasks, *picked])
    return Receipt("label.send", counts, warnings=warnings)


def outlook(stores: Stores, policy: SamplingPolicy, *, until_ms: int, time_ms: int) -> tuple[int, float]:
    """How many predictions wait to be drawn from, and about how many tasks a draw now would make of them."""
    state = stores.journal.get_state(_STATE) or {}
    waiting = stores.journal.watching.count(int(state.get("until_ms", 0)), until_ms)
    tokens, spare = _buckets(state, policy, (time_ms - int(state.get("filled_ms", time_ms))) / DAY_MS)
    if tokens < 1:
        return waiting, 0.0
    return waiting, min(float(waiting), (tokens + max(0.0, spare)) / policy.answers_a_task)


def _waiting(
    stores: Stores,
    predictions: Sequence[Prediction],
    policy: SamplingPolicy,
    *,
    scope: Sequence[str],
    since_ms: int,
    time_ms: int,
) -> Waiting:
    """The predictions with what past labels and the users so far say of them."""
    past_ms = max(0, time_ms - policy.fit_days * DAY_MS)
    thumb = thumbs(stores.journal.feedback(min(past_ms, since_ms), time_ms + 1))
    expectation: Expectation = learn(stores.journal.judged(past_ms, time_ms), thumb, policy.min_fit)
    right, in_scope = expectation.of(predictions, thumb)
    return Waiting(predictions, right, in_scope, thumb, policy.seed + since_ms // 1000, scope, time_ms)


def _buckets(state: Mapping[str, Any], policy: SamplingPolicy, days: float) -> tuple[float, float]:
    """What people may be asked now, for estimates and to explore."""
    estimate = _filled(state.get("tokens"), policy.daily_budget * (1 - policy.explore_share), days, policy)
    return estimate, _filled(state.get("explore_tokens"), policy.daily_budget * policy.explore_share, days, policy)


def _filled(tokens: float | None, daily: float, days: float, policy: SamplingPolicy) -> float:
    """A bucket after some days: a day's budget to begin with, never more than `carry_days` of it."""
    return min((daily if tokens is None else float(tokens)) + daily * days, daily * max(1.0, policy.carry_days))


def _in_turns(rankings: Sequence[Sequence[int]]) -> list[int]:
    longest = max(len(r) for r in rankings)
    return [ranking[k] for k in range(longest) for ranking in rankings if k < len(ranking)]


def _task(
    waiting: Waiting, i: int, policy: SamplingPolicy, purpose: Purpose, *, design: str, chance: float, blind: bool
) -> LabelTask:
    p = waiting.predictions[i]
    several = coins([p.prediction_id], waiting.seed, "several")[0] < policy.several_share
    task = task_on(
        p, f"t-{p.prediction_id}", stratum=stratum(p, waiting.thumb.get(p.prediction_id, 0)), chance=chance,
        seed=waiting.seed, design=design, scope=waiting.scope, time_ms=waiting.time_ms,
    )  # fmt: skip
    annotators = max(1, policy.several) if several else 1
    expected_right = float(waiting.right[i])
    return replace(
        task, show_prediction=not blind, purpose=purpose, annotators=annotators, expected_right=expected_right
    )
