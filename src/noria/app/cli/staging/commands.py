"""`noria release shadow|canary|watch|end`: a challenger beside the live release."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from noria.app.cli.context import home_options, opened, show
from noria.records.serving.staging import STAGE_UNITS, StageUnit

if TYPE_CHECKING:
    from noria.records import Verdict
    from noria.records.serving.staging import Challenger
    from noria.release.staging import Watched


@click.command()
@click.argument("tag")
@home_options
@click.pass_context
def shadow(ctx: click.Context, tag: str, home: str | None, as_json: bool) -> None:
    """Have a candidate answer beside the live release; nobody sees it, and it cannot go live by it."""
    from noria.app.wiring import now_ms
    from noria.release.staging import start_shadow

    with opened(ctx, home) as (_, stores):
        made = start_shadow(stores, stores.tracker.candidate(tag), now_ms=now_ms())
    show(made.to_dict(), as_json=as_json, text=challenger_line(made))


@click.command()
@click.argument("tag")
@click.option("--share", type=click.FloatRange(0, 100, min_open=True), required=True, metavar="PERCENT",
              help="Of the sessions or accounts.")  # fmt: skip
@click.option("--by", "unit", type=click.Choice(STAGE_UNITS), default="session", show_default=True,
              help="What is picked, and stays together.")  # fmt: skip
@home_options
@click.pass_context
def canary(ctx: click.Context, tag: str, share: float, unit: StageUnit, home: str | None, as_json: bool) -> None:
    """Give a candidate a share of the traffic, if the gate lets it; larger shares of the settings follow."""
    from noria.app.wiring import now_ms, open_house
    from noria.loop.turn import fresh_rows
    from noria.release import consider
    from noria.release.staging import check_alone, start_canary

    with opened(ctx, home) as (place, stores):
        candidate, house, now = stores.tracker.candidate(tag), open_house(place, stores), now_ms()
        running = stores.journal.staging.running()
        verdict: Verdict | None = None
        if running is None or running.candidate.tag != tag or running.judged is None:
            check_alone(stores, candidate)
            fresh = fresh_rows(house, stores.journal.judged(0, now), candidate, now)
            verdict = consider(stores, candidate, fresh, house.policy.gate, time_ms=now, encoders=house.encoders)
        made = None
        if verdict is None or verdict.kind == "promote":
            made = start_canary(stores, candidate, verdict, house.policy.stages, share=share / 100, unit=unit,
                                now_ms=now)  # fmt: skip
    lines = [f"{verdict.kind}: {verdict.reason}"] if verdict else []
    lines += [challenger_line(made)] if made else []
    result = {"tag": tag, "verdict": verdict, "challenger": made.to_dict() if made else None}
    show(result, as_json=as_json, text="\n".join(lines))


@click.command()
@home_options
@click.pass_context
def watch(ctx: click.Context, home: str | None, as_json: bool) -> None:
    """Look at the challenger now: it goes to its next stage, waits, or is rolled back."""
    from noria.app.settings import loop_policy
    from noria.app.wiring import now_ms
    from noria.release.staging import watch as look

    with opened(ctx, home) as (place, stores):
        seen = look(stores, loop_policy(place.settings).stages, now_ms())
    if seen is None:
        show({"step": None, "challenger": None}, as_json=as_json, text="No challenger is on its way.")
        return
    show(_told(seen), as_json=as_json, text=_text(seen))


@click.command()
@click.option("--why", default="", help="The reason, for the ledger.")
@home_options
@click.pass_context
def end(ctx: click.Context, why: str, home: str | None, as_json: bool) -> None:
    """Take the challenger back; servers stop asking it within a second."""
    from noria.app.wiring import now_ms
    from noria.release.staging import end as take_back

    with opened(ctx, home) as (_, stores):
        seen = take_back(stores, why=why, now_ms=now_ms())
    show(_told(seen), as_json=as_json, text=_text(seen))


def challenger_line(challenger: Challenger) -> str:
    """Where a challenger stands, in one line."""
    from noria.release.staging.deciding import described

    where = described(challenger.share, challenger.unit)
    return f"{challenger.challenger_id} ({challenger.candidate.tag}) answers {where}, beside {challenger.against}."


def _told(seen: Watched) -> dict[str, Any]:
    return {"step": seen.step, "challenger": {**seen.challenger.to_dict(), "state": seen.challenger.state},
            "ledger": seen.entry.seq if seen.entry else None,
            "release": seen.entry.release if seen.entry else None}  # fmt: skip


def _text(seen: Watched) -> str:
    marks = {True: "ok  ", None: "hold", False: "FAIL"}
    lines = [f"{seen.step.kind}: {seen.step.sentence}"]
    lines += [f"  {marks[check.passed]}  {check.sentence}" for check in seen.step.checks]
    if seen.entry is not None:
        lines.append(f"Ledger: entry {seen.entry.seq} ({seen.entry.kind}).")
    return "\n".join(lines)
