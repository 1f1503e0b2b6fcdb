"""Every failure becomes an RFC 9457 problem (JSON), or a page that says the same to a person with a browser."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import Scope

from noria.app.http.rendering import render
from noria.errors import DataError, NoRelease, NoriaError, NotFound, OutsideError, StateError, UsageError

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 5


@dataclass(frozen=True, slots=True)
class HttpProblem:
    """One failure. `slug` ends the `type` URN; `errors`: the single faults; `instance` names this one occurrence."""

    status: int
    slug: str
    title: str
    detail: str
    errors: Sequence[Mapping[str, str]] = ()
    instance: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The members of RFC 9457, with `errors` as our extension."""
        members: dict[str, Any] = {
            "type": f"urn:noria:problem:{self.slug}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
        }
        if self.instance:
            members["instance"] = self.instance
        if self.errors:
            members["errors"] = [dict(e) for e in self.errors]
        return members


def of_error(error: NoriaError) -> HttpProblem:
    """The problem that an error of ours is to a client."""
    detail = str(error)
    retry = {"Retry-After": str(RETRY_SECONDS)}
    if isinstance(error, NotFound):
        return HttpProblem(404, "not-found", "Not found", detail)
    if isinstance(error, UsageError):
        return HttpProblem(422, "usage", "The request cannot be carried out as given", detail)
    if isinstance(error, DataError):
        faults = [{"field": p.field or "", "message": str(p)} for p in error.problems]
        return HttpProblem(422, "data", "The data cannot be accepted", detail, faults)
    if isinstance(error, NoRelease):
        return HttpProblem(503, "no-release", "No release is live", detail, headers=retry)
    if isinstance(error, StateError):
        return HttpProblem(409, "state", "The state of the house forbids this", detail)
    if isinstance(error, OutsideError) and not error.retry_helps:
        return HttpProblem(502, "outside", "Another system failed", detail)
    if isinstance(error, OutsideError):
        return HttpProblem(503, "outside", "Another system failed; try again", detail, headers=retry)
    return HttpProblem(500, "noria", "Noria could not do this", detail)


def too_large(limit: int) -> HttpProblem:
    """A body over the limit (bytes)."""
    sentence = f"The body is larger than {limit // 1024} KiB; a query has at most 2,000 characters."
    return HttpProblem(413, "too-large", "The request is too large", sentence)


def ending() -> HttpProblem:
    """The server ends before a request was read or answered."""
    sentence = "The server ends. Send it again; with its id nothing counts twice."
    return HttpProblem(503, "ending", "The server ends", sentence, headers={"Retry-After": str(RETRY_SECONDS)})


def unexpected(incident: str) -> HttpProblem:
    """A fault of ours; the log has its traceback under the same incident."""
    sentence = f"Something failed inside Noria. The server's log tells what, under incident {incident}."
    return HttpProblem(500, "internal", "Noria failed", sentence, instance=f"urn:noria:incident:{incident}")


def respond(problem: HttpProblem, scope: Scope) -> Response:
    """The problem as JSON; for pages asked for by a browser, as a page."""
    if wants_page(scope):
        page = render("problem.html", page="", title=problem.title, problem=problem)
        return HTMLResponse(page, problem.status, dict(problem.headers))
    return JSONResponse(problem.as_json(), problem.status, dict(problem.headers), media_type=MEDIA_TYPE)


def wants_page(scope: Scope) -> bool:
    """Whether a request is a browser's for a page."""
    if scope["path"].startswith(("/v1/", "/static/")) or scope["method"] not in {"GET", "HEAD"}:
        return False
    return any(name == b"accept" and b"text/html" in value for name, value in scope["headers"])


FORESEEN = (NoriaError, RequestValidationError, HTTPException)
"""What `foreseen` takes; `guard.Guard` answers for all else."""


def foreseen(error: Exception, path: str) -> HttpProblem:
    """The problem that an error of one of the kinds `FORESEEN` is to the client who asked for a path."""
    if isinstance(error, RequestValidationError):
        return _invalid(error)
    if isinstance(error, HTTPException):
        return _plain(error, path)
    assert isinstance(error, NoriaError)  # noqa: S101 - there is no other kind
    return of_error(error)


def install(app: FastAPI) -> None:
    """Makes an app answer every failure that it foresees with a problem."""

    async def answer(request: Request, error: Exception) -> Response:
        return respond(foreseen(error, request.url.path), request.scope)

    for kind in FORESEEN:
        app.add_exception_handler(kind, answer)


def _invalid(error: RequestValidationError) -> HttpProblem:
    # what was sent is not repeated: it may be long, secret, or no valid text at all
    faults = [
        # of what is no JSON, FastAPI gives the place of the fault instead of a field
        {"field": "body", "message": f"Invalid JSON: {fault['ctx']['error']} at character {fault['loc'][-1]}"}
        if fault["type"] == "json_invalid" and len(fault["loc"]) > 1
        else {"field": ".".join(str(part) for part in fault["loc"][1:]) or "body", "message": _sentence(fault)}
        for fault in error.errors()
    ]
    detail = "; ".join(f"{f['field']}: {f['message']}" for f in faults[:5])
    return HttpProblem(422, "invalid", "The request is not valid", detail, faults)


def _sentence(fault: Mapping[str, Any]) -> str:
    return str(fault["msg"]).removeprefix("Value error, ")


def _plain(error: HTTPException, path: str) -> HttpProblem:
    title = HTTPStatus(error.status_code).phrase
    detail = error.detail if error.detail and error.detail != title else f"{title}: {path}"
    if error.status_code == HTTPStatus.NOT_FOUND:
        detail = f"There is nothing at {path}."
    slug = title.lower().replace(" ", "-")
    return HttpProblem(error.status_code, slug, title, detail, headers=error.headers or {})
