"""Templates to text: one Jinja environment, escaping everything."""

from __future__ import annotations

import functools
from pathlib import Path

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


@functools.cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
