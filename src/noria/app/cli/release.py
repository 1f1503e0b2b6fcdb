"""`noria release`: propose, status, ledger, certificate, rollback; and a challenger's shadow, canary, watch, end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from noria.app.cli.context import home_options, opened, show, table, when
from noria.app.cli.staging.commands import canary, challenger_line, end, shadow, watch
from noria.errors import NotFound, StateError, UsageError

if TYPE_CHECKING:
    from noria.release.proof import Proof


@click.group()
def release() -> None:
    """Propose, look at and roll back releases."""


@release.command()
@click.argument("tag", required=False)
@home_options
@click.pass_context
def propose(ctx: click.Context, tag: str | None, home: str | None, as_json: bool) -> None:
    """Hold a candidate (default: the newest) against the champion; it goes live only if the gate lets it."""
    from noria.app.wiring import now_ms, open_house
    from noria.loop.candidates.comparing import apart_rows
    from noria.loop.turn import fresh_rows
    from noria.records.serving.staging import Challenger
    from noria.release import consider
    from noria.release.staging import check_alone, go_live

    with opened(ctx, home) as (place, stores):
        if tag is None:
            newest = stores.tracker.candidates()
            if not newest:
                raise NotFound("candidate", "(newest)", (), "Train one: noria train --data NAME.")
            candidate = newest[0]
        else:
            candidate = stores.tracker.candidate(tag)
        house, now = open_house(place, stores), now_ms()
        if house.policy.stages.shares:
            check_alone(stores, candidate)
        judged = stores.journal.judged(0, now)
        fresh, apart = fresh_rows(house, judged, candidate, now), apart_rows(house, candidate, judged)
        verdict = consider(
            stores, candidate, fresh, house.policy.gate, time_ms=now, encoders=house.encoders, differing=apart
        )
        live = None
        if verdict.kind == "promote":
            live = go_live(stores, candidate, verdict, house.policy.stages, now_ms=now)
    lines = [f"{verdict.kind}: {verdict.reason}"]
    lines += [
        f"  {'ok  ' if c.passed else 'hold' if c.passed is None else 'FAIL'}  {c.sentence}" for c in verdict.checks
    ]
    result = {"tag": candidate.tag, "verdict": verdict, "release": None}
    if isinstance(live, Challenger):
        lines.append(challenger_line(live))
        result["challenger"] = live.to_dict()
    elif live:
        lines.append(f"{live.release} is live.")
        result["release"] = live.release
    show(result, as_json=as_json, text="\n".join(lines))


@release.command()
@click.argument("tag")
@click.option("--labels", default=300, show_default=True, type=click.IntRange(min=1), help="Tasks at most.")
@home_options
@click.pass_context
def compare(ctx: click.Context, tag: str, labels: int, home: str | None, as_json: bool) -> None:
    """Ask people about queries that a candidate answers unlike what is live: there a label tells most.

    Once nine tenths of them are labelled, 'noria release propose' takes them for all traffic: a small loss is ruled out
    with far fewer labels. Asked again, it shows how far the labels have come.
    """
    from noria.app.wiring import now_ms, open_house
    from noria.loop.candidates.comparing import ask_apart, compared

    with opened(ctx, home) as (place, stores):
        candidate, house, now = stores.tracker.candidate(tag), open_house(place, stores), now_ms()
        if compared(house, candidate, ()) is None:
            ask_apart(house, candidate, size=labels, now_ms=now)
        found = compared(house, candidate, stores.journal.judged(0, now))
    if found is None:
        raise StateError(f"the comparison of {tag} was not kept; try again.")
    then = f"noria release propose {tag}" if found.ready else "label them, then ask again"
    text = (
        f"{found.differing} of {found.traffic} queries are answered unlike {found.champion} or the anchor "
        f"{found.anchor}; {found.labelled} of {found.asked} tasks are labelled.\nNext: {then}"
    )
    facts = {"tag": tag, "champion": found.champion, "anchor": found.anchor, "traffic": found.traffic}
    facts |= {"differing": found.differing, "asked": found.asked, "labelled": found.labelled, "ready": found.ready}
    show(facts, as_json=as_json, text=text)


@release.command()
@home_options
@click.pass_context
def status(ctx: click.Context, home: str | None, as_json: bool) -> None:
    """Show which release is live and which there were."""
    with opened(ctx, home) as (_, stores):
        live, known = stores.journal.current_release(), stores.journal.releases()
        running = stores.journal.staging.running()
    rows = [
        (r.release, when(r.since_ms), r.candidate.tag, "live" if live and r.release == live.release else "")
        for r in known
    ]
    text = table(rows, ("RELEASE", "SINCE (UTC)", "TAG", "")) if rows else "No release yet: noria release propose"
    text += f"\n{challenger_line(running)}" if running else ""
    result = {"live": live.release if live else None, "releases": known,
              "challenger": running.to_dict() if running else None}  # fmt: skip
    show(result, as_json=as_json, text=text)


@release.command()
@click.option("--verify", is_flag=True, help="Recompute hashes, verdicts, anchor and graph; fail where one is off.")
@home_options
@click.pass_context
def ledger(ctx: click.Context, verify: bool, home: str | None, as_json: bool) -> None:
    """List every verdict, oldest first."""
    from noria.release.proof import prove

    with opened(ctx, home) as (_, stores):
        proof = prove(stores) if verify else None
        entries = stores.journal.ledger()
    rows = [(e.seq, when(e.time_ms), e.kind, e.release or "", e.tag, e.evidence.get("reason", "")) for e in entries]
    text = table(rows, ("SEQ", "TIME (UTC)", "KIND", "RELEASE", "TAG", "REASON"))
    if proof is not None:
        text += f"\nThe hash chain of {len(entries)} entries is whole. {proof.sentence}\n{_graph(proof)}"
    show({"entries": entries, "verified": verify, "proof": proof}, as_json=as_json, text=text)


@release.command()
@click.argument("name", metavar="RELEASE")
@click.option("--html", "target", metavar="FILE", type=click.Path(dir_okay=False), help="Write it as a page, too.")
@home_options
@click.pass_context
def certificate(ctx: click.Context, name: str, target: str | None, home: str | None, as_json: bool) -> None:
    """Show what was tested before a release went live, or why a tag was held or refused."""
    from noria.app.certificate import certificate_page, certificate_text
    from noria.release.certificate import read_certificate

    with opened(ctx, home) as (_, stores):
        told = read_certificate(stores, name)
    text = certificate_text(told)
    if target is not None:
        try:
            Path(target).write_text(certificate_page(told), encoding="utf-8")
        except OSError as error:
            raise UsageError(f"the page cannot be written to {target}: {error.strerror}.") from None
        text += f"\n\nPage: {target}"
    show(told, as_json=as_json, text=text)


@release.command()
@click.option("--to", metavar="RELEASE", help="Default: the release that was live before.")
@click.option("--why", default="", help="The reason, for the ledger.")
@home_options
@click.pass_context
def rollback(ctx: click.Context, to: str | None, why: str, home: str | None, as_json: bool) -> None:
    """Make an earlier release live again; servers pick it up by themselves."""
    from noria.app.wiring import load_encoder, now_ms
    from noria.release import roll_back

    with opened(ctx, home) as (_, stores):
        entry = roll_back(stores, to, why=why, time_ms=now_ms(), encoders=load_encoder)
    if entry.release is None:
        raise StateError("the ledger holds a rollback without a release.")
    show(entry, as_json=as_json, text=f"{entry.release} is live again ({entry.tag}).")


for _command in (shadow, canary, watch, end):
    release.add_command(_command)


def _graph(proof: Proof) -> str:
    """The performance graph as a table."""
    rows = [
        (
            p.release + (" (back)" if p.kind == "rollback" else ""),
            when(p.time_ms),
            f"{100 * p.basket_score:.1f} %",
            f"{100 * p.fresh_score:.1f} % of {p.fresh_labels}" if p.fresh_labels else "",
            p.anchor,
        )
        for p in proof.graph
    ]
    return table(rows, ("RELEASE", "SINCE (UTC)", "BASKET", "FRESH LABELS", "ANCHOR"))
