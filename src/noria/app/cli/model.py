"""`noria train`, `noria evaluate`, `noria predict`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from noria.app.cli.context import home_options, opened, show, table
from noria.errors import NoRelease, UsageError

if TYPE_CHECKING:
    from noria.agent import Agent
    from noria.stores import Stores


@click.command()
@click.option("--data", "data_ref", metavar="NAME[@VERSION]", required=True, help="Examples to train on.")
@click.option("--articles", "articles_ref", metavar="NAME[@VERSION]", help="Articles; default: the table of that name.")
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="A recipe setting, e.g. max_false_rejects=0.02."
)
@home_options
@click.pass_context
def train(
    ctx: click.Context,
    data_ref: str,
    articles_ref: str | None,
    overrides: tuple[str, ...],
    home: str | None,
    as_json: bool,
) -> None:
    """Train a candidate, tracked under its experiment tag."""
    import time

    from noria.agent import Recipe
    from noria.app.wiring import code_facts, encoder_to_train, now_ms
    from noria.build import train as build_train

    with opened(ctx, home) as (place, stores):
        recipe = Recipe.from_dict({**place.settings.agent, **settings_of(overrides)})
        encoder, why = encoder_to_train(place.settings, recipe)
        candidate, agent = build_train(
            stores,
            data_ref,
            articles_ref=articles_ref,
            recipe=recipe,
            time_ms=now_ms(),
            code=code_facts(),
            clock=time.process_time,
            encoder=encoder,
        )
    warnings = [warning for warning in (why, *agent.warnings) if warning]
    figures = "\n".join(f"  {name:<28} {value:.4g}" for name, value in sorted(candidate.metrics.items()))
    data = {"examples": candidate.examples, "articles": candidate.articles}
    result: dict[str, object] = {
        "tag": candidate.tag,
        "run": candidate.run_id,
        "data": data,
        "metrics": candidate.metrics,
    }
    result |= {"encoder": encoder.spec if encoder else None, "warnings": warnings}
    told = "".join(f"\n! {warning}" for warning in warnings)
    text = f"{candidate.tag} (run {candidate.run_id})\n{figures}{told}\nNext: noria release propose {candidate.tag}"
    show(result, as_json=as_json, text=text)


@click.command()
@click.option("--data", "data_ref", metavar="NAME[@VERSION]", required=True, help="Examples to score on.")
@click.option("--split", type=click.Choice(["train", "val", "test", "all"]), default="val", show_default=True)
@click.option("--model", metavar="TAG|RELEASE", help="Default: the live release, else the newest candidate.")
@click.option(
    "--criteria", type=click.Path(path_type=Path), metavar="FILE", help="Write every measurable criterion as JSON."
)
@home_options
@click.pass_context
def evaluate(
    ctx: click.Context,
    data_ref: str,
    split: str,
    model: str | None,
    criteria: Path | None,
    home: str | None,
    as_json: bool,
) -> None:
    """Score a model on labelled rows of a table."""
    import time

    from noria.build import score_rows
    from noria.build.evaluation import measure_rows

    with opened(ctx, home) as (_, stores):
        name, agent = load_model(stores, model)
        at = stores.lake.resolve("examples", data_ref)
        rows = [r for r in stores.lake.examples(at.name, at.version)[1] if split in ("all", r.split)]
    if not rows:
        raise UsageError(f"{at.ref} has no rows of the split {split!r}; choose another with --split.")
    scores = score_rows(agent, rows)
    text = table([(k, f"{v:.4f}") for k, v in scores.items()], (f"{name} on {at.ref} ({split})", "value"))
    if criteria is not None:
        told = measure_rows(agent, rows, time.perf_counter)
        _write(criteria, json.dumps({"model": name, "data": at.ref, "split": split, **told.to_dict()}, indent=1) + "\n")
        text += f"\n{len(told.values)} criteria in {criteria}; {len(told.missing)} need what these rows cannot tell"
    show({"model": name, "data": at, "split": split, "metrics": scores}, as_json=as_json, text=text)


@click.command()
@click.option("--data", "file", type=click.Path(path_type=Path), required=True, help="File whose rows have a text.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="JSON lines to write.")
@click.option("--model", metavar="TAG|RELEASE", help="Default: the live release, else the newest candidate.")
@click.option("--map", "renames", multiple=True, metavar="FIELD=COLUMN", help="Which column holds a field.")
@home_options
@click.pass_context
def predict(
    ctx: click.Context,
    file: Path,
    out: Path,
    model: str | None,
    renames: tuple[str, ...],
    home: str | None,
    as_json: bool,
) -> None:
    """Write a prediction for each row of a file."""
    from noria.app.cli.data import renames_of
    from noria.build import predict_file

    with opened(ctx, home) as (_, stores):
        name, agent = load_model(stores, model)
    part = out.with_name(out.name + ".part")
    count = 0
    try:
        with part.open("w", encoding="utf-8") as sink:
            for row in predict_file(agent, file, rename=renames_of(renames), release=name):
                sink.write(json.dumps(row, ensure_ascii=False) + "\n")
                count += 1
        part.replace(out)
    except OSError as error:
        raise UsageError(f"{out} cannot be written: {error.strerror}.") from None
    finally:
        part.unlink(missing_ok=True)
    show(
        {"rows": count, "out": str(out), "release": name},
        as_json=as_json,
        text=f"{count} predictions of {name} in {out}",
    )


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.") from None


def load_model(stores: Stores, name: str | None) -> tuple[str, Agent]:
    """A model by release name or experiment tag; by default the live release, else the newest candidate."""
    from noria.app.wiring import load_encoder
    from noria.release import load_agent

    releases = {r.release: r.candidate for r in stores.journal.releases()}
    if name is not None:
        return name, load_agent(stores, releases.get(name) or stores.tracker.candidate(name), load_encoder)
    live = stores.journal.current_release()
    if live is not None:
        return live.release, load_agent(stores, live.candidate, load_encoder)
    newest = stores.tracker.candidates()
    if not newest:
        raise NoRelease
    return newest[0].tag, load_agent(stores, newest[0], load_encoder)


def settings_of(pairs: tuple[str, ...]) -> dict[str, object]:
    """Settings of `KEY=VALUE`, the value as JSON where it is that; UsageError where one is no pair."""
    out: dict[str, object] = {}
    for pair in pairs:
        key, _, value = pair.partition("=")
        if not value:
            raise UsageError(f"--set {pair!r}: write KEY=VALUE, e.g. --set max_false_rejects=0.02.")
        try:
            out[key.strip()] = json.loads(value)
        except json.JSONDecodeError:
            out[key.strip()] = value
    return out
