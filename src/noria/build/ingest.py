"""Brings a file into the lake as a new version of a table: all of it, or nothing and a list of what is wrong."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal, TypeVar, cast

from noria.build.parsing import REQUIRED, Parser
from noria.build.reading import BrokenRow, RawRow, read_file
from noria.errors import DataError, NotFound, Problem, UsageError
from noria.records import RESERVED_INTENTS, Article, DataVersion, Example, Receipt, StreamRow
from noria.stores.lake import Lake

Kind = Literal["examples", "articles", "stream"]
R = TypeVar("R")


def add_data(
    lake: Lake,
    path: Path,
    kind: Kind,
    *,
    name: str,
    time_ms: int,
    rename: Mapping[str, str] | None = None,
    quarantine: Path | None = None,
    extend_scope: bool = False,
    update: bool = False,
) -> tuple[DataVersion, Receipt]:
    """Adds the rows of a file to a table and makes one new version of it.

    Args:
        lake: where tables are kept.
        path: JSONL, CSV, TSV or Parquet, also gzipped.
        kind: what the rows are.
        name: the table.
        time_ms: when, for the table's history.
        rename: field → column of the file.
        quarantine: where bad rows are written as JSON lines, so that the good ones can come in; None = all or nothing.
        extend_scope: whether intents that the table does not know yet may come in.
        update: whether a row with a known id replaces the old one; otherwise a changed row is a problem.

    Raises:
        DataError: rows are bad and there is no quarantine, a required column is missing, or nothing good is left.
        UsageError: the file or the quarantine file cannot be used.
    """
    if quarantine is not None and quarantine.exists():
        raise UsageError(f"{quarantine} exists already and is not overwritten; name another quarantine file.")
    rows, broken, columns = read_file(path, rename or {})
    _check_columns(path.name, kind, rows, broken, columns, rename or {})
    parser = Parser(kind, path.name, None if extend_scope else _declared(lake, kind, name))
    good: list[Example | Article | StreamRow] = []
    bad = [(b.problem, b.raw) for b in broken]
    for raw in rows:
        made = parser.parse(raw)
        if isinstance(made, Problem):
            bad.append((made, json.dumps(dict(raw.fields), ensure_ascii=True, default=str)))
        else:
            good.append(made)
    bad.sort(key=lambda item: item[0].row or 0)
    if bad and quarantine is None:
        raise DataError(
            [p for p, _ in bad],
            f"Nothing was imported ({len(good)} good rows, {len(bad)} bad). Mend the rows, or set them aside with "
            f"--quarantine FILE.",
        )
    if not good:
        raise DataError(
            [p for p, _ in bad] or [Problem(path.name, None, None, "holds no rows.")], "Nothing was imported."
        )
    if bad and quarantine is not None:
        _write_quarantine(quarantine, bad)
    version = _write(lake, kind, name, good, update=update, note={"source": path.name}, time_ms=time_ms)
    counts = {"read": len(rows) + len(broken), "good": len(good), "quarantined": len(bad), "rows": version.rows}
    return version, Receipt("build", counts, {"table": version.ref, "sha256": version.sha256})


def _check_columns(
    file: str,
    kind: Kind,
    rows: Sequence[RawRow],
    broken: Sequence[BrokenRow],
    columns: set[str],
    rename: Mapping[str, str],
) -> None:
    missing = [field for field in REQUIRED[kind] if field not in columns]
    if rows and missing:
        have = ", ".join(sorted(rename.get(c, c) for c in columns))
        raise DataError(
            [Problem(file, None, field, f"the column is missing; the file has {have}.") for field in missing],
            f"Name the column that holds it: --map {missing[0]}=COLUMN.",
        )
    if not rows and not broken:
        raise DataError([Problem(file, None, None, "holds no rows.")], "Nothing was imported.")


def _declared(lake: Lake, kind: Kind, name: str) -> set[str] | None:
    """The intents that the table declares so far; None where there is no such table yet."""
    if kind != "examples":
        return None
    try:
        _, rows = lake.examples(name)
    except NotFound:
        return None
    intents = {row.intent for row in rows} - RESERVED_INTENTS
    return intents or None


def _write(
    lake: Lake,
    kind: Kind,
    name: str,
    rows: Sequence[Example | Article | StreamRow],
    *,
    update: bool,
    note: Mapping[str, str],
    time_ms: int,
) -> DataVersion:
    """One new version: the rows appended, or merged by id over the version that was read (and over no other)."""
    if kind == "examples":
        examples, expect, mode = _merged(lake.examples, name, cast("Sequence[Example]", rows), lambda r: r.id, update)
        return lake.write_examples(name, examples, mode=mode, note=note, time_ms=time_ms, expect=expect)
    if kind == "articles":
        found = cast("Sequence[Article]", rows)
        articles, expect, mode = _merged(lake.articles, name, found, lambda r: r.article_id, update)
        return lake.write_articles(name, articles, mode=mode, note=note, time_ms=time_ms, expect=expect)
    stream, expect, mode = _merged(lake.stream, name, cast("Sequence[StreamRow]", rows), lambda r: r.id, update)
    return lake.write_stream(name, stream, mode=mode, note=note, time_ms=time_ms, expect=expect)


def _merged(
    read: Callable[[str], tuple[DataVersion, list[R]]],
    name: str,
    rows: Sequence[R],
    key: Callable[[R], str],
    update: bool,  # noqa: FBT001 - private, and always named where it starts
) -> tuple[Sequence[R], DataVersion | None, Literal["append", "replace"]]:
    if not update:
        return rows, None, "append"
    try:
        version, present = read(name)
    except NotFound:
        return rows, None, "append"
    return list(({key(r): r for r in present} | {key(r): r for r in rows}).values()), version, "replace"


def _write_quarantine(path: Path, bad: Sequence[tuple[Problem, str]]) -> None:
    """Written whole or not at all."""
    part = path.with_name(path.name + ".part")
    lines = [
        json.dumps({"file": p.file, "row": p.row, "field": p.field, "message": p.message, "raw": raw}) for p, raw in bad
    ]
    try:
        part.write_text("\n".join(lines) + "\n", encoding="utf-8")
        os.replace(part, path)  # noqa: PTH105 - atomic also where the target appeared meanwhile
    except OSError as error:
        raise UsageError(f"the quarantine file {path} cannot be written: {error.strerror}.") from None
