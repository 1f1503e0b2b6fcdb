"""By which stages a candidate that passed the gate goes live, as written under `[release]` in the settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from noria.errors import UsageError, nearest
from noria.records.serving.staging import STAGE_UNITS, StageUnit

SHADOW = "shadow"


@dataclass(frozen=True, slots=True)
class StagePolicy:
    """The stages, and what a challenger must show in each. Shares are percent in the settings, 0 to 1 elsewhere.

    stages: such as ["shadow", 5, 25, 100]; none: what passed the gate goes live at once. stage_unit: "session" or
        "account", whose queries a canary takes together.
    stage_hours, stage_answers: the least time and number of answers in each stage.
    stage_margin: the loss of quality against the live release that must be ruled out on labelled queries that both
        answered. stage_labels: false lets it advance while there are too few labels, unless it is found to be worse.
    stage_alpha: the chance of a wrong verdict on one candidate, over all looks and stages together.
    error_margin: share of queries on which only the challenger fails, beyond those on which only the live release
        does, that is borne. latency_ratio: how many times as long as the live release its 95th percentile may take;
        below latency_floor_ms it never matters.
    """

    stages: Sequence[Any] = ()
    stage_unit: str = "session"
    stage_hours: float = 24.0
    stage_answers: int = 200
    stage_margin: float = 0.05
    stage_labels: bool = True
    stage_alpha: float = 0.05
    error_margin: float = 0.005
    latency_ratio: float = 2.0
    latency_floor_ms: float = 50.0

    def __post_init__(self) -> None:
        if isinstance(self.stages, str):
            raise UsageError(f'stages = {self.stages!r} is a list: write ["shadow", 5, 25, 100].')
        if self.stage_unit not in STAGE_UNITS:
            raise UsageError(f"stage_unit cannot be {self.stage_unit!r}. {nearest(self.stage_unit, STAGE_UNITS)}")
        shares = self.shares
        if any(later <= earlier for earlier, later in pairwise(shares)):
            raise UsageError(f"stages = {list(self.stages)}: shadow comes first, and each share is above the last.")
        if not (0 < self.stage_margin < 1 and 0 < self.stage_alpha < 1 and 0 <= self.error_margin < 1):
            raise UsageError("stage_margin and stage_alpha are shares above 0 and below 1, error_margin from 0 on.")
        if self.latency_ratio <= 1 or self.stage_answers < 1 or self.stage_hours < 0:
            raise UsageError("latency_ratio is above 1, stage_answers at least 1, stage_hours at least 0.")

    @property
    def shares(self) -> tuple[float, ...]:
        """The stages as shares, 0 to 1; 0 = shadow."""
        return tuple(0.0 if stage == SHADOW else share_of(stage) for stage in self.stages)

    @property
    def unit(self) -> StageUnit:
        return "account" if self.stage_unit == "account" else "session"


def share_of(percent: Any) -> float:
    """A canary's share as a number from 0 to 1.

    Raises:
        UsageError: it is no percentage above 0 and up to 100.
    """
    if isinstance(percent, bool) or not isinstance(percent, int | float) or not 0 < percent <= 100:
        raise UsageError(f"a stage of {percent!r}; give 'shadow' or a percentage above 0 and up to 100.")
    return percent / 100
