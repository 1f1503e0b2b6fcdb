"""A help desk rings: a ticket changed. Its secret is checked, the ticket noted; it is read later, by the desk's API."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import re
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Request
from pydantic import AfterValidator, BaseModel

from noria.app.http.house import TheHouse
from noria.app.http.schemas import MAX_NAME, printable
from noria.app.http.v1.asking import PROBLEM
from noria.errors import UsageError

SECRET_HEADER = "x-noria-secret"  # noqa: S105 - the name of the header, not the secret
RINGS_A_MINUTE = 6_000
"""Of all desks together: names that a caller makes up must not push out the count of others."""
_KEYS = ("ticket_id", "ticketId", "id_numeric", "id")
_NUMBER = re.compile(r"(?:[A-Za-z]{1,5}-)?(\d{1,19})")
_DEEPEST = 5
Name = Annotated[str, Path(min_length=1, max_length=MAX_NAME), AfterValidator(printable)]
router = APIRouter(prefix="/v1", tags=["help desk"])


class RungReply(BaseModel):
    """`ticket_id`: what will be read; "" = none was named, so the next reading is by the clock."""

    ticket_id: str


@router.post("/help-desk/{account}", status_code=202, responses={401: PROBLEM, 413: PROBLEM, 429: PROBLEM})
async def ring(account: Name, request: Request, house: TheHouse) -> RungReply:
    """A webhook of the account's help desk. It needs no key but its secret, as `X-Noria-Secret` or by basic auth.

    Any JSON that holds a ticket's number will do. What else it says is not believed: the ticket is read again.
    """
    if wait := house.limits.rate.wait("help desks", RINGS_A_MINUTE):
        raise HTTPException(429, "Too many rings.", headers={"Retry-After": str(max(1, round(wait)))})
    ticket_id = ticket_in(_json(await request.body()))
    try:
        heard = await asyncio.to_thread(house.ring, account, _secret(request), ticket_id)
    except UsageError:
        raise HTTPException(401, "This secret is not known here.") from None
    if not heard:
        raise HTTPException(401, "This secret is not known here.", headers={"WWW-Authenticate": 'Basic realm="noria"'})
    return RungReply(ticket_id=ticket_id)


def ticket_in(said: Any, depth: int = 0) -> str:
    """The number of the ticket that a webhook speaks of, flat, wrapped or nested, also as `INC-123`; "" = none."""
    if depth > _DEEPEST or not isinstance(said, Mapping):
        return ""
    for key in _KEYS:
        value = said.get(key)
        if isinstance(value, int | str) and not isinstance(value, bool):
            number = _NUMBER.fullmatch(str(value).strip().lstrip("#"))
            if number:
                return number.group(1)
    return next((found for value in said.values() if (found := ticket_in(value, depth + 1))), "")


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _secret(request: Request) -> str:
    if shown := request.headers.get(SECRET_HEADER, ""):
        return shown
    kind, _, told = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "basic":
        return ""
    try:
        return base64.b64decode(told, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""
