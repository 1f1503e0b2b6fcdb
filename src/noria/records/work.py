"""What waits for people: topics that the agent does not serve, causes of failures, items of the backlog."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

TopicStatus = Literal["open", "accepted", "merged", "dismissed"]
TOPIC_STATUSES: tuple[TopicStatus, ...] = ("open", "accepted", "merged", "dismissed")
Cause = Literal["in_scope", "new_domain", "knowledge_gap", "irrelevant", "fault", "unsure"]
CAUSES: tuple[Cause, ...] = ("in_scope", "new_domain", "knowledge_gap", "irrelevant", "fault", "unsure")
"""Of a failure. in_scope: a known intent in other words, or taken for another. new_domain: a request outside the scope.
knowledge_gap: the right intent, but no article, or a stale one. irrelevant: no request, and yet answered. fault: a
release or a load of data broke it. unsure: the labels do not tell yet."""
BacklogKind = Literal["new_domain", "knowledge_gap", "incident", "done"]


@dataclass(frozen=True, slots=True)
class Topic:
    """Like queries that the agent did not serve, found together; `topic_id` stays as long as its members do.

    `title`, `phrases`: what is said in it and hardly elsewhere. `members`: ids of its predictions in the window, the
    most typical first. `accounts`: members by account. `said`: labels on members, by relevance. `named`: the intent
    that most labels on them name, "" where none does. `week`, `week_before`: members of the last seven days and of
    the seven before. `into`: the intent it was accepted as or merged into.
    """

    topic_id: str
    title: str
    phrases: tuple[str, ...]
    members: tuple[str, ...]
    examples: tuple[str, ...]
    accounts: Mapping[str, int]
    said: Mapping[str, int]
    named: str
    week: int
    week_before: int
    first_seen_ms: int
    last_seen_ms: int
    status: TopicStatus = "open"
    into: str = ""


@dataclass(frozen=True, slots=True)
class Triage:
    """Why something failed, how sure that is (0 to 1), and what to do; each sentence can be read alone.

    `subject`: the finding or day that was looked at. `shares`: by how much each cause's failures rose, in queries (0 to
    1); they add up to the drop.
    """

    subject: str
    cause: Cause
    confidence: float
    sentence: str
    action: str
    shares: Mapping[str, float] = field(default_factory=dict)
    labels_lacking: int = 0


@dataclass(frozen=True, slots=True)
class BacklogItem:
    """Work that only people can do, with what it would bring.

    `labels`: people who named it. `weekly`: queries of the last seven days. `trend`: growing, shrinking, steady, new.
    `effort_hours`, `gain_weekly`: estimates, the latter in queries a week that would be served besides. `evidence`: one
    sentence. `outcome`: what came of it after a release, once there are labels that tell.
    """

    intent: str
    labels: int
    first_seen_ms: int
    examples: tuple[str, ...]
    kind: BacklogKind = "new_domain"
    item_id: str = ""
    title: str = ""
    weekly: float = 0.0
    trend: str = ""
    effort_hours: float = 0.0
    gain_weekly: float = 0.0
    evidence: str = ""
    outcome: str = ""
