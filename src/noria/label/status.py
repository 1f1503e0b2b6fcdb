"""How labelling stands: budget, backlog, cost, people and their agreement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from noria.label.annotators import People, judge_people
from noria.label.settling import SettlingPolicy
from noria.records import FOREVER_MS

if TYPE_CHECKING:
    from noria.stores import Stores


@dataclass(frozen=True, slots=True)
class LabelStatus:
    """Figures of all time; times in UTC milliseconds, money in the currency of `cost_per_label`.

    `open`: tasks that lack answers, the oldest made at `oldest_open_ms`. `settled`, `disputed`: tasks that count, tasks
    that wait for adjudication. `labels`: labels that count. `cost_per_settled`: what a settled task took on average,
    replaced and withdrawn labels paid too; None where nothing is settled or no cost is set. `budget_left`: label tasks
    that the next draw may ask for; None before the first.
    """

    open: int
    oldest_open_ms: int | None
    settled: int
    disputed: int
    labels: int
    cost_per_settled: float | None
    daily_budget: int
    budget_left: int | None
    people: People


def label_status(stores: Stores, policy: SettlingPolicy, daily_budget: int) -> LabelStatus:
    """How labelling stands in a home, whatever desk people work at."""
    journal = stores.journal
    counts, labels = journal.task_counts(), journal.labels(0)
    settled = len(journal.judged(0, FOREVER_MS))
    people = judge_people(labels)
    tokens = (journal.get_state("label.draw") or {}).get("tokens")
    paid = policy.cost_per_label * sum(not label.withdrawn for label in labels)
    return LabelStatus(
        open=counts["open"],
        oldest_open_ms=counts.get("oldest_open_ms"),
        settled=settled,
        disputed=len(journal.judged(0, FOREVER_MS, "adjudicate")),
        labels=sum(one.labels for one in people.annotators),
        cost_per_settled=paid / settled if settled and policy.cost_per_label else None,
        daily_budget=daily_budget,
        budget_left=None if tokens is None else max(0, int(tokens + 1e-9)),
        people=people,
    )
