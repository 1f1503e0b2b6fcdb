"""`noria label` and `noria label-studio`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from noria.app.cli.context import home_options, home_path, opened, plain, show, table, when
from noria.errors import NoRelease
from noria.records import FOREVER_MS, NO_ARTICLE, RELEVANCES, Judged, Label, standing

if TYPE_CHECKING:
    from noria.label.status import LabelStatus


@click.group()
def label() -> None:
    """Draw label tasks, collect and settle labels."""


@label.command()
@home_options
@click.pass_context
def push(ctx: click.Context, home: str | None, as_json: bool) -> None:
    """Draw from the predictions since the last draw, within the budget, and put the tasks on the desk."""
    from noria.app.wiring import now_ms, open_house
    from noria.label import send
    from noria.loop.scope import scope_of

    with opened(ctx, home) as (place, stores):
        live = stores.journal.current_release()
        if live is None:
            raise NoRelease
        house, now = open_house(place, stores), now_ms()
        scope = sorted(scope_of(stores, live.candidate))
        receipt = send(stores, house.desk, house.policy.sampling, scope=scope, until_ms=now, time_ms=now)
    counts = receipt.counts
    lines = [f"{counts['tasks']:.0f} tasks drawn from {counts['predictions']:.0f} predictions.", *receipt.warnings]
    show(receipt, as_json=as_json, text="\n".join(lines))


@label.command()
@home_options
@click.pass_context
def pull(ctx: click.Context, home: str | None, as_json: bool) -> None:
    """Collect what people answered."""
    from noria.app.wiring import open_house
    from noria.label import gather

    with opened(ctx, home) as (place, stores):
        house = open_house(place, stores)
        receipt = gather(stores, house.desk, house.policy.settling)
    counts = receipt.counts
    show(receipt, as_json=as_json, text=f"{counts['new']:.0f} new labels, {counts['open']:.0f} tasks open.")


@label.command()
@home_options
@click.pass_context
def status(ctx: click.Context, home: str | None, as_json: bool) -> None:
    """Show budget, backlog, cost per settled label, the people and how far they agree."""
    from noria.app.settings import loop_policy
    from noria.label.status import label_status

    with opened(ctx, home) as (place, stores):
        policy = loop_policy(place.settings)
        at = label_status(stores, policy.settling, policy.sampling.daily_budget)
    show(at, as_json=as_json, text=_status_text(at))


@label.command()
@click.argument("task", required=False)
@click.option("--as", "who", metavar="NAME", help="Who decides; stored with the label.")
@click.option("--relevance", type=click.Choice(RELEVANCES), help="What the query is.")
@click.option("--intent", metavar="NAME", help="The right intent, or the name of the new domain.")
@click.option("--article", "articles", multiple=True, metavar="ID", help="A right article, or none; may be repeated.")
@click.option("--helpful", type=click.Choice(["yes", "no", "cannot_tell"]), help="Whether the agent helped.")
@click.option("--note", default="", help="Why.")
@home_options
@click.pass_context
def adjudicate(
    ctx: click.Context,
    task: str | None,
    who: str | None,
    relevance: str | None,
    intent: str | None,
    articles: tuple[str, ...],
    helpful: str | None,
    note: str,
    home: str | None,
    as_json: bool,
) -> None:
    """Decide a TASK on which people disagree; without one, list those that wait."""
    from noria.app.settings import loop_policy
    from noria.app.wiring import new_id, now_ms
    from noria.label.gathering import adjudicate as decide

    with opened(ctx, home) as (place, stores):
        if task is None:
            rows = stores.journal.judged(0, FOREVER_MS, "adjudicate")
            said = standing(stores.journal.labels_of([row.task.task_id for row in rows]))
            waiting = [{"task": r.task, "labels": [la for la in said if la.task_id == r.task.task_id]} for r in rows]
            show({"disputed": waiting}, as_json=as_json, text=_disputed_text(rows, said))
            return
        ranked = {*stores.journal.task(task).article_ids, NO_ARTICLE}
        answers = {
            "relevance": [relevance or ""],
            "domain" if relevance == "new_domain" else "intent": [intent or ""],
            "articles": [name for name in articles if name in ranked],
            "other_article": [name for name in articles if name not in ranked],
            "helpful": [helpful or ""],
            "note": [note],
        }
        policy = loop_policy(place.settings).settling
        made = decide(stores, policy, task, answers, by=who or "", label_id=new_id(), time_ms=now_ms())
    decision = f"{made.relevance}{f', {made.intent}' if made.intent else ''}"
    show(made, as_json=as_json, text=f"{made.task_id} is settled: {decision}, by {made.annotator}.")


@label.command()
@click.option("--data", metavar="NAME[@VERSION]", help="Examples to look at; default: those of the live release.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(min=1), help="How many to show.")
@home_options
@click.pass_context
def suspects(ctx: click.Context, data: str | None, limit: int, home: str | None, as_json: bool) -> None:
    """Show examples whose intent is likely wrong: a model that did not learn them is sure of another."""
    from noria.app.settings import loop_policy
    from noria.label.suspects import find_suspects

    with opened(ctx, home) as (place, stores):
        if data is None:
            live = stores.journal.current_release()
            if live is None:
                raise NoRelease
            data = live.candidate.examples.name
        at = stores.lake.resolve("examples", data)
        _, rows = stores.lake.examples(at.name, at.version)
        found = find_suspects(rows, loop_policy(place.settings).recipe)
    lines = [
        (s.example.id, s.example.intent, f"{s.given_probability:.2f}", s.better, f"{s.better_probability:.2f}",
         s.example.origin.partition("?")[0], s.example.text[:60])
        for s in found[:limit]
    ]  # fmt: skip
    head = f"{len(found)} of {len(rows)} rows of {at.ref} are doubted."
    text = head + ("\n" + table(lines, ("id", "given", "sure", "better", "sure", "origin", "text")) if lines else "")
    show(
        {"data": at.ref, "rows": len(rows), "suspects": found[:limit], "found": len(found)}, as_json=as_json, text=text
    )


def _status_text(at: LabelStatus) -> str:
    oldest = when(at.oldest_open_ms) if at.oldest_open_ms is not None else "none"
    left = "nothing drawn yet" if at.budget_left is None else f"{at.budget_left} left for the next draw"
    lines = [
        f"budget     {at.daily_budget} tasks a day, {left}",
        f"open       {at.open} (oldest from {oldest})",
        f"settled    {at.settled}, {at.disputed} disputed" + (": noria label adjudicate" if at.disputed else ""),
    ]
    if at.cost_per_settled is not None:
        lines.append(f"cost       {at.cost_per_settled:.2f} a settled task")
    agreed, people = at.people.agreement, at.people.annotators
    if agreed.units:
        lines.append(
            f"agreement  alpha {agreed.alpha:.2f} ({agreed.low:.2f} to {agreed.high:.2f}), {agreed.units} tasks"
        )
    lines += [f"mixed up   {one} / {other}: {times}" for one, other, times in at.people.confused[:3]]
    rows = [
        (one.annotator, one.labels, one.shared, "-" if one.accuracy is None else f"{one.accuracy:.2f}")
        for one in people
    ]
    return "\n".join([*lines, *([table(rows, ("annotator", "labels", "shared", "accuracy"))] if rows else [])])


def _disputed_text(rows: Sequence[Judged], said: Sequence[Label]) -> str:
    if not rows:
        return "Nothing is disputed."
    lines = []
    for row in rows:
        lines.append(f"{row.task.task_id}  {row.task.text[:90]}")
        lines += [
            f"    {la.annotator}: {la.relevance}{f', {la.intent}' if la.intent else ''}"
            for la in said
            if la.task_id == row.task.task_id
        ]
    return "\n".join(lines)


@click.group(name="label-studio")
def label_studio() -> None:
    """Run a Label Studio as the label desk ([label] desk = "label_studio")."""


@label_studio.command()
@click.option("--port", type=click.IntRange(1, 65535), help="Default: [label_studio] port of the settings.")
@home_options
@click.pass_context
def up(ctx: click.Context, port: int | None, home: str | None, as_json: bool) -> None:
    """Install it where that was not done yet, and start it on this machine; silent towards the outside."""
    import os

    from noria.app.home import open_home
    from noria.app.label_studio.environment import environment_folder, install
    from noria.app.label_studio.server import own_server

    place = open_home(home_path(ctx, home))

    def say(sentence: str) -> None:
        click.echo(sentence, err=True)

    install(environment_folder(os.environ), say)
    server = own_server(place)
    running = server.up(port or place.settings.label_studio.port, say)
    invitation = server.invitation(running)
    text = f"Label Studio runs at {running.url} (process {running.pid}).\nPeople join at {invitation}"
    show({"url": running.url, "pid": running.pid, "invitation": invitation}, as_json=as_json, text=text)


@label_studio.command()
@home_options
@click.pass_context
def down(ctx: click.Context, home: str | None, as_json: bool) -> None:
    """Stop it; what people answered stays."""
    from noria.app.home import open_home
    from noria.app.label_studio.server import own_server

    stopped = own_server(open_home(home_path(ctx, home))).down()
    show({"stopped": stopped}, as_json=as_json, text="Stopped." if stopped else "It did not run.")


@label_studio.command("status")
@home_options
@click.pass_context
def server_status(ctx: click.Context, home: str | None, as_json: bool) -> None:
    """Show the server, what is open there, and the answers that do not count."""
    from noria.app.wiring import label_studio_desk

    with opened(ctx, home) as (place, stores):
        desk = label_studio_desk(place, stores)
        version, at, report = desk.check(), desk.status(), desk.report()
    lines = [
        f"Label Studio {version}, project {report.project or 'not made yet'}.",
        f"{at.open} tasks open, {at.labelled} labelled, {report.waiting} wait to be sent.",
        *report.warnings,
        *(
            f"  task {f.label_studio_task}, answer {f.annotation_id} of {f.annotator}: {f.reason}"
            for f in report.faults
        ),
    ]
    show({"version": version, "status": at, "report": plain(report)}, as_json=as_json, text="\n".join(lines))


@label_studio.command()
@home_options
@click.pass_context
def sync(ctx: click.Context, home: str | None, as_json: bool) -> None:
    """Send what waits and fetch what people answered."""
    from noria.app.wiring import label_studio_desk
    from noria.label import gather

    with opened(ctx, home) as (place, stores):
        desk = label_studio_desk(place, stores)
        receipt = gather(stores, desk)
        report = desk.report()
    counts = receipt.counts
    lines = [f"{counts['new']:.0f} new labels, {counts['open']:.0f} tasks open.", *report.warnings]
    show({"receipt": receipt, "report": report}, as_json=as_json, text="\n".join(lines))
