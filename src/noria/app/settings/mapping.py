"""A frozen dataclass from a mapping: nested, types checked, an unknown key refused with the nearest name."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from noria.errors import UsageError, nearest

T = TypeVar("T")


def from_mapping(cls: type[T], raw: Mapping[str, Any], where: str) -> T:
    """A frozen dataclass from a mapping: nested, types checked, unknown keys refused."""
    hints = typing.get_type_hints(cls)
    names = [f.name for f in dataclasses.fields(cls)]  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    for key, value in raw.items():
        if key not in names:
            raise UsageError(f"{where}: unknown setting {key!r}. {nearest(key, names)}")
        kind = hints[key]
        if dataclasses.is_dataclass(kind) and isinstance(kind, type):
            if not isinstance(value, Mapping):
                raise UsageError(f"{where}: {key!r} is a section: write [{key}].")
            values[key] = from_mapping(kind, value, f"{where} [{key}]")
        else:
            values[key] = _checked(value, kind, f"{where}: {key}")
    return cls(**values)


def shared_out(raw: Mapping[str, Any], classes: Sequence[type], where: str) -> list[dict[str, Any]]:
    """A section that several policies share: to each the keys that are its own; an unknown key is refused."""
    names = [[f.name for f in dataclasses.fields(cls)] for cls in classes]
    every = [name for own in names for name in own]
    for key in raw:
        if key not in every:
            raise UsageError(f"{where}: unknown setting {key!r}. {nearest(key, every)}")
    return [{key: value for key, value in raw.items() if key in own} for own in names]


def _checked(value: Any, kind: Any, where: str) -> Any:
    origin = typing.get_origin(kind)
    allowed = typing.get_args(kind) if origin is types.UnionType else (origin or kind,)
    if float in allowed and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, bool) and bool not in allowed:
        raise UsageError(f"{where} = {value!r} is not {_name(allowed)}.")
    if not any(isinstance(value, a) for a in allowed if isinstance(a, type)):
        raise UsageError(f"{where} = {value!r} is not {_name(allowed)}.")
    return value


def _name(allowed: tuple[Any, ...]) -> str:
    words = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}
    return " or ".join(words.get(a, getattr(a, "__name__", str(a))) for a in allowed)
