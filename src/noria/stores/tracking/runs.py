"""Runs of experiments, kept columnar: an append-only log whose full segments become Parquet files.

A run is on disk here before anything else hears of it. Tables of 15,000 runs with 170 metrics are filtered and sorted
from the few columns that are asked for; a tracking server is told later, and again until it has answered.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from noria.errors import NotFound, OutsideError, StateError
from noria.records.experiments import ExperimentRun

FACTS = (
    "tag",
    "experiment",
    "number",
    "state",
    "time_ms",
    "data",
    "record",
    "manifest_sha256",
    "bundle_sha256",
    "reason",
)
"""Columns beside the metrics; settings lie in one column of JSON."""
_SEGMENT = 500
"""Runs of a segment: small enough to read as text, large enough that 15,000 runs are 30 files."""


class RunLog:
    """All runs of a home. Any number of processes may write and read.

    Args:
        root: the folder; made at the first append.
    """

    def __init__(self, root: str | Path) -> None:
        self._root = Path(root)
        self._closed: dict[Path, tuple[tuple[str, str], ...]] = {}
        self._opened: dict[Path, tuple[int, list[ExperimentRun]]] = {}

    def append(self, run: ExperimentRun) -> bool:
        """Keeps a run; False, and nothing is changed, where its tag is there already. On disk when it returns.

        Raises:
            OutsideError: the disk refuses (it is full, say); nothing of the run is kept.
        """
        line = json.dumps(asdict(run), allow_nan=False).encode() + b"\n"
        try:
            with self._lock():
                number = self._mended()
                if run.tag in self.tags(run.experiment):
                    return False
                path = self._open_segment(number)
                _append_whole(path, line)
                if len(self._runs_in(path)) >= _SEGMENT:
                    self._close_segment(number)
                return True
        except OSError as error:
            raise OutsideError(
                f"the run {run.tag} cannot be written to {self._root}: {error.strerror or error}. "
                "Free space on the disk, then resume.",
                retry_helps=True,
            ) from error

    def tags(self, experiment: str | None = None) -> set[str]:
        """The tags of an experiment, or of all."""
        closed, loose = self._snapshot()
        pairs = [pair for path in closed for pair in self._names_in(path)]
        pairs += [(run.tag, run.experiment) for run in loose]
        return {tag for tag, of in pairs if experiment in (None, of)}

    def experiments(self) -> dict[str, int]:
        """How many runs each experiment has, by name."""
        counts: dict[str, int] = {}
        for name in self.table(["experiment"])["experiment"]:
            counts[str(name)] = counts.get(str(name), 0) + 1
        return dict(sorted(counts.items()))

    def runs(self, experiment: str | None = None) -> list[ExperimentRun]:
        """Whole runs in order of experiment and number; of all experiments for None."""
        found = [run for run in self._all() if experiment in (None, run.experiment)]
        return sorted(found, key=lambda run: (run.experiment, run.number))

    def get(self, tag: str) -> ExperimentRun:
        """The run of a tag.

        Raises:
            NotFound: there is none; near tags are offered.
        """
        closed, loose = self._snapshot()
        for run in loose:
            if run.tag == tag:
                return run
        for path in closed:
            if any(tag == name for name, _ in self._names_in(path)):
                return _runs_of(pq.read_table(path, filters=[("tag", "=", tag)]))[0]
        raise NotFound("run", tag, self.tags(), "'noria experiments list' shows all runs.")

    def columns(self) -> list[str]:
        """Names of the metrics that any run has, sorted."""
        names: set[str] = set()
        closed, loose = self._snapshot()
        for path in closed:
            names |= {n.removeprefix("m:") for n in pq.read_schema(path).names if n.startswith("m:")}
        for run in loose:
            names |= set(run.metrics)
        return sorted(names)

    def table(self, columns: Iterable[str]) -> dict[str, list[Any]]:
        """Columns of all runs, equally long: `tag` and those asked for (facts, metrics); None where a run has none."""
        wanted = ["tag", *(c for c in dict.fromkeys(columns) if c != "tag")]
        stored = [c if c in FACTS else f"m:{c}" for c in wanted]
        out: dict[str, list[Any]] = {name: [] for name in wanted}
        closed, loose = self._snapshot()
        for path in closed:
            file = pq.ParquetFile(path)
            present = set(file.schema_arrow.names)
            found = file.read([c for c in stored if c in present], use_threads=False)
            for name, column in zip(wanted, stored, strict=True):
                out[name] += found.column(column).to_pylist() if column in present else [None] * found.num_rows
        for run in loose:
            for name in wanted:
                out[name].append(getattr(run, name) if name in FACTS else run.metrics.get(name))
        return out

    # What a tracking server has not heard of yet.

    def undelivered(self) -> list[ExperimentRun]:
        """The runs that `mark_delivered` does not know, oldest first."""
        known = self._delivered()
        if known >= self.tags():
            return []
        return sorted((r for r in self._all() if r.tag not in known), key=lambda r: (r.time_ms, r.experiment, r.number))

    def mark_delivered(self, tags: Collection[str]) -> None:
        """Remembers that a tracking server has these runs."""
        with self._lock():
            _append_whole(self._root / "delivered.txt", "".join(f"{tag}\n" for tag in tags).encode())

    # Inside.

    def _delivered(self) -> set[str]:
        try:
            return set((self._root / "delivered.txt").read_text(encoding="utf-8").split("\n"))
        except FileNotFoundError:
            return set()

    def _parquet(self) -> list[Path]:
        return sorted(self._root.glob("[0-9]*.parquet"))

    def _open_segment(self, number: int) -> Path:
        return self._root / f"{number:06}.jsonl"

    def _all(self) -> Iterator[ExperimentRun]:
        closed, loose = self._snapshot()
        for path in closed:
            yield from _runs_of(pq.read_table(path))
        yield from loose

    def _names_in(self, path: Path) -> tuple[tuple[str, str], ...]:
        """(tag, experiment) of each run of a closed segment, which never changes again."""
        if path not in self._closed:
            found = pq.read_table(path, columns=["tag", "experiment"], use_threads=False)
            self._closed[path] = tuple(zip(*(c.to_pylist() for c in found.columns), strict=True))
        return self._closed[path]

    def _runs_in(self, path: Path) -> list[ExperimentRun]:
        """The runs of the open segment; only what was appended since the last look is read."""
        at, known = self._opened.get(path, (0, []))
        with path.open("rb") as file:
            file.seek(at)
            fresh = file.read()
        whole = fresh[: fresh.rfind(b"\n") + 1]
        if whole:
            known = [*known, *(_run(json.loads(line), path) for line in whole.split(b"\n")[:-1])]
            self._opened = {path: (at + len(whole), known)}
        return known

    def _snapshot(self) -> tuple[list[Path], list[ExperimentRun]]:
        """Closed segments, and the runs of the open one, at one moment; looks again where one was closed meanwhile."""
        while True:
            closed = self._parquet()
            loose: list[ExperimentRun] = []
            try:
                for path in sorted(self._root.glob("[0-9]*.jsonl")):
                    if path.with_suffix(".parquet") not in closed:
                        loose += self._runs_in(path)
            except FileNotFoundError:
                continue
            if self._parquet() == closed:
                return closed, loose

    def _mended(self) -> int:
        """Number of the open segment, after what a crash left has been put right: half a line, a closed segment."""
        for path in self._root.glob("[0-9]*.jsonl"):
            if path.with_suffix(".parquet").exists():
                path.unlink()
        opened = sorted(self._root.glob("[0-9]*.jsonl"))
        if opened:
            content = opened[-1].read_bytes()
            whole = content.rfind(b"\n") + 1
            if whole < len(content):
                os.truncate(opened[-1], whole)
            return int(opened[-1].stem)
        return 1 + max((int(p.stem) for p in self._parquet()), default=0)

    def _close_segment(self, number: int) -> None:
        path = self._open_segment(number)
        table = _table_of([_run(json.loads(line), path) for line in path.read_bytes().splitlines()])
        part = self._root / f".{number:06}.part"
        try:
            pq.write_table(table, part, compression="zstd")
            with part.open("rb") as file:
                os.fsync(file.fileno())
            part.replace(path.with_suffix(".parquet"))
            path.unlink()
        finally:
            part.unlink(missing_ok=True)

    @contextmanager
    def _lock(self) -> Iterator[None]:
        self._root.mkdir(parents=True, exist_ok=True)
        with (self._root / ".lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _append_whole(path: Path, data: bytes) -> None:
    """Appends and waits for the disk; what could be written of it only in part is taken back."""
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    before = os.fstat(handle).st_size
    try:
        written = 0
        while written < len(data):  # a disk that is nearly full takes a part; the next call says so
            written += os.write(handle, data[written:])
        os.fsync(handle)
    except OSError:
        os.ftruncate(handle, before)
        raise
    finally:
        os.close(handle)


def _table_of(runs: Sequence[ExperimentRun]) -> pa.Table:
    columns: dict[str, Any] = {name: [getattr(run, name) for run in runs] for name in FACTS}
    columns["settings"] = [json.dumps(dict(run.settings)) for run in runs]
    names = sorted({name for run in runs for name in run.metrics})
    columns |= {f"m:{name}": pa.array([run.metrics.get(name) for run in runs], pa.float64()) for name in names}
    return pa.table(columns)


def _runs_of(table: pa.Table) -> list[ExperimentRun]:
    out = []
    for row in table.to_pylist():
        metrics = {k.removeprefix("m:"): v for k, v in row.items() if k.startswith("m:") and v is not None}
        facts = {name: row[name] for name in FACTS}
        out.append(ExperimentRun(**facts, settings=json.loads(row["settings"]), metrics=metrics))
    return out


def _run(values: Mapping[str, Any], path: Path) -> ExperimentRun:
    try:
        return ExperimentRun(**values)
    except TypeError as error:
        raise StateError(
            f"{path} holds a run of another version of Noria ({error}); update Noria to read it."
        ) from None
