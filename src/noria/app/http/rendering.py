"""Templates to text: one Jinja environment, escaping everything; and what JSON can say of figures."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2

from noria import __version__

STATIC = Path(__file__).parent / "static"
TEMPLATES = Path(__file__).parent / "templates"


def render(template: str, **context: object) -> str:
    """A template with its context; a name that the context lacks is an error, not an empty place."""
    return _environment().get_template(template).render(version=__version__, **context)


def compile_all() -> None:
    """Every template, so that no request has to; compiled ones are kept."""
    for name in _environment().list_templates():
        _environment().get_template(name)


def static_text(name: str) -> str:
    """A file of the static folder, to be written into a page that stands alone."""
    return (STATIC / name).read_text(encoding="utf-8")


def without_nan(value: Any) -> Any:
    """A copy of plain data in which NaN and infinities are None: JSON has no word for them."""
    if isinstance(value, Mapping):
        return {str(k): without_nan(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_nan(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


@functools.cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
