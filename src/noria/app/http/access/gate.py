"""Stands before the app: lets a request through only with the right that its path asks for."""

from __future__ import annotations

import hmac
import math
from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, quote

from starlette.datastructures import MutableHeaders
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from noria.app.http.access.rules import OPEN, Rule, rule_of
from noria.app.http.dashboard.notebooks import PREFIX as NOTEBOOK
from noria.app.http.house import FORM_FIELD, House
from noria.app.http.problems import HttpProblem, respond, wants_page
from noria.records.access import ALL_ACCOUNTS
from noria.serve.access import Principal

COOKIE, FORM_COOKIE, FORM_HEADER = "noria", "noria_form", b"x-noria-form"
EMBEDDED = "/static/chat/noria-chat.js"
"""What pages of other sites may load."""
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_ALLOWED_ACROSS = {
    "Access-Control-Allow-Methods": "GET, POST",
    "Access-Control-Allow-Headers": "authorization, content-type",
    "Access-Control-Max-Age": "600",
}


class Gate:
    """Pure ASGI middleware, also for websockets, which `@app.middleware("http")` would miss.

    Puts the `Principal` into `scope["principal"]`. Who may come in: the bearer of a key or of a chat's token, whoever
    signed in on this site, and, while no key is demanded, everybody.
    """

    def __init__(self, app: ASGIApp, *, house: House) -> None:
        self.app, self.house = app, house

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        if scope["type"] == "websocket":
            await self._socket(scope, headers, receive, send)
            return
        if scope["method"] == "OPTIONS" and b"access-control-request-method" in headers:
            await self._preflight(headers.get(b"origin", b"").decode("latin-1"))(scope, receive, send)
            return
        rule = rule_of(scope["method"], scope["path"])
        if rule.right != OPEN and scope["method"] not in _SAFE and FORM_HEADER not in headers and _is_form(headers):
            # a page without scripts has no other place for its mark; the guard has read the body and limited it
            receive, headers[FORM_HEADER] = await _mark_in(receive)
        who, refusal, marked_send = self.admit(scope, headers, rule, send)
        if refusal is not None:
            await refusal(scope, receive, marked_send)
            return
        cookie = cookie_of(headers.get(b"cookie", b""))
        scope["principal"], scope["form_mark"] = who, self.house.keyring.form_token(cookie) if cookie else ""
        await self.app(scope, receive, marked_send)

    def admit(
        self, scope: Scope, headers: dict[bytes, bytes], rule: Rule, send: Send
    ) -> tuple[Principal | None, Response | None, Send]:
        """Who asks, the refusal where that one may not, and how to send the answer, counted and marked for browsers."""
        who, refusal = self._who(scope, headers, rule)
        across = self._across(scope["path"], who, headers.get(b"origin", b"").decode("latin-1"))
        counted = self.house.metrics.answered

        async def marked_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                if across:
                    answer = MutableHeaders(scope=message)
                    answer["Access-Control-Allow-Origin"] = across
                    answer["Cross-Origin-Resource-Policy"] = "cross-origin"
                    answer.add_vary_header("Origin")
                counted(rule.path or "other", message["status"])
            await send(message)

        return who, refusal, marked_send

    async def _socket(self, scope: Scope, headers: dict[bytes, bytes], receive: Receive, send: Send) -> None:
        """Lets a websocket of the notebook through, from a page of this site, for who may see the notebook."""
        rule, (who, _) = rule_of("GET", scope["path"]), self._principal(headers)
        page = headers.get(b"origin", b"").decode("latin-1").partition("://")[2]
        ours = page == headers.get(b"host", b"").decode("latin-1")
        allowed = who is not None and rule.right in who.may and (not rule.whole or who.account == ALL_ACCOUNTS)
        if scope["path"].startswith(f"{NOTEBOOK}/") and ours and allowed:
            scope["principal"] = who
            await self.app(scope, receive, send)
            return
        await receive()
        await send({"type": "websocket.close", "code": 4401})

    def _who(self, scope: Scope, headers: dict[bytes, bytes], rule: Rule) -> tuple[Principal | None, Response | None]:
        """Who asks, and the refusal where that one may not."""
        who, by_cookie = self._principal(headers)
        if rule.right == OPEN:
            return who, None
        if who is None:
            return None, _sign_in(scope)
        if by_cookie and rule.marked and scope["method"] not in _SAFE and not self._from_our_page(headers):
            return who, respond(HttpProblem(403, "form", "Not from a page of this site", _FORM_SENTENCE), scope)
        if rule.right not in who.may or (rule.whole and who.account != ALL_ACCOUNTS):
            return who, respond(_not_allowed(rule, who), scope)
        if rule.counted and who.name != "local":
            chat = who.session is not None
            limits = self.house.limits
            wait = limits.rate.wait(who.name, limits.chat_a_minute if chat else limits.requests_a_minute)
            if wait:
                return who, respond(_too_many(wait), scope)
        return who, None

    def _principal(self, headers: dict[bytes, bytes]) -> tuple[Principal | None, bool]:
        keyring = self.house.keyring
        kind, _, shown = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        if kind.lower() == "bearer" and shown:
            return keyring.who(shown.strip()), False
        cookie = cookie_of(headers.get(b"cookie", b""))
        if cookie and (who := keyring.signed_in(cookie)):
            return who, True
        return keyring.who(None), False

    def _from_our_page(self, headers: dict[bytes, bytes]) -> bool:
        """Whether a header, or a hidden field of a plain form, holds what only a page of this site can know."""
        wanted = self.house.keyring.form_token(cookie_of(headers.get(b"cookie", b"")))
        return hmac.compare_digest(headers.get(FORM_HEADER, b""), wanted.encode())

    def _across(self, path: str, who: Principal | None, origin: str) -> str:
        if path == EMBEDDED:
            return "*"
        if not origin or who is None or who.account == ALL_ACCOUNTS:
            return ""
        return origin if origin in self.house.keyring.rules(who.account).origins else ""

    def _preflight(self, origin: str) -> Response:
        if origin not in self.house.keyring.origins:
            return Response(status_code=403)
        return Response(
            status_code=204, headers={"Access-Control-Allow-Origin": origin, "Vary": "Origin"} | _ALLOWED_ACROSS
        )


def _is_form(headers: dict[bytes, bytes]) -> bool:
    return headers.get(b"content-type", b"").partition(b";")[0].strip().lower() == b"application/x-www-form-urlencoded"


async def _mark_in(receive: Receive) -> tuple[Receive, bytes]:
    """The mark of a form's body, b"" where it has none or several, and the body to be received once more."""
    messages, body = [await receive()], bytearray()
    body += messages[-1].get("body", b"")
    while messages[-1].get("more_body", False):
        messages.append(await receive())
        body += messages[-1].get("body", b"")

    async def again() -> Message:
        return messages.pop(0) if messages else await receive()

    found = parse_qs(body.decode("utf-8", "replace")).get(FORM_FIELD, [])
    return again, found[0].encode() if len(found) == 1 else b""


def cookie_of(header: bytes) -> str:
    """Our cookie's content; "" where there is none."""
    if COOKIE.encode() not in header:
        return ""
    try:
        found = SimpleCookie(header.decode("latin-1")).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""


_FORM_SENTENCE = (
    "Whoever is signed in changes things from a page of this site only. Load the page again, then try again."
)


def _sign_in(scope: Scope) -> Response:
    if wants_page(scope):
        query = scope["query_string"].decode("latin-1")
        aim = f"{scope['path']}?{query}" if query else scope["path"]
        return RedirectResponse(f"/login?next={quote(aim)}", 303)
    detail = "Send a key or the token of a session: Authorization: Bearer …. Keys are made by 'noria keys create'."
    challenge = {"WWW-Authenticate": 'Bearer realm="noria"'}
    return respond(HttpProblem(401, "no-key", "A key is needed", detail, headers=challenge), scope)


def _not_allowed(rule: Rule, who: Principal) -> HttpProblem:
    why: Iterable[str] = (
        f"It lacks the right '{rule.right}'." if rule.right not in who.may else "",
        "It is for one account, and this shows all accounts together." if rule.whole and who.account != "*" else "",
    )
    return HttpProblem(403, "not-allowed", "This key may not do that", f"The key {who.name!r} does not open this: "
                       + " ".join(part for part in why if part))  # fmt: skip


def _too_many(wait: float) -> HttpProblem:
    seconds = str(max(1, math.ceil(wait)))
    detail = f"This key has asked too often; it may again in {seconds} seconds."
    return HttpProblem(429, "too-many", "Too many requests", detail, headers={"Retry-After": seconds})
