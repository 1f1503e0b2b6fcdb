"""The gate of the fake: keys, the minute budget, faults, paging; what lies behind it is in `desk.py`."""

from __future__ import annotations

import base64
import json
import re
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from threading import Lock
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from noria.app.fakes.freshservice.desk import Desk, Invalid, Missing, Page
from noria.app.fakes.freshservice.faults import Faults

PLANS: Mapping[str, Mapping[str, int]] = {
    "starter": {"all": 100, "list": 40, "ticket": 50},
    "growth": {"all": 200, "list": 70, "ticket": 80},
    "pro": {"all": 400, "list": 120, "ticket": 140},
    "enterprise": {"all": 500, "list": 140, "ticket": 160},
}
"""Calls a minute by plan; "list" and "ticket" hold for each listed thing, and each way to touch a ticket, alone."""
_LISTED = re.compile(r"/(tickets|agents|requesters|assets)$")
_TICKET = re.compile(r"/tickets/\d+$")


@dataclass(frozen=True, slots=True)
class Call:
    """One call as it came in."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def path(self) -> str:
        return urlsplit(self.url).path.removeprefix("/api/v2")

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.url).query))


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back. `broken`: the connection ends before ("nothing") or within ("half") the reply."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    broken: str = ""


class FakeFreshservice:
    """Answers calls as Freshservice's documentation says, safe from several threads.

    Args:
        data: see `made_up.made_up_data`.
        key: the API key that is taken.
        now_ms: its clock.
        plan: whose budget a minute it has (see PLANS); `window_ms`: how long its minute is.
        forbidden: patterns of "METHOD /path" that the key has no right to (403).
    """

    def __init__(
        self,
        data: Mapping[str, list[dict[str, Any]]],
        *,
        now_ms: Callable[[], int],
        key: str = "key",
        plan: str = "enterprise",
        window_ms: int = 60_000,
        forbidden: tuple[str, ...] = (),
    ) -> None:
        self.desk = Desk(data, now_ms)
        self.faults = Faults()
        self.log: list[tuple[str, str, int]] = []
        """Every call: "METHOD /path", its query, the status that was really meant."""
        self.limits = dict(PLANS[plan])
        self.forbidden = forbidden
        self._now_ms, self._window_ms = now_ms, window_ms
        self._basic = "Basic " + base64.b64encode(f"{key}:X".encode()).decode()
        self._used: deque[tuple[int, str, int]] = deque()
        self._lock = Lock()

    def handle(self, call: Call) -> Reply:
        """The reply to one call."""
        with self._lock:
            reply = self._reply(call)
            date = formatdate(self._now_ms() / 1000, usegmt=True)
            self.log.append((f"{call.method} {call.path}", urlsplit(call.url).query, reply.status))
            return Reply(reply.status, reply.body, {"Date": date, **reply.headers}, reply.broken)

    def calls(self, pattern: str) -> int:
        """How many calls matched "METHOD /path"."""
        return sum(bool(re.search(pattern, name)) for name, _, _ in self.log)

    def _reply(self, call: Call) -> Reply:
        name = f"{call.method} {call.path}"
        # an include costs two more on a list, one more on a single thing
        cost = 1 + (("id" not in call.path and 1) if call.query.get("include") else 0)
        head, wait_s = self._spend(_kind(call), cost)
        if wait_s:
            return _json(429, {"message": "You have exceeded the limit of requests per minute"}, head, wait_s)
        if call.headers.get("authorization") != self._basic:
            return _json(401, {"code": "invalid_credentials", "message": "Incorrect or missing API key"}, head)
        if any(re.search(pattern, name) for pattern in self.forbidden):
            return _json(403, {"code": "access_denied", "message": "You are not authorized to do this"}, head)
        fault = self.faults.next(name)
        if fault is None:
            return self._do(call, head)
        if fault.what == "rate_limited":
            return _json(429, {"message": "rate limit"}, {**head, "Retry-After": fault.retry_after})
        if fault.what == "html":
            return Reply(200, b"<html><body>Please wait</body></html>", {**head, "Content-Type": "text/html"})
        if fault.what == "error":
            return Reply(502, b"<html>Bad gateway</html>", {**head, "Content-Type": "text/html"})
        if fault.what == "timeout":
            return Reply(0, broken="nothing")
        done = self._do(call, head)
        if fault.what == "cut":
            return Reply(done.status, done.body, done.headers, "half")
        return Reply(504, b"", head)

    def _do(self, call: Call, head: Mapping[str, str]) -> Reply:
        try:
            body = json.loads(call.body) if call.body else {}
            status, said = self.desk.do(call.method, call.path, call.query, body)
        except Missing:
            return Reply(404, b"", head)
        except (Invalid, ValueError) as error:
            faults = error.faults if isinstance(error, Invalid) else []
            return _json(400, {"description": "Validation failed", "errors": faults}, head)
        if isinstance(said, Page):
            link = _next_link(call, said)
            return _json(status, {said.name: said.rows}, {**head, **({"Link": link} if link else {})})
        return Reply(204, b"", head) if status == 204 else _json(status, said, head)

    def _spend(self, kind: str, cost: int) -> tuple[dict[str, str], int]:
        """The headers of the budget, and how many seconds to wait (0 = go on). Failed calls count as well."""
        now = self._now_ms()
        while self._used and self._used[0][0] <= now - self._window_ms:
            self._used.popleft()
        used = sum(spent for _, _, spent in self._used)
        of_kind = sum(spent for _, other, spent in self._used if other == kind)
        left = self.limits["all"] - used - cost
        head = {
            "X-RateLimit-Total": str(self.limits["all"]),
            "X-RateLimit-Remaining": str(max(left, 0)),
            "X-RateLimit-Used-CurrentRequest": str(cost),
        }
        limit = self.limits.get(kind.split(maxsplit=1)[0], self.limits["all"])
        if left < 0 or of_kind + cost > limit:
            oldest = self._used[0][0] if self._used else now
            return head, max(1, -(-(oldest + self._window_ms - now) // 1000))
        self._used.append((now, kind, cost))
        return head, 0


def _kind(call: Call) -> str:
    if call.method == "GET" and (listed := _LISTED.search(call.path)):
        return f"list {listed.group(1)}"
    if _TICKET.search(call.path) or (call.method == "POST" and call.path == "/tickets"):
        return f"ticket {call.method}"
    return "other"


def _next_link(call: Call, page: Page) -> str:
    if not page.more:
        return ""
    address = urlsplit(call.url)
    query = urlencode({**call.query, "page": page.number + 1})
    return f'<{address.scheme}://{address.netloc}{address.path}?{query}>; rel="next"'


def _json(status: int, body: Any, head: Mapping[str, str], wait_s: int = 0) -> Reply:
    more = {"Retry-After": str(wait_s)} if wait_s else {}
    kind = {"Content-Type": "application/json"}
    return Reply(status, json.dumps(body).encode(), {**head, **kind, **more})
