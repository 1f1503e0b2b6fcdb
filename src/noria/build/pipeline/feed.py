"""A feed: one source of rows, its columns, rules and contract; from a mapping such as a TOML file."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from noria.build.cleaning.columns import Columns
from noria.build.cleaning.rows import RowCleaner
from noria.build.cleaning.rules import Rules
from noria.build.contracts.contract import Contract
from noria.errors import UsageError, nearest

T = TypeVar("T")

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_OWN = ("columns", "key", "texts", "updated", "time", "label", "source", "rules", "contract", "full_refresh_days",
        "mask_raw", "split")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Split:
    """How clean rows are put on sides, once and for all; see `noria.stats.splitting.SplitPolicy`.

    Args:
        groups: columns whose equal values stay together, the most telling first, e.g. account and requester.
        salt: makes splits independent of each other; "" = the feed's name.
        val_share: of the groups, 0 to 1.
        test_share: of the groups, 0 to 1.
        val_from: a time: groups first seen from then on are validation; with `test_from`, instead of shares.
        test_from: a time: groups first seen from then on are test.
        fresh_from: a time: rows from then on are fresh, or on no side where they repeat an earlier one.
    """

    groups: tuple[str, ...] = ()
    salt: str = ""
    val_share: float = 0.1
    test_share: float = 0.1
    val_from: str = ""
    test_from: str = ""
    fresh_from: str = ""


@dataclass(frozen=True, slots=True)
class Feed:
    """What the pipeline needs to know of a feed.

    Args:
        name: also the name of its tables: raw, clean, quarantine, receipts.
        columns: what the rows look like.
        source: settings of the source, for whoever opens it.
        rules: how rows are cleaned.
        contract: what the clean table promises.
        full_refresh_days: days after which a run reads everything and finds what was deleted; 0 = never by itself.
        mask_raw: personal data is taken out of texts before they are staged, too.
        split: how clean rows are put on sides; None = they are not.
    """

    name: str
    columns: Columns
    source: Mapping[str, Any] = field(default_factory=dict)
    rules: Rules = field(default_factory=Rules)
    contract: Contract = field(default_factory=Contract)
    full_refresh_days: float = 7.0
    mask_raw: bool = True
    split: Split | None = None

    @property
    def cleaner(self) -> RowCleaner:
        return RowCleaner(self.columns, self.rules)


def feed_of(name: str, raw: Mapping[str, Any]) -> Feed:
    """A feed from a mapping, everything checked.

    Raises:
        UsageError: an unknown key, a wrong type, or columns, rules and contract that do not fit together.
    """
    where = f"feed {name!r}"
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} cannot name a feed: use 1 to 64 lower-case letters, digits, '_' and '-'.")
    for key in raw:
        if key not in _OWN:
            raise UsageError(f"{where}: unknown setting {key!r}. {nearest(key, _OWN)}")
    types = raw.get("columns")
    if not isinstance(types, Mapping) or not types:
        raise UsageError(f'{where}: [columns] is missing; write for each column its type, e.g. subject = "text".')
    roles = {k: raw[k] for k in ("key", "texts", "updated", "time", "label") if k in raw}
    columns = _filled(Columns, {"types": {str(k): str(v) for k, v in types.items()}, **roles}, where)
    columns.check(where)
    rest = {k: raw[k] for k in ("full_refresh_days", "mask_raw") if k in raw}
    if "split" in raw:
        rest["split"] = _filled(Split, raw["split"], f"{where} [split]")
    feed = Feed(
        name, columns, dict(raw.get("source", {})), _filled(Rules, raw.get("rules", {}), f"{where} [rules]"),
        _filled(Contract, raw.get("contract", {}), f"{where} [contract]"), **rest,
    )  # fmt: skip
    feed.contract.check_names(feed.cleaner.schema, where)
    for column in feed.split.groups if feed.split else ():
        if column not in feed.cleaner.schema.names:
            raise UsageError(
                f"{where} [split]: groups names {column!r}; there are {', '.join(feed.cleaner.schema.names)}."
            )
    return feed


def _filled(cls: type[T], raw: Mapping[str, Any], where: str) -> T:
    fields = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    for key, value in raw.items():
        if key not in fields:
            raise UsageError(f"{where}: unknown setting {key!r}. {nearest(key, fields)}")
        values[key] = _fitting(str(fields[key].type), value, f"{where}: {key}")
    missing = [n for n, f in fields.items() if n not in values and f.default is dataclasses.MISSING
               and f.default_factory is dataclasses.MISSING]  # fmt: skip
    if missing:
        raise UsageError(f"{where}: {', '.join(missing)} is missing.")
    return cls(**values)


def _fitting(kind: str, value: Any, where: str) -> Any:
    """The value as the field wants it; `kind` is the annotation."""
    if kind.startswith("tuple"):
        if not isinstance(value, list | tuple) or not all(isinstance(v, str) for v in value):
            raise UsageError(f"{where} must be a list of texts.")
        return tuple(value)
    if kind.startswith("Mapping"):
        if not isinstance(value, Mapping):
            raise UsageError(f"{where} is a section.")
        return {k: tuple(v) if isinstance(v, list) else v for k, v in value.items()}
    if kind.startswith("Literal"):
        allowed = re.findall(r"['\"](\w+)['\"]", kind)
        if value not in allowed:
            raise UsageError(f"{where} = {value!r} is none of {', '.join(allowed)}.")
        return value
    wanted: tuple[type, ...] = {"bool": (bool,), "int": (int,), "float": (int, float), "str": (str,)}[kind]
    if not isinstance(value, wanted) or (isinstance(value, bool) and kind != "bool"):
        raise UsageError(f"{where} = {value!r} is not of type {kind}.")
    return value
