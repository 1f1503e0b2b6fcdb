"""Signed, short-lived tokens: what they say can be read by anybody, and changed by nobody without the secret."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any


def sign(what: str, claims: Mapping[str, Any], secret: str) -> str:
    """`<what>_<claims>.<signature>`; `what` says what the token is for, and a token is good for nothing else.

    Source: HMAC-SHA256, RFC 2104.
    """
    body = _text(json.dumps(claims, separators=(",", ":"), ensure_ascii=True).encode())
    return f"{what}_{body}.{_mark(what, body, secret)}"


def read(what: str, token: str, secret: str) -> dict[str, Any] | None:
    """What a token claims; None where it is none of ours, of another kind, or was changed."""
    start = f"{what}_"
    body, dot, mark = token.removeprefix(start).partition(".")
    if not token.startswith(start) or not dot or not token.isascii():
        return None
    if not hmac.compare_digest(mark, _mark(what, body, secret)):
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except (ValueError, binascii.Error):
        return None
    return claims if isinstance(claims, dict) else None


def _mark(what: str, body: str, secret: str) -> str:
    return _text(hmac.new(secret.encode(), f"{what}.{body}".encode(), hashlib.sha256).digest())


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")
