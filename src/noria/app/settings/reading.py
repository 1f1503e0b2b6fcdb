"""Reads `noria.toml`, and makes the policies of the rooms from it."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from noria.app.settings.help_desk import help_desk
from noria.app.settings.mapping import from_mapping, shared_out
from noria.app.settings.sections import Settings
from noria.errors import UsageError, nearest

DESKS = ("builtin", "label_studio")


def read_settings(path: Path) -> Settings:
    """The settings in a file.

    Raises:
        UsageError: not TOML, or an unknown section, key or type; names the place and the nearest name.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not valid TOML: {error}.") from None
    settings = from_mapping(Settings, raw, str(path))
    # the rooms' own sections are checked now, so that a slip is told by every command and not only by the one it hits
    loop_policy(settings, str(path))
    help_desk(settings, str(path))
    return settings


def loop_policy(settings: Settings, where: str = "noria.toml") -> Any:
    """The policies of all rooms from their sections (`noria.loop.LoopPolicy`)."""
    from noria.agent import Recipe
    from noria.label import SamplingPolicy, SettlingPolicy
    from noria.loop import LoopPolicy
    from noria.monitor import AlarmPolicy
    from noria.monitor.explain import ExplainPolicy
    from noria.monitor.windows.policy import WindowPolicy
    from noria.release import GatePolicy
    from noria.release.staging import StagePolicy
    from noria.update import BacklogPolicy, DiscoveryPolicy, TriagePolicy, UpdatePolicy

    own = _without_desk(settings, where)
    drawing, deciding = shared_out(own, (SamplingPolicy, SettlingPolicy), f"{where} [label]")
    judging, staging = shared_out(settings.release, (GatePolicy, StagePolicy), f"{where} [release]")
    watching = (AlarmPolicy, WindowPolicy, ExplainPolicy)
    alarming, measuring, explaining = shared_out(settings.monitor, watching, f"{where} [monitor]")
    kinds = (UpdatePolicy, DiscoveryPolicy, TriagePolicy, BacklogPolicy)
    planning, topics, causes, waiting = shared_out(settings.update, kinds, f"{where} [update]")
    return LoopPolicy(
        recipe=Recipe.from_dict(settings.agent),
        sampling=from_mapping(SamplingPolicy, drawing, f"{where} [label]"),
        settling=from_mapping(SettlingPolicy, deciding, f"{where} [label]"),
        alarm=from_mapping(AlarmPolicy, alarming, f"{where} [monitor]"),
        windows=from_mapping(WindowPolicy, measuring, f"{where} [monitor]"),
        alert=_alert_policy(settings, where),
        explain=from_mapping(ExplainPolicy, explaining, f"{where} [monitor]"),
        gate=from_mapping(GatePolicy, judging, f"{where} [release]"),
        stages=from_mapping(StagePolicy, staging, f"{where} [release]"),
        update=from_mapping(UpdatePolicy, planning, f"{where} [update]"),
        discovery=from_mapping(DiscoveryPolicy, topics, f"{where} [update]"),
        triage=from_mapping(TriagePolicy, causes, f"{where} [update]"),
        backlog=from_mapping(BacklogPolicy, waiting, f"{where} [update]"),
    )


def _alert_policy(settings: Settings, where: str) -> Any:
    from noria.monitor.alerting import AlertPolicy
    from noria.records.findings import SEVERITIES

    own = settings.alerts
    least = next((s for s in SEVERITIES if s == own.least_severity), None)
    if least is None:
        hint = nearest(own.least_severity, SEVERITIES)
        raise UsageError(f"{where} [alerts]: least_severity cannot be {own.least_severity!r}. {hint}")
    if own.smtp and not (own.mail_from and own.mail_to):
        raise UsageError(f"{where} [alerts]: smtp needs mail_from and mail_to: whose letters go to whom.")
    port = own.smtp.partition(":")[2]
    if port and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise UsageError(f"{where} [alerts]: smtp = {own.smtp!r}: write host:port, such as mail.example.com:587.")
    return AlertPolicy(least, own.quiet_hours, own.settled_labels)


def label_desk(settings: Settings) -> str:
    """Where people label: one of `DESKS`."""
    return str(settings.label.get("desk", DESKS[0]))


def _without_desk(settings: Settings, where: str) -> dict[str, Any]:
    """[label] without the key that only says where the tasks go."""
    if label_desk(settings) not in DESKS:
        hint = nearest(label_desk(settings), DESKS)
        raise UsageError(f"{where} [label]: desk cannot be {settings.label['desk']!r}. {hint}")
    return {key: value for key, value in settings.label.items() if key != "desk"}
