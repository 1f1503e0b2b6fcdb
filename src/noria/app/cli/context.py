"""What commands share: the opened home and how results are shown."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from noria.app.home import Home
    from noria.stores import Stores

F = TypeVar("F", bound=Callable[..., Any])


def home_options(command: F) -> F:
    """`--home` and `--json`, accepted behind the command too."""
    command = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")(command)
    return click.option("--home", metavar="FOLDER", help="Home folder.")(command)


@contextmanager
def opened(ctx: click.Context, home: str | None) -> Iterator[tuple[Home, Stores]]:
    """The home and its stores, closed at the end."""
    from noria.app.home import open_home
    from noria.app.wiring import open_stores

    place = open_home(home_path(ctx, home))
    stores = open_stores(place)
    try:
        yield place, stores
    finally:
        stores.close()


def actor() -> str:
    """Who runs the command, for the audit log: the user's name, or number where a container gives it no name."""
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):  # OSError from Python 3.13 on
        return f"uid {os.getuid()}"


def home_path(ctx: click.Context, home: str | None) -> Path:
    """Where the home is; raises UsageError when nothing names it."""
    from noria.app.home import find_home

    return find_home(home or (ctx.find_root().obj or {}).get("home"), os.environ, Path.cwd())


def show(result: Any, *, as_json: bool, text: str) -> None:
    """Prints the JSON document or the text."""
    click.echo(json.dumps(plain(result), ensure_ascii=False) if as_json else text)


def plain(value: Any) -> Any:
    """Only what JSON knows: records become objects, NaN and infinity become null."""
    import dataclasses

    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, str) or value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Sequence | set | frozenset):
        return [plain(v) for v in value]
    return str(value)


def table(rows: Sequence[Sequence[object]], header: Sequence[str]) -> str:
    """A plain text table, columns aligned."""
    cells = [[str(c) for c in row] for row in [header, *rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in cells)


def when(time_ms: int) -> str:
    """UTC time for people."""
    import datetime as dt

    return dt.datetime.fromtimestamp(time_ms / 1000, dt.UTC).strftime("%Y-%m-%d %H:%M")
