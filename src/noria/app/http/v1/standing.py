"""How the server and its agent stand: health, release, performance, metrics."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse, Response

from noria.app.http.house import House, TheHouse
from noria.app.http.rendering import without_nan
from noria.app.http.schemas import ChallengerReply, LiveReply, ReadyReply, ReleaseReply
from noria.app.http.v1.asking import PROBLEM
from noria.errors import NoRelease

router = APIRouter(prefix="/v1", tags=["standing"])


@router.get("/health/live")
async def live() -> LiveReply:
    """Whether the process answers."""
    return LiveReply()


@router.get("/health/ready", responses={503: PROBLEM})
async def ready(house: TheHouse) -> ReadyReply:
    """Whether queries can be asked."""
    return ReadyReply(release=_live_release(house))


@router.get("/releases/current", responses={401: PROBLEM, 403: PROBLEM, 503: PROBLEM})
async def current_release(house: TheHouse) -> ReleaseReply:
    """The release that answers, and who is tried beside it."""
    challenger = house.service.challenger
    told = None if challenger is None else ChallengerReply.model_validate(challenger.to_dict())
    return ReleaseReply(release=_live_release(house), challenger=told)


@router.get("/performance", responses={401: PROBLEM, 403: PROBLEM})
async def performance(house: TheHouse) -> dict[str, Any]:
    """The figures of the performance page: by day, with counts and intervals; null where there are no labels."""
    view: dict[str, Any] = without_nan(await asyncio.to_thread(house.performance))
    return view


@router.get("/metrics", response_class=PlainTextResponse, responses={401: PROBLEM, 403: PROBLEM})
async def metrics(house: TheHouse) -> Response:
    """Figures of this process in Prometheus' text format."""
    house.metrics.beside(house.service.in_shadow)
    text = house.metrics.text(house.service.waiting, house.service.release)
    return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")


def _live_release(house: House) -> str:
    release = house.service.release
    if release is None:
        raise NoRelease
    return release
