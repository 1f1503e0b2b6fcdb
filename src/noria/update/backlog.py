"""What only people can do, with size, trend, effort and gain, ranked; as CSV or Markdown."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from noria.records import DAY_MS, BacklogItem, Judged, Release, Topic, Triage
from noria.stats import wilson
from noria.stats.grouping import trend
from noria.update.triage import cause_of

_WEEK_MS = 7 * DAY_MS
_FEW = 3


@dataclass(frozen=True, slots=True)
class BacklogPolicy:
    """What work costs, for ranking only.

    `minutes_an_example`, `hours_an_article`: a person's time. `examples_an_intent`: how many one should
    have. `gap_labels`: labels below which a knowledge gap is no item yet.
    """

    minutes_an_example: float = 1.0
    hours_an_article: float = 2.0
    examples_an_intent: int = 20
    gap_labels: int = 3


@dataclass(frozen=True, slots=True)
class Week:
    """All queries of the last seven days and of the seven before, and the share of in-scope requests served now."""

    queries: int
    queries_before: int
    served: float


def backlog(
    topics: Sequence[Topic],
    judged: Sequence[Judged],
    triages: Sequence[Triage],
    week: Week,
    *,
    now_ms: int,
    policy: BacklogPolicy,
) -> list[BacklogItem]:
    """Every open item, best gain for its effort first.

    Args:
        topics: what was found among queries that were not served; only open ones count.
        judged: all settled labels.
        triages: of the findings.
        week: how much traffic there is.
        now_ms: the present.
        policy: what work costs.
    """
    items = [_of_topic(topic, week, policy) for topic in topics if topic.status == "open"]
    items += _gaps(judged, now_ms, policy)
    items += [_incident(triage, now_ms) for triage in triages if triage.cause == "fault"]
    urgent = {"incident": 0}
    return sorted(items, key=lambda i: (urgent.get(i.kind, 1), -i.gain_weekly / max(i.effort_hours, 0.1), i.item_id))


def _of_topic(topic: Topic, week: Week, policy: BacklogPolicy) -> BacklogItem:
    told = sum(topic.said.values())
    ours = topic.said.get("new_domain", 0) + topic.said.get("in_scope", 0)
    # Without labels half of it may be no request at all; the interval of the few there are tells the rest.
    legitimate = wilson(ours, told).value if told else 0.5
    how = trend(topic.week, topic.week_before, exposure=max(week.queries, 1) / max(week.queries_before, 1))
    known = topic.said.get("in_scope", 0) > topic.said.get("new_domain", 0)
    lacking = max(0, policy.examples_an_intent - len(topic.members))
    hours = (lacking + len(topic.members) / 10) * policy.minutes_an_example / 60
    hours += 0.0 if known else policy.hours_an_article
    kind = "a known intent in other words" if known else "outside the scope"
    labels = f"{ours} of {told} labels call it a request" if told else "no label on it yet"
    return BacklogItem(
        intent=topic.named,
        labels=told,
        first_seen_ms=topic.first_seen_ms,
        examples=topic.examples,
        kind="new_domain",
        item_id=topic.topic_id,
        title=topic.title,
        weekly=topic.week,
        trend=how.direction,
        effort_hours=round(hours, 1),
        gain_weekly=round(topic.week * legitimate * week.served, 1),
        evidence=f"{len(topic.members)} like queries of {len(topic.accounts)} accounts, {kind}; {labels}.",
    )


def _gaps(judged: Sequence[Judged], now_ms: int, policy: BacklogPolicy) -> list[BacklogItem]:
    """An item for each intent whose answers are right but for the article."""
    by_intent: dict[str, list[Judged]] = defaultdict(list)
    asked: dict[str, int] = defaultdict(int)
    for item in judged:
        if item.task.query_time_ms < now_ms - 4 * _WEEK_MS or not item.label.intent:
            continue
        asked[item.label.intent] += 1
        if cause_of(item) == "knowledge_gap":
            by_intent[item.label.intent].append(item)
    return [
        _gap(intent, sorted(by_intent[intent], key=_by_time), asked[intent], now_ms, policy)
        for intent in sorted(by_intent)
        if len(by_intent[intent]) >= policy.gap_labels
    ]


def _by_time(judged: Judged) -> tuple[int, str]:
    return judged.task.query_time_ms, judged.task.task_id


def _gap(intent: str, items: Sequence[Judged], asked: int, now_ms: int, policy: BacklogPolicy) -> BacklogItem:
    weights = [1 / j.task.inclusion_probability for j in items]
    recent = sum(w for w, j in zip(weights, items, strict=True) if j.task.query_time_ms >= now_ms - _WEEK_MS)
    later = sum(j.task.query_time_ms >= now_ms - 2 * _WEEK_MS for j in items)
    shown = sorted({a for j in items for a in j.task.article_ids})
    share = wilson(len(items), asked)
    return BacklogItem(
        intent=intent,
        labels=len(items),
        first_seen_ms=items[0].task.query_time_ms,
        examples=tuple(j.task.text for j in items[-_FEW:]),
        kind="knowledge_gap",
        item_id=f"article:{intent}",
        title=f"no right article for {intent}",
        weekly=round(recent, 1),
        trend=trend(later, len(items) - later).direction,
        effort_hours=policy.hours_an_article,
        gain_weekly=round(recent, 1),
        evidence=(
            f"{len(items)} of {asked} labelled queries ({100 * share.low:.0f} to {100 * share.high:.0f} %) had "
            f"the right intent and no right article; shown: {', '.join(shown[:_FEW]) or 'none'}."
        ),
    )


def _incident(triage: Triage, now_ms: int) -> BacklogItem:
    return BacklogItem(
        intent="",
        labels=0,
        first_seen_ms=now_ms,
        examples=(),
        kind="incident",
        item_id=f"incident:{triage.subject}",
        title=triage.action,
        effort_hours=0.1,
        evidence=triage.sentence,
    )


def outcomes(
    decided: Mapping[str, Mapping[str, Any]], judged: Sequence[Judged], releases: Sequence[Release]
) -> list[BacklogItem]:
    """What came of topics that were accepted or merged, by the labels since the release that learnt them.

    Args:
        decided: topic → intent, `time_ms` and rows, as `update.topics` keeps it.
        judged: all settled labels.
        releases: in order of time.
    """
    items = []
    for topic_id, what in sorted(decided.items()):
        after = [r for r in releases if r.candidate.created_ms >= int(what["time_ms"])]
        if not after:
            continue
        asked = [
            j
            for j in judged
            if j.task.query_time_ms >= after[0].since_ms
            and j.label.relevance == "in_scope"
            and j.label.intent == what["intent"]
        ]
        rate = wilson(sum(j.right for j in asked), len(asked))
        told = f"{rate.k} of {rate.n} labelled queries served ({100 * rate.low:.0f} to {100 * rate.high:.0f} %)"
        items.append(
            BacklogItem(
                intent=str(what["intent"]),
                labels=rate.n,
                first_seen_ms=int(what["time_ms"]),
                examples=(),
                kind="done",
                item_id=topic_id,
                title=f"{what['intent']} since {after[0].release}",
                evidence=f"{len(what['rows'])} of its queries became examples.",
                outcome=told if rate.n else "no label since the release yet",
            )
        )
    return items


FIELDS: tuple[tuple[str, Callable[[BacklogItem], object]], ...] = (
    ("item", lambda i: i.item_id),
    ("kind", lambda i: i.kind),
    ("title", lambda i: i.title),
    ("queries_a_week", lambda i: i.weekly),
    ("trend", lambda i: i.trend),
    ("gain_a_week", lambda i: i.gain_weekly),
    ("effort_hours", lambda i: i.effort_hours),
    ("labels", lambda i: i.labels),
    ("evidence", lambda i: i.evidence),
    ("outcome", lambda i: i.outcome),
    ("examples", lambda i: " | ".join(i.examples)),
)


def as_csv(items: Sequence[BacklogItem]) -> str:
    """A line an item. Cells that a spreadsheet would take for a formula are led by an apostrophe."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([name for name, _ in FIELDS])
    for item in items:
        writer.writerow([_plain(value(item)) for _, value in FIELDS])
    return out.getvalue()


def as_markdown(items: Sequence[BacklogItem]) -> str:
    """A section an item, for a ticket or a wiki."""
    lines = ["# Backlog", ""]
    for number, item in enumerate(items, start=1):
        lines += [
            f"## {number}. {_escaped(item.title)} ({item.kind.replace('_', ' ')})",
            "",
            _escaped(item.evidence),
            "",
        ]
        if item.kind == "done":
            lines += [f"- {item.outcome}", ""]
        elif item.kind != "incident":
            lines += [
                f"- {item.weekly:g} queries a week, {item.trend}; about {item.gain_weekly:g} a week would be served",
                f"- effort about {item.effort_hours:g} hours; id `{item.item_id}`",
            ]
            lines += [f"- “{_escaped(text)}”" for text in item.examples]
            lines.append("")
    return "\n".join(lines) if items else "# Backlog\n\nNothing waits.\n"


def _plain(value: object) -> object:
    text = str(value)
    return f"'{text}" if isinstance(value, str) and text[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def _escaped(text: str) -> str:
    flat = " ".join(text.split())
    return "".join(f"\\{c}" if c in "\\`*_[]<>#|" else c for c in flat)
