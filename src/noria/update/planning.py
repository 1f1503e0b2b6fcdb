"""Decides what comes next from labels and findings: rows to learn from, intents to accept, backlog."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from noria.records import BacklogItem, Example, Finding, Judged, Plan


@dataclass(frozen=True, slots=True)
class UpdatePolicy:
    """When a turn retrains, and what comes into scope without a person asking.

    min_new_labels: labels not yet learnt from that start a retraining. min_after_finding: the same after a finding or
    when a new intent comes into scope. accept_new_intents: whether an intent that labellers name comes into scope by
    itself once it has `new_intent_labels` labels; otherwise it waits in the backlog until a person accepts it. quick:
    whether corrections and new intents are learnt by a warm start between full trainings, of which there is one at
    least every `full_every_days` that bring anything to learn.
    """

    min_new_labels: int = 200
    min_after_finding: int = 40
    accept_new_intents: bool = False
    new_intent_labels: int = 8
    quick: bool = True
    full_every_days: int = 7


def plan(
    judged: Sequence[Judged],
    *,
    learnt: Collection[str],
    scope: Collection[str],
    accepted: Collection[str],
    findings: Sequence[Finding],
    policy: UpdatePolicy,
    taught: Sequence[Example] = (),
    full_due: bool = False,
) -> Plan:
    """The plan of a turn.

    Args:
        judged: all labels that may be trained on (those kept for the gate left out).
        learnt: ids of the labels that the examples hold already.
        scope: intents in scope now.
        accepted: intents that a person accepted into scope.
        findings: what the monitor found since the last release.
        policy: limits.
        taught: examples of topics that a person accepted or merged, not learnt yet; they start a retraining.
        full_due: whether what is live was started warm, and it is time to train it in full.
    """
    groups: dict[str, list[Judged]] = defaultdict(list)
    for item in judged:
        if item.label.relevance == "new_domain" and item.label.intent and item.label.intent not in scope:
            groups[item.label.intent].append(item)
    ripe = {name for name, items in groups.items() if len(items) >= policy.new_intent_labels}
    new_intents = sorted((ripe if policy.accept_new_intents else set()) | (set(accepted) & set(groups)))
    fresh = [j for j in judged if j.label.label_id not in learnt]
    backlog = tuple(_item(name, groups[name]) for name in sorted(groups) if name not in new_intents)
    needed = policy.min_after_finding if findings or new_intents else policy.min_new_labels
    retrain = len(fresh) >= needed or bool(taught) or full_due
    reason = (
        f"{len(fresh)} labels not learnt from yet" if retrain else f"{len(fresh)} of {needed} labels to a retraining"
    )
    if full_due:
        reason += "; a full training is due after warm starts"
    if taught:
        names = sorted({row.intent for row in taught})
        reason += f"; {len(taught)} queries of topics taught as {', '.join(names)}"
    if new_intents:
        reason += f"; new in scope: {', '.join(new_intents)}"
    if findings:
        reason += f"; after findings on {', '.join(sorted({f.metric for f in findings}))}"
    # what named a new intent before it was accepted stands in the examples as out of scope: it is learnt anew
    again = [j for name in new_intents for j in groups[name] if j.label.label_id in learnt]
    labels = tuple(sorted(j.label.label_id for j in fresh + again)) if retrain else ()
    return Plan(retrain, reason, labels, tuple(new_intents), backlog)


def _item(intent: str, items: Sequence[Judged]) -> BacklogItem:
    ordered = sorted(items, key=lambda j: (j.task.query_time_ms, j.task.task_id))
    return BacklogItem(
        intent=intent,
        item_id=f"intent:{intent}",
        title=intent,
        labels=len(items),
        first_seen_ms=ordered[0].task.query_time_ms,
        examples=tuple(j.task.text for j in ordered[-3:]),
    )
