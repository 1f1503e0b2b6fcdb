"""Tasks on queries that a candidate answers unlike the agents it is up against: there a label says most about it.

Where all agents answer alike no label can tell them apart. So labels from the rest count for many pairs, and a small
loss is ruled out with a fraction of the labels that a sample of all traffic would take.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from noria.label.corrections import corrected
from noria.label.drawing.tasks import task_on
from noria.ports.label_desk import LabelDesk
from noria.records import Example, Judged, LabelTask, Prediction
from noria.stats.design import coins

if TYPE_CHECKING:
    from noria.stores import Stores

ENOUGH = 0.9
"""Part of the tasks that must be labelled: which ones people answer first may depend on what they are."""
_DESIGN = "compare-1"


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was asked about a candidate, and what came back.

    champion, anchor: releases it is compared with. traffic: queries that all were asked. differing: those that it
    answers unlike champion or anchor, from which `asked` tasks were drawn, each with the same chance. labelled: those
    with a settled label; rows: the examples that they make.
    """

    champion: str
    anchor: str
    traffic: int
    differing: int
    asked: int
    labelled: int
    rows: tuple[Example, ...]

    @property
    def ready(self) -> bool:
        return self.asked > 0 and self.labelled >= ENOUGH * self.asked


def compare_tasks(
    stores: Stores,
    desk: LabelDesk,
    tag: str,
    against: tuple[str, str],
    predictions: Sequence[Prediction],
    differs: Sequence[bool],
    *,
    size: int,
    scope: Sequence[str],
    time_ms: int,
) -> list[LabelTask]:
    """Draws tasks from the queries on which answers differ and puts them on the desk; the same ones when asked again.

    They are no picture of the traffic, so that no estimate counts them; labellers do not see what any agent thought.

    Args:
        stores: the journal.
        desk: where people label.
        tag: the candidate.
        against: the releases of champion and anchor.
        predictions: the traffic (n,) that was compared.
        differs: whether the candidate's answer is unlike one of theirs (n,).
        size: tasks at most.
        scope: the intents that a labeller may choose.
        time_ms: when.
    """
    apart = [p for p, unlike in zip(predictions, differs, strict=True) if unlike]
    seed = int.from_bytes(hashlib.sha256(tag.encode()).digest()[:6], "big")
    order = np.argsort(coins([p.prediction_id for p in apart], seed, "compare"), kind="stable")[:size]
    chosen = [apart[i] for i in sorted(order.tolist())]
    chance = len(chosen) / len(apart) if apart else 1.0
    tasks = [_task(p, tag, seed, chance, scope, time_ms) for p in chosen]
    state = {
        "champion": against[0], "anchor": against[1], "traffic": len(predictions), "differing": len(apart),
        "tasks": [task.task_id for task in tasks],
    }  # fmt: skip
    stores.journal.add_tasks(tasks, (key_of(tag), state))
    desk.push(tasks)
    return tasks


def comparison(stores: Stores, tag: str, judged: Sequence[Judged], scope: set[str]) -> Comparison | None:
    """What was asked about a candidate and how far it has come; None where nothing was.

    Args:
        stores: the journal.
        tag: the candidate.
        judged: settled labels.
        scope: the intents in scope of the candidate.
    """
    state = stores.journal.get_state(key_of(tag))
    if state is None:
        return None
    asked = set(state["tasks"])
    mine = [j for j in judged if j.task.task_id in asked]
    return Comparison(
        state["champion"],
        state["anchor"],
        state["traffic"],
        state["differing"],
        len(asked),
        len(mine),
        tuple(corrected(mine, scope)),
    )


def key_of(tag: str) -> str:
    """The journal state that keeps what was asked about a candidate."""
    return f"compare:{tag}"


def _task(p: Prediction, tag: str, seed: int, chance: float, scope: Sequence[str], time_ms: int) -> LabelTask:
    name = hashlib.sha256(tag.encode()).hexdigest()[:8]
    task = task_on(
        p, f"c-{name}-{p.prediction_id}", stratum="compare", chance=chance,
        seed=seed, design=f"{_DESIGN} {tag}", scope=scope, time_ms=time_ms,
    )  # fmt: skip
    return replace(task, show_prediction=False, purpose="explore")
