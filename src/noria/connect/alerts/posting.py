"""The log, and channels that take a POST of JSON."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
from typing import Any

import httpx

from noria.errors import OutsideError
from noria.records.findings import Notice

_TIMEOUT_S = 10.0
# A section block takes 3,000 characters.
_SLACK_CHARS = 2900
_log = logging.getLogger("noria.alerts")


class LogChannel:
    """Writes alerts to the log `noria.alerts`: a warning, an error where it is high, information where it is over."""

    name = "log"

    def tell(self, notice: Notice) -> None:
        """Logs one line."""
        severity = notice.alert.severity
        level = logging.ERROR if severity == "high" else logging.WARNING
        calm = notice.alert.status == "resolved" or severity == "info"
        _log.log(logging.INFO if calm else level, "%s %s", notice.subject, notice.link)


class Webhook:
    """POSTs the whole alert as JSON; with a secret, signed: `X-Noria-Signature: sha256=HEX` of the body.

    The same alert in the same state has the same `id`, so that a receiver can drop one that comes twice.
    """

    name = "webhook"

    def __init__(self, url: str, secret: str = "") -> None:
        self._url, self._secret = url, secret

    def tell(self, notice: Notice) -> None:
        """Sends it."""
        body = json.dumps(as_json(notice), sort_keys=True).encode()
        headers = {"Content-Type": "application/json"}
        if self._secret:
            digest = hmac.new(self._secret.encode(), body, hashlib.sha256).hexdigest()
            headers["X-Noria-Signature"] = f"sha256={digest}"
        _post(self._url, body, headers, "the webhook")


class SlackWebhook:
    """POSTs `{"text", "blocks"}`, as incoming webhooks of Slack, Mattermost and Rocket.Chat take it.

    The address is a secret: it is never shown.
    """

    name = "slack"

    def __init__(self, url: str) -> None:
        self._url = url

    def tell(self, notice: Notice) -> None:
        """Sends it."""
        lines = "\n".join(f"• {_escaped(s)}" for s in notice.sentences[1:])
        link = f"\n<{notice.link}|Look at it>" if notice.link else ""
        text = f"*{_escaped(notice.subject)}*\n{lines}"
        if len(text) + len(link) > _SLACK_CHARS:  # whole lines go, the link stays
            text = text[: _SLACK_CHARS - len(link) - 2].rpartition("\n")[0] + "\n…"
        text += link
        blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": text}}]
        body = json.dumps({"text": _escaped(notice.subject), "blocks": blocks}).encode()
        _post(self._url, body, {"Content-Type": "application/json"}, "the Slack webhook")


def as_json(notice: Notice) -> dict[str, Any]:
    """A notice as a webhook gets it; times in UTC milliseconds."""
    a = notice.alert
    return {
        "id": f"{a.alert_id}/{a.status}/{a.severity}", "alert": a.alert_id, "severity": a.severity, "status": a.status,
        "findings": list(a.finding_ids), "subject": notice.subject, "sentences": list(notice.sentences),
        "link": notice.link, "opened_ms": a.opened_ms, "time_ms": notice.time_ms, "resolution": a.resolution,
    }  # fmt: skip


def _post(url: str, body: bytes, headers: dict[str, str], what: str) -> None:
    try:
        reply = httpx.post(url, content=body, headers=headers, timeout=_TIMEOUT_S)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise OutsideError(f"{what} cannot be reached: {type(error).__name__}.", retry_helps=True) from None
    if not reply.is_success:
        helps = reply.status_code >= 500 or reply.status_code == 429
        raise OutsideError(f"{what} answered {reply.status_code}; check its address.", retry_helps=helps)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
