"""The home's notebook, shown read-only behind the pages' sign-in, where marimo is installed."""

from __future__ import annotations

import importlib.util
from collections.abc import Awaitable, Callable
from pathlib import Path

from fastapi import FastAPI

PREFIX = "/notebook"
POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; "
    "manifest-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
"""marimo's own pages run inline script and style; they too ask no other server for anything."""


async def nothing_to_end() -> None:
    """Where no notebook is shown."""


def mount(app: FastAPI, file: Path | None) -> Callable[[], Awaitable[None]]:
    """Puts the notebook at `/notebook/`, unless there is none or marimo is not installed.

    It runs in this process with its rights and shows all accounts together: the gate lets those in, also to its
    websocket, who may see figures of all accounts. Its code is not shown and cannot be changed.

    Returns:
        What ends its sessions: their threads would keep a process that was told to stop.
    """
    if file is None or not file.is_file() or importlib.util.find_spec("marimo") is None:
        return nothing_to_end
    import marimo

    served = marimo.create_asgi_app(quiet=True, include_code=False).with_app(path="/", root=str(file)).build()
    app.mount(PREFIX, served)

    async def end() -> None:
        for route in getattr(served, "routes", ()):
            manager = getattr(getattr(getattr(route, "app", None), "state", None), "session_manager", None)
            if manager is not None:
                await manager.shutdown()

    return end
