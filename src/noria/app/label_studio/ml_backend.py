"""What Label Studio asks of a model ("ML backend"): health, set-up, pre-labels for tasks that Noria sent; a bell."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from fastapi import APIRouter, BackgroundTasks, Request
from pydantic import BaseModel, Field

from noria.errors import NotFound
from noria.ports.pre_labels import pre_label
from noria.records import LabelTask

PREFIX = "/label-studio"
MAX_BODY_BYTES = 32 * 1024 * 1024
"""Label Studio sends many tasks in one call, each with the list of intents."""
NO_RELEASE = "none"

router = APIRouter(prefix=PREFIX, include_in_schema=False)


class _Service(Protocol):
    @property
    def release(self) -> str | None: ...


class _Desk(Protocol):
    def task(self, task_id: str) -> LabelTask: ...


class TaskHouse(Protocol):
    """What is asked of the house behind the app (see `noria.app.http.house`)."""

    @property
    def service(self) -> _Service: ...

    @property
    def desk(self) -> _Desk: ...

    def nudge(self) -> None: ...


class SentTask(BaseModel):
    """A task as Label Studio sends it; only our own key matters."""

    data: dict[str, Any] = Field(default_factory=dict)


class PredictBody(BaseModel):
    """The call for pre-labels."""

    tasks: list[SentTask] = Field(max_length=10_000)


@router.get("/health")
async def health() -> dict[str, str]:
    """Whether we are there."""
    return {"status": "UP", "model_class": "Noria"}


@router.post("/setup")
async def setup(request: Request) -> dict[str, str]:
    """Says which release answers. The body is not even read: Label Studio sends its user's token in it."""
    return {"model_version": _version(request.app.state.house)}


@router.post("/webhook", status_code=204)
async def webhook(request: Request, later: BackgroundTasks) -> None:
    """A bell: something was answered there, so look soon. Never more than that: Label Studio rings once or not at all.

    It waits for the reply while a person's answer is being saved, so that nothing is done before it.
    """
    later.add_task(request.app.state.house.nudge)


@router.get("/versions")
async def versions(request: Request) -> dict[str, list[str]]:
    """The releases that can be asked: the live one."""
    return {"versions": [_version(request.app.state.house)]}


@router.post("/predict")
async def predict(body: PredictBody, request: Request) -> dict[str, list[dict[str, Any]]]:
    """What the agent said to each task when it was asked, in order; empty where the task hides it or is not ours."""
    return {"results": await asyncio.to_thread(_pre_labels, request.app.state.house, body.tasks)}


def _pre_labels(house: TaskHouse, tasks: list[SentTask]) -> list[dict[str, Any]]:
    version = _version(house)
    results = []
    for sent in tasks:
        try:
            results.append(pre_label(house.desk.task(str(sent.data.get("task_id", ""))), version))
        except NotFound:
            results.append({"model_version": version, "score": 0.0, "result": []})
    return results


def _version(house: TaskHouse) -> str:
    return house.service.release or NO_RELEASE
