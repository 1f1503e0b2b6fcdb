"""`noria notebook`: a notebook on the lake and the journal of a home."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import click

from noria.app.cli.context import home_options, home_path, show


@click.command()
@click.option(
    "--export",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Write it as quality.py (marimo), quality.ipynb (Jupyter, Zeppelin) and quality.zpln instead.",
)
@click.option("--port", default=2718, show_default=True, type=click.IntRange(1, 65535), help="Of the editor.")
@home_options
@click.pass_context
def notebook(ctx: click.Context, export: Path | None, port: int, home: str | None, as_json: bool) -> None:
    """Open a marimo notebook with the lake and the journal ready to query; the server shows it at /notebook/.

    The editor runs code with your rights: it listens on this machine only and asks for the token that it prints.
    """
    from noria.app.home import open_home
    from noria.app.notebooks.formats import analysis, jupyter, marimo, zeppelin
    from noria.errors import UsageError

    place = open_home(home_path(ctx, home))
    cells = analysis(str(place.path))
    if export is not None:
        export.mkdir(parents=True, exist_ok=True)
        made = {"quality.py": marimo(cells), "quality.ipynb": jupyter(cells), "quality.zpln": zeppelin(cells)}
        for name, text in made.items():
            (export / name).write_text(text, encoding="utf-8")
        files = [str(export / name) for name in made]
        show({"files": files}, as_json=as_json, text="\n".join(files))
        return
    if importlib.util.find_spec("marimo") is None:
        raise UsageError("a notebook needs marimo: pip install 'noria[notebook]'. Without it: noria notebook --export.")
    file = place.notebook
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(marimo(cells), encoding="utf-8")
    command = [sys.executable, "-m", "marimo", "edit", str(file), "--host", "127.0.0.1", "--port", str(port)]
    sys.exit(subprocess.call(command))
