"""Brings what people answered from the desk into the journal, and settles it: by majority, or by a named person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from noria.errors import UsageError
from noria.label.annotators import judge_people
from noria.label.settling import Settling, SettlingPolicy
from noria.ports.label_desk import LabelDesk
from noria.ports.questions import Said, read_answers
from noria.records import Label, Receipt

if TYPE_CHECKING:
    from noria.stores import Stores

_STATE = "label.gather"
OVERLAP_MS = 3_600_000


def gather(stores: Stores, desk: LabelDesk, policy: SettlingPolicy | None = None) -> Receipt:
    """Collects labels since the last time and settles their tasks; a label that is known already counts once.

    It looks an hour further back than it must: a desk's clock may differ from ours.
    """
    since_ms = int((stores.journal.get_state(_STATE) or {}).get("until_ms", 0))
    labels = desk.collect(max(0, since_ms - OVERLAP_MS))
    new = stores.journal.add_labels(labels)
    stores.journal.set_state(_STATE, {"until_ms": max([since_ms, *(lab.time_ms for lab in labels)])})
    counts = {"collected": len(labels), "new": new, "open": desk.status().open}
    return Receipt("label.gather", counts | settle(stores, policy or SettlingPolicy()))


def settle(stores: Stores, policy: SettlingPolicy) -> dict[str, int]:
    """Settles every task that labels came in for, and counts what became of them: settled, to be adjudicated."""
    weights = {}
    if policy.weigh_annotators:
        weights = {one.annotator: one.weight for one in judge_people(stores.journal.labels(0)).annotators}
    made = [settled for settled in stores.journal.settle(Settling(policy, weights)) if settled is not None]
    return {status: sum(settled.status == status for settled in made) for status in ("settled", "adjudicate")}


def adjudicate(
    stores: Stores, policy: SettlingPolicy, task_id: str, said: Said, *, by: str, label_id: str, time_ms: int
) -> Label:
    """Settles a task by the word of a named person, whatever others said and whichever desk they work at.

    Raises:
        NotFound: the task is unknown. BadAnswer: the answers do not hold together. UsageError: nobody is named.
    """
    task, name = stores.journal.task(task_id), " ".join(by.split())
    if not name:
        raise UsageError("an adjudication needs the name of who decides.")
    judged = read_answers(task, said)
    label = Label(
        label_id, task.task_id, task.prediction_id, name, judged.relevance, judged.intent, judged.article_ids,
        judged.helpful, time_ms, judged.note, adjudication=True,
    )  # fmt: skip
    stores.journal.add_labels([label])
    settle(stores, policy)
    return label
