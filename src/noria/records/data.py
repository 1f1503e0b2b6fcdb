"""What enters from outside: examples to learn from, articles to answer with, streams to replay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

DAY_MS = 86_400_000
"""Milliseconds of a day."""
HOUR_MS = 3_600_000
"""Milliseconds of an hour."""
FOREVER_MS = 2**62
"""A time after every other: the open end of a span."""

OOS = "oos"
"""Reserved intent of an example: a legitimate request outside the declared scope."""
IRRELEVANT = "irrelevant"
"""Reserved intent of an example: no support request at all."""
SMALL_TALK = "small_talk"
"""Reserved intent of an example: greeting, thanks and the like."""
NO_ARTICLE = "none"
"""Reserved article id in a judgement: no article answers the query."""
RESERVED_INTENTS = frozenset({OOS, IRRELEVANT, SMALL_TALK})

Relevance = Literal["in_scope", "new_domain", "irrelevant", "small_talk"]
RELEVANCES: tuple[Relevance, ...] = ("in_scope", "new_domain", "irrelevant", "small_talk")
Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")


@dataclass(frozen=True, slots=True)
class Example:
    """A text with its right intent. `origin` is the file, or `label:<label_id>` for a corrected production query."""

    id: str
    text: str
    intent: str
    split: Split | None = None
    domain: str | None = None
    account: str | None = None
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Article:
    """A knowledge article; `intents` are the intents it answers (may be empty), `account` None = for all accounts.

    `audience`: groups of readers who may see it, such as "agents"; None = everybody of the account.
    """

    article_id: str
    title: str
    body: str
    intents: tuple[str, ...] = ()
    domain: str | None = None
    account: str | None = None
    audience: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class StreamRow:
    """One query of a recorded or generated stream, with the truth where it is known.

    `time_ms`: UTC milliseconds since 1970. `relevance` None = not known.
    """

    id: str
    time_ms: int
    account: str
    text: str
    intent: str | None = None
    article_id: str | None = None
    relevance: Relevance | None = None
    channel: str = "chat"


@dataclass(frozen=True, slots=True)
class DataVersion:
    """A version of a table in the lake: what was read or written, with the sha256 of its rows in order of id."""

    kind: str
    name: str
    version: int
    rows: int
    sha256: str

    @property
    def ref(self) -> str:
        """`name@version`, the form that the command line takes."""
        return f"{self.name}@{self.version}"
