"""Sets a replay up and runs it: the scratch home beside a real one, the demo, the report."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from noria import build, release
from noria.app.home import Home
from noria.app.performance import arm_view, performance, replay_view, save_replay, without_loop
from noria.app.wiring import now_ms, open_house, open_stores
from noria.errors import StateError
from noria.loop import ReplayPolicy
from noria.loop import replay as turn_many
from noria.loop.arms import ARMS, Arm
from noria.loop.traffic import Change, TrafficPlan, generate
from noria.records import DAY_MS, DataVersion, Release, StreamRow

if TYPE_CHECKING:
    from noria.stores import Stores

DEMO_NAME = "helpdesk"
DEMO_AGENT = {"lineup": "ngrams"}
"""The demo answers 40,000 queries and trains a dozen times in two minutes; the encoder would make it ten."""
DEMO_LABEL = {"floor_share": 1.0}
"""Every label of the demo's estimates is drawn uniformly: 40 a day are few, and the alarm weighs others less."""
DEMO_UPDATE = {"accept_new_intents": True, "min_new_labels": 150}


def demo(home: Home, *, days: int, seed: int, quiet: bool) -> dict[str, Any]:
    """Fills an empty home with the demo: data, a first release, and replayed traffic up to today.

    A home that has a release already is left as it is.
    """
    from noria.app.demo.corpus import CHANGES, articles, corpus, examples, history

    stores = open_stores(home)
    try:
        if stores.journal.current_release() is not None:
            report = home.reports / "replay.html"
            text = f"{home.path} has a release already; nothing was replayed again. Report: {report}"
            return {"home": str(home.path), "report": str(report), "text": text}
        start_ms = (now_ms() // DAY_MS - days) * DAY_MS
        note = {"source": "the demo corpus of the package"}
        data = examples() + history(start_ms, seed)
        stores.lake.write_examples(DEMO_NAME, data, mode="append", note=note, time_ms=start_ms)
        stores.lake.write_articles(DEMO_NAME, articles(), mode="append", note=note, time_ms=start_ms)
        changes = tuple(c for c in CHANGES if c.start_day < days)
        rows = generate(corpus(), TrafficPlan(start_ms=start_ms, days=days, seed=seed, changes=changes))
        planted_note = note | {"changes": json.dumps([dataclasses.asdict(c) for c in changes])}
        stores.lake.write_stream(DEMO_NAME, rows, mode="append", note=planted_note, time_ms=start_ms)
        settings = dataclasses.replace(
            home.settings,
            agent={**DEMO_AGENT, **home.settings.agent},
            label={**DEMO_LABEL, **home.settings.label},
            update={**DEMO_UPDATE, **home.settings.update},
        )
        demo_home = dataclasses.replace(home, settings=settings)
        _first_release(demo_home, stores, DEMO_NAME, start_ms)
        policy = ReplayPolicy(seed=seed, changes=changes)
        view, files = _turn_and_report(demo_home, stores, rows, policy, reports=home.reports, quiet=quiet)
    finally:
        stores.close()
    text = summary(view, files[1])
    return {**view["replay"]["summary"], "home": str(home.path), "report": str(files[1]), "text": text}


def scratch_home(scratch: Home, home: Home, budget: int | None, accept_new_intents: bool) -> Home:
    """A fresh home with the settings of another, but for its stores and what the replay was asked for."""
    label = dict(home.settings.label) | ({"daily_budget": budget} if budget is not None else {})
    update = dict(home.settings.update) | {"accept_new_intents": accept_new_intents}
    settings = dataclasses.replace(home.settings, label=label, update=update, stores=scratch.settings.stores)
    return Home(scratch.path, settings)


def run(
    scratch: Home,
    source: tuple[Stores, Release],
    rows: Sequence[StreamRow],
    policy: ReplayPolicy,
    *,
    reports: Path,
    quiet: bool,
    others: Sequence[Mapping[str, Any]] = (),
) -> tuple[dict[str, Any], tuple[Path, Path]]:
    """Replays in a scratch home that starts from the data of a live release; the report goes to `reports`.

    `others`: what other arms came to (see `run_arm`), to stand beside it.
    """
    stores = open_stores(scratch)
    try:
        _start_from(scratch, stores, source, rows)
        return _turn_and_report(scratch, stores, rows, policy, reports=reports, quiet=quiet, others=others)
    finally:
        stores.close()


def run_arm(
    scratch: Home, source: tuple[Stores, Release], rows: Sequence[StreamRow], policy: ReplayPolicy, arm: Arm
) -> dict[str, Any]:
    """Replays under an arm's rules in a scratch home of its own; what it came to (see `performance.arm_view`)."""
    stores = open_stores(scratch)
    try:
        _start_from(scratch, stores, source, rows)
        done = turn_many(open_house(scratch, stores), rows, policy, arm=arm)
        return arm_view(done, arm.title, float(scratch.settings.label.get("cost_per_label", 0.0)))
    finally:
        stores.close()


def _start_from(scratch: Home, stores: Stores, source: tuple[Stores, Release], rows: Sequence[StreamRow]) -> None:
    """Brings the data of a live release into an empty home, and trains its first release."""
    source_stores, live = source
    start_ms = rows[0].time_ms // DAY_MS * DAY_MS
    examples = live.candidate.examples
    note = {"source": f"{examples.ref} of release {live.release}"}
    _, data = source_stores.lake.examples(examples.name, examples.version)
    stores.lake.write_examples(examples.name, data, mode="append", note=note, time_ms=start_ms)
    if live.candidate.articles is not None:
        _, articles = source_stores.lake.articles(live.candidate.articles.name, live.candidate.articles.version)
        stores.lake.write_articles(examples.name, articles, mode="append", note=note, time_ms=start_ms)
    _first_release(scratch, stores, examples.name, start_ms)


def planted(stores: Stores, stream: DataVersion) -> tuple[Change, ...]:
    """The changes that a generated stream is known to hold, from its table's history."""
    for version in stores.lake.history("streams", stream.name):
        note = version["note"]
        if isinstance(note, Mapping) and "changes" in note:
            return tuple(Change(**c) for c in json.loads(str(note["changes"])))
    return ()


def summary(view: Mapping[str, Any], report: Path) -> str:
    """The replay's outcome in a few lines."""
    s = view["replay"]["summary"]
    uplift = f"{s['uplift_percent']:+.0f} %" if s["uplift_percent"] is not None else "not defined"
    return (
        f"{s['days']} days, {s['queries']} queries, {s['labels']} labels; {s['releases']} releases, "
        f"{s['refusals']} refused, {s['holds']} held.\n"
        f"Success in the last {s['end_days']} days: {100 * s['success_with']:.1f} % with the loop, "
        f"{100 * s['success_without']:.1f} % without it ({uplift}).\nReport: {report}"
    )


def _first_release(home: Home, stores: Stores, name: str, time_ms: int) -> None:
    house = open_house(home, stores)
    encoder, why = house.encoder()
    candidate, agent = build.train(
        stores,
        name,
        articles_ref=None,
        recipe=house.policy.recipe,
        time_ms=time_ms,
        code=house.code,
        clock=house.clock,
        encoder=encoder,
    )
    for warning in filter(None, (why, *agent.warnings)):
        click.echo(f"warning: {warning}", err=True)
    verdict = release.consider(stores, candidate, [], house.policy.gate, time_ms=time_ms, encoders=house.encoders)
    if verdict.kind != "promote":
        raise StateError(f"the first model cannot go live: {verdict.reason}")
    release.roll_out(stores, candidate, verdict, time_ms=time_ms)


def _turn_and_report(
    home: Home,
    stores: Stores,
    rows: Sequence[StreamRow],
    policy: ReplayPolicy,
    *,
    reports: Path,
    quiet: bool,
    others: Sequence[Mapping[str, Any]] = (),
) -> tuple[dict[str, Any], tuple[Path, Path]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    start_ms = rows[0].time_ms // DAY_MS * DAY_MS
    days = len({row.time_ms // DAY_MS for row in rows})
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=quiet) as bar:
        task = bar.add_task("replaying days", total=days)
        started = time.monotonic()
        replayed = turn_many(
            open_house(home, stores), rows, policy, progress=lambda day: bar.update(task, advance=1, description=day)
        )
    if (watch := open_house(home, stores).watch) is not None:
        watch(rows[-1].time_ms)
    part = replay_view(replayed, policy.changes, start_ms)
    part["summary"]["seconds"] = round(time.monotonic() - started, 1)
    if others:
        cost = float(home.settings.label.get("cost_per_label", 0.0))
        part["arms"] = [without_loop(replayed), arm_view(replayed, ARMS["noria"].title, cost), *others]
    part["report"] = str(reports / "replay.html")
    view = performance(stores, reports, generated_ms=now_ms(), title=home.path.name) | {"replay": part}
    return view, save_replay(reports, view)
