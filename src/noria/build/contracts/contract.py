"""What a table promises: checked on every row before a version becomes visible.

Plain Arrow compute: pandera on polars would bring two large libraries to compare a column with two numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from noria.errors import DataError, Problem, UsageError

_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Contract:
    """Expectations of a clean table.

    Args:
        required: columns without an absent value.
        least: column → least value allowed.
        most: column → greatest value allowed.
        allowed: column → the values that it may have, e.g. the intents of the label.
        unique: columns without a value that comes twice, beside the key.
        max_quarantine_share: share of all rows that may be set aside for a fault of their own (0 to 1); duplicates do
            not count.
        max_deleted_share: share of all rows that one full refresh may find deleted; more looks like half a source.
        min_rows: rows that the clean table must have.
        max_leaks: groups that may have rows on several sides, where the feed has a split.
    """

    required: tuple[str, ...] = ("id", "text")
    least: Mapping[str, float] = field(default_factory=dict)
    most: Mapping[str, float] = field(default_factory=dict)
    allowed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unique: tuple[str, ...] = ()
    max_quarantine_share: float = 0.02
    max_deleted_share: float = 0.2
    min_rows: int = 1
    max_leaks: int = 0

    def check_names(self, schema: pa.Schema, where: str) -> None:
        """Makes sure that the columns exist and are of a kind that can be compared.

        Raises:
            UsageError: one is not in the schema, or a limit stands on a column that holds no numbers.
        """
        for column in [*self.required, *self.least, *self.most, *self.allowed, *self.unique]:
            if column not in schema.names:
                raise UsageError(f"{where}: the contract names {column!r}; there are {', '.join(schema.names)}.")
        for column in [*self.least, *self.most]:
            kind = schema.field(column).type
            if not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
                raise UsageError(f"{where}: the contract limits {column!r}, which holds {kind}, not numbers.")

    def faults(self, batch: pa.RecordBatch, where: str) -> list[Problem]:
        """What rows break: each expectation with the number of rows and the first ten ids."""
        problems: list[Problem] = []
        for column in self.required:
            problems += _told(batch, pc.is_null(batch[column]), where, column, "is absent")
        for column, limit in self.least.items():
            problems += _told(batch, pc.less(batch[column], limit), where, column, f"is below {limit:g}")
        for column, limit in self.most.items():
            problems += _told(batch, pc.greater(batch[column], limit), where, column, f"is above {limit:g}")
        for column, values in self.allowed.items():
            known = pc.is_in(batch[column], value_set=pa.array(values, batch[column].type))
            bad = pc.and_(pc.invert(known), pc.is_valid(batch[column]))
            problems += _told(batch, bad, where, column, "is none of the allowed values")
        return problems

    def check(self, batch: pa.RecordBatch, where: str) -> None:
        """Refuses a batch that breaks an expectation.

        Raises:
            DataError: with the rows.
        """
        if problems := self.faults(batch, where):
            raise DataError(problems, NOTHING)

    def check_shares(self, kept: int, faulty: int, where: str) -> None:
        """Refuses a table with too few rows, or too many set aside.

        Args:
            kept: rows of the clean table as it would be.
            faulty: rows in quarantine, without duplicates.
            where: names the table.

        Raises:
            DataError: a limit is broken.
        """
        problems = []
        share = faulty / max(1, kept + faulty)
        if share > self.max_quarantine_share:
            message = (
                f"{faulty} of {kept + faulty} rows ({share:.1%}) would be in quarantine, "
                f"the limit is {self.max_quarantine_share:.1%}."
            )
            problems.append(Problem(where, None, None, message))
        if kept < self.min_rows:
            problems.append(Problem(where, None, None, f"{kept} rows would be left, at least {self.min_rows} must."))
        if problems:
            raise DataError(problems, NOTHING)

    def check_unique(self, values: Mapping[str, Iterable[pa.Array]], where: str) -> None:
        """Refuses a value that comes twice in a column of `unique`.

        Raises:
            DataError: with some of the values.
        """
        problems = []
        for column in self.unique:
            counts = pa.chunked_array(values[column]).drop_null().value_counts()
            twice = counts.filter(pc.greater(counts.field("counts"), 1)).field("values").to_pylist()
            if twice:
                shown = ", ".join(map(repr, twice[:_SHOWN]))
                problems.append(Problem(where, None, column, f"{len(twice)} values come twice: {shown}."))
        if problems:
            raise DataError(problems, NOTHING)


NOTHING = (
    "The contract is broken, so nothing was published: the last good version stays. Mend the source or the contract, "
    "then run again; what was read is staged."
)


def _told(batch: pa.RecordBatch, bad: pa.Array, where: str, column: str, what: str) -> list[Problem]:
    rows = batch.filter(pc.fill_null(bad, False))
    if not rows.num_rows:
        return []
    shown = rows.slice(0, _SHOWN)
    named = [f"{i!r} ({v!r:.60})" for i, v in zip(shown["id"].to_pylist(), shown[column].to_pylist(), strict=True)]
    more = f" and {rows.num_rows - _SHOWN} more" if rows.num_rows > _SHOWN else ""
    return [Problem(where, None, column, f"{what} in {rows.num_rows} rows: {', '.join(named)}{more}.")]
