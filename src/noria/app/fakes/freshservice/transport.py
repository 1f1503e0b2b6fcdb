"""The fake as an ASGI application, and as a transport of httpx within the process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.types import ASGIApp, Receive, Scope, Send

from noria.app.fakes.freshservice.server import Call, FakeFreshservice

if TYPE_CHECKING:
    import httpx


def in_process(fake: FakeFreshservice) -> httpx.MockTransport:
    """A transport for `httpx.Client`: no socket, the same replies and faults."""
    import httpx

    def answer(request: httpx.Request) -> httpx.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        reply = fake.handle(Call(request.method, str(request.url), headers, request.content))
        if reply.broken == "nothing":
            raise httpx.ConnectError("connection refused", request=request)
        if reply.broken == "half":
            raise httpx.ReadError("connection lost", request=request)
        return httpx.Response(reply.status, content=reply.body, headers=dict(reply.headers))

    return httpx.MockTransport(answer)


def asgi_app(fake: FakeFreshservice) -> ASGIApp:
    """The fake for uvicorn. A broken reply announces more bytes than it sends, so that the connection ends in it."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        query = scope["query_string"].decode("latin-1")
        url = f"{scope['scheme']}://{headers.get('host', '')}{scope['path']}" + (f"?{query}" if query else "")
        reply = fake.handle(Call(scope["method"], url, headers, body))
        content = b"" if reply.broken else reply.body
        length = len(reply.body) + 1 if reply.broken else len(content)
        sent = {**reply.headers, "Content-Length": str(length)}
        await send(
            {
                "type": "http.response.start",
                "status": reply.status or 200,
                "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in sent.items()],
            }
        )
        await send({"type": "http.response.body", "body": content})

    return app
