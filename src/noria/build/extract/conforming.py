"""Brings the rows of a source into the declared types; what does not fit is set aside with its column and value."""

from __future__ import annotations

import functools
import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from noria.build.cleaning.columns import MORE, Columns
from noria.build.parsing import FieldFault, to_ms
from noria.ports.source import BrokenRecord, Page

_INT64 = 2**63
_SHOWN = 60


def conform(page: Page, columns: Columns, salt: str) -> tuple[pa.Table, list[BrokenRecord], list[str]]:
    """The rows of a page in the schema of the raw table, without its load number; what did not fit, and its keys.

    Persons become pseudonyms: the first 16 hex digits of a sha256 over `salt` and the value.
    """
    if isinstance(page.rows, pa.Table):
        values, broken, keys = _of_table(page.rows, columns)
    else:
        values, broken, keys = _of_mappings(page.rows, columns)
    for column, kind in columns.types.items():
        if kind == "person" and column != columns.key:
            values[column] = _pseudonyms(values[column], salt)
    table = pa.table(values)
    updated = table[columns.updated] if columns.updated else pa.nulls(len(table), pa.int64())
    return table.append_column("_updated_ms", updated), broken, keys


def broken_rows(broken: Sequence[BrokenRecord], columns: Columns, mask: Callable[[str], str]) -> pa.Table:
    """Rows of the raw table for what could not be read: the same trouble read twice is the same row.

    `mask` takes personal data out of what is shown of the record.
    """
    keys = [
        f"broken-{hashlib.sha256(f'{b.where}|{b.fault}|{b.raw}'.encode('utf-8', 'replace')).hexdigest()[:20]}"
        for b in broken
    ]
    table = pa.table(
        {
            columns.key: pa.array(keys, pa.string()),
            "_fault": pa.array([b.fault for b in broken], pa.string()),
            "_detail": pa.array([_utf8(mask(f"{b.where}: {b.detail} | {b.raw[:300]}")) for b in broken], pa.string()),
        }
    )
    _, first = np.unique(np.asarray(keys, dtype=object), return_index=True)
    return table.take(pa.array(np.sort(first)))


def with_fingerprint(table: pa.Table, columns: Columns) -> pa.Table:
    """The table with `_fingerprint`: 64 bits of BLAKE2b over the declared columns, the rest and the fault."""
    parts = [pc.cast(table[c], pa.string()) for c in [*columns.types, MORE, "_fault", "_detail"]]
    joined = pc.binary_join_element_wise(*parts, "\x1f", null_handling="replace", null_replacement="\x00")
    digests = [hashlib.blake2b(text, digest_size=8).digest() for text in pc.cast(joined, pa.binary()).to_pylist()]
    hashes = np.frombuffer(b"".join(digests), dtype="<i8")
    return table.append_column("_fingerprint", pa.array(hashes))


def _of_table(table: pa.Table, columns: Columns) -> tuple[dict[str, pa.Array], list[BrokenRecord], list[str]]:
    """A table of the schema that was asked for: only times and the key can be wrong."""
    values: dict[str, pa.Array] = {c: table[c].combine_chunks() for c in columns.types}
    values[MORE] = pa.nulls(len(table), pa.string())
    good = np.ones(len(table), bool)
    broken: list[BrokenRecord] = []

    def spoil(at: int, detail: str, *, column: str) -> None:
        if good[at]:
            good[at] = False
            broken.append(_broken(values[columns.key][at].as_py(), column, detail))

    key = pc.cast(values[columns.key], pa.string())
    values[columns.key] = key
    for at in np.flatnonzero(pc.fill_null(pc.equal(pc.binary_length(key), 0), True).to_numpy(zero_copy_only=False)):
        spoil(int(at), "the key is missing", column=columns.key)
    for column, kind in columns.types.items():
        if kind == "time":
            values[column] = _times(values[column], functools.partial(spoil, column=column))
    if not broken:
        return values, broken, []
    keep = pa.array(good)
    keys = values[columns.key].filter(pa.array(~good)).drop_null().to_pylist()
    return {c: v.filter(keep) for c, v in values.items()}, broken, keys


def _times(texts: pa.Array, spoil: Callable[[int, str], None]) -> pa.Array:
    """UTC milliseconds of ISO 8601 texts: in one go where all have a zone, else one by one."""
    try:
        return pc.cast(texts, pa.timestamp("ms", "UTC")).cast(pa.int64())
    except pa.ArrowInvalid:
        made: list[int | None] = []
        for at, text in enumerate(texts.to_pylist()):
            try:
                made.append(None if text is None or not text.strip() else to_ms(text))
            except FieldFault as fault:
                spoil(at, str(fault))
                made.append(None)
        return pa.array(made, pa.int64())


def _of_mappings(
    rows: Sequence[Mapping[str, object]], columns: Columns
) -> tuple[dict[str, pa.Array], list[BrokenRecord], list[str]]:
    readers = {c: _READERS["name" if c == columns.key else t] for c, t in columns.types.items()}
    made: dict[str, list[object]] = {c: [] for c in [*columns.types, MORE]}
    broken: list[BrokenRecord] = []
    keys: list[str] = []
    for row in rows:
        try:
            values = _one(row, readers, columns.key)
        except FieldFault as fault:
            broken.append(_broken(row.get(columns.key), fault.field, str(fault)))
            keys.append(_utf8(str(row.get(columns.key))))
            continue
        for column, value in values.items():
            made[column].append(value)
    schema = columns.raw_schema
    return {c: pa.array(v, schema.field(c).type) for c, v in made.items()}, broken, keys


def _one(row: Mapping[str, object], readers: Mapping[str, Callable[[object], object]], key: str) -> dict[str, object]:
    out: dict[str, object] = {}
    for column, read in readers.items():
        value = row.get(column)
        try:
            out[column] = None if value is None else read(value)
        except (ValueError, FieldFault) as error:
            raise FieldFault(column, str(error)) from None
    if not out[key]:
        raise FieldFault(key, "the key is missing")
    rest = {c: v for c, v in row.items() if c not in readers and v is not None}
    out[MORE] = _utf8(json.dumps(rest, sort_keys=True, ensure_ascii=False, default=str)) if rest else None
    return out


def _text(value: object) -> str:
    if isinstance(value, list | dict):
        value = json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    text = str(value).lower() if isinstance(value, bool) else str(value)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("holds half of a surrogate pair; it is not valid Unicode") from None
    return text


def _whole(value: object) -> int | None:
    if isinstance(value, str) and not value.strip():
        return None
    number = None if isinstance(value, bool) else float(value) if isinstance(value, float) else _int(str(value))
    if number is None or not math.isfinite(number) or number != int(number) or not -_INT64 <= number < _INT64:
        raise ValueError(f"{str(value)[:_SHOWN]!r} is no whole number of 64 bits")
    return int(number)


def _int(text: str) -> float | None:
    try:
        return int(text.strip())
    except ValueError:
        return None


def _float(value: object) -> float | None:
    if isinstance(value, str) and not value.strip():
        return None
    if isinstance(value, bool):
        raise ValueError(f"{value!r} is no number")  # noqa: TRY004 - told like other values that do not fit
    try:
        return float(str(value))
    except ValueError:
        raise ValueError(f"{str(value)[:_SHOWN]!r} is no number") from None


def _bool(value: object) -> bool | None:
    known = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False, "": None}
    word = str(value).strip().lower()
    if word not in known:
        raise ValueError(f"{str(value)[:_SHOWN]!r} is neither true nor false")
    return known[word]


def _time(value: object) -> int | None:
    return None if isinstance(value, str) and not value.strip() else to_ms(value)


_READERS: Mapping[str, Callable[[object], object]] = {
    "text": _text, "name": _text, "person": _text, "int": _whole, "float": _float, "bool": _bool, "time": _time,
}  # fmt: skip


def pseudonym(person: str, salt: str) -> str:
    """What stands for a person in the tables of a feed; `salt`: the feed's name."""
    return hashlib.sha256(f"{salt}|{person}".encode()).hexdigest()[:16]


def _pseudonyms(values: pa.Array, salt: str) -> pa.Array:
    coded = pc.dictionary_encode(values)
    coded = coded.combine_chunks() if isinstance(coded, pa.ChunkedArray) else coded
    known = [pseudonym(v, salt) for v in coded.dictionary.to_pylist()]
    return pa.array(known, pa.string()).take(coded.indices) if known else pa.nulls(len(values), pa.string())


def _broken(key: object, column: str, detail: str) -> BrokenRecord:
    return BrokenRecord(f"row {str(key)[:_SHOWN]!r}", "type", f"column {column!r}: {detail}")


def _utf8(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
