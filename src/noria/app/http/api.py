"""The JSON API under /v1: ask, feedback, health, release, performance, label."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Query, Request

from noria.app.http.figures import without_nan
from noria.app.http.house import AnsweringService, House
from noria.app.http.schemas import (
    MAX_NAME,
    AskBody,
    AskReply,
    Choice,
    FeedbackBody,
    FeedbackReply,
    LabelBody,
    LabelReply,
    LiveReply,
    Predicted,
    ProblemReply,
    ReadyReply,
    ReleaseReply,
    Said,
    Same,
    ShownArticle,
    StatusReply,
    TaskArticle,
    TaskReply,
    TasksReply,
)
from noria.errors import NoRelease
from noria.ports.questions import predicted_answers, read_answers
from noria.records import SMALL_TALK, Feedback, Label, LabelTask, Prediction
from noria.records import Query as AskedQuery

T = TypeVar("T")

_PROBLEM: dict[str, Any] = {"model": ProblemReply, "description": "RFC 9457 problem (application/problem+json)"}
router = APIRouter(prefix="/v1", responses={422: _PROBLEM})


async def house_of(request: Request) -> House:
    """The house behind the app. Async on purpose: FastAPI would run a plain function in a thread, at each request."""
    house: House = request.app.state.house
    return house


TheHouse = Annotated[House, Depends(house_of)]


@router.post("/ask", responses={413: _PROBLEM, 503: _PROBLEM})
async def ask(body: AskBody, house: TheHouse) -> AskReply:
    """Answers a query: with articles, by asking back, or by handing over to a person."""
    query = AskedQuery(
        query_id=body.query_id or house.new_id(),
        account=body.account,
        session=body.session or house.new_id(),
        text=body.text,
        time_ms=house.now_ms(),
        channel=body.channel,
        language=body.language,
    )
    prediction = await _committed(house.service.ask(query, house.new_id()))
    return _reply(house.service, prediction)


@router.post("/feedback", responses={404: _PROBLEM, 413: _PROBLEM})
async def feedback(body: FeedbackBody, house: TheHouse) -> FeedbackReply:
    """Takes what a user or the help desk says about a prediction."""
    event = Feedback(
        event_id=body.event_id or house.new_id(),
        prediction_id=body.prediction_id,
        kind=body.kind,
        time_ms=house.now_ms(),
        value=body.value,
    )
    return FeedbackReply(new=await _committed(house.service.feedback(event)))


@router.get("/health/live")
async def live() -> LiveReply:
    """Whether the process answers."""
    return LiveReply()


@router.get("/health/ready", responses={503: _PROBLEM})
async def ready(house: TheHouse) -> ReadyReply:
    """Whether queries can be asked."""
    return ReadyReply(release=_live_release(house))


@router.get("/releases/current", responses={503: _PROBLEM})
async def current_release(house: TheHouse) -> ReleaseReply:
    """The release that answers."""
    return ReleaseReply(release=_live_release(house))


@router.get("/performance")
async def performance(house: TheHouse) -> dict[str, Any]:
    """The figures of the performance page: by day, with counts and intervals; null where there are no labels."""
    view: dict[str, Any] = without_nan(await asyncio.to_thread(house.performance))
    return view


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


@router.post("/label/labels", responses={404: _PROBLEM, 413: _PROBLEM})
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


async def _committed(future: Future[T]) -> T:
    """The result of a future once it is on disk. A request that is cancelled must not cancel the commit: shielded."""
    return await asyncio.shield(asyncio.wrap_future(future))


def _live_release(house: House) -> str:
    release = house.service.release
    if release is None:
        raise NoRelease
    return release


def _reply(service: AnsweringService, prediction: Prediction) -> AskReply:
    answer, account = prediction.answer, prediction.query.account
    shown = []
    for ranked in answer.articles:
        article = service.article(ranked.article_id)
        # the agent ranks by account already; a second look costs nothing and nothing may cross accounts
        if article is not None and article.account in (None, account):
            shown.append(
                ShownArticle(article_id=article.article_id, title=article.title, body=article.body, score=ranked.score)
            )
    return AskReply(
        prediction_id=prediction.prediction_id,
        decision=answer.decision,
        intent=answer.intent,
        intent_title=service.intent_title(answer.intent),
        intent_confidence=answer.intent_confidence,
        scope_score=answer.scope_score,
        in_scope=answer.in_scope,
        articles=shown,
        choices=[Choice(intent=name, title=service.intent_title(name)) for name in answer.choices],
        message=_message(prediction, shown),
        release=prediction.release,
    )


def _message(prediction: Prediction, shown: list[ShownArticle]) -> str:
    answer = prediction.answer
    if answer.intent == SMALL_TALK and answer.decision == "answer":
        return "Hello. Tell me what you need help with, in your own words."
    if answer.decision == "clarify":
        return "I am not sure what you mean. Is it one of these?" if answer.choices else "Can you say that differently?"
    if answer.decision == "handoff":
        return "I cannot answer this well, so I hand it over to a person at the service desk."
    return "This should help:" if shown else "I understand what you need, but have no article about it."


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
