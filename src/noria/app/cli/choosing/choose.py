"""`noria choose`: one of many runs, by a policy, with a report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from noria.app.cli.context import home_options, opened, plain, show
from noria.errors import UsageError

if TYPE_CHECKING:
    from noria.records import Example
    from noria.release.choice import Choice
    from noria.stores import Stores


@click.command()
@click.option("--policy", "file", type=click.Path(path_type=Path), required=True, help="Policy (TOML).")
@click.option("--experiment", "experiments", multiple=True, metavar="NAME", help="Runs of these only; default: all.")
@click.option("--data", metavar="NAME@VERSION", help="Only runs that were measured on this version of examples.")
@click.option("--fresh", metavar="NAME[@VERSION]", help="Examples that no choice has looked at; they decide.")
@click.option("--split", type=click.Choice(["train", "val", "test", "all"]), default="test", show_default=True,
              help="Which of the fresh examples.")  # fmt: skip
@click.option("--out", "targets", multiple=True, type=click.Path(path_type=Path), metavar="FILE",
              help="Write the report: .html, .md or .json; may be given more than once.")  # fmt: skip
@home_options
@click.pass_context
def choose(
    ctx: click.Context,
    file: Path,
    experiments: tuple[str, ...],
    data: str | None,
    fresh: str | None,
    split: str,
    targets: tuple[Path, ...],
    home: str | None,
    as_json: bool,
) -> None:
    """Choose one of many runs by a policy, and say what it was up against and what it gives up."""
    from noria.app.wiring.choosing import runs_to_choose, with_fresh
    from noria.release.choice import ChoicePolicy, report, shortlisted
    from noria.release.choice import choose as choose_run

    policy = ChoicePolicy.from_toml(_read(file), file.name)
    _check(targets)
    with opened(ctx, home) as (place, stores):
        runs = runs_to_choose(place, stores, experiments, policy, data)
        if fresh is not None:
            rows = _fresh_rows(stores, fresh, split)
            tags = shortlisted(runs, policy)
            runs = with_fresh(place, stores, runs, tags, rows, policy, lambda said: click.echo(said, err=True))
    choice = choose_run(runs, policy)
    for target in targets:
        _write(target, choice)
    show(choice.to_dict(), as_json=as_json, text=report(choice, "markdown"))


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the policy {file} cannot be read: {error}.") from None


def _fresh_rows(stores: Stores, name: str, split: str) -> list[Example]:
    at = stores.lake.resolve("examples", name)
    rows = [r for r in stores.lake.examples(at.name, at.version)[1] if split in ("all", r.split)]
    if not rows:
        raise UsageError(f"{at.ref} has no rows of the split {split!r}; choose another with --split.")
    return rows


def _check(targets: tuple[Path, ...]) -> None:
    for target in targets:
        if target.suffix not in (".html", ".md", ".json"):
            raise UsageError(f"--out {target}: the report can be .html, .md or .json.")


def _write(target: Path, choice: Choice) -> None:
    from noria.release.choice import report

    if target.suffix == ".json":
        told = json.dumps(plain(choice.to_dict()), ensure_ascii=False, indent=1) + "\n"
    else:
        told = report(choice, "html" if target.suffix == ".html" else "markdown")
    try:
        target.write_text(told, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"the report cannot be written to {target}: {error.strerror}.") from None
