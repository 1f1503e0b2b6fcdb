"""What a turn works with: stores, label desk, policies of all rooms."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from noria.agent import Recipe
from noria.agent.bundle import Encoders
from noria.agent.encoding import Encoder
from noria.label import SamplingPolicy, SettlingPolicy
from noria.monitor import AlarmPolicy
from noria.monitor.alerting import AlertPolicy
from noria.monitor.explain import ExplainPolicy
from noria.monitor.windows.policy import WindowPolicy
from noria.records import Receipt, Verdict
from noria.release import GatePolicy, consider
from noria.release.staging import StagePolicy
from noria.update import BacklogPolicy, DiscoveryPolicy, TriagePolicy, UpdatePolicy

if TYPE_CHECKING:
    from noria.ports.alert_channel import AlertChannel
    from noria.ports.label_desk import LabelDesk
    from noria.stores import Stores


@dataclass(frozen=True, slots=True)
class LoopPolicy:
    """What every room of the loop goes by."""

    recipe: Recipe = field(default_factory=Recipe)
    sampling: SamplingPolicy = field(default_factory=SamplingPolicy)
    settling: SettlingPolicy = field(default_factory=SettlingPolicy)
    alarm: AlarmPolicy = field(default_factory=AlarmPolicy)
    windows: WindowPolicy = field(default_factory=WindowPolicy)
    explain: ExplainPolicy = field(default_factory=ExplainPolicy)
    alert: AlertPolicy = field(default_factory=AlertPolicy)
    gate: GatePolicy = field(default_factory=GatePolicy)
    stages: StagePolicy = field(default_factory=StagePolicy)
    update: UpdatePolicy = field(default_factory=UpdatePolicy)
    discovery: DiscoveryPolicy = field(default_factory=DiscoveryPolicy)
    triage: TriagePolicy = field(default_factory=TriagePolicy)
    backlog: BacklogPolicy = field(default_factory=BacklogPolicy)


Judge = Callable[..., Verdict]


def no_encoder() -> tuple[Encoder | None, str]:
    """Train without an encoder."""
    return None, ""


@dataclass(frozen=True, slots=True)
class House:
    """What a turn works with.

    `clock`: seconds, for receipts and training times only. `code`: facts on the code. `encoders`: gives the encoder of
    a spec, for agents that need one. `encoder`: the one to train with, or None and why there is none; `topic_encoder`:
    the one that says which queries are alike, whatever the agent is trained with. `judge`: what gives the verdict on a
    candidate. `watch`: brings windows, explanations and alerts up to the present (UTC milliseconds) once findings are
    stored; None = nobody looks on. `channels`: who is told of alerts; `address`: of the pages, for links, "" = unknown.
    """

    stores: Stores
    desk: LabelDesk
    policy: LoopPolicy
    clock: Callable[[], float]
    code: Mapping[str, str] = field(default_factory=dict)
    encoders: Encoders | None = None
    encoder: Callable[[], tuple[Encoder | None, str]] = no_encoder
    topic_encoder: Callable[[], tuple[Encoder | None, str]] = no_encoder
    judge: Judge = consider
    watch: Callable[[int], Receipt] | None = None
    channels: Sequence[AlertChannel] = ()
    address: str = ""
