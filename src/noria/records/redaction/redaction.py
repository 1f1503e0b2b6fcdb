"""Blots out what recognisers find."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from noria.records.redaction.recognisers import RECOGNISERS, Recogniser

# Each built-in kind needs one of a few signs or a run of letters that no word has: most texts stop here.
_SIGNS = re.compile(r"[\d@:=-]")
_LONG = 16
_MAY_HOLD = re.compile(r"[\d@]|[\w.+/=-]{16}|BEGIN|(?:pass|pwd|secret|key|token|pin)\w*\s*[:=]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Redacted:
    """A text without what was found in it; `counts`: kind → how many were found, kinds without any left out."""

    text: str
    counts: Mapping[str, int]


def redact(text: str, recognisers: Sequence[Recogniser] = RECOGNISERS) -> Redacted:
    """Puts `[kind]` in the place of each thing found; a text that was redacted stays as it is.

    Args:
        text: any text.
        recognisers: what to look for; where two find the same place, the earlier one names it.
    """
    if recognisers is RECOGNISERS:
        plain = _SIGNS.search(text) is None and max(map(len, text.split()), default=0) < _LONG
        if plain or not _MAY_HOLD.search(text):
            return Redacted(text, {})
    taken: list[tuple[int, int, str]] = []
    for recogniser in recognisers:
        for start, end in recogniser.find(text):
            if start < end and all(end <= other or start >= until for other, until, _ in taken):
                taken.append((start, end, recogniser.kind))
    parts: list[str] = []
    counts: dict[str, int] = {}
    at = 0
    for start, end, kind in sorted(taken):
        parts += [text[at:start], f"[{kind}]"]
        counts[kind] = counts.get(kind, 0) + 1
        at = end
    return Redacted("".join([*parts, text[at:]]), counts)
