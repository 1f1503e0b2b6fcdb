"""Prepared rows on their way from the row functions to the global step: on disk, and compactly what decides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa

from noria.build.cleaning.narrow import Narrow
from noria.build.cleaning.rows import RowCleaner
from noria.build.cleaning.rules import TEXT_RULES


class Spool:
    """Prepared rows in one Arrow file.

    Args:
        path: the file; made by `fill`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.narrow = Narrow(path.parent / "narrow")
        """What the global step needs, in the order of `batches`."""
        self.rules: Counter[str] = Counter()
        """How many rows each text rule changed."""

    def fill(self, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Spool:
        """Writes prepared rows, batch by batch."""
        options = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)
        with pa.OSFile(str(self._path), "wb") as sink, pa.ipc.new_file(sink, schema, options=options) as writer:
            for batch in batches:
                writer.write_batch(batch)
                self.narrow.add(batch)
                bits = np.asarray(batch["rules"].to_numpy(zero_copy_only=False))
                for bit, name in enumerate(TEXT_RULES):
                    self.rules[name] += int((bits >> bit & 1).sum())
        self.narrow.close()
        return self

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows, read anew."""
        with pa.OSFile(str(self._path), "rb") as source, pa.ipc.open_file(source) as reader:
            for number in range(reader.num_record_batches):
                yield reader.get_batch(number)


class Engine(Protocol):
    """Where the row functions run; the global step and the commit are the same for all."""

    def prepare(self, raw: Iterable[pa.RecordBatch], cleaner: RowCleaner, folder: Path) -> Spool:
        """The prepared rows of raw rows, in their order or another.

        Args:
            raw: read once.
            cleaner: what is done to a batch.
            folder: a folder of the run's own.
        """
        ...


class EmbeddedEngine:
    """In this process, batch by batch."""

    def prepare(self, raw: Iterable[pa.RecordBatch], cleaner: RowCleaner, folder: Path) -> Spool:
        """See `Engine`."""
        return Spool(folder / "prepared.arrow").fill(map(cleaner.clean, raw), cleaner.schema)
