"""Settings from the environment: what a container is given, secrets above all, stands in no file."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from noria.app.settings.mapping import from_mapping
from noria.app.settings.sections import Settings
from noria.errors import UsageError, nearest

SECTIONS = ("serve", "stores")


def with_environment(settings: Settings, environ: Mapping[str, str]) -> Settings:
    """`NORIA_STORES_JOURNAL` stands in for `journal` of [stores], and so on for [serve] and [stores].

    Raises:
        UsageError: no such setting, or a text where a number belongs.
    """
    for section in SECTIONS:
        start = f"NORIA_{section.upper()}_"
        given = {name: text for name, text in sorted(environ.items()) if name.startswith(start)}
        if given:
            now = getattr(settings, section)
            own = {name: _value(now, name, start, text) for name, text in given.items()}
            values = {name.removeprefix(start).lower(): value for name, value in own.items()}
            merged = {f.name: getattr(now, f.name) for f in dataclasses.fields(now)} | values
            settings = dataclasses.replace(settings, **{section: from_mapping(type(now), merged, "the environment")})
    return settings


def _value(section: Any, variable: str, start: str, text: str) -> object:
    names = [f.name for f in dataclasses.fields(section)]
    name = variable.removeprefix(start).lower()
    if name not in names:
        raise UsageError(f"{variable}: no such setting. {nearest(variable, [start + n.upper() for n in names])}")
    if not isinstance(getattr(section, name), int):
        return text
    try:
        return int(text)
    except ValueError:
        raise UsageError(f"{variable} must be a whole number, not {text!r}.") from None
