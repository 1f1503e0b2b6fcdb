"""Draws predictions for labelling with a known probability, within a budget that fills up with time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from noria.ports.label_desk import LabelDesk
from noria.records import LabelTask, Prediction, Receipt
from noria.stats import simple_random

if TYPE_CHECKING:
    from noria.stores import Stores

DAY_MS = 86_400_000
DESIGN = "uniform-1"
_STATE = "label.draw"


@dataclass(frozen=True, slots=True)
class SamplingPolicy:
    """How many predictions people are asked about, and from which seed they are drawn.

    daily_budget: label tasks a day. A budget not used on days without traffic is not saved up beyond `carry_days`.
    """

    daily_budget: int = 40
    seed: int = 20_260_101
    carry_days: float = 7.0


def draw(
    predictions: Sequence[Prediction], size: int, *, stratum: str, seed: int, scope: Sequence[str], time_ms: int
) -> list[LabelTask]:
    """A simple random sample without replacement; every prediction had the chance min(1, size / N), stored with it.

    Args:
        predictions: all predictions of a window, in a fixed order (time, id).
        size: how many tasks at most.
        stratum: name of the window.
        seed: the same seed and predictions give the same tasks.
        scope: intents that labellers choose from.
        time_ms: when the tasks are made.
    """
    count = min(size, len(predictions))
    if count == 0:
        return []
    chance = count / len(predictions)
    return [
        LabelTask(
            task_id=f"t-{p.prediction_id}",
            prediction_id=p.prediction_id,
            account=p.query.account,
            text=p.query.text,
            predicted_intent=p.answer.intent,
            decision=p.answer.decision,
            article_ids=tuple(a.article_id for a in p.answer.articles),
            release=p.release,
            query_time_ms=p.query.time_ms,
            stratum=stratum,
            inclusion_probability=chance,
            seed=seed,
            design=DESIGN,
            scope=tuple(scope),
            created_ms=time_ms,
        )
        for p in (predictions[i] for i in simple_random(len(predictions), count, seed))
    ]


def send(
    stores: Stores, desk: LabelDesk, policy: SamplingPolicy, *, scope: Sequence[str], until_ms: int, time_ms: int
) -> Receipt:
    """Draws from the predictions since the last draw and puts the tasks on the desk.

    The budget is a bucket that fills by `daily_budget` a day, so that turning the loop more often asks no more of
    people. The window stays open while the bucket or the window is empty, hence no prediction is left without a chance.
    """
    state = stores.journal.get_state(_STATE) or {}
    since_ms = int(state.get("until_ms", 0))
    tokens = float(state.get("tokens", policy.daily_budget))
    filled_ms = int(state.get("filled_ms", time_ms))
    tokens += policy.daily_budget * (time_ms - filled_ms) / DAY_MS
    tokens = min(tokens, policy.daily_budget * max(1.0, policy.carry_days))
    waiting = stores.journal.predictions(since_ms, until_ms)
    size = int(tokens + 1e-9)
    warnings: tuple[str, ...] = ()
    tasks: list[LabelTask] = []
    if waiting and size:
        seed = policy.seed + since_ms // 1000
        stratum = f"{DESIGN}/{waiting[0].query.time_ms}-{until_ms}"
        tasks = draw(waiting, size, stratum=stratum, seed=seed, scope=scope, time_ms=time_ms)
        # the journal first: a label that comes back must find its task, whichever desk it was made on
        stores.journal.add_tasks(tasks)
        desk.push(tasks)
        tokens -= len(tasks)
        since_ms = until_ms
    elif waiting:
        warnings = (f"today's label budget is spent; {len(waiting)} predictions wait for the next draw.",)
    stores.journal.set_state(_STATE, {"until_ms": since_ms, "tokens": tokens, "filled_ms": time_ms})
    counts = {"predictions": len(waiting), "tasks": len(tasks), "budget_left": int(tokens + 1e-9)}
    return Receipt("label.send", counts, warnings=warnings)
