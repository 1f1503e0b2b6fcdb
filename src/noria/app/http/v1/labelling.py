"""The built-in label desk over HTTP: tasks, judgements, disputes."""

import asyncio
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query

from noria.app.http.house import AnsweringService, House, TheHouse
from noria.app.http.schemas import (
    MAX_NAME,
    LabelBody,
    LabelReply,
    Predicted,
    Said,
    Same,
    StatusReply,
    TaskArticle,
    TaskReply,
    TasksReply,
)
from noria.app.http.v1.asking import PROBLEM, REFUSED
from noria.ports.questions import predicted_answers, read_answers
from noria.records import Label, LabelTask

router = APIRouter(prefix="/v1", responses=REFUSED, tags=["labelling"])


@router.get("/label/tasks")
async def label_tasks(
    house: TheHouse,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    annotator: Annotated[str | None, Query(max_length=MAX_NAME)] = None,
) -> TasksReply:
    """Open label tasks, oldest first; for an annotator, without those that he or she has labelled."""
    tasks = await asyncio.to_thread(house.desk.next_tasks, limit, " ".join((annotator or "").split()) or None)
    return await asyncio.to_thread(_tasks, house, [(task, []) for task in tasks])


@router.get("/label/disputed")
async def disputed(house: TheHouse, limit: Annotated[int, Query(ge=1, le=100)] = 20) -> TasksReply:
    """Tasks on which people disagree, oldest query first, with what each of them said."""
    return await asyncio.to_thread(lambda: _tasks(house, house.desk.disputed(limit)))


@router.post("/label/labels", responses={404: PROBLEM, 413: PROBLEM})
async def label(body: LabelBody, house: TheHouse) -> LabelReply:
    """Takes a person's judgement on a task; a second one of the same person replaces the first."""
    label_id, time_ms = house.new_id(), house.now_ms()

    def store() -> LabelReply:
        task = house.desk.task(body.task_id)
        made = Label(
            label_id=label_id,
            task_id=task.task_id,
            prediction_id=task.prediction_id,
            annotator=body.annotator,
            relevance=body.relevance,
            intent=body.intent,
            article_ids=tuple(body.article_ids),
            helpful=body.helpful,
            time_ms=time_ms,
            note=body.note,
            adjudication=body.adjudication,
        )
        house.desk.submit(made)
        house.settle()
        status = house.desk.status()
        return LabelReply(label_id=label_id, open=status.open, labelled=status.labelled)

    return await asyncio.to_thread(store)


@router.get("/label/status")
async def label_status(house: TheHouse) -> StatusReply:
    """How many label tasks are open and labelled."""
    status = await asyncio.to_thread(house.desk.status)
    return StatusReply(open=status.open, labelled=status.labelled, oldest_open_ms=status.oldest_open_ms)


def _tasks(house: House, tasks: Sequence[tuple[LabelTask, Sequence[Label]]]) -> TasksReply:
    status = house.desk.status()
    names = {intent for task, _ in tasks for intent in task.scope}
    return TasksReply(
        tasks=[_task(house.service, task, said) for task, said in tasks],
        titles={name: house.service.intent_title(name) for name in sorted(names)},
        open=status.open,
        labelled=status.labelled,
    )


def _task(service: AnsweringService, task: LabelTask, said: Sequence[Label]) -> TaskReply:
    predicted = None
    if task.show_prediction:
        articles = [(name, service.article(name)) for name in task.article_ids]
        predicted = Predicted(
            intent=task.predicted_intent,
            intent_title=service.intent_title(task.predicted_intent),
            decision=task.decision,
            articles=[
                TaskArticle(article_id=name, title=found.title if found else name, body=found.body if found else "")
                for name, found in articles
            ],
        )
    return TaskReply(
        task_id=task.task_id,
        account=task.account,
        text=task.text,
        query_time_ms=task.query_time_ms,
        scope=list(task.scope),
        predicted=predicted,
        same=_same(task),
        said=[
            Said(
                annotator=label.annotator,
                relevance=label.relevance,
                intent=label.intent,
                article_ids=list(label.article_ids),
                helpful=label.helpful,
                note=label.note,
            )
            for label in said
        ],
    )


def _same(task: LabelTask) -> Same | None:
    answers = predicted_answers(task)
    if not answers:
        return None
    judged = read_answers(task, answers)
    return Same(relevance=judged.relevance, intent=judged.intent)
