"""Rows of JSONL, CSV and Parquet streams, some thousands at a time; what cannot be read is told with file and line."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO

import pyarrow as pa
import pyarrow.json as pj
import pyarrow.parquet as pq

from noria.connect.sources.lines import Block, blocks, decoded
from noria.errors import OutsideError, UsageError
from noria.ports.source import BrokenRecord, Page

BLOCK_BYTES = 8 << 20
_PAGE_ROWS = 20_000


@dataclass(frozen=True, slots=True)
class Reading:
    """How files are read.

    `fallback`: encoding of lines that are not UTF-8, None = they are broken. `rename`: column of the file → our name.
    """

    max_line_bytes: int = 1_000_000
    fallback: str | None = "cp1252"
    rename: Mapping[str, str] | None = None


def jsonl(name: str, stream: BinaryIO, schema: pa.Schema, reading: Reading) -> Iterator[Page]:
    """Blocks that are all well and of the declared schema are read by Arrow, others line by line."""
    for block in blocks(stream, block_bytes=BLOCK_BYTES, max_line_bytes=reading.max_line_bytes):
        yield (None if reading.rename or block.too_long else _fast(block, schema)) or _slow(name, block, reading)


def _fast(block: Block, schema: pa.Schema) -> Page | None:
    options = pj.ParseOptions(explicit_schema=schema, unexpected_field_behavior="error")
    data = block.data.removeprefix(b"\xef\xbb\xbf") if block.first_line == 1 else block.data
    try:
        table = pj.read_json(io.BytesIO(data), pj.ReadOptions(use_threads=False, block_size=len(data) + 1), options)
        table.validate(full=True)  # texts are UTF-8
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None
    return Page(table.select(schema.names)) if set(schema.names) <= set(table.column_names) else None


def _slow(name: str, block: Block, reading: Reading) -> Page:
    rows: list[Mapping[str, object]] = []
    broken = [too_long(name, *long, reading.max_line_bytes) for long in block.too_long]
    foreign = 0
    for number, line in enumerate(block.data.split(b"\n"), start=block.first_line):
        if not line.strip():
            continue
        try:
            text, other = decoded(line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line, reading.fallback)
            value = json.loads(text)
            foreign += other
            if not isinstance(value, dict):
                broken.append(_broken(name, number, ValueError("not a JSON object with named fields"), line))
                continue
        except (ValueError, RecursionError) as error:
            broken.append(_broken(name, number, error, line))
            continue
        rows.append(renamed(value, reading.rename))
    return Page(rows, broken, notes={"lines_in_other_encoding": foreign} if foreign else {})


def delimited(name: str, stream: BinaryIO, schema: pa.Schema, reading: Reading, delimiter: str) -> Iterator[Page]:
    """CSV with a header; a row with another number of fields is broken; a cell without content is absent."""
    del schema
    told: list[BrokenRecord] = []
    notes = {"lines_in_other_encoding": 0}
    csv.field_size_limit(reading.max_line_bytes)
    rows = csv.reader(_text_lines(name, stream, reading, told, notes), delimiter=delimiter, strict=True)
    header: list[str] | None = None
    page: list[Mapping[str, object]] = []
    while True:
        line = rows.line_num + 1
        try:
            values = next(rows)
        except StopIteration:
            break
        except csv.Error as error:
            told.append(_broken(name, line, error, b""))
            continue
        if not values:
            continue
        if header is None:
            header = [v.strip() for v in values]
        elif len(values) != len(header):
            told.append(_broken(name, line, ValueError(f"{len(values)} fields, the header has {len(header)}"),
                                delimiter.join(values).encode()))  # fmt: skip
        else:
            page.append(renamed({k: v for k, v in zip(header, values, strict=True) if v != ""}, reading.rename))
        if len(page) >= _PAGE_ROWS:
            yield Page(page, tuple(told))
            page = []
            told.clear()
    yield Page(page, tuple(told), notes={k: v for k, v in notes.items() if v})


def _text_lines(
    name: str, stream: BinaryIO, reading: Reading, told: list[BrokenRecord], notes: dict[str, int]
) -> Iterator[str]:
    for block in blocks(stream, block_bytes=BLOCK_BYTES, max_line_bytes=reading.max_line_bytes):
        told += [too_long(name, *long, reading.max_line_bytes) for long in block.too_long]
        for number, line in enumerate(block.data.splitlines(keepends=True), start=block.first_line):
            try:
                text, other = decoded(line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line, reading.fallback)
            except UnicodeDecodeError as error:
                told.append(_broken(name, number, error, line))
                continue
            notes["lines_in_other_encoding"] += other
            yield text


def parquet(name: str, stream: BinaryIO, schema: pa.Schema, reading: Reading) -> Iterator[Page]:
    """Row group by row group; columns of the declared types pass as they are, others value by value."""
    try:
        file = pq.ParquetFile(stream)
        for batch in file.iter_batches(_PAGE_ROWS, use_threads=False):
            table = pa.Table.from_batches([batch])
            if table.schema.names == schema.names and table.schema.types == schema.types and not reading.rename:
                yield Page(table)
            else:
                yield Page(
                    [renamed({k: v for k, v in r.items() if v is not None}, reading.rename) for r in table.to_pylist()]
                )
    except (pa.ArrowInvalid, OSError) as error:
        raise UsageError(f"{name} is not a readable Parquet file ({str(error).splitlines()[0]}).") from None


def whole(read: Callable[[], Iterator[Page]], name: str) -> Iterator[Page]:
    """The pages of a compressed file; damage is told as such."""
    try:
        yield from read()
    except (EOFError, pa.ArrowInvalid) as error:
        raise UsageError(f"{name} is damaged ({error}); fetch it again.") from None
    except OSError as error:
        if "gzip" in str(error).lower() or "zlib" in str(error).lower():
            raise UsageError(f"{name} is damaged ({error}); fetch it again.") from None
        raise OutsideError(f"{name} cannot be read: {error}.", retry_helps=True) from error


def renamed(row: Mapping[str, object], rename: Mapping[str, str] | None) -> Mapping[str, object]:
    """The row with the columns' names that the feed uses."""
    return {rename.get(k, k): v for k, v in row.items()} if rename else row


def too_long(name: str, line: int, length: int, start: bytes, limit: int) -> BrokenRecord:
    """The record of a line over the limit."""
    detail = f"the line has {length} bytes, the limit is {limit}"
    return BrokenRecord(f"{name}, line {line}", "line_too_long", detail, start.decode("utf-8", "replace"))


def _broken(name: str, line: int, error: Exception, raw: bytes) -> BrokenRecord:
    fault = "encoding" if isinstance(error, UnicodeDecodeError) else "unreadable"
    return BrokenRecord(f"{name}, line {line}", fault, str(error), raw[:300].decode("utf-8", "replace"))
