"""A made-up help desk for tests of the pipeline: tickets that come, change and repeat, on a temporary folder."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from noria.build import run_feed
from noria.build.pipeline.feed import Feed, feed_of
from noria.connect.sources.files import FileSource
from noria.ports.source import Page
from noria.stores.lake import Lake

WORDS = ("vpn", "printer", "login", "office", "mail", "reset", "please", "cannot", "open", "since", "monday", "error")
COLUMNS = {
    "id": "name", "subject": "text", "body": "text", "cat": "name", "requester": "person", "n": "int",
    "created": "time", "updated": "time",
}  # fmt: skip


def feed(**changes: Any) -> Feed:
    raw: dict[str, Any] = {
        "columns": COLUMNS, "key": "id", "texts": ["subject", "body"], "updated": "updated", "time": "created",
        "label": "cat", "contract": {"max_quarantine_share": 1.0, "max_deleted_share": 0.9, "min_rows": 0},
        "full_refresh_days": 0,
    }  # fmt: skip
    return feed_of("tickets", raw | changes)


def ticket(number: int, day: int, change: int = 0, **fields: Any) -> dict[str, Any]:
    """A ticket; few words, so that duplicates, near duplicates and label conflicts happen."""
    draw = random.Random(number % 23 * 31 + change)
    row = {
        "id": f"t{number}", "subject": f"{draw.choice(WORDS)} {draw.choice(WORDS)}",
        "body": " ".join(draw.choice(WORDS) for _ in range(draw.choice((0, 2, 30)))),
        "cat": ("hardware", "access")[number % 9 == 0], "requester": f"person{number % 7}@example.com", "n": number,
        "created": f"2024-01-{1 + number % 28:02d}T08:00:00Z", "updated": f"2024-02-{day:02d}T08:00:00Z",
    }  # fmt: skip
    return row | fields


def write(folder: Path, name: str, rows: Sequence[Mapping[str, Any]], *, tail: str = "") -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("\n".join(map(json.dumps, rows)) + "\n" + tail, encoding="utf-8")


def source(folder: Path) -> FileSource:
    return FileSource(str(folder / "*.jsonl"))


class Desk:
    """A source with rows in memory: all of them in a full reading, the given ones otherwise."""

    def __init__(self, rows: Mapping[str, Mapping[str, Any]]) -> None:
        self.rows = rows

    def describe(self) -> str:
        return "a desk in memory"

    def pages(self, since: str | None, *, schema: object, full: bool) -> Iterator[Page]:
        newer = [r for r in self.rows.values() if full or since is None or str(r["updated"]) >= since]
        top = max((str(r["updated"]) for r in newer), default=since)
        yield Page(newer, cursor=top)


def runs(folder: Path, upto: int, times: int, first: int = 0) -> None:
    """Several runs over a desk that grows and changes; for processes that are killed or run beside another."""
    made_up = feed()
    for n in range(times):
        desk = {f"t{i}": ticket(i, 1 + (first + n) % 28, (first + n) % 3) for i in range(upto * (n + 1))}
        run_feed(Lake(folder), made_up, Desk(desk), time_ms=n)
