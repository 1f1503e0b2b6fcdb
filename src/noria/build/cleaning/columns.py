"""The declared columns of a feed and what they become in the raw table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from noria.errors import UsageError, nearest

TYPES = ("text", "name", "person", "int", "float", "bool", "time")
"""text: written by people, redacted; name: a code or category; person: kept as a pseudonym; time: UTC milliseconds."""

_READ = {"int": pa.int64(), "float": pa.float64(), "bool": pa.bool_()}
_KEPT = {**_READ, "time": pa.int64()}

MORE = "more"
"""Column of the raw table with what was not declared, as canonical JSON."""
BOOKKEEPING = pa.schema(
    [
        pa.field("_updated_ms", pa.int64()),
        pa.field("_fingerprint", pa.int64()),
        pa.field("_load", pa.int64()),
        pa.field("_deleted", pa.bool_()),
        pa.field("_fault", pa.string()),
        pa.field("_detail", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True)
class Columns:
    """What a feed's rows look like.

    Args:
        types: column → one of `TYPES`.
        key: the column that names a row.
        texts: the columns that make the text, in order; joined by an empty line.
        updated: a time column that grows whenever the row changes; "" = there is none, every row is read as new.
        time: a time column: when the row came to be; the earliest of several duplicates is kept. "" = by key.
        label: a column with the intent or category; "" = none.
    """

    types: Mapping[str, str]
    key: str
    texts: tuple[str, ...]
    updated: str = ""
    time: str = ""
    label: str = ""

    def check(self, where: str) -> None:
        """Makes sure that the columns fit together.

        Raises:
            UsageError: an unknown type, a role without its column, or a name that Noria needs for itself.
        """
        for column, kind in self.types.items():
            if kind not in TYPES:
                raise UsageError(f"{where}: column {column!r} has the type {kind!r}. {nearest(kind, TYPES)}")
        roles = {"key": [self.key], "texts": list(self.texts), "updated": [self.updated], "time": [self.time]}
        for role, named in {**roles, "label": [self.label]}.items():
            for column in named:
                if (column or role == "key") and column not in self.types:
                    raise UsageError(f"{where}: {role} names {column!r}, no column. {nearest(column, self.types)}")
        for role, column in {"updated": self.updated, "time": self.time}.items():
            if column and self.types[column] != "time":
                raise UsageError(f"{where}: {role} = {column!r} must be of type time, not {self.types[column]}.")
        if not self.texts:
            raise UsageError(f"{where}: texts is empty: name the columns that make the text.")
        for column in self.types:
            if column == MORE or column.startswith("_") or (column in RESULTS and column in self.carried):
                raise UsageError(
                    f"{where}: the column name {column!r} is Noria's own; give it another by [source] rename."
                )

    @property
    def read_schema(self) -> pa.Schema:
        """The Arrow schema that a source is asked for: what JSON or a database calls it."""
        return pa.schema([pa.field(c, _READ.get(t, pa.string())) for c, t in self.types.items()])

    @property
    def raw_schema(self) -> pa.Schema:
        """The schema of the raw table."""
        kept = [pa.field(c, pa.string() if c == self.key else _KEPT.get(t, pa.string())) for c, t in self.types.items()]
        return pa.schema([*kept, pa.field(MORE, pa.string()), *BOOKKEEPING])

    @property
    def carried(self) -> tuple[str, ...]:
        """Columns that go into the clean table as they are: all but the key, the texts and the label."""
        apart = {self.key, self.label, *self.texts}
        return tuple(c for c in self.types if c not in apart)


RESULTS = ("id", "text", "label", "language", "time_ms", "updated_ms", "redacted", "content", "signature", "near_of",
           "reason", "detail", "rules")  # fmt: skip
"""Columns that cleaning makes; a carried column cannot have one of these names, the key, texts and label may."""
