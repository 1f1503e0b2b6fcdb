"""`noria thresholds`: operating points of a model, with a promise, on labelled rows."""

from __future__ import annotations

import json
from pathlib import Path

import click

from noria.app.cli.context import home_options, opened, show
from noria.errors import UsageError

_SHARE = click.FloatRange(0, 1, min_open=True, max_open=True)


@click.command()
@click.option("--data", "data_ref", metavar="NAME[@VERSION]", required=True, help="Labelled examples to tune on.")
@click.option("--split", type=click.Choice(["train", "val", "test", "all"]), default="val", show_default=True,
              help="Rows that the model neither learnt nor was calibrated on.")  # fmt: skip
@click.option("--model", metavar="TAG|RELEASE", help="Default: the live release, else the newest candidate.")
@click.option("--preciseness", type=_SHARE, default=0.9, show_default=True, help="Least share right among answers.")
@click.option("--false-rejects", type=_SHARE, default=0.04, show_default=True,
              help="Largest share of in-scope queries under the scope threshold.")  # fmt: skip
@click.option("--choice-miss", type=_SHARE, default=0.02, show_default=True,
              help="Largest share of in-scope queries whose right intent is no choice.")  # fmt: skip
@click.option("--article", type=_SHARE, default=0.8, show_default=True,
              help="Least share of answers with a right article first, by the article's score.")  # fmt: skip
@click.option("--delta", type=_SHARE, default=0.05, show_default=True, help="Chance that a promise does not hold.")
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="Write points and curves as JSON.")
@home_options
@click.pass_context
def thresholds(
    ctx: click.Context,
    data_ref: str,
    split: str,
    model: str | None,
    preciseness: float,
    false_rejects: float,
    choice_miss: float,
    article: float,
    delta: float,
    out: Path | None,
    home: str | None,
    as_json: bool,
) -> None:
    """Find the thresholds of a model that keep what is asked, and say how sure that is."""
    from noria.app.cli.model import load_model
    from noria.build.operating import Wanted, tune

    with opened(ctx, home) as (_, stores):
        name, agent = load_model(stores, model)
        at = stores.lake.resolve("examples", data_ref)
        rows = [r for r in stores.lake.examples(at.name, at.version)[1] if split in ("all", r.split)]
    if not rows:
        raise UsageError(f"{at.ref} has no rows of the split {split!r}; choose another with --split.")
    tuned = tune(agent, rows, Wanted(preciseness, false_rejects, choice_miss, article, delta))
    told = {"model": name, "data": at.ref, "split": split, **tuned.to_dict()}
    if out is not None:
        try:
            out.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
        except OSError as error:
            raise UsageError(f"{out} cannot be written: {error.strerror}.") from None
    settings = " ".join(f"--set {key}={value:g}" for key, value in tuned.settings().items())
    lines = [point.sentence for point in tuned.points.values()]
    lines.append(f"Next: noria train --data NAME {settings}" if settings else "Nothing to set.")
    show(told, as_json=as_json, text="\n".join(lines))
