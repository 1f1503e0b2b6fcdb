"""`noria update`: the plan of the next turn, topics and causes, the backlog, and what people decide."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from noria.app.cli.context import home_options, home_path, opened, show, table
from noria.errors import NoRelease
from noria.records import BacklogItem, Judged, Receipt, Release, TopicStatus

if TYPE_CHECKING:
    from noria.loop import House


@contextmanager
def _live(ctx: click.Context, home: str | None) -> Iterator[tuple[House, Release, list[Judged], int]]:
    from noria.app.wiring import now_ms, open_house

    with opened(ctx, home) as (place, stores):
        live = stores.journal.current_release()
        if live is None:
            raise NoRelease
        now = now_ms()
        yield open_house(place, stores), live, stores.journal.judged(0, now), now


@click.group(invoke_without_command=True)
@home_options
@click.pass_context
def update(ctx: click.Context, home: str | None, as_json: bool) -> None:
    """Show what the next turn would learn, and the intents and topics that wait for a person."""
    if ctx.invoked_subcommand is not None:
        return
    from noria.loop.updating import plan_turn

    with _live(ctx, home) as (house, live, judged, now):
        plan = plan_turn(house, live, judged, now_ms=now)
    lines = [f"{'retrain' if plan.retrain else 'wait'}: {plan.reason}"]
    lines += [
        f"  backlog: {b.intent}, {b.labels} labels, e.g. {b.examples[-1]!r} (noria update accept {b.intent})"
        for b in plan.backlog
    ]
    show(plan, as_json=as_json, text="\n".join(lines))


@update.command()
@click.option("--all", "every", is_flag=True, help="Also those that were accepted, merged or dismissed.")
@home_options
@click.pass_context
def topics(ctx: click.Context, every: bool, home: str | None, as_json: bool) -> None:
    """Look for topics among the queries that were not served; show them, the most asked first."""
    from noria.loop.updating import find_now
    from noria.stats.grouping import trend

    with _live(ctx, home) as (house, live, _, now):
        found = [t for t in find_now(house, live, now_ms=now) if every or t.status == "open"]
    rows = [
        (
            t.topic_id, t.title, len(t.members), t.week, trend(t.week, t.week_before).direction,
            f"{t.status}{f' as {t.into}' if t.into else ''}",
        )
        for t in found
    ]  # fmt: skip
    text = table(rows, ("TOPIC", "WHAT IS SAID", "QUERIES", "LAST 7 DAYS", "TREND", "STATUS")) if rows else "no topics."
    show(found, as_json=as_json, text=text)


@update.command()
@home_options
@click.pass_context
def triage(ctx: click.Context, home: str | None, as_json: bool) -> None:
    """Say why each finding since the last release came about, or how many labels are lacking to tell."""
    from noria.loop.updating import triage as causes
    from noria.update.triage import of_labels

    with _live(ctx, home) as (house, _, judged, _now):
        found = causes(house, judged)
    counts = of_labels(judged)
    lines = [f"{t.subject}: {t.cause} ({100 * t.confidence:.0f} % sure). {t.sentence} Next: {t.action}." for t in found]
    lines = lines or ["no findings since the last release."]
    lines.append("labelled queries that failed: " + (", ".join(f"{n} {c}" for c, n in counts.items()) or "none"))
    show({"findings": found, "failures": counts}, as_json=as_json, text="\n".join(lines))


@update.command()
@click.option("--csv", "csv_file", type=click.Path(path_type=Path, dir_okay=False), help="Also write it as CSV.")
@click.option("--markdown", type=click.Path(path_type=Path, dir_okay=False), help="Also write it as Markdown.")
@click.option("--tickets", metavar="ACCOUNT", help="Make a ticket of each at this account's help desk, once.")
@home_options
@click.pass_context
def backlog(
    ctx: click.Context,
    csv_file: Path | None,
    markdown: Path | None,
    tickets: str | None,
    home: str | None,
    as_json: bool,
) -> None:
    """Show what waits for people, best gain for its effort first, and what came of what was done."""
    from noria.loop.updating import open_backlog
    from noria.update.backlog import as_csv, as_markdown

    with _live(ctx, home) as (house, _, judged, now):
        items = open_backlog(house, judged, now_ms=now)
        told, made = _filed(ctx, home, house, tickets, items) if tickets else (None, {})
    for path, write in ((csv_file, as_csv), (markdown, as_markdown)):
        if path is not None:
            path.write_text(write(items), encoding="utf-8")
    rows = [
        (
            i.item_id, i.kind, i.title, i.weekly, i.gain_weekly, i.effort_hours, i.outcome or i.trend,
            made.get(i.item_id, ""),
        )
        for i in items
    ]  # fmt: skip
    heads = ("ITEM", "KIND", "TITLE", "A WEEK", "GAIN", "HOURS", "TREND", "TICKET")
    lines = [table(rows, heads) if rows else "nothing waits."]
    if told is not None:
        lines.append(", ".join(f"{n:g} {name}" for name, n in told.counts.items()))
        lines += [f"! {warning}" for warning in told.warnings]
    show({"items": items, "tickets": made} if told else items, as_json=as_json, text="\n".join(lines))


@update.command()
@click.argument("name", metavar="INTENT|TOPIC")
@click.option("--as", "intent", metavar="INTENT", help="Name of the new intent, for a topic.")
@home_options
@click.pass_context
def accept(ctx: click.Context, name: str, intent: str | None, home: str | None, as_json: bool) -> None:
    """Accept an intent that labellers named, or a topic, into the scope; the next turn learns it."""
    from noria.errors import NotFound
    from noria.loop.updating import accept_intent, plan_turn

    with _live(ctx, home) as (house, live, judged, now):
        plan = plan_turn(house, live, judged, now_ms=now)
        named = {b.intent for b in plan.backlog} | set(plan.new_intents)
        if name in named:
            accept_intent(house.stores, name)
            intent = name
        elif name.startswith("topic-"):
            intent = intent or _named(house, name)
            _decide(house, live, name, "accepted", intent, now)
            accept_intent(house.stores, intent)
        else:
            hint = "Labels that name a new-domain intent fill it; topics: noria update topics."
            raise NotFound("intent in the backlog", name, named, hint)
    text = f"{intent} comes into scope with the next turn that retrains."
    show({"accepted": intent}, as_json=as_json, text=text)


@update.command()
@click.argument("topic", metavar="TOPIC")
@click.argument("intent")
@home_options
@click.pass_context
def merge(ctx: click.Context, topic: str, intent: str, home: str | None, as_json: bool) -> None:
    """Teach the queries of a topic as examples of an intent that is in scope."""
    with _live(ctx, home) as (house, live, _, now):
        _decide(house, live, topic, "merged", intent, now)
    show({"merged": topic, "into": intent}, as_json=as_json, text=f"{topic} is learnt as {intent} by the next turn.")


@update.command()
@click.argument("topic", metavar="TOPIC")
@home_options
@click.pass_context
def dismiss(ctx: click.Context, topic: str, home: str | None, as_json: bool) -> None:
    """Take a topic off the backlog; it stays known, so that it is not found as new again."""
    with _live(ctx, home) as (house, live, _, now):
        _decide(house, live, topic, "dismissed", "", now)
    show({"dismissed": topic}, as_json=as_json, text=f"{topic} is dismissed.")


def _filed(
    ctx: click.Context, home: str | None, house: House, account: str, items: Sequence[BacklogItem]
) -> tuple[Receipt, dict[str, str]]:
    """Tickets of the items at a desk, and which item is which ticket."""
    from noria.app.home import open_home
    from noria.app.wiring import now_ms
    from noria.app.wiring.help_desks import HelpDesks
    from noria.serve.help_desk.backlog import filed

    with closing(HelpDesks(open_home(home_path(ctx, home)), house.stores, now_ms)) as desks:
        desks.desk(account)
        told = desks.file(account, items)
    return told, filed(house.stores.journal, account)


def _decide(house: House, live: Release, topic: str, status: TopicStatus, intent: str, now_ms: int) -> None:
    from noria.loop.scope import scope_of
    from noria.update.topics import decide

    scope: Sequence[str] = sorted(scope_of(house.stores, live.candidate))
    decide(house.stores, topic, status, intent=intent, scope=scope, time_ms=now_ms)


def _named(house: House, topic_id: str) -> str:
    """The name that labels give a topic."""
    from noria.errors import UsageError
    from noria.update.topics import known_topics

    for topic in known_topics(house.stores):
        if topic.topic_id == topic_id and topic.named:
            return topic.named
    raise UsageError(f"no label names an intent for {topic_id} yet: say noria update accept {topic_id} --as INTENT.")
