"""One run of an experiment, as it is kept and handed on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

RunState = Literal["finished", "pruned", "failed"]


@dataclass(frozen=True, slots=True)
class ExperimentRun:
    """A run that has ended.

    `tag`: unique and readable, `EXPERIMENT.NUMBER`. `state`: `pruned` was stopped early by its sweep, `failed` broke
    off for the `reason`. `settings`: the whole recipe. `metrics`: criteria by id and what the run cost, finite only.
    `record`: address in the blobs of its manifest and predictions, "" for a failed run. `manifest_sha256`: of the
    manifest file. `data`: `examples/NAME@VERSION`.
    """

    tag: str
    experiment: str
    number: int
    state: RunState
    time_ms: int
    data: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    record: str = ""
    manifest_sha256: str = ""
    bundle_sha256: str = ""
    reason: str = ""
