"""The pages: performance, ask, label. Text and tables are made here; scripts add the graph and the conversation."""

import asyncio

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response

from noria.app.http import figures
from noria.app.http.house import TheHouse, Who
from noria.app.http.rendering import render
from noria.app.http.schemas import MAX_NAME, MAX_TEXT
from noria.app.http.v1.conversations import open_session
from noria.app.http.v1.schemas import OpenedReply, SessionBody
from noria.ports.questions import BY_NAME
from noria.records import NO_ARTICLE

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/")
async def performance(house: TheHouse) -> HTMLResponse:
    """How good the agent is, day by day, and what happened to it."""
    view = await asyncio.to_thread(house.performance)
    return HTMLResponse(render("performance.html", page="performance", **figures.page(view)))


@router.get("/performance.csv")
async def performance_csv(house: TheHouse) -> Response:
    """The same figures as CSV."""
    view = await asyncio.to_thread(house.performance)
    disposition = {"Content-Disposition": 'attachment; filename="noria-performance.csv"'}
    return Response(figures.as_csv(view), media_type="text/csv; charset=utf-8", headers=disposition)


@router.get("/ask")
async def ask(house: TheHouse) -> HTMLResponse:
    """A question to the agent, its decision, and whether it helped."""
    accounts = await asyncio.to_thread(house.accounts)
    page = render(
        "ask.html",
        page="ask",
        title="Ask",
        accounts=list(accounts),
        release=house.service.release,
        max_text=MAX_TEXT,
        max_name=MAX_NAME,
    )
    return HTMLResponse(page)


@router.get("/label")
async def label(house: TheHouse) -> HTMLResponse:
    """The built-in label desk: one query at a time."""
    page = render(
        "label.html", page="label", title="Label", max_text=MAX_TEXT, max_name=MAX_NAME, questions=BY_NAME,
        no_article=NO_ARTICLE,
    )  # fmt: skip
    return HTMLResponse(page)


@router.get("/chat")
async def chat(request: Request, house: TheHouse, who: Who, account: str = "") -> HTMLResponse:
    """The chat on a page of ours, to try it."""
    if not account:
        known = [who.account] if who.account != "*" else await asyncio.to_thread(house.accounts)
        account = known[0] if known else "default"
    if not who.reaches(account):
        raise HTTPException(403, "This key is for another account.")
    base = str(request.base_url).rstrip("/")
    return HTMLResponse(render("chat.html", page="chat", title="Chat", account=account[:MAX_NAME], base=base))


@router.post("/chat/token", response_class=JSONResponse)
async def chat_token(body: SessionBody, house: TheHouse, who: Who) -> OpenedReply:
    """What the back end of a page around the chat does: a token for its user, here nobody in particular."""
    if body.requester or body.groups:
        raise HTTPException(403, "This page chats for nobody in particular.")
    return await open_session(body, house, who)
