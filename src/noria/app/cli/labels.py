"""`noria label`: push, pull, status, adjudicate, suspects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from noria.app.cli.context import home_options, opened, show, table, when
from noria.errors import NoRelease
from noria.records import NO_ARTICLE, RELEVANCES, Judged, Label, standing

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
    from noria.loop.turn import scope_of

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
            rows = stores.journal.judged(0, 2**62, "adjudicate")
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
