"""The rules of cleaning: each has a name, can be switched off, and is counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

TEXT_RULES = ("html", "unicode", "mail", "whitespace", "redact")
"""Rules that change a text, in the order in which they run; bit n of the column `rules` says that number n did."""

REASONS = ("unreadable", "type", "line_too_long", "encoding", "empty", "too_long", "absurd", "language",
           "label_conflict", "exact_duplicate", "near_duplicate")  # fmt: skip
"""Why a row is in the quarantine."""
DUPLICATE_REASONS = ("exact_duplicate", "near_duplicate")
"""Reasons that are no fault of the row."""


@dataclass(frozen=True, slots=True)
class Rules:
    """Which rules run, and their limits.

    Args:
        html: tags and entities out, block tags become line ends.
        unicode: NFKC, control and zero-width characters out.
        mail: quoted replies and signatures out.
        whitespace: runs of blanks become one, three line ends or more become two.
        redact: personal data and secrets become `[kind]`.
        language: name the language of each text of at least `min_language_chars` characters.
        languages: only these (ISO 639-1) may stay; empty = all.
        min_language_chars: shorter texts have no language.
        min_chars: a text with fewer letters or digits is empty.
        max_chars: a longer text is too long.
        absurd: texts of one sign repeated, without any letter, or with hardly a blank, are rejected.
        exact: what happens to all but the earliest of texts that are equal but for upper and lower case.
        near: "mark" writes the earlier text's id into `near_of`; "reject" sets the row aside.
        near_similarity: least estimated Jaccard similarity of near duplicates, over shingles of three words.
        conflicts: equal texts with different labels: all of them are set aside.
    """

    html: bool = True
    unicode: bool = True
    mail: bool = True
    whitespace: bool = True
    redact: bool = True
    language: bool = True
    languages: tuple[str, ...] = ()
    min_language_chars: int = 20
    min_chars: int = 2
    max_chars: int = 20_000
    absurd: bool = True
    exact: Literal["reject", "keep"] = "reject"
    near: Literal["mark", "reject", "off"] = "mark"
    near_similarity: float = 0.8
    conflicts: Literal["reject", "keep"] = "reject"
