"""Reads JSONL, CSV and Parquet files, plain or gzipped, into rows, and keeps every fault with its place."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from noria.errors import Problem, UsageError

FORMATS = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".tsv": "tsv", ".parquet": "parquet"}
MAX_LINE_CHARS = 1_000_000


@dataclass(frozen=True, slots=True)
class RawRow:
    """One row of a file: 1-based line (JSONL, CSV) or row number (Parquet), and its fields after renaming."""

    row: int
    fields: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class BrokenRow:
    """A row that could not be read: what is wrong, and its text as far as it could be decoded."""

    problem: Problem
    raw: str


def read_file(path: Path, rename: Mapping[str, str]) -> tuple[list[RawRow], list[BrokenRow], set[str]]:
    """Reads a whole file.

    Args:
        path: the file; its format is told by the name's ending, compression by the first bytes.
        rename: field name → column of the file (`--map text=utterance`).

    Returns:
        The rows that could be read, those that could not, and all columns seen (after renaming).

    Raises:
        UsageError: the file is absent or of an unknown format, or a renamed column is not in it.
    """
    data = _bytes(path)
    kind = _format(path)
    parse = {"jsonl": _jsonl, "csv": _csv, "tsv": _tsv, "parquet": _parquet}[kind]
    rows: list[RawRow] = []
    broken: list[BrokenRow] = []
    columns: set[str] = set()
    back = {column: field for field, column in rename.items()}
    for item in parse(path.name, data):
        if isinstance(item, BrokenRow):
            broken.append(item)
            continue
        columns.update(item.fields)
        # a column that is renamed away must not shadow the field of the same name
        kept = {k: v for k, v in item.fields.items() if k not in rename or k in back}
        rows.append(RawRow(item.row, {back.get(k, k): v for k, v in kept.items()}))
    if rows:
        for field, column in rename.items():
            if column not in columns:
                raise UsageError(
                    f"--map {field}={column}: {path.name} has no column {column!r}; "
                    f"it has {', '.join(sorted(columns))}."
                )
    return rows, broken, {back.get(c, c) for c in columns if c not in rename or c in back}


def _bytes(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise UsageError(f"{path} does not exist.") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from None
    if data[:2] == b"\x1f\x8b":
        try:
            return gzip.decompress(data)
        except (OSError, EOFError) as error:
            raise UsageError(f"{path} is a damaged gzip file ({error}); fetch it again.") from None
    return data


def _format(path: Path) -> str:
    suffixes = [s.lower() for s in path.suffixes if s.lower() != ".gz"]
    kind = FORMATS.get(suffixes[-1]) if suffixes else None
    if kind is None:
        raise UsageError(
            f"{path.name}: unknown format. Name it .jsonl, .csv, .tsv or .parquet, each also with .gz behind."
        )
    return kind


def _encoding_problem(file: str, row: int, line: str) -> BrokenRow | None:
    """A problem where the line held bytes that are not UTF-8 (they arrive as lone surrogates)."""
    for position, char in enumerate(line):
        if "\udc80" <= char <= "\udcff":
            message = f"not UTF-8 at character {position + 1}; convert the file, e.g. iconv -f latin1 -t utf-8"
            return BrokenRow(Problem(file, row, None, message), line.encode("utf-8", "replace").decode())
    return None


def _text(data: bytes) -> str:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise UsageError("the file is UTF-16; convert it first: iconv -f utf-16 -t utf-8 FILE > NEWFILE")
    return data.decode("utf-8-sig", errors="surrogateescape")


def _jsonl(file: str, data: bytes) -> Iterator[RawRow | BrokenRow]:
    for number, line in enumerate(_text(data).split("\n"), start=1):
        if not line.strip():
            continue
        bad = _encoding_problem(file, number, line)
        if bad is not None:
            yield bad
            continue
        if len(line) > MAX_LINE_CHARS:
            message = f"the line has {len(line)} characters, the limit is {MAX_LINE_CHARS}"
            yield BrokenRow(Problem(file, number, None, message), line[:200])
            continue
        try:
            value = json.loads(line)
        except (json.JSONDecodeError, RecursionError) as error:
            yield BrokenRow(Problem(file, number, None, f"broken line, not JSON ({error})"), line[:2000])
            continue
        if isinstance(value, dict):
            yield RawRow(number, value)
        else:
            yield BrokenRow(Problem(file, number, None, "not a JSON object with named fields"), line[:2000])


def _csv(file: str, data: bytes, delimiter: str = ",") -> Iterator[RawRow | BrokenRow]:
    csv.field_size_limit(MAX_LINE_CHARS)
    reader = csv.reader(io.StringIO(_text(data), newline=""), delimiter=delimiter, strict=True)
    header: list[str] | None = None
    while True:
        first_line = reader.line_num + 1
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield BrokenRow(Problem(file, first_line, None, f"broken line, not CSV ({error})"), "")
            continue
        if not values:
            continue
        bad = _encoding_problem(file, first_line, delimiter.join(values))
        if bad is not None:
            yield bad
        elif header is None:
            header = [name.strip() for name in values]
            for name in header:
                if name and header.count(name) > 1:
                    raise UsageError(f"{file} names the column {name!r} twice; rename or leave out one of them.")
        elif len(values) != len(header):
            message = f"{len(values)} fields where the header has {len(header)}"
            yield BrokenRow(Problem(file, first_line, None, message), delimiter.join(values)[:2000])
        else:
            yield RawRow(first_line, {k: v for k, v in zip(header, values, strict=True) if v != ""})


def _tsv(file: str, data: bytes) -> Iterator[RawRow | BrokenRow]:
    yield from _csv(file, data, "\t")


def _parquet(file: str, data: bytes) -> Iterator[RawRow | BrokenRow]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # `read_table` scans by Arrow's dataset, whose threads can abort the process at its exit (see stores/delta.py).
        table = pq.ParquetFile(io.BytesIO(data)).read(use_threads=False)
    except (pa.ArrowInvalid, OSError) as error:
        raise UsageError(f"{file} is not a readable Parquet file ({str(error).splitlines()[0]}).") from None
    for number, fields in enumerate(table.to_pylist(), start=1):
        yield RawRow(number, {k: v for k, v in fields.items() if v is not None})
