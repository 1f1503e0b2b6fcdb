"""The stores of a home, and what a turn of the loop works with."""

from __future__ import annotations

import hashlib
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import noria
from noria.app.home import Home
from noria.app.settings import AlertSettings, loop_policy
from noria.app.wiring.desks import open_desk
from noria.app.wiring.encoders import encoder_or_warning, encoder_to_train, load_encoder
from noria.stores import Stores

if TYPE_CHECKING:
    from noria.loop import House
    from noria.ports.alert_channel import AlertChannel


def open_stores(home: Home) -> Stores:
    """The home's stores, each opened when first used."""
    return Stores(
        lake=home.lake,
        blobs=home.blobs,
        journal=home.journal_url,
        tracker=home.tracker_url,
        artifacts=home.tracker_artifacts,
    )


def open_house(home: Home, stores: Stores) -> House:
    """What a turn of the loop works with."""
    from noria.loop import House
    from noria.loop.watching import watch

    policy = loop_policy(home.settings)
    house = House(
        stores,
        open_desk(home, stores),
        policy,
        time.monotonic,
        code_facts(),
        encoders=load_encoder,
        encoder=lambda: encoder_to_train(home.settings, policy.recipe),
        topic_encoder=lambda: encoder_or_warning(home.settings.encoder.spec),
    )
    house = replace(house, channels=alert_channels(home.settings.alerts), address=home.settings.alerts.address)
    return replace(house, watch=lambda now_ms: watch(house, now_ms=now_ms))


def alert_channels(own: AlertSettings) -> list[AlertChannel]:
    """Who is told of alerts: the log, and what the settings name."""
    from noria.connect.alerts import LogChannel, Mail, SlackWebhook, Webhook

    channels: list[AlertChannel] = [LogChannel()]
    if own.webhook:
        channels.append(Webhook(own.webhook, os.environ.get("NORIA_ALERT_SECRET", "")))
    if slack := os.environ.get("NORIA_SLACK_WEBHOOK"):
        channels.append(SlackWebhook(slack))
    if own.smtp:
        to = tuple(part.strip() for part in own.mail_to.split(",") if part.strip())
        password = os.environ.get("NORIA_SMTP_PASSWORD", "")
        channels.append(Mail(own.smtp, own.mail_from, to, own.smtp_user, password))
    return channels


def code_facts() -> dict[str, str]:
    """Which code runs: the version and a sha256 over the package's Python files."""
    root = Path(noria.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes() + b"\0")
    return {"version": noria.__version__, "sha256": digest.hexdigest()}
