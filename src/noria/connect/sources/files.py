"""Files as a source: JSONL, CSV, TSV, Parquet, also gzipped, in a folder or on S3; each file is read once.

S3 goes through Arrow's own client, with credentials by the standard chain (environment, profile, instance role).
"""

from __future__ import annotations

import fnmatch
import gzip
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import pyarrow as pa

from noria.connect.sources.parsing import Reading, delimited, jsonl, parquet, whole
from noria.errors import OutsideError, UsageError
from noria.ports.source import Page

_FORMATS = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".tsv": "tsv", ".parquet": "parquet"}


@dataclass(frozen=True, slots=True)
class _File:
    path: str
    size: int
    stamp: str
    """When it was last written; a file that changed is read again."""


class FileSource:
    """All files that match a pattern, in order of name.

    A file that is there already by size and time of change is not read again, and one whose bytes equal those of an
    earlier one (a copy) is counted and skipped. A full read takes each file once.

    Args:
        pattern: a path with `*` and `?` in its last part, e.g. `inbox/*.jsonl.gz` or `s3://bucket/tickets/*.csv`.
        reading: limits, encoding and names of columns.
        filesystem: an Arrow file system for S3; None = made from the address and the environment.
    """

    def __init__(self, pattern: str, reading: Reading | None = None, filesystem: Any = None) -> None:
        self._pattern, self._reading = pattern, reading or Reading()
        self._remote = pattern.startswith("s3://")
        self._filesystem = filesystem

    def describe(self) -> str:
        return f"files {self._pattern}"

    def pages(self, since: str | None, *, schema: pa.Schema, full: bool) -> Iterator[Page]:
        """See `noria.ports.source.Source`."""
        known: dict[str, list[Any]] = json.loads(since) if since else {}
        done: dict[str, list[Any]] = {} if full else dict(known)
        contents = {entry[2] for entry in done.values()}
        skipped = copies = 0
        for file in self._found():
            if not full and known.get(file.path, [None, None])[:2] == [file.size, file.stamp]:
                skipped += 1
                continue
            digest = self._digest(file)
            if digest in contents:
                copies += 1
            else:
                yield from whole(lambda f=file: self._read(f, schema), file.path)  # type: ignore[misc]
            contents.add(digest)
            done[file.path] = [file.size, file.stamp, digest]
            if not full:
                yield Page(cursor=json.dumps(done, sort_keys=True))
        yield Page(cursor=json.dumps(done, sort_keys=True), notes={"files_known": skipped, "file_copies": copies})

    def _read(self, file: _File, schema: pa.Schema) -> Iterator[Page]:
        name = file.path.rsplit("/", 1)[-1]
        kind = _format(name)
        with self._open(file.path) as raw:
            zipped = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            stream = cast("BinaryIO", gzip.GzipFile(fileobj=raw)) if zipped else raw
            if kind == "jsonl":
                yield from jsonl(name, stream, schema, self._reading)
            elif kind == "parquet":
                yield from parquet(name, stream, schema, self._reading)
            else:
                yield from delimited(name, stream, schema, self._reading, "\t" if kind == "tsv" else ",")

    def _found(self) -> list[_File]:
        if not self._remote:
            path = Path(self._pattern)
            files = sorted(p for p in path.parent.glob(path.name) if p.is_file() and not p.name.startswith("."))
            found = [_File(str(p), s.st_size, str(s.st_mtime_ns)) for p in files for s in [p.stat()]]
        else:
            found = self._listed()
        if not found:
            raise UsageError(f"no file matches {self._pattern}.")
        for file in found:
            _format(file.path.rsplit("/", 1)[-1])
        return found

    def _listed(self) -> list[_File]:
        import pyarrow.fs as pf

        filesystem, path = self._remote_place()
        folder, shape = path.rsplit("/", 1)
        try:
            entries = filesystem.get_file_info(pf.FileSelector(folder))
        except OSError as error:
            raise OutsideError(f"{self._pattern} cannot be listed: {error}.", retry_helps=True) from error
        files = [e for e in entries if e.type == pf.FileType.File and fnmatch.fnmatchcase(e.base_name, shape)]
        return [_File(e.path, int(e.size), str(e.mtime_ns)) for e in sorted(files, key=lambda e: str(e.path))]

    def _remote_place(self) -> tuple[Any, str]:
        if self._filesystem is not None:
            return self._filesystem, self._pattern.removeprefix("s3://")
        import pyarrow.fs as pf

        # the region is asked for by Arrow itself where the environment names none
        self._filesystem, _ = pf.FileSystem.from_uri(self._pattern.rsplit("/", 1)[0])
        return self._filesystem, self._pattern.removeprefix("s3://")

    def _open(self, path: str) -> BinaryIO:
        try:
            if self._remote:
                return cast("BinaryIO", self._remote_place()[0].open_input_file(path))
            return Path(path).open("rb")
        except OSError as error:
            raise OutsideError(f"{path} cannot be opened: {error}.", retry_helps=True) from error

    def _digest(self, file: _File) -> str:
        digest = hashlib.blake2b(digest_size=16)
        with self._open(file.path) as stream:
            while chunk := stream.read(1 << 20):
                digest.update(chunk)
        return digest.hexdigest()


def _format(name: str) -> str:
    ending = next((e for e in (name.lower().removesuffix(".gz")[-n:] for n in (4, 6, 7, 8)) if e in _FORMATS), None)
    if ending is None:
        raise UsageError(f"{name}: unknown format. Name it .jsonl, .csv, .tsv or .parquet, each also with .gz behind.")
    return _FORMATS[ending]
