"""What the loop decides and proves: experiments, candidates, verdicts, releases, findings, plans, receipts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from noria.records.data import DataVersion
from noria.records.work import BacklogItem

VerdictKind = Literal["promote", "hold", "refuse"]
LedgerKind = Literal["release", "hold", "refuse", "rollback"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A trained model offered for release. `bundle_sha256` is the content address of its bundle in the blob store."""

    tag: str
    run_id: str
    bundle_sha256: str
    examples: DataVersion
    articles: DataVersion | None
    recipe: Mapping[str, Any]
    metrics: Mapping[str, float]
    created_ms: int


@dataclass(frozen=True, slots=True)
class Check:
    """One test of the gate with its evidence, in one sentence that a manager can read."""

    name: str
    passed: bool | None
    sentence: str
    figures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate says of a candidate: `promote`, `hold` (not enough evidence yet) or `refuse`, with every check.

    `evidence`: plain values from which the verdict can be computed again; the ledger keeps them.
    """

    kind: VerdictKind
    reason: str
    checks: tuple[Check, ...]
    basket_score: float
    champion_basket_score: float | None
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Release:
    """A candidate that went live, or goes live again by a rollback."""

    release: str
    candidate: Candidate
    since_ms: int


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One line of the append-only ledger; `hash` covers the entry and `previous_hash`, so the chain can be verified."""

    seq: int
    time_ms: int
    kind: LedgerKind
    release: str | None
    tag: str
    evidence: Mapping[str, Any]
    previous_hash: str
    hash: str


@dataclass(frozen=True, slots=True)
class Rate:
    """A share with its interval: `k` of `n`, `low` to `high` at 95 %. `value` is NaN when n is 0."""

    value: float
    low: float
    high: float
    k: int
    n: int


@dataclass(frozen=True, slots=True)
class DayQuality:
    """Production quality of one UTC day from labels; metric name → rate (see the glossary)."""

    day: str
    predictions: int
    labels: int
    rates: Mapping[str, Rate]


@dataclass(frozen=True, slots=True)
class Finding:
    """An alarm on a metric: when it was raised, between which days the change began, and how large it is."""

    finding_id: str
    metric: str
    raised_ms: int
    inception_ms: int
    inception_low_ms: int
    inception_high_ms: int
    before: float
    after: float
    sentence: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do next: the rows to add to the examples, intents to accept, and why; `retrain` False ends the turn."""

    retrain: bool
    reason: str
    label_ids: tuple[str, ...]
    new_intents: tuple[str, ...]
    backlog: tuple[BacklogItem, ...]


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a room did: counts, ids, seconds and warnings. `room` is its name in the house."""

    room: str
    counts: Mapping[str, float]
    ids: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TurnReceipt:
    """One lap of the loop: a receipt per room that ran, in order."""

    turn_id: str
    time_ms: int
    receipts: tuple[Receipt, ...]
    verdict: VerdictKind | None
    release: str | None
