"""Alerts by mail."""

from __future__ import annotations

import smtplib
import ssl
import textwrap
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid

from noria.errors import OutsideError
from noria.records.findings import Notice

_TIMEOUT_S = 15.0


class Mail:
    """Sends plain text by SMTP; by TLS where the server offers it, and only so with a password.

    Args:
        server: `host:port`; port 465 speaks TLS from the start.
        sender: address.
        to: addresses.
        user: who signs in, "" = nobody.
        password: of the user; never shown.
    """

    name = "mail"

    def __init__(self, server: str, sender: str, to: tuple[str, ...], user: str = "", password: str = "") -> None:
        host, _, port = server.partition(":")
        self._host, self._port = host, int(port or 587)
        self._sender, self._to, self._user, self._password = sender, to, user, password

    def tell(self, notice: Notice) -> None:
        """Sends it to all."""
        try:
            with self._connected() as server:
                server.send_message(self._message(notice))
        except (OSError, smtplib.SMTPException) as error:
            helps = not isinstance(error, smtplib.SMTPAuthenticationError | smtplib.SMTPRecipientsRefused)
            raise OutsideError(
                f"the mail server {self._host}:{self._port} did not take the alert: {type(error).__name__}.",
                retry_helps=helps,
            ) from None

    def _connected(self) -> smtplib.SMTP:
        secure = ssl.create_default_context()
        if self._port == 465:
            server: smtplib.SMTP = smtplib.SMTP_SSL(self._host, self._port, timeout=_TIMEOUT_S, context=secure)
        else:
            server = smtplib.SMTP(self._host, self._port, timeout=_TIMEOUT_S)
            server.ehlo()
            if server.has_extn("starttls"):
                server.starttls(context=secure)
            elif self._user:
                server.close()
                raise smtplib.SMTPNotSupportedError("a password is sent by TLS only")
        if self._user:
            server.login(self._user, self._password)
        return server

    def _message(self, notice: Notice) -> EmailMessage:
        made = EmailMessage()
        made["Subject"] = textwrap.shorten(notice.subject, 200, placeholder=" ...")
        made["From"], made["To"] = self._sender, ", ".join(self._to)
        made["Date"] = format_datetime(datetime.fromtimestamp(notice.time_ms / 1000, UTC))
        made["Message-ID"] = make_msgid(domain=self._sender.rpartition("@")[2] or "noria")
        made["Auto-Submitted"] = "auto-generated"
        link = f"\n\n{notice.link}" if notice.link else ""
        made.set_content("\n\n".join(notice.sentences) + link + "\n")
        return made
