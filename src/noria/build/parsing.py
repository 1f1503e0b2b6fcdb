"""Turns raw rows into examples, articles and stream rows, or into problems that name row, field and way out."""

from __future__ import annotations

import datetime as dt
import hashlib
import math
from collections.abc import Callable, Collection, Mapping

from noria.build.reading import RawRow
from noria.errors import Problem, nearest
from noria.records import (
    IRRELEVANT,
    OOS,
    RELEVANCES,
    RESERVED_INTENTS,
    SMALL_TALK,
    Article,
    Example,
    Relevance,
    Split,
    StreamRow,
)

MAX_TEXT_CHARS = 20_000
MAX_NAME_CHARS = 200
REQUIRED = {
    "examples": ("text", "intent"),
    "articles": ("article_id", "title", "body"),
    "stream": ("time", "text", "account"),
}
_SPLIT_NAMES: Mapping[str, Split] = {
    "train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "dev": "val",
    "test": "test",
}  # fmt: skip
_RELEVANCE_OF: Mapping[str, Relevance] = {OOS: "new_domain", IRRELEVANT: "irrelevant", SMALL_TALK: "small_talk"}


class FieldFault(Exception):
    """One field of one row is bad."""

    def __init__(self, field: str, message: str) -> None:
        self.field = field
        super().__init__(message)


class Parser:
    """Parses the rows of one file of one kind.

    Args:
        kind: "examples", "articles" or "stream".
        file: name shown in problems.
        intents: the declared intents, or None where the file declares them itself.
    """

    def __init__(self, kind: str, file: str, intents: Collection[str] | None = None) -> None:
        self.file, self.intents = file, intents
        self._seen: dict[str, int] = {}
        self._made: dict[str, int] = {}
        make: dict[str, Callable[[RawRow], Example | Article | StreamRow]] = {
            "examples": self._example, "articles": self._article, "stream": self._stream,
        }  # fmt: skip
        self._make = make[kind]

    def parse(self, raw: RawRow) -> Example | Article | StreamRow | Problem:
        """The record of a row, or the first problem it has."""
        try:
            return self._make(raw)
        except FieldFault as fault:
            return Problem(self.file, raw.row, fault.field, str(fault))

    def _example(self, raw: RawRow) -> Example:
        body = text(raw, "text", MAX_TEXT_CHARS)
        intent = text(raw, "intent", MAX_NAME_CHARS)
        if self.intents is not None and intent not in self.intents and intent not in RESERVED_INTENTS:
            hint = nearest(intent, self.intents)
            raise FieldFault(
                "intent", f"{intent!r} is outside the declared intents. {hint} Or add it with --extend-scope."
            )
        split = optional(raw, "split")
        if split is not None and split.lower() not in _SPLIT_NAMES:
            raise FieldFault("split", f"{split!r} is not one of train, val, test.")
        row_id = self._id(raw, "id", body, intent, split or "")
        return Example(
            id=row_id,
            text=body,
            intent=intent,
            split=_SPLIT_NAMES[split.lower()] if split else None,
            domain=optional(raw, "domain"),
            account=optional(raw, "account"),
            origin=self.file,
        )

    def _article(self, raw: RawRow) -> Article:
        title = text(raw, "title", MAX_TEXT_CHARS)
        body = text(raw, "body", 10 * MAX_TEXT_CHARS)
        text(raw, "article_id", MAX_NAME_CHARS)
        return Article(
            article_id=self._id(raw, "article_id"),
            title=title,
            body=body,
            intents=_names(raw, "intents"),
            domain=optional(raw, "domain"),
            account=optional(raw, "account"),
            audience=_audience(raw),
        )

    def _stream(self, raw: RawRow) -> StreamRow:
        body = text(raw, "text", MAX_TEXT_CHARS)
        account = text(raw, "account", MAX_NAME_CHARS)
        time_ms = to_ms(raw.fields.get("time"))
        intent, relevance = optional(raw, "intent"), optional(raw, "relevance")
        if relevance is not None and relevance not in RELEVANCES:
            raise FieldFault("relevance", f"{relevance!r} is not one of {', '.join(RELEVANCES)}.")
        known = next((r for r in RELEVANCES if r == relevance), None)
        return StreamRow(
            id=self._id(raw, "id", str(time_ms), body, account),
            time_ms=time_ms,
            account=account,
            text=body,
            intent=intent,
            article_id=optional(raw, "article_id"),
            relevance=known or (_RELEVANCE_OF.get(intent) if intent else None),
            channel=optional(raw, "channel") or "chat",
        )

    def _id(self, raw: RawRow, field: str, *content: str) -> str:
        """The row's own id, checked to be new in this file, or one made from its content."""
        given = optional(raw, field)
        if given is None:
            digest = hashlib.sha256("\x1f".join(content).encode("utf-8", "surrogatepass")).hexdigest()[:16]
            times = self._made[digest] = self._made.get(digest, 0) + 1
            return digest if times == 1 else f"{digest}-{times}"
        if given in self._seen:
            raise FieldFault(field, f"duplicate id {given!r}, first used in row {self._seen[given]}.")
        self._seen[given] = raw.row
        return given


def text(raw: RawRow, field: str, limit: int) -> str:
    """A required text field, stripped; raises FieldFault when absent, empty, not text, or longer than `limit`."""
    value = raw.fields.get(field)
    if value is None:
        raise FieldFault(field, "is missing.")
    if not isinstance(value, str):
        if isinstance(value, bool) or not isinstance(value, int):
            raise FieldFault(field, f"is {type(value).__name__}, not text.")
        value = str(value)
    value = value.strip()
    if not value:
        raise FieldFault(field, "is empty.")
    if len(value) > limit:
        raise FieldFault(field, f"has {len(value)} characters, the limit is {limit}.")
    if any("\ud800" <= char <= "\udfff" for char in value):
        raise FieldFault(field, "holds half of a surrogate pair; it is not valid Unicode.")
    return value


def optional(raw: RawRow, field: str) -> str | None:
    """An optional short text field; None when absent or blank."""
    value = raw.fields.get(field)
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    return text(raw, field, MAX_NAME_CHARS)


def _names(raw: RawRow, field: str) -> tuple[str, ...]:
    value = raw.fields.get(field)
    if value is None:
        return ()
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, list) or not all(isinstance(i, str) for i in items):
        raise FieldFault(field, "is neither a list of names nor names with commas between.")
    return tuple(i.strip() for i in items if i.strip())


def _audience(raw: RawRow) -> tuple[str, ...] | None:
    """Groups that may see an article. An empty cell says nothing: everybody; an empty list says: nobody."""
    value = raw.fields.get("audience")
    return None if value is None or value == "" else _names(raw, "audience")


def to_ms(value: object) -> int:
    """UTC milliseconds of an ISO 8601 text (no zone = UTC), a datetime, or epoch seconds or milliseconds."""
    moment = value
    if isinstance(moment, str):
        try:
            moment = (
                float(moment) if moment.replace(".", "", 1).isdigit() else dt.datetime.fromisoformat(moment.strip())
            )
        except ValueError:
            raise FieldFault("time", f"{value!r} is not a time; write it as 2026-01-31T09:30:00Z.") from None
    if isinstance(moment, dt.datetime):
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=dt.UTC)
        return round(moment.timestamp() * 1000)
    if isinstance(moment, int | float) and not isinstance(moment, bool) and math.isfinite(moment):
        # seconds until the year 5138, milliseconds from March 1973 on
        return round(moment * 1000) if abs(moment) < 100_000_000_000 else round(moment)
    raise FieldFault("time", "is missing." if value is None else f"{value!r} is not a time.")
