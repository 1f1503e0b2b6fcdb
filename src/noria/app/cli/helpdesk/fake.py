"""`noria fake`."""

from __future__ import annotations

import click


@click.group()
def fake() -> None:
    """Stand-ins for outside systems, in memory, with made-up data."""


@fake.command("freshservice")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(0, 65535), default=8440, show_default=True, help="0 = any free one.")
@click.option("--key", default="fake", show_default=True, help="The API key that it takes.")
@click.option("--tickets", type=click.IntRange(0, 100_000), default=250, show_default=True)
@click.option("--lost", type=click.FloatRange(0, 1), default=0.0, help="Share of the replies that are lost.")
def freshservice(host: str, port: int, key: str, tickets: int, lost: float) -> None:
    """A small Freshservice, until Ctrl-C. It is not Freshservice: it follows its public documentation."""
    import contextlib

    import uvicorn

    from noria.app.fakes.freshservice import FakeFreshservice, asgi_app, made_up_data
    from noria.app.http.server import address_of, open_port
    from noria.app.wiring import now_ms

    server = FakeFreshservice(made_up_data(now_ms(), tickets), now_ms=now_ms, key=key)
    if lost:
        server.faults.chance["lost_reply"] = lost
    with contextlib.closing(open_port(host, port)) as listener:
        click.echo(f"A fake Freshservice is at {address_of(listener)} (API key {key!r}). Ctrl-C ends it.")
        config = uvicorn.Config(asgi_app(server), log_level="warning", date_header=False, lifespan="off")
        uvicorn.Server(config).run(sockets=[listener])
