"""The kinds of records in the lake: Arrow schema, key, order, canonical form, and what a row must satisfy."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Generic, TypeVar

import pyarrow as pa

from noria.errors import DataError, Problem
from noria.records import Article, Example, StreamRow

R = TypeVar("R")

_INT64 = 2**63


@dataclass(frozen=True)
class TableKind(Generic[R]):
    """How rows of one record type are kept.

    Args:
        kind: folder of the lake, e.g. "examples".
        make: the record type, called with the fields in the order of `schema`.
        schema: Arrow schema, one field per field of the record, in the record's order.
        key: the field that names a row; unique in a table.
        order: the fields by which rows are read.
    """

    kind: str
    make: Callable[..., R]
    schema: pa.Schema
    key: str
    order: tuple[str, ...]

    def key_of(self, row: R) -> str:
        """The row's key."""
        return str(getattr(row, self.key))

    def to_arrow(self, rows: Sequence[R]) -> pa.Table:
        """An Arrow table of the kind's schema with the rows in the order given; the rows must have passed `check`."""
        return pa.table(
            {field.name: [getattr(row, field.name) for row in rows] for field in self.schema}, schema=self.schema
        )

    def from_arrow(self, table: pa.Table) -> list[R]:
        """The records of an Arrow table, in the kind's order of reading."""
        # A version written before a field came to be has no such column: the field was None in every row.
        absent = [None] * table.num_rows
        present = set(table.column_names)
        columns = [table.column(f.name).to_pylist() if f.name in present else absent for f in self.schema]
        for index, field in enumerate(self.schema):
            if pa.types.is_list(field.type):
                columns[index] = [None if value is None else tuple(value) for value in columns[index]]
        rows = [self.make(*values) for values in zip(*columns, strict=True)]
        return sorted(rows, key=attrgetter(*self.order))

    def sha256(self, rows: Sequence[R]) -> str:
        """Hex sha256 over the canonical JSON lines of the rows in order of key.

        Fields that are None are left out, so that a field added later does not change the hash of what is there.
        """
        digest = hashlib.sha256()
        for row in sorted(rows, key=self.key_of):
            values = {f.name: value for f in self.schema if (value := getattr(row, f.name)) is not None}
            line = json.dumps(values, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
            digest.update(line.encode() + b"\n")
        return digest.hexdigest()

    def check(self, rows: Sequence[R], where: str) -> None:
        """Makes sure that the rows can be kept.

        Args:
            rows: what is to be written.
            where: how the problems name the table.

        Raises:
            DataError: a value has the wrong type or cannot be written as UTF-8, a key is empty or comes twice.
        """
        problems: list[Problem] = []
        first: dict[str, int] = {}
        for number, row in enumerate(rows, start=1):
            problems.extend(Problem(where, number, field, message) for field, message in self._faults(row))
            key = self.key_of(row)
            if key in first:
                message = f"the key {key!r} comes twice (first in row {first[key]}); keys must be unique."
                problems.append(Problem(where, number, self.key, message))
            first.setdefault(key, number)
        if problems:
            raise DataError(problems, "Nothing was written.")

    def _faults(self, row: R) -> Iterator[tuple[str, str]]:
        for field in self.schema:
            value = getattr(row, field.name)
            if value is None and field.nullable:
                continue
            if field.name == self.key and value == "":
                yield field.name, "the key is empty."
            if fault := _fault(field.type, value):
                yield field.name, fault


def _fault(kind: pa.DataType, value: object) -> str | None:
    """What is wrong with a value for a column, None when nothing."""
    if pa.types.is_list(kind):
        if not isinstance(value, tuple):
            return f"must be a tuple of texts, not {type(value).__name__}."
        return next((fault for item in value if (fault := _fault(kind.value_type, item))), None)
    if pa.types.is_integer(kind):
        if not isinstance(value, int) or isinstance(value, bool):
            return f"must be a whole number, not {type(value).__name__}."
        return None if -_INT64 <= value < _INT64 else f"{value} does not fit into 64 bits."
    if not isinstance(value, str):
        return f"must be text, not {type(value).__name__}."
    try:
        value.encode()
    except UnicodeEncodeError as error:
        return (
            f"half a character (lone surrogate U+{ord(value[error.start]):04X}) at position {error.start}, "
            "which UTF-8 cannot hold; mend the text where it comes from."
        )
    return None


def _text(name: str, *, optional: bool = False) -> pa.Field:
    return pa.field(name, pa.string(), nullable=optional)


EXAMPLES: TableKind[Example] = TableKind(
    kind="examples",
    make=Example,
    schema=pa.schema(
        [
            _text("id"),
            _text("text"),
            _text("intent"),
            _text("split", optional=True),
            _text("domain", optional=True),
            _text("account", optional=True),
            _text("origin"),
        ]
    ),
    key="id",
    order=("id",),
)

ARTICLES: TableKind[Article] = TableKind(
    kind="articles",
    make=Article,
    schema=pa.schema(
        [
            _text("article_id"),
            _text("title"),
            _text("body"),
            pa.field("intents", pa.list_(pa.string()), nullable=False),
            _text("domain", optional=True),
            _text("account", optional=True),
            pa.field("audience", pa.list_(pa.string()), nullable=True),
        ]
    ),
    key="article_id",
    order=("article_id",),
)

STREAMS: TableKind[StreamRow] = TableKind(
    kind="streams",
    make=StreamRow,
    schema=pa.schema(
        [
            _text("id"),
            pa.field("time_ms", pa.int64(), nullable=False),
            _text("account"),
            _text("text"),
            _text("intent", optional=True),
            _text("article_id", optional=True),
            _text("relevance", optional=True),
            _text("channel"),
        ]
    ),
    key="id",
    order=("time_ms", "id"),
)

KINDS: Mapping[str, TableKind[Any]] = {
    "examples": EXAMPLES,
    "articles": ARTICLES,
    "streams": STREAMS,
}
