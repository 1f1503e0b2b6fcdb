"""One worker of a process set: serves on sockets that its parent opened, and says goodbye to its callers."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import uvicorn

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from noria.app.http.house import House

GOODBYE_SECONDS = 5.0
"""How long callers on open connections may ask once more and learn that they must come back on another one."""
FINISH_SECONDS = 25
"""How long what was asked may take to be answered."""
IDLE_SECONDS = 75
"""How long an idle connection stays open: longer than load balancers keep theirs (60 s), so that they close first."""


def serve(house: House, listeners: list[socket.socket], parent: int) -> None:
    """Serves until SIGTERM, or until the parent's end of a pipe is closed; then finishes in good order.

    Args:
        house: what answers; closed by the caller.
        listeners: listening sockets, those of all workers and the worker's own one; closed at the end.
        parent: file descriptor of the pipe's end for reading.
    """
    from noria.app.http.server import collect_what_is_new, create_app

    goodbye = Goodbye(create_app(house))
    config = uvicorn.Config(
        goodbye,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=FINISH_SECONDS,
    )
    collect_what_is_new()
    LeavingServer(config, goodbye.begin, parent).run(sockets=listeners)


class Goodbye:
    """Once begun, every answer tells its caller to close the connection (RFC 9112, 9.6)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app, self._begun = app, False

    def begin(self) -> None:
        """From now on."""
        self._begun = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def told(message: Message) -> None:
            if self._begun and message["type"] == "http.response.start":
                kept = [(k, v) for k, v in message.get("headers", ()) if k.lower() != b"connection"]
                message = {**message, "headers": [*kept, (b"connection", b"close")]}
            await send(message)

        await self._app(scope, receive, told)


class LeavingServer(uvicorn.Server):
    """Leaves in three steps, so that no request fails.

    It takes no new connections (those that wait go to the other workers, since they share the socket); it answers what
    comes on open ones and closes each after its answer; then it closes those on which nothing came.
    """

    def __init__(self, config: uvicorn.Config, goodbye: Callable[[], None], parent: int) -> None:
        super().__init__(config)
        self._goodbye, self._parent = goodbye, parent

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """SIGTERM and SIGINT end the server, and are not raised once more: the caller has stores to close."""
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, self.handle_exit)
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        asyncio.get_running_loop().add_reader(self._parent, self._parent_is_gone)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._parent)
        self._goodbye()
        for server in self.servers:
            server.close()
        ends = loop.time() + GOODBYE_SECONDS
        while self.server_state.connections and loop.time() < ends:  # noqa: ASYNC110 - a set tells no one
            await asyncio.sleep(0.05)
        await super().shutdown(sockets=sockets)

    def _parent_is_gone(self) -> None:
        # nothing is ever written to the pipe: it can be read only at its end
        if not os.read(self._parent, 1):
            self.should_exit = True
