"""The app as a whole, and uvicorn to run it; a port in use is told before anything starts."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import logging
import os
import signal
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator

import uvicorn
from fastapi import FastAPI
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from noria import __version__
from noria.app.http import pages, problems
from noria.app.http.access import login
from noria.app.http.access.gate import Gate
from noria.app.http.dashboard import findings, notebooks, queries, routes, warming
from noria.app.http.guard import Guard
from noria.app.http.house import House
from noria.app.http.rendering import STATIC
from noria.app.http.v1 import asking, conversations, help_desk, labelling, standing
from noria.app.http.v1.directly import AskDirectly
from noria.app.label_studio import ml_backend
from noria.errors import NoriaError, OutsideError

REFRESH_SECONDS = 0.5
EXCHANGE_SECONDS = 5.0
SHUTDOWN_SECONDS = 5

_log = logging.getLogger("noria.http")


def create_app(house: House) -> FastAPI:
    """The HTTP API and the pages of a house.

    While it runs it looks for newer releases; at its end it closes the service.

    Args:
        house: what answers; its clock and ids are used for everything.
    """

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        refreshing, ended = asyncio.create_task(_keep_fresh(house)), threading.Event()
        # a thread of its own, which nobody waits for: what a desk was asked is taken up again by whoever comes next
        threading.Thread(target=_keep_exchanging, args=(house, ended), name="noria-desks", daemon=True).start()
        threading.Thread(target=warming.warm, args=(house,), name="noria-pages", daemon=True).start()
        try:
            yield
        finally:
            ended.set()
            refreshing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await refreshing
            await end_notebook()
            await asyncio.to_thread(house.service.close)

    # docs_url and redoc_url would load their pages' scripts from outside
    app = _App(
        title="Noria",
        version=__version__,
        summary="Ask the agent, say whether it helped, label, and see how good it is.",
        openapi_url="/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.house = house
    every = (asking, conversations, help_desk, standing, labelling, ml_backend, pages, findings, routes, queries, login)
    for topic in every:
        app.include_router(topic.router)
    end_notebook = notebooks.mount(app, house.notebook)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    problems.install(app)
    app.add_middleware(Gate, house=house)
    app.add_middleware(Guard, new_id=house.new_id, larger={ml_backend.PREFIX: ml_backend.MAX_BODY_BYTES})
    app.directly = Guard(AskDirectly(house), new_id=house.new_id)
    return app


class _App(FastAPI):
    """FastAPI, but `POST /v1/ask` is answered before it: its way to a function costs more than the answer."""

    directly: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == AskDirectly.PATH and scope["method"] == "POST":
            await self.directly(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def open_port(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one.

    Raises:
        OutsideError: the port is in use or may not be taken, or the host is not this machine's.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, _, _, address = found[0]
        listener = socket.socket(family, kind)
    except OSError as error:
        raise OutsideError(f"cannot listen on host {host!r}: {error.strerror}.", retry_helps=False) from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        # listening at once: of two processes that only bound, the second would learn too late
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise OutsideError(_why(error, host, port), retry_helps=False) from None
    return listener


def address_of(listener: socket.socket) -> str:
    """The address a person opens: `http://host:port`."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def run(house: House, *, host: str, port: int, announce: Callable[[str], None]) -> None:
    """Serves until SIGINT or SIGTERM, then shuts down in good order, closes the service and returns.

    Args:
        house: what answers.
        host: where to listen.
        port: the port; 0 takes a free one.
        announce: called with one sentence that holds the address, once requests are taken.

    Raises:
        OutsideError: the port cannot be had, or the server did not start (the log says why).
    """
    with contextlib.closing(open_port(host, port)) as listener:
        address = address_of(listener)
        # before the server starts: what is wrong with a release is told as our error, not as a server's traceback
        release = house.service.release
        keys = "keys are demanded" if house.keyring.demanded else "open to this machine: no key was made"
        sentence = (
            f"Noria is at {address} ({f'release {release}' if release else 'no release yet'}; {keys}). Ctrl-C ends it."
        )
        config = uvicorn.Config(
            create_app(house),
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        )
        server = _Server(config, lambda: announce(sentence))
        try:
            with _signals_end_here():
                server.run(sockets=[listener])
        except SystemExit:
            raise OutsideError(f"the server at {address} did not start; the log says why.", retry_helps=False) from None


class _Server(uvicorn.Server):
    """Tells when it takes requests."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            collect_what_is_new()
            self._ready()


def collect_what_is_new() -> None:
    """Spares what is loaded by now from Python's search for garbage, and searches less often.

    A release is a million objects that stay; to look through them all takes a tenth of a second in which nobody is
    answered, and an answer's own objects need no search: they are freed by their count.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)


@contextlib.contextmanager
def _signals_end_here() -> Iterator[None]:
    """Lets a caller clean up after SIGINT or SIGTERM.

    uvicorn shuts down in good order, puts the handlers back that it found and raises the signal once more, which would
    end the process. It finds handlers that do nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    found = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in found.items():
            signal.signal(number, handler)


async def _keep_fresh(house: House) -> None:
    """Looks for newer releases, and for keys and rules that changed; what goes wrong is logged once, not each time."""
    told = ""
    while True:
        try:
            await asyncio.to_thread(house.keyring.refresh)
            if await asyncio.to_thread(house.service.refresh):
                house.metrics.swapped("taken")
                collect_what_is_new()
            told = ""
        except Exception as error:  # noqa: BLE001 - whatever it is, the log says it
            # the live release goes on answering; the next look may succeed
            if str(error) != told:
                _say("looking for a newer release failed", error)
                if not isinstance(error, OutsideError):  # a database that is away refuses no release
                    house.metrics.swapped("refused")
            told = str(error)
            await asyncio.sleep(REFRESH_SECONDS * 9)
        await asyncio.sleep(REFRESH_SECONDS)


def _keep_exchanging(house: House, ended: threading.Event) -> None:
    """Exchanges with the help desks until the server ends; what goes wrong is logged once, not each time."""
    told = ""
    while True:
        try:
            if not house.exchange():
                return
            told = ""
        except Exception as error:  # noqa: BLE001 - whatever it is, the log says it, and the next round may succeed
            if ended.is_set():
                return
            if str(error) != told:
                _say("exchanging with the help desks failed", error)
            told = str(error)
        if ended.wait(EXCHANGE_SECONDS):
            return


def _say(what: str, error: Exception) -> None:
    """Logs what failed; only a fault of ours with its traceback."""
    _log.error("%s: %s", what, error, exc_info=None if isinstance(error, NoriaError) else error)


def _why(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} on {host} is in use by another program: stop it, or choose another port with --port."
    if error.errno == errno.EACCES:
        return f"port {port} on {host} may not be taken by this user: choose one above 1023 with --port."
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{host} is not an address of this machine: choose another with --host."
    return f"cannot listen on {host}, port {port}: {os.strerror(error.errno or 0)}."
