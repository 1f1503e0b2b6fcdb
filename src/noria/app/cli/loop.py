"""`noria monitor`, `noria turn`."""

from __future__ import annotations

from contextlib import closing

import click

from noria.app.cli.context import home_options, opened, show, table
from noria.app.cli.monitoring.windows import windows
from noria.records import DAY_MS


@click.group(invoke_without_command=True)
@click.option("--days", default=14, show_default=True, type=click.IntRange(min=1), help="Days of quality to show.")
@click.option("--account", metavar="NAME", help="Production quality of one account only.")
@click.option("--release", metavar="NAME", help="Of the answers of one release only.")
@click.option("--channel", metavar="NAME", help="Of one channel only.")
@click.option(
    "--widest",
    default=0.2,
    show_default=True,
    type=click.FloatRange(0, 1),
    help="Interval width beyond which there are not enough labels.",
)
@home_options
@click.pass_context
def monitor(
    ctx: click.Context,
    days: int,
    account: str | None,
    release: str | None,
    channel: str | None,
    widest: float,
    home: str | None,
    as_json: bool,
) -> None:
    """Look for changes of quality in all labels; show the last days, and production quality over all of them."""
    if ctx.invoked_subcommand is not None:
        return
    from noria.app.wiring import now_ms, open_house
    from noria.monitor import QualityPolicy, by_day, check, window
    from noria.monitor.watching.expectation import expected_quality
    from noria.records import Prediction

    def within(prediction: Prediction) -> bool:
        return release in (None, prediction.release) and channel in (None, prediction.query.channel)

    with opened(ctx, home) as (place, stores):
        policy = open_house(place, stores).policy.alarm
        now = now_ms()
        new, _ = check(stores, policy, until_ms=now)
        found = stores.journal.findings()
        quality = by_day(stores.journal.judged(0, now), stores.journal.counts_by_day())[-days:]
        since_ms = now - days * DAY_MS
        asked = QualityPolicy(widest=widest)
        whole = window(stores, asked, since_ms=since_ms, until_ms=now, account=account, within=within)
        asked_for = [
            p for p in stores.journal.predictions(since_ms, now) if account in (None, p.query.account) and within(p)
        ]
        judged = stores.journal.judged(since_ms - 90 * DAY_MS, now)
        expected = expected_quality(asked_for, judged, since_ms=since_ms, until_ms=now)
    rows = []
    for day in quality:
        rate = day.rates["success"]
        figure = (
            f"{100 * rate.value:.0f} % ({100 * rate.low:.0f}–{100 * rate.high:.0f})" if rate.n else "not enough labels"
        )
        rows.append((day.day, day.predictions, day.labels, figure))
    lines = [table(rows, ("DAY", "PREDICTIONS", "LABELS", "SUCCESS (95 %)")), f"{len(found)} findings, {len(new)} new:"]
    lines += [f"  {f.sentence}" for f in found]
    lines.append(f"The last {days} days: {whole.predictions} predictions, {whole.labels} labels of a known chance.")
    lines += [f"  {name:<12} {metric.sentence}" for name, metric in whole.metrics.items()]
    if expected is not None:
        lines.append(f"  {expected.sentence}")
    result = {"days": quality, "expected": expected, "findings": found, "new": [f.finding_id for f in new]}
    budget = {"false_alarms_a_year": policy.false_alarms_a_year, "window": whole, "since_ms": since_ms}
    show(result | budget, as_json=as_json, text="\n".join(lines))


monitor.add_command(windows)


@click.command()
@click.option("--explain", "asked", is_flag=True, help="Say what a turn would do now, and do nothing.")
@home_options
@click.pass_context
def turn(ctx: click.Context, asked: bool, home: str | None, as_json: bool) -> None:
    """Turn the loop once: gather labels, monitor, plan, train, gate, release, draw new tasks.

    A turn that was interrupted goes on first, after its last finished step.
    """
    from noria.app.wiring import now_ms, open_house, open_worker
    from noria.app.wiring.help_desks import HelpDesks
    from noria.loop.explaining import explain

    with opened(ctx, home) as (place, stores):
        if asked:
            steps = explain(open_house(place, stores), now_ms=now_ms())
            show(steps, as_json=as_json, text="\n".join(f"{step.step:<13} {step.sentence}" for step in steps))
            return
        with closing(HelpDesks(place, stores, now_ms)) as desks:
            exchanged = desks.everything()
        done, wrong = open_worker(place, stores).turn()
    for complaint in wrong:
        click.echo(f"! {complaint}", err=True)
    lines = []
    for receipt in (*exchanged, *done.receipts):
        parts = [f"{k} {v:g}" for k, v in receipt.counts.items()] + [f"{k}: {v}" for k, v in receipt.ids.items()]
        lines.append(f"{receipt.room:<13} {receipt.seconds:7.2f} s  {', '.join(parts)}")
        lines += [f"{'':<25}! {w}" for w in receipt.warnings]
    show(done, as_json=as_json, text="\n".join(lines))
