"""What the loop decides and proves: experiments, candidates, verdicts, releases, findings, plans, receipts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from noria.records.data import DataVersion
from noria.records.work import BacklogItem

VerdictKind = Literal["promote", "hold", "refuse"]
LedgerKind = Literal["release", "hold", "refuse", "rollback"]
Stream = Literal["labels", "confidence", "decisions", "text", "embeddings"]
ChangeShape = Literal["sudden", "gradual", "either"]


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
    """An alarm: when it was raised, between which times the change began (95 %), and how large it is.

    before, after: the metric on either side, one mix of queries. stream: what raised it; only `labels` are evidence on
    quality, the others are a reason to look. slice: whose queries, "account=acme"; "" = all. shape, ramp_ms: at once or
    over how long. *_queries: queries of all traffic before each of the three times. others: times at which further
    changes began. located_ms: up to when labels and queries were used to place it; provisional: it will be placed again
    with what comes later. agrees: whether a second method places a change inside the interval, None where there is too
    little to say. per_year: false alarms a year that its detector may raise.
    """

    finding_id: str
    metric: str
    raised_ms: int
    inception_ms: int
    inception_low_ms: int
    inception_high_ms: int
    before: float
    after: float
    sentence: str
    stream: Stream = "labels"
    slice: str = ""
    shape: ChangeShape = "either"
    ramp_ms: int = 0
    inception_queries: int = 0
    inception_low_queries: int = 0
    inception_high_queries: int = 0
    others: tuple[int, ...] = ()
    located_ms: int = 0
    provisional: bool = True
    agrees: bool | None = None
    per_year: float = 0.0


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
