"""The settings of a home: `noria.toml`, frozen and typed; an unknown key is an error that names the nearest one."""

from __future__ import annotations

import dataclasses
import tomllib
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from noria.errors import UsageError, nearest

T = TypeVar("T")

DESKS = ("builtin", "label_studio")
TEMPLATE = """\
# Settings of a Noria home. Every key may be left out; these are the defaults.

[agent]
# any key of the recipe, e.g.
# max_false_rejects = 0.04

[encoder]
# spec = "minilm"            # what makes vectors of texts (docs/encoders.md); "none": n-grams alone

[label]
# daily_budget = 40          # label tasks a day
# settling_share = 0.6       # share of the answers that settles a task; below it a person decides
# weigh_annotators = false   # true: votes weigh by the accuracy that people show on tasks they share
# cost_per_label = 0.0       # what one label costs, in your currency
# desk = "label_studio"      # where people label; default "builtin": the page /label of this server

[label_studio]
# url = "https://label-studio.example.com"   # token in NORIA_LABEL_STUDIO_TOKEN; default: 'noria label-studio up'
# port = 8430
# database = "postgresql://user@host:5432/name"   # of the server that 'up' starts; default: SQLite in the home

[monitor]
# run_length = 10000         # labelled queries to a false alarm, on average at least

[update]
# min_new_labels = 200       # labels that start a retraining
# accept_new_intents = false # true: an intent that labellers name comes into scope by itself

[release]
# margin = 0.02              # the loss on the frozen basket that must be ruled out before a candidate goes live
# fresh_margin = 0.1         # the loss against the anchor that must be ruled out on the latest labels
# require_fresh = false      # true: hold until there are labels enough
# protected = []             # ["account"]: every account with enough labels must pass alone
# slice_margin = 0.1         # the loss of a protected slice that must be ruled out
# margins = {}               # { "account acme" = 0.05 }: its own margin

[serve]
# host = "127.0.0.1"
# port = 8420

[stores]
# journal = "postgresql+psycopg://…"   # default: SQLite in the home
# tracker = "…"                        # default: MLflow on SQLite in the home
"""


@dataclass(frozen=True, slots=True)
class EncoderChoice:
    """Which encoder new agents are trained with."""

    spec: str = "minilm"


@dataclass(frozen=True, slots=True)
class ServeSettings:
    """Where the server listens."""

    host: str = "127.0.0.1"
    port: int = 8420


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """Addresses of the stores; empty = embedded, in the home."""

    journal: str = ""
    tracker: str = ""


@dataclass(frozen=True, slots=True)
class LabelStudioSettings:
    """Which Label Studio people label on.

    url: a server that somebody runs; empty = the one that `noria label-studio up` starts, on `port` of this machine,
    with its data in `database` (empty = SQLite in the home). project: title of the project; empty = "Noria" and the
    home's name.
    """

    url: str = ""
    project: str = ""
    port: int = 8430
    database: str = ""


@dataclass(frozen=True, slots=True)
class Settings:
    """All sections; `agent` is the recipe's mapping, checked by the agent room."""

    agent: Mapping[str, Any] = field(default_factory=dict)
    encoder: EncoderChoice = field(default_factory=EncoderChoice)
    label: Mapping[str, Any] = field(default_factory=dict)
    label_studio: LabelStudioSettings = field(default_factory=LabelStudioSettings)
    monitor: Mapping[str, Any] = field(default_factory=dict)
    update: Mapping[str, Any] = field(default_factory=dict)
    release: Mapping[str, Any] = field(default_factory=dict)
    serve: ServeSettings = field(default_factory=ServeSettings)
    stores: StoreSettings = field(default_factory=StoreSettings)


def read_settings(path: Path) -> Settings:
    """The settings in a file.

    Raises:
        UsageError: not TOML, or an unknown section, key or type; names the place and the nearest name.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not valid TOML: {error}.") from None
    settings = from_mapping(Settings, raw, str(path))
    # the rooms' own sections are checked now, so that a slip is told by every command and not only by the one it hits
    loop_policy(settings, str(path))
    return settings


def loop_policy(settings: Settings, where: str = "noria.toml") -> Any:
    """The policies of all rooms from their sections (`noria.loop.LoopPolicy`)."""
    from noria.agent import Recipe
    from noria.label import SamplingPolicy, SettlingPolicy
    from noria.loop import LoopPolicy
    from noria.monitor import AlarmPolicy
    from noria.release import GatePolicy
    from noria.update import UpdatePolicy

    own = _without_desk(settings, where)
    drawing, deciding = _shared_out(own, (SamplingPolicy, SettlingPolicy), f"{where} [label]")
    return LoopPolicy(
        recipe=Recipe.from_dict(settings.agent),
        sampling=from_mapping(SamplingPolicy, drawing, f"{where} [label]"),
        settling=from_mapping(SettlingPolicy, deciding, f"{where} [label]"),
        alarm=from_mapping(AlarmPolicy, settings.monitor, f"{where} [monitor]"),
        gate=from_mapping(GatePolicy, settings.release, f"{where} [release]"),
        update=from_mapping(UpdatePolicy, settings.update, f"{where} [update]"),
    )


def label_desk(settings: Settings) -> str:
    """Where people label: one of `DESKS`."""
    return str(settings.label.get("desk", DESKS[0]))


def _without_desk(settings: Settings, where: str) -> dict[str, Any]:
    """[label] without the key that only says where the tasks go."""
    if label_desk(settings) not in DESKS:
        hint = nearest(label_desk(settings), DESKS)
        raise UsageError(f"{where} [label]: desk cannot be {settings.label['desk']!r}. {hint}")
    return {key: value for key, value in settings.label.items() if key != "desk"}


def _shared_out(raw: Mapping[str, Any], classes: Sequence[type], where: str) -> list[dict[str, Any]]:
    """A section that several policies share: to each the keys that are its own; an unknown key is refused."""
    names = [[f.name for f in dataclasses.fields(cls)] for cls in classes]
    every = [name for own in names for name in own]
    for key in raw:
        if key not in every:
            raise UsageError(f"{where}: unknown setting {key!r}. {nearest(key, every)}")
    return [{key: value for key, value in raw.items() if key in own} for own in names]


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
