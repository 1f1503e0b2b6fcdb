"""Stands before the app: limits bodies, adds the security headers, keeps tracebacks inside."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from noria.app.http.dashboard import notebooks
from noria.app.http.problems import HttpProblem, ending, respond, too_large, unexpected

MAX_BODY_BYTES = 64 * 1024
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}

_RAW_HEADERS = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]

_log = logging.getLogger("noria.http")


class _Disconnected(Exception):
    """The client went away before its body was here."""


class _TooLargeError(Exception):
    """The body is over the limit."""


class Guard:
    """Pure ASGI middleware, outside of every other.

    Args:
        app: what it stands before.
        new_id: source of incident ids.
        max_body_bytes: the largest body that gets through; it is read whole before the app sees it.
        larger: beginnings of paths that get more.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        new_id: Callable[[], str],
        max_body_bytes: int = MAX_BODY_BYTES,
        larger: Mapping[str, int] | None = None,
    ) -> None:
        self.app, self.new_id, self.max_body_bytes = app, new_id, max_body_bytes
        self.larger = larger or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def guarded_send(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                _add_headers(message, scope["path"])
            await send(message)

        async def answer(problem: HttpProblem) -> None:
            await respond(problem, scope)(scope, receive, guarded_send)

        try:
            body = await self._body(scope, receive)
            await self.app(scope, _replay(body, receive), guarded_send)
        except _Disconnected:
            return
        except _TooLargeError:
            await answer(too_large(self._limit(scope)))
        except asyncio.CancelledError:
            # nothing but the server's own end cancels a request: that is no fault, and whoever waits may come again
            if not started:
                await answer(ending())
        except Exception:
            incident = self.new_id()
            _log.exception("incident %s: %s %s failed", incident, scope["method"], scope["path"])
            if started:
                raise
            await answer(unexpected(incident))

    def _limit(self, scope: Scope) -> int:
        found = (size for start, size in self.larger.items() if scope["path"].startswith(start))
        return next(found, self.max_body_bytes)

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        if scope["method"] in {"GET", "HEAD", "OPTIONS"}:
            return b""
        limit = self._limit(scope)
        declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
        if declared.isdigit() and int(declared) > limit:
            raise _TooLargeError
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _Disconnected
            body += message.get("body", b"")
            if len(body) > limit:
                raise _TooLargeError
            if not message.get("more_body", False):
                return bytes(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    given = False

    async def replay() -> Message:
        nonlocal given
        if not given:
            given = True
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return replay


def _add_headers(message: Message, path: str) -> None:
    headers = list(message.get("headers", ()))
    there = {name for name, _ in headers}  # in lower case, as ASGI has them
    if path.startswith(f"{notebooks.PREFIX}/"):
        headers.append((b"content-security-policy", notebooks.POLICY.encode()))
        there.add(b"content-security-policy")
    headers += [pair for pair in _RAW_HEADERS if pair[0] not in there]
    if b"cache-control" not in there:
        # static files are asked for again at each load and answered "not modified": an update shows at once
        headers.append((b"cache-control", b"no-cache" if path.startswith("/static/") else b"no-store"))
    message["headers"] = headers
