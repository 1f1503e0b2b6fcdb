"""`noria monitor windows`: brings the windows in the lake up to date, and shows a span of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from noria.app.cli.context import home_options, opened, show, table
from noria.records import DAY_MS

if TYPE_CHECKING:
    from noria.stats import Estimate


@click.command()
@click.option("--rebuild", is_flag=True, help="Make every window anew from the journal.")
@click.option("--days", default=28, show_default=True, type=click.IntRange(min=1), help="Span to show, up to now.")
@click.option("--account", metavar="NAME", default="*", help="Slices of one account only.")
@click.option(
    "--by",
    type=click.Choice(["all", "account", "intent", "channel", "language", "release"]),
    default="all",
    show_default=True,
    help="Which slices to show.",
)
@home_options
@click.pass_context
def windows(
    ctx: click.Context, rebuild: bool, days: int, account: str, by: str, home: str | None, as_json: bool
) -> None:
    """Bring the windows up to date (hour to four weeks, all traffic and every slice); show a span of them."""
    from noria.app.wiring import now_ms, open_house
    from noria.loop.watching import sentence_vectors
    from noria.monitor.windows.keeping import rebuild_windows, update_windows
    from noria.monitor.windows.reading import by_slice

    with opened(ctx, home) as (place, stores):
        house, now = open_house(place, stores), now_ms()
        run = rebuild_windows if rebuild else update_windows
        receipt = run(stores, house.policy.windows, time_ms=now, embed=sentence_vectors(house))
        found = by_slice(stores, since_ms=now - days * DAY_MS, until_ms=now, account=account, kind=by)
    rows = [
        (
            m.value or by, m.predictions, m.labels, _percent(m.metrics["success"]), f"{m.confidence:.2f}",
            f"{m.latency_ms:.1f}", f"{100 * m.users.value:.0f} % of {m.users.n}" if m.users.n else "-",
        )
        for m in found
    ]  # fmt: skip
    lines = [f"{receipt.counts['hours']} hours made anew, {receipt.counts['windows']} windows changed."]
    heads = (by.upper(), "QUERIES", "LABELS", "SUCCESS (95 %)", "CONFIDENCE", "MS", "HELPFUL")
    lines.append(table(rows, heads) if rows else f"no traffic in the last {days} days.")
    facts = [
        {
            "value": m.value, "predictions": m.predictions, "labels": m.labels, "metrics": m.metrics,
            "decisions": m.decisions, "feedback": m.feedback, "users": m.users, "confidence": m.confidence,
            "latency_ms": m.latency_ms, "latency_p95_ms": m.latency_p95_ms, "length": m.length, "unseen": m.unseen,
        }
        for m in found
    ]  # fmt: skip
    show({"counts": receipt.counts, "slices": facts}, as_json=as_json, text="\n".join(lines))


def _percent(estimate: Estimate) -> str:
    if not estimate.n:
        return "not enough labels"
    return f"{100 * estimate.value:.0f} % ({100 * estimate.low:.0f}–{100 * estimate.high:.0f}) of {estimate.n}"
