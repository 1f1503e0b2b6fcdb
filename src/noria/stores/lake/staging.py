"""Data files of a table, written before the commit that makes them part of it: bounded memory, never seen half."""

from __future__ import annotations

import io
import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote, unquote

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake.transaction import AddAction

from noria.stores.lake.digest import conform
from noria.stores.objects import Objects

GROUP_ROWS = 65_536
_GROUP_BYTES = 32 << 20
_FILE_ROWS = 4 * GROUP_ROWS
_FILE_BYTES = 64 << 20

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class DataFile:
    """A Parquet file of a table: its name in the table's folder, bytes and rows."""

    name: str
    size: int
    rows: int

    def added(self, time_ms: int) -> AddAction:
        """What the commit says of it: no smallest and greatest values, which would copy texts into the log."""
        stats = json.dumps({"numRecords": self.rows})
        return AddAction(quote(self.name), self.size, {}, time_ms, True, stats)


@dataclass(slots=True)
class FileWriter:
    """Writes batches into Parquet files of bounded size in the folder of a table.

    Args:
        objects: the lake.
        folder: of the table, within the lake.
        schema: of every batch.
    """

    objects: Objects
    folder: str
    schema: pa.Schema
    files: list[DataFile] = field(default_factory=list)
    _waiting: list[pa.RecordBatch] = field(default_factory=list)
    _waiting_rows: int = 0
    _waiting_bytes: int = 0
    _buffer: io.BytesIO | None = None
    _parquet: pq.ParquetWriter | None = None
    _rows: int = 0

    def add(self, batch: pa.RecordBatch) -> None:
        """Takes rows on; they are on disk after `close`."""
        if not batch.num_rows:
            return
        self._waiting.append(batch)
        self._waiting_rows += batch.num_rows
        self._waiting_bytes += batch.nbytes
        if self._waiting_rows >= GROUP_ROWS or self._waiting_bytes >= _GROUP_BYTES:
            self._write_group()

    def close(self) -> list[DataFile]:
        """Writes what waits and tells all files."""
        self._write_group()
        self._write_file()
        return self.files

    def discard(self) -> None:
        """Removes the files that were written; nothing refers to them."""
        self._buffer = self._parquet = None
        self._waiting.clear()
        discard(self.objects, self.folder, self.files)
        self.files.clear()

    def _write_group(self) -> None:
        if not self._waiting:
            return
        if self._parquet is None:
            self._buffer = io.BytesIO()
            self._parquet = pq.ParquetWriter(self._buffer, self.schema, compression="zstd")
        self._parquet.write_table(pa.Table.from_batches(self._waiting, self.schema), row_group_size=self._waiting_rows)
        self._rows += self._waiting_rows
        self._waiting.clear()
        self._waiting_rows = self._waiting_bytes = 0
        if self._rows >= _FILE_ROWS or (self._buffer is not None and self._buffer.tell() >= _FILE_BYTES):
            self._write_file()

    def _write_file(self) -> None:
        if self._parquet is None or self._buffer is None:
            return
        self._parquet.close()
        data = self._buffer.getbuffer()
        made = DataFile(f"part-{uuid.uuid4().hex}.parquet", len(data), self._rows)
        self.objects.write(f"{self.folder}/{made.name}", data)
        self.files.append(made)
        data.release()
        self._buffer, self._parquet, self._rows = None, None, 0


def discard(objects: Objects, folder: str, files: Sequence[DataFile]) -> None:
    """Removes files that no commit refers to."""
    for file in files:
        objects.remove(f"{folder}/{file.name}")


def read_file(
    objects: Objects, folder: str, name: str, schema: pa.Schema, columns: Sequence[str] | None = None
) -> Iterator[pa.RecordBatch]:
    """The rows of a data file in their order; a column that the file does not have yet is null in every row.

    Raises:
        FileNotFoundError, pa.ArrowInvalid: the file is gone or damaged.
    """
    wanted = schema if columns is None else pa.schema([schema.field(name) for name in columns])
    # Not Arrow's dataset: see `delta.read_rows`.
    with pq.ParquetFile(objects.source(f"{folder}/{unquote(name)}")) as file:
        present = [field.name for field in wanted if field.name in file.schema_arrow.names]
        for batch in file.iter_batches(batch_size=GROUP_ROWS, columns=present, use_threads=False):
            yield conform(batch, wanted, f"{folder}/{name}")


def pick_rows(
    objects: Objects, folder: str, name: str, schema: pa.Schema, column: str, values: pa.Array
) -> Iterator[pa.RecordBatch]:
    """The rows of a data file whose value of a column is among some; only groups that hold one are read whole.

    Raises:
        FileNotFoundError, pa.ArrowInvalid: the file is gone or damaged.
    """
    with pq.ParquetFile(objects.source(f"{folder}/{unquote(name)}")) as file:
        present = [field.name for field in schema if field.name in file.schema_arrow.names]
        for group in range(file.num_row_groups if column in present else 0):
            cells = file.read_row_group(group, columns=[column], use_threads=False)[column].combine_chunks()
            hit = pc.is_in(cells.cast(schema.field(column).type), value_set=values)
            if pc.any(hit).as_py():
                rows = file.read_row_group(group, columns=present, use_threads=False).filter(hit)
                yield from (conform(batch, schema, f"{folder}/{name}") for batch in rows.to_batches())


def copy_rows(
    objects: Objects, folder: str, schema: pa.Schema, masks: Mapping[str, Mask | None]
) -> Iterator[pa.RecordBatch]:
    """The rows of files that their masks keep (None = all, an empty mask = none), file by file."""
    for name, mask in masks.items():
        if mask is not None and not mask.any():
            continue
        start = 0
        for batch in read_file(objects, folder, name, schema):
            part = None if mask is None else mask[start : start + batch.num_rows]
            start += batch.num_rows
            yield batch if part is None else batch.filter(pa.array(part))
