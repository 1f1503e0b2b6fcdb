"""Label Studio's HTTP API: tokens are renewed when they run out, every failure says whether a retry helps."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from noria.errors import OutsideError

TESTED = ((1, 20), (1, 24))
"""Versions from the first up to, not including, the second are known to work."""
PAGE = 100
NAMES = 40
"""Task ids in a question: they stand in the address, of which servers in front take four kilobytes."""
_TRIES = 3

Row = dict[str, Any]
Filter = tuple[str, str, str, Any]
"""Field of a task, operator, type, value; as Label Studio's data manager calls them."""


class GoneError(OutsideError):
    """What was asked for is not on the server (404)."""


class RefusedError(OutsideError):
    """The server understood and said no (another 4xx)."""


class LabelStudioClient:
    """The calls that Noria makes, safe to use from several threads.

    Args:
        url: address of the server, e.g. "http://127.0.0.1:8080".
        token: personal access token (a JWT that buys short-lived ones), or a legacy token; it is never shown.
        timeout_s: how long to wait for an answer, seconds.
        pause_s: wait before a reading call is tried again, seconds; doubled each time.
    """

    def __init__(self, url: str, token: str, *, timeout_s: float = 60.0, pause_s: float = 0.3) -> None:
        self.url = url.rstrip("/")
        self._token, self._pause_s = token, pause_s
        # a proxy of the environment must not stand between Noria and a server of this machine
        local = bool(re.match(r"https?://(127\.|localhost|\[::1\])", url))
        # no connection is kept: a write on one that the server has closed meanwhile could not be told from a lost write
        kept = httpx.Limits(max_keepalive_connections=0)
        self._http = httpx.Client(base_url=self.url, timeout=timeout_s, trust_env=not local, limits=kept)
        self._access, self._renewals, self._lock = "", 0, threading.Lock()
        self.now_ms = 0
        """The server's clock at its last answer (UTC milliseconds, whole seconds)."""

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def version(self) -> str:
        """The server's version, e.g. "1.23.2"; proves that a Label Studio is there."""
        said = self.call("GET", "/api/version/")
        release = said.get("release") if isinstance(said, Mapping) else None
        if not isinstance(release, str):
            raise OutsideError(f"what answers at {self.url} is not Label Studio.", retry_helps=False)
        return release

    def call(self, method: str, path: str, *, params: Mapping[str, Any] | None = None, body: object = None) -> Any:
        """One call, with its JSON answer (None where there is none).

        A call that reads is tried again when the server fails or drops it; one that writes never is: it may have been
        carried out.

        Raises:
            GoneError: 404. RefusedError: another 4xx, or the token is not accepted. OutsideError: the rest.
        """
        for again in range(_TRIES if method == "GET" else 1):
            if again:
                time.sleep(self._pause_s * 2 ** (again - 1))
            try:
                return self._once(method, path, params, body)
            except OutsideError as error:
                if not error.retry_helps or again == _TRIES - 1 or method != "GET":
                    raise
        raise AssertionError  # pragma: no cover

    def _once(self, method: str, path: str, params: Mapping[str, Any] | None, body: object) -> Any:
        renewal = self._renewals
        answer = self._send(method, path, params, body, self._header())
        if answer.status_code == httpx.codes.UNAUTHORIZED and self._is_personal():
            # a 401 was not carried out, so that even a writing call may be sent again
            answer = self._send(method, path, params, body, self._header(used=renewal))
        if answer.is_success:
            return answer.json() if answer.content else None
        raise self._failure(answer, f"{method} {path}")

    def _is_personal(self) -> bool:
        return self._token.count(".") == 2

    def _header(self, used: int | None = None) -> dict[str, str]:
        """The header that proves who we are. `used`: the renewal that was just refused; threads renew it once."""
        if not self._is_personal():
            return {"Authorization": f"Token {self._token}"}
        with self._lock:
            if not self._access or used == self._renewals:
                path = "/api/token/refresh/"
                answer = self._send("POST", path, None, {"refresh": self._token}, {})
                if not answer.is_success:
                    raise self._failure(answer, f"POST {path}")
                self._access = str(answer.json()["access"])
                self._renewals += 1
            return {"Authorization": f"Bearer {self._access}"}

    def _send(
        self, method: str, path: str, params: Mapping[str, Any] | None, body: object, headers: Mapping[str, str]
    ) -> httpx.Response:
        try:
            answer = self._http.request(method, path, params=params, json=body, headers=headers)
        except httpx.HTTPError as error:
            why = str(error) or type(error).__name__
            raise OutsideError(f"Label Studio at {self.url} does not answer ({why}).", retry_helps=True) from None
        stamp = answer.headers.get("date")
        if stamp:
            self.now_ms = int(parsedate_to_datetime(stamp).timestamp() * 1000)
        return answer

    def _failure(self, answer: httpx.Response, what: str) -> OutsideError:
        code = answer.status_code
        if code == httpx.codes.UNAUTHORIZED:
            return RefusedError(
                f"Label Studio at {self.url} does not accept the token. Make a new personal access token there "
                "(Account & Settings) and set NORIA_LABEL_STUDIO_TOKEN.",
                retry_helps=False,
            )
        said = f"Label Studio at {self.url} answered {code} to {what}: {_detail(answer)}"
        if code == httpx.codes.NOT_FOUND:
            return GoneError(said, retry_helps=False)
        busy = code >= 500 or code in {httpx.codes.TOO_MANY_REQUESTS, httpx.codes.REQUEST_TIMEOUT}
        return OutsideError(said, retry_helps=True) if busy else RefusedError(said, retry_helps=False)

    def page(
        self, project: int, filters: Sequence[Filter], *, page: int = 1, size: int = PAGE, **wanted: str
    ) -> tuple[list[Row], int]:
        """One page of a project's tasks that pass all filters, and how many pass in all.

        `wanted`: `order` (a field of tasks, "-" before it for descending), `fields`, `include`.
        """
        items = [
            {"filter": f"filter:tasks:{field}", "operator": operator, "type": kind, "value": value}
            for field, operator, kind, value in filters
        ]
        order = [wanted.pop("order", "tasks:id")]
        query = json.dumps({"filters": {"conjunction": "and", "items": items}, "ordering": order})
        params = {"project": project, "page": page, "page_size": size, "query": query, **wanted}
        said = self.call("GET", "/api/tasks", params=params)
        return list(said["tasks"]), int(said["total"])

    def tasks_named(self, project: int, task_ids: Sequence[str], **wanted: str) -> Iterator[Row]:
        """The rows of tasks of ours, by their ids; see `page`."""
        for start in range(0, len(task_ids), NAMES):
            names = list(task_ids[start : start + NAMES])
            yield from self.tasks(project, [("data.task_id", "in_list", "List", names)], size=PAGE, **wanted)

    def tasks(self, project: int, filters: Sequence[Filter], *, size: int = PAGE, **wanted: str) -> Iterator[Row]:
        """All tasks of a project that pass all filters; see `page`."""
        page, seen = 1, 0
        while True:
            rows, total = self.page(project, filters, page=page, size=size, **wanted)
            yield from rows
            page, seen = page + 1, seen + len(rows)
            if seen >= total or not rows:  # asking for one page too many is a 404
                return


def outside_range(version: str) -> str | None:
    """A sentence where a version is not among those that were tested, else None."""
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    if TESTED[0] <= numbers < TESTED[1]:
        return None
    low, high = (".".join(map(str, bound)) for bound in TESTED)
    return f"Label Studio {version} is outside the tested range (from {low}, before {high}): look at its answers twice."


def _detail(answer: httpx.Response) -> str:
    """What the server said, in one line of at most 300 characters; never an HTML page."""
    try:
        said = answer.json()
    except ValueError:
        return answer.reason_phrase or "no explanation"
    if isinstance(said, Mapping):
        said = said.get("validation_errors") or said.get("detail") or said
    return " ".join(str(said).split())[:300]
