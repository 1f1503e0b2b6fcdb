"""The row functions on Spark: plain, Connect, Sail or Databricks, by whatever session is handed in.

Workers need this package and its libraries: the same environment, a wheel, or `addArtifacts`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from noria.build.cleaning.rows import RowCleaner
from noria.build.engine.spool import Spool

_FILE_ROWS = 50_000


class SparkEngine:
    """`mapInArrow` over raw rows; the prepared rows come back as Arrow.

    Args:
        spark: a session (`pyspark.sql.SparkSession`), classic or Connect.
        shared: a folder that this process and all workers see; None = the run's own, for workers on this machine.
    """

    def __init__(self, spark: Any, shared: Path | None = None) -> None:
        self._spark, self._shared = spark, shared

    def prepare(self, raw: Iterable[pa.RecordBatch], cleaner: RowCleaner, folder: Path) -> Spool:
        """See `noria.build.engine.spool.Engine`."""
        given, made = self._folders(folder)
        _write(raw, given)
        schema = cleaner.schema

        def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            for batch in batches:
                yield cleaner.clean(_as(batch, cleaner.columns.raw_schema))

        rows = self._spark.read.parquet(str(given)).mapInArrow(run, _ddl(schema))
        rows.write.mode("overwrite").parquet(str(made))
        return Spool(folder / "prepared.arrow").fill(_read(made, schema), schema)

    def _folders(self, folder: Path) -> tuple[Path, Path]:
        base = (self._shared / folder.name) if self._shared else folder
        given = base / "raw"
        given.mkdir(parents=True, exist_ok=True)
        return given, base / "prepared"


def _write(raw: Iterable[pa.RecordBatch], folder: Path) -> None:
    """Raw rows as Parquet files, small enough that each worker gets some."""
    held: list[pa.RecordBatch] = []
    number = 0
    for batch in raw:
        held.append(batch)
        if sum(b.num_rows for b in held) >= _FILE_ROWS:
            pq.write_table(pa.Table.from_batches(held), folder / f"{number:06}.parquet")
            held, number = [], number + 1
    if held:
        pq.write_table(pa.Table.from_batches(held), folder / f"{number:06}.parquet")


def _read(folder: Path, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    for path in sorted(folder.rglob("*.parquet")):
        for batch in pq.ParquetFile(path).iter_batches(use_threads=False):
            yield _as(batch, schema)


def _as(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """A batch as an engine hands it over (other widths of text, other order of columns) in our schema."""
    return pa.RecordBatch.from_arrays([batch[f.name].cast(f.type) for f in schema], schema=schema)


def _ddl(schema: pa.Schema) -> str:
    names = {pa.string(): "string", pa.int64(): "bigint", pa.float64(): "double", pa.bool_(): "boolean",
             pa.binary(): "binary"}  # fmt: skip
    return ", ".join(f"`{field.name}` {names[field.type]}" for field in schema)
