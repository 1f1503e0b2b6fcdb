"""Values between records and columns, checked so that SQLite and PostgreSQL keep and give back the same."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from numbers import Integral, Real
from typing import Any

from pydantic_core import from_json
from sqlalchemy import RowMapping

from noria.errors import UsageError, nearest
from noria.records import Candidate, DataVersion, Receipt

Plain = None | bool | int | float | str | list["Plain"] | dict[str, "Plain"]
"""What JSON can hold; numbers that are not finite stand as `{"$number": "nan" | "inf" | "-inf"}`."""

Row = dict[str, Any]
"""A table row by column name, to be written."""

Stored = Mapping[str, Any] | RowMapping
"""A table row by column name, as read."""

_NUMBER = "$number"
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def plain(value: object) -> Plain:
    """`value` as JSON can hold it: mappings, sequences, text, numbers (NumPy scalars too), None.

    Raises:
        UsageError: for any other type, and for keys that are not text.
    """
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {_NUMBER: repr(float(value))}
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return plain(float(value))
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise UsageError(f"the journal keeps mappings with text keys only, not {sorted(map(repr, value))[:5]}.")
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, Sequence | frozenset) and not isinstance(value, bytes | bytearray):
        return [plain(item) for item in (sorted(value) if isinstance(value, frozenset) else value)]
    raise UsageError(f"the journal cannot keep a {type(value).__name__} ({value!r:.80}); give text, numbers, lists.")


def restored(value: Any) -> Any:
    """The inverse of `plain` (lists stay lists)."""
    if isinstance(value, dict):
        if len(value) == 1 and _NUMBER in value:
            return float(value[_NUMBER])
        return {key: restored(item) for key, item in value.items()}
    return [restored(item) for item in value] if isinstance(value, list) else value


def loads(text: str | bytes) -> Any:
    """What JSON says, as `json.loads` in a third of its time."""
    try:
        return from_json(text)
    except ValueError:  # half of a surrogate pair, which only `json` lets through
        return json.loads(text)


def restored_figures(value: dict[str, Any]) -> dict[str, float]:
    """`restored` of a mapping of numbers; most often all of them are finite."""
    if dict in map(type, value.values()):
        return {key: restored(number) for key, number in value.items()}
    return value


def dumps(value: Plain) -> str:
    """Canonical JSON: sorted keys, no spaces, ASCII only, finite numbers only."""
    return _ENCODER.encode(value)


def dumps_figures(value: Mapping[str, float]) -> str:
    """`dumps(plain(value))` of a mapping of numbers, in a fifth of the time."""
    parts = []
    for key in sorted(value):
        number = value[key]
        if type(number) is not float or number - number != 0 or type(key) is not str:
            return dumps(plain(value))
        parts.append(f"{_quoted(key)}:{number!r}")
    return f"{{{','.join(parts)}}}"


@lru_cache(maxsize=10_000)
def _quoted(name: str) -> str:
    return dumps(name)


def dumps_names(value: Sequence[str]) -> str:
    """`dumps(plain(value))` of texts; most often there are none."""
    return dumps(list(value)) if value else "[]"


def figure(value: float) -> float | None:
    """A number for a figure column, where NULL means "not a number" (SQLite has no NaN)."""
    return None if math.isnan(value) else float(value)


def number(value: float | None) -> float:
    """The inverse of `figure`."""
    return math.nan if value is None else value


def check_texts(what: str, row: Row) -> Row:
    """`row` itself, if its texts can be stored in UTF-8 by both databases.

    Raises:
        UsageError: naming the column that holds a NUL character or half of a surrogate pair.
    """
    for column, value in row.items():
        if isinstance(value, str) and not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError as error:
                raise UsageError(f"{what}: {column} holds half of a surrogate pair, which is not text.") from error
        if isinstance(value, str) and "\0" in value:
            raise UsageError(f"{what}: {column} holds a NUL character, which cannot be stored; remove it.")
    return row


def check_one_of(what: str, value: str, known: Iterable[str]) -> str:
    """`value` itself, if it is one of `known`; else UsageError with the nearest."""
    names = tuple(known)
    if value not in names:
        raise UsageError(f"{what} cannot be {value!r}. {nearest(value, names)}")
    return value


def candidate_json(candidate: Candidate) -> Plain:
    """A candidate as the JSON that `releases.candidate` keeps."""
    return {
        "tag": candidate.tag,
        "run_id": candidate.run_id,
        "bundle_sha256": candidate.bundle_sha256,
        "examples": version_json(candidate.examples),
        "articles": None if candidate.articles is None else version_json(candidate.articles),
        "recipe": plain(candidate.recipe),
        "metrics": plain(candidate.metrics),
        "created_ms": candidate.created_ms,
    }


def candidate_from(value: Mapping[str, Any]) -> Candidate:
    """The inverse of `candidate_json`."""
    articles = value["articles"]
    return Candidate(
        tag=value["tag"],
        run_id=value["run_id"],
        bundle_sha256=value["bundle_sha256"],
        examples=DataVersion(**value["examples"]),
        articles=None if articles is None else DataVersion(**articles),
        recipe=restored(value["recipe"]),
        metrics=restored(value["metrics"]),
        created_ms=value["created_ms"],
    )


def receipt_json(receipt: Receipt) -> Plain:
    """A receipt as the JSON that a turn keeps."""
    return {
        "room": receipt.room,
        "counts": plain(receipt.counts),
        "ids": plain(receipt.ids),
        "seconds": plain(receipt.seconds),
        "warnings": list(receipt.warnings),
    }


def receipt_from(value: Mapping[str, Any]) -> Receipt:
    """The inverse of `receipt_json`."""
    kept = restored(value)
    return Receipt(**{**kept, "warnings": tuple(kept["warnings"])})


def version_json(version: DataVersion) -> Plain:
    """A version of a table as JSON; `DataVersion(**...)` is the inverse."""
    return {
        "kind": version.kind,
        "name": version.name,
        "version": version.version,
        "rows": version.rows,
        "sha256": version.sha256,
    }
