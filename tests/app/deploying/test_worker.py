"""A worker that leaves tells its callers so, and answers them until they have gone."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import socket
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
import uvicorn
from tests.app.made_up_house import MadeUpHouse

from noria.app.deploying.worker import Goodbye, LeavingServer, serve


async def app(scope, receive, send):
    if scope["type"] == "http":
        headers = [(b"connection", b"keep-alive"), (b"content-length", b"2")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"ok"})


@pytest.fixture
def pipe():
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    reading, writing = os.pipe()
    yield reading, writing
    for number, handler in handlers.items():  # a worker is a process of its own and need not put them back
        signal.signal(number, handler)
    for end in (reading, writing):
        with contextlib.suppress(OSError):
            os.close(end)


def run(pipe, use):
    """Runs a leaving server with what `use(http, server, parent's end)` does with it."""

    async def both():
        goodbye = Goodbye(app)
        server = LeavingServer(uvicorn.Config(goodbye, log_level="error", lifespan="off"), goodbye.begin, pipe[0])
        listener = socket.create_server(("127.0.0.1", 0))
        serving = asyncio.create_task(server.serve([listener]))
        while not server.started:  # noqa: ASYNC110 - uvicorn tells no one
            await asyncio.sleep(0.01)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with httpx.AsyncClient(base_url=url, timeout=10) as http:
            result = await use(http, server)
        await asyncio.wait_for(serving, 20)
        return result

    # in a thread of its own: this one may have a loop already, that of a browser
    with ThreadPoolExecutor(1) as alone:
        return alone.submit(lambda: asyncio.run(both())).result()


def test_open_connections_are_answered_once_more_and_then_closed(pipe):
    async def use(http, server):
        first = await http.get("/")
        server.should_exit = True
        await asyncio.sleep(0.5)
        last = await http.get("/")  # on the connection that was kept: no new one is taken
        with pytest.raises(httpx.ConnectError):
            await http.get("/")
        return first, last

    first, last = run(pipe, use)
    assert first.headers["connection"] == "keep-alive"
    assert (last.status_code, last.headers["connection"], last.text) == (200, "close", "ok")


def test_the_end_of_the_parent_is_the_end_of_the_worker(pipe):
    async def use(http, server):
        assert (await http.get("/")).status_code == 200
        os.close(pipe[1])

    run(pipe, use)


def test_what_a_worker_has_loaded_is_spared_from_the_search_for_garbage(monkeypatch):
    """As with `noria up`: a search through a whole release is a tenth of a second in which nobody is answered."""
    found = gc.get_threshold()
    seen = []
    monkeypatch.setattr(LeavingServer, "run", lambda *_, **__: seen.append(gc.get_freeze_count()))
    try:
        serve(MadeUpHouse(), [], 0)
    finally:
        gc.unfreeze()
        gc.set_threshold(*found)
    assert seen[0] > 10_000
