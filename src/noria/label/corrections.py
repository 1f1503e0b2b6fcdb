"""Settled labels become training rows that say where they come from."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from urllib.parse import parse_qs, quote, unquote, urlencode

from noria.records import IRRELEVANT, OOS, SMALL_TALK, Example, Judged

GATE_SHARE = 0.2
_MARK = "label:"


def for_gate(judged: Judged) -> bool:
    """Whether a label is kept for the gate and never trained on: a fixed fifth, by the sha256 of its task.

    Tasks that were drawn to explore are all for training: they are no picture of the traffic that a gate asks about.
    """
    digest = hashlib.sha256(judged.task.task_id.encode()).digest()
    return judged.task.purpose == "estimate" and int.from_bytes(digest[:4], "big") < GATE_SHARE * 2**32


def corrected(judged: Sequence[Judged], scope: Collection[str], accepted: Collection[str] = ()) -> list[Example]:
    """The examples that settled labels make: the right intent of the query, or the reserved intent of what it was.

    Args:
        judged: settled labels with their tasks.
        scope: the intents in scope.
        accepted: new intents that come into scope; a new-domain label that names one becomes its example.

    A label in scope whose intent is in neither is left out (its intent has left the scope). A task makes one example,
    whose `origin` tells the provenance: a settlement that changed takes the place of the earlier one in the next
    version of the table, and of nothing else.
    """
    rows = []
    for item in judged:
        label = item.label
        known = label.intent if label.intent in scope or label.intent in accepted else None
        intent = {
            "in_scope": known,
            "new_domain": known or OOS,
            "irrelevant": IRRELEVANT,
            "small_talk": SMALL_TALK,
        }[label.relevance]
        if intent is None:
            continue
        rows.append(
            Example(
                id=f"label-{item.task.task_id}",
                text=item.task.text,
                intent=intent,
                split="train",
                account=item.task.account,
                origin=provenance(item),
            )
        )
    return rows


def provenance(judged: Judged) -> str:
    """The origin of a label's example: `label:LABELS?task=…&prediction=…&release=…&annotator=…&adjudicated_by=…`."""
    task, label = judged.task, judged.label
    facts = [
        ("task", task.task_id),
        ("prediction", task.prediction_id),
        ("release", task.release),
        *(("annotator", name) for name in label.annotators),
        *([("adjudicated_by", label.adjudicated_by)] if label.adjudicated_by else []),
    ]
    return f"{_MARK}{quote(label.label_id, safe='+')}?{urlencode(facts)}"


def read_provenance(origin: str) -> dict[str, tuple[str, ...]] | None:
    """What an example's origin tells, by name, `label` being the settlement's; None where it came from no label."""
    if not origin.startswith(_MARK):
        return None
    name, _, facts = origin.removeprefix(_MARK).partition("?")
    return {"label": (unquote(name),)} | {key: tuple(values) for key, values in parse_qs(facts).items()}


def learnt_labels(rows: Iterable[Example]) -> set[str]:
    """The names of the settlements (`Settled.label_id`) that examples were made of."""
    return {facts["label"][0] for row in rows if (facts := read_provenance(row.origin)) is not None}
