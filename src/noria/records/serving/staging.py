"""A challenger that answers beside the live release, before it may take its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from noria.records.decisions import Candidate
from noria.records.traffic import Decision

StageMode = Literal["shadow", "canary"]
STAGE_MODES: tuple[StageMode, ...] = ("shadow", "canary")
StageUnit = Literal["session", "account"]
STAGE_UNITS: tuple[StageUnit, ...] = ("session", "account")
ChallengerState = Literal["running", "released", "withdrawn"]
CHALLENGER_STATES: tuple[ChallengerState, ...] = ("running", "released", "withdrawn")


@dataclass(frozen=True, slots=True)
class Challenger:
    """A candidate on its way; at most one is running.

    challenger_id: the release name under which a canary's predictions are logged. shares: the stages, as the share of
    sessions (or accounts, see `unit`) whose queries it answers, 0 to 1; 0 = shadow: it answers beside only.
    stage: the place in `shares`. against: the live release that it is compared with. began_ms: when the first stage
    began, since_ms: when this one did. judged: number of the ledger entry of the gate's verdict; None = it never passed
    the gate, and cannot go live. failure: why a server could not load it.
    """

    challenger_id: str
    candidate: Candidate
    shares: tuple[float, ...]
    unit: StageUnit
    against: str
    began_ms: int
    since_ms: int
    stage: int = 0
    judged: int | None = None
    state: ChallengerState = "running"
    failure: str = ""

    @property
    def share(self) -> float:
        return self.shares[self.stage]

    @property
    def mode(self) -> StageMode:
        return "canary" if self.share > 0 else "shadow"

    def to_dict(self) -> Mapping[str, Any]:
        """What is told of it to people and programs."""
        return {
            "name": self.challenger_id, "tag": self.candidate.tag, "mode": self.mode, "share": self.share,
            "by": self.unit, "since_ms": self.since_ms, "against": self.against,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class ShadowAnswer:
    """What another agent than the one that was shown makes of a query.

    tag: of that agent. time_ms: of the query. decision: None where it failed, which `error` tells. confidence: of the
    intent.
    """

    prediction_id: str
    tag: str
    time_ms: int
    decision: Decision | None
    intent: str
    confidence: float
    latency_ms: float
    error: str = ""
