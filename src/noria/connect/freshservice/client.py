"""Freshservice's HTTP API: paging, a share of the account's budget, retries only where nothing can be done twice."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import httpx
import stamina

from noria.errors import OutsideError
from noria.ports.help_desk import Later, NotAllowed, Refused, UnknownOutcome

PAGE = 100
LONGEST_WAIT_S = 90.0
_TRIES = 6
_ABOUT_THE_BODY = frozenset({400, 409, 413, 422})


class GoneError(Refused):
    """What was asked for is not there (404)."""


class _NoJsonError(Exception):
    """A reply that should be JSON is something else: a page of a proxy."""


class FreshserviceClient:
    """The calls that Noria makes to one account.

    Args:
        url: e.g. "https://example.freshservice.com"; the path of the API is added.
        key: the API key of an agent; it is never shown.
        key_name: where the key comes from, for what is said when it is not accepted.
        share: the share (0 to 1] of the account's calls a minute that reading may use; the rest is for others.
        sleep: waits so many seconds, to keep to the share.
        pause_s: the first wait before a failed call is repeated, seconds.
        transport: another road than the network, for tests.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        key_name: str = "NORIA_HELP_DESK_KEY",
        share: float = 0.5,
        sleep: Callable[[float], None] = time.sleep,
        timeout_s: float = 40.0,
        pause_s: float = 0.2,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.url, self.share, self._key_name = url.rstrip("/"), share, key_name
        self._host, self._sleep, self._pause_s = urlsplit(url).netloc, sleep, pause_s
        self._http = httpx.Client(
            base_url=f"{self.url}/api/v2/",
            auth=(key, "X"),
            follow_redirects=False,  # the key travels to nobody else
            timeout=httpx.Timeout(timeout_s, connect=5),
            transport=transport,
            trust_env=not self._host.startswith(("127.", "localhost")),
        )
        self.now_ms = 0
        """Freshservice's clock at its last reply (UTC milliseconds, whole seconds)."""

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def get(self, path: str, **params: Any) -> Any:
        """One reading call with its JSON; repeated while the server fails, kept to the share."""
        reply = self._call("GET", path, params=params)
        self._pace(reply)
        return reply.json()

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """One writing call with its JSON; repeated only where it was surely not carried out.

        Raises:
            UnknownOutcome: it may have been carried out.
        """
        return self._call("POST", path, json=dict(body)).json()

    def rows(self, path: str, name: str, **params: Any) -> Iterator[list[dict[str, Any]]]:
        """A list page by page, every filter on each page; the end is a missing next link, nothing else."""
        page = 1
        while True:
            reply = self._call("GET", path, params={"per_page": PAGE, **params, "page": page})
            self._pace(reply)
            yield list(reply.json().get(name) or [])
            link = reply.links.get("next", {}).get("url")
            if not link:
                return
            if urlsplit(link).netloc not in {"", self._host}:
                said = f"Freshservice's next page leaves {self._host} for {urlsplit(link).netloc}; not followed."
                raise OutsideError(said, retry_helps=False)
            page += 1

    def _call(self, method: str, path: str, **sent: Any) -> httpx.Response:
        what = f"{method} /{path}"
        try:
            for attempt in stamina.retry_context(
                on=_again, attempts=_TRIES, timeout=240.0, wait_initial=self._pause_s, wait_max=8.0
            ):
                with attempt:
                    reply = self._http.request(method, path, **sent)
                    if stamp := reply.headers.get("date"):
                        self.now_ms = int(parsedate_to_datetime(stamp).timestamp() * 1000)
                    reply.raise_for_status()
                    _check_json(reply)
        except httpx.HTTPStatusError as error:
            raise self._failure(error.response, what) from None
        except httpx.ConnectError:
            raise Later(f"Freshservice at {self.url} cannot be reached for {what}.", 60.0) from None
        except (httpx.TransportError, _NoJsonError) as error:
            said = f"Freshservice at {self.url} gave no whole answer to {what} ({type(error).__name__})."
            raise (OutsideError(said, retry_helps=True) if method == "GET" else UnknownOutcome(said)) from None
        return reply

    def _failure(self, reply: httpx.Response, what: str) -> OutsideError:
        code, said = reply.status_code, f"Freshservice answered {reply.status_code} to {what}"
        if code == httpx.codes.TOO_MANY_REQUESTS:
            wait_s = _after_s(reply) or 60.0
            return Later(f"{said}: the account's calls are used up; it asks to wait {wait_s:.0f} s.", wait_s)
        if code >= 500:
            if reply.request.method == "POST":
                return UnknownOutcome(f"{said}; the call may have been carried out.")
            return OutsideError(f"{said}; try again later.", retry_helps=True)
        if code == httpx.codes.UNAUTHORIZED:
            return NotAllowed(f"{said}: the API key is not accepted. Set {self._key_name} to a valid one.")
        if code == httpx.codes.FORBIDDEN:
            return NotAllowed(f"{said}: the agent of this API key lacks the right. Give its role the right to it.")
        if code == httpx.codes.NOT_FOUND:
            return GoneError(f"{said}: there is no such thing.")
        if code in _ABOUT_THE_BODY:
            return Refused(f"{said}: {_detail(reply)}", _faults(reply))
        return NotAllowed(f"{said}, which it should not. Is {self.url} the account's own address, and is it active?")

    def _pace(self, reply: httpx.Response) -> None:
        """Slows reading down once the account has less left than the part that is not ours."""
        total, left = (_number(reply.headers.get(f"X-RateLimit-{name}")) for name in ("Total", "Remaining"))
        if total and left < total * (1 - self.share):
            self._sleep(60 / total / self.share)


def _again(error: Exception) -> bool | float:
    """What stamina asks after a failure: give up, back off, or wait so many seconds."""
    if isinstance(error, httpx.HTTPStatusError):
        reply = error.response
        if reply.status_code == httpx.codes.TOO_MANY_REQUESTS:  # refused, so safe to repeat for a POST too
            wait_s = _after_s(reply)
            if wait_s is None:
                return True
            return wait_s if wait_s <= LONGEST_WAIT_S else False
        return reply.status_code >= 500 and reply.request.method != "POST"
    if isinstance(error, httpx.ConnectError):
        return True
    return isinstance(error, httpx.TransportError) and error.request.method != "POST"


def _check_json(reply: httpx.Response) -> None:
    if reply.status_code != httpx.codes.NO_CONTENT and "json" not in reply.headers.get("content-type", ""):
        raise _NoJsonError


def _after_s(reply: httpx.Response) -> float | None:
    after = reply.headers.get("Retry-After", "")
    return float(after) if after.isdigit() else None


def _number(text: str | None) -> int:
    return int(text) if text and text.isdigit() else 0


def _detail(reply: httpx.Response) -> str:
    """The single faults of a validation error, or what was said, in at most 300 characters."""
    said = _said(reply)
    faults = [f"{e.get('field')}: {e.get('message')}" for e in said.get("errors") or [] if isinstance(e, Mapping)]
    told = said.get("description") or said.get("message") or said or reply.reason_phrase or "no explanation"
    return ("; ".join(faults) or str(told))[:300]


def _faults(reply: httpx.Response) -> str:
    """Fields and codes of a validation error, in at most 100 characters."""
    faults = [e for e in _said(reply).get("errors") or [] if isinstance(e, Mapping)]
    return ", ".join(f"{e.get('field')} {e.get('code')}" for e in faults)[:100]


def _said(reply: httpx.Response) -> Mapping[str, Any]:
    try:
        said = reply.json()
    except ValueError:
        return {}
    return said if isinstance(said, Mapping) else {}
