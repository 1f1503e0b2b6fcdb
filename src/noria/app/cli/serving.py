"""`noria up`, `noria ask`, `noria feedback`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from noria.app.cli.context import home_options, home_path, show
from noria.records import FEEDBACK_KINDS, FeedbackKind

if TYPE_CHECKING:
    from noria.app.home import Home


@click.command()
@click.option("--host", help="Default: [serve] host of the settings.")
@click.option("--port", type=click.IntRange(0, 65535), help="Default: [serve] port of the settings; 0 = any free one.")
@click.option("--home", metavar="FOLDER", help="Home folder.")
@click.pass_context
def up(ctx: click.Context, host: str | None, port: int | None, home: str | None) -> None:
    """Serve the live release: HTTP API under /v1, pages under /, until Ctrl-C."""
    from noria.app.home import open_home

    place = open_home(home_path(ctx, home))
    serve = place.settings.serve
    run_server(place, host or serve.host, serve.port if port is None else port)


def run_server(place: Home, host: str, port: int) -> None:
    """Opens the house and serves it until stopped."""
    from noria.app.http.server import run
    from noria.app.wiring import LiveHouse

    house = LiveHouse(place, host)
    try:
        run(house, host=host, port=port, announce=click.echo)
    finally:
        house.close()


@click.command()
@click.argument("text")
@click.option("--account", default="default", show_default=True)
@home_options
@click.pass_context
def ask(ctx: click.Context, text: str, account: str, home: str | None, as_json: bool) -> None:
    """Ask the live agent; the prediction is logged like any other."""
    from noria.app.home import open_home
    from noria.app.wiring import LiveHouse, new_id, now_ms
    from noria.records import Query

    house = LiveHouse(open_home(home_path(ctx, home)))
    try:
        query = Query(new_id(), account, f"cli-{new_id()}", text, now_ms(), channel="cli")
        prediction = house.service.ask(query, new_id()).result()
        articles = [(a, house.service.article(a.article_id)) for a in prediction.answer.articles]
    finally:
        house.close()
    answer = prediction.answer
    lines = [
        f"{answer.decision}: {answer.intent} (confidence {answer.intent_confidence:.2f}, release {prediction.release})"
    ]
    lines += [f"  {a.article_id}  {article.title if article else ''}" for a, article in articles]
    lines += [f"  did you mean: {choice}?" for choice in answer.choices]
    lines.append(f"Did it help? noria feedback {prediction.prediction_id} helpful|not_helpful")
    result = {
        "prediction_id": prediction.prediction_id,
        "decision": answer.decision,
        "intent": answer.intent,
        "intent_confidence": answer.intent_confidence,
        "scope_score": answer.scope_score,
        "in_scope": answer.in_scope,
        "articles": [{"article_id": a.article_id, "score": a.score} for a in answer.articles],
        "choices": answer.choices,
        "release": prediction.release,
    }
    show(result, as_json=as_json, text="\n".join(lines))


@click.command()
@click.argument("prediction_id")
@click.argument("kind", type=click.Choice(FEEDBACK_KINDS))
@click.option("--event-id", help="Makes the event idempotent; default: a new one.")
@home_options
@click.pass_context
def feedback(
    ctx: click.Context, prediction_id: str, kind: FeedbackKind, event_id: str | None, home: str | None, as_json: bool
) -> None:
    """Log feedback on a prediction."""
    from noria.app.home import open_home
    from noria.app.wiring import new_id, now_ms, open_stores
    from noria.records import Feedback

    stores = open_stores(open_home(home_path(ctx, home)))
    try:
        event = Feedback(event_id or new_id(), prediction_id, kind, now_ms())
        new = stores.journal.add_feedback([event])
    finally:
        stores.close()
    result = {"event_id": event.event_id, "prediction_id": prediction_id, "kind": kind, "new": bool(new)}
    show(result, as_json=as_json, text="Noted, thank you." if new else "Known already.")
