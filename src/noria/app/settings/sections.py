"""The sections of `noria.toml`, frozen and typed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from noria.app.settings.ecs import EcsSettings
from noria.errors import UsageError

_SERVE_BOUNDS = {
    "port": (0, 65_535),
    "workers": (0, 64),
    "requests_a_minute": (0, 10**9),
    "chat_a_minute": (0, 10**9),
    "answer_limit_ms": (1, 600_000),
}


@dataclass(frozen=True, slots=True)
class EncoderChoice:
    """Which encoder new agents are trained with."""

    spec: str = "minilm"


@dataclass(frozen=True, slots=True)
class ServeSettings:
    """Where the server listens, and its limits.

    workers: of a process set; 0 = one for each core. requests_a_minute: of a key; chat_a_minute: of one chat; 0 = no
    limit. answer_limit_ms: how long an agent with an encoder may take for an answer before the query is handed over.
    """

    host: str = "127.0.0.1"
    port: int = 8420
    workers: int = 0
    requests_a_minute: int = 6_000
    chat_a_minute: int = 60
    answer_limit_ms: int = 2_000

    def __post_init__(self) -> None:
        """Refuses what no server can do; a port beyond the last one would be taken for another one."""
        for name, (least, most) in _SERVE_BOUNDS.items():
            if not least <= getattr(self, name) <= most:
                given = f"[serve] {name} = {getattr(self, name)}"
                raise UsageError(f"{given} (or NORIA_SERVE_{name.upper()}) is not from {least} to {most}.")


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """Addresses of the stores; empty = embedded, in the home."""

    journal: str = ""
    tracker: str = ""
    lake: str = ""
    blobs: str = ""


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """When the worker does what: cron expressions in UTC, "" = never.

    lease_seconds: a worker that stands still for longer is taken for dead, and another may take over. state: SQLAlchemy
    URL of the database that keeps the steps of its jobs; empty = SQLite in the home, or the journal's PostgreSQL.
    """

    turn: str = "0 3 * * *"
    gather: str = "*/15 * * * *"
    monitor: str = "5 * * * *"
    stages: str = "*/5 * * * *"
    help_desk: str = "*/5 * * * *"
    lease_seconds: int = 60
    state: str = ""


@dataclass(frozen=True, slots=True)
class LabelStudioSettings:
    """Which Label Studio people label on.

    url: a server that somebody runs; empty = the one that `noria label-studio up` starts, on `port` of this machine,
    with its data in `database` (empty = SQLite in the home). project: title of the project; empty = "Noria" and the
    home's name.
    """

    url: str = ""
    project: str = ""
    port: int = 8430
    database: str = ""


@dataclass(frozen=True, slots=True)
class AlertSettings:
    """Who is told of alerts beside the log.

    webhook: gets the alert as JSON, signed with NORIA_ALERT_SECRET where that is set. smtp: `host:port` of the mail
    server; the user's password is in NORIA_SMTP_PASSWORD. mail_to: addresses, separated by commas. address: of these
    pages, for links. A Slack-style webhook's address is a secret: NORIA_SLACK_WEBHOOK. least_severity, quiet_hours,
    settled_labels: see `noria.monitor.alerting.AlertPolicy`.
    """

    webhook: str = ""
    smtp: str = ""
    smtp_user: str = ""
    mail_from: str = ""
    mail_to: str = ""
    address: str = ""
    least_severity: str = "low"
    quiet_hours: float = 6.0
    settled_labels: int = 50


@dataclass(frozen=True, slots=True)
class Settings:
    """All sections; `agent` is the recipe's mapping, checked by the agent room."""

    agent: Mapping[str, Any] = field(default_factory=dict)
    ecs: EcsSettings = field(default_factory=EcsSettings)
    alerts: AlertSettings = field(default_factory=AlertSettings)
    encoder: EncoderChoice = field(default_factory=EncoderChoice)
    help_desk: Mapping[str, Any] = field(default_factory=dict)
    label: Mapping[str, Any] = field(default_factory=dict)
    label_studio: LabelStudioSettings = field(default_factory=LabelStudioSettings)
    monitor: Mapping[str, Any] = field(default_factory=dict)
    update: Mapping[str, Any] = field(default_factory=dict)
    release: Mapping[str, Any] = field(default_factory=dict)
    serve: ServeSettings = field(default_factory=ServeSettings)
    stores: StoreSettings = field(default_factory=StoreSettings)
    worker: WorkerSettings = field(default_factory=WorkerSettings)
