"""Noise of e-mail: quoted replies, forwarded headers, signatures."""

from __future__ import annotations

import re

# Each cuts the text from here on. Headers count only as a block, a "wrote" line only where it ends with a colon.
_CUTS = (
    re.compile(r"^[ \t]*-{2,}[ \t]*(?:original message|urspr\w{0,4}ngliche nachricht|forwarded message"
               r"|message d'origine|mensaje original)[ \t]*-{2,}[ \t]*$", re.IGNORECASE | re.MULTILINE),
    re.compile(r"^[ \t]*(?:on|am|le|el|il)\b[^\n]{4,200}\n?[^\n]{0,100}\b(?:wrote|schrieb|a écrit|escribió|ha scritto)"
               r"[^\n]{0,100}:[ \t]*$", re.IGNORECASE | re.MULTILINE),
    re.compile(r"^[ \t]*(?:from|von|de):[^\n]{1,200}\n(?:[ \t]*(?:sent|date|gesendet|datum|to|an|cc|subject|betreff"
               r"|envoyé|fecha|enviado|para|objet|asunto|à):[^\n]{0,500}(?:\n|$)){2,8}", re.IGNORECASE | re.MULTILINE),
    re.compile(r"^_{5,}[ \t]*\n(?=[ \t]*(?:from|von|de):)", re.IGNORECASE | re.MULTILINE),
    re.compile(r"^--[ \t]?$", re.MULTILINE),
    re.compile(r"^[ \t]*(?:sent from my|gesendet von mein|get outlook for)\b[^\n]{0,100}$",
               re.IGNORECASE | re.MULTILINE),
)  # fmt: skip
_QUOTED = re.compile(r"^[ \t]*>[^\n]*(?:\n|$)", re.MULTILINE)


def without_mail(text: str) -> str:
    """What the writer of a mail wrote: no quoted lines, nothing after a reply's or a signature's mark.

    Where nothing would be left the text stays: a mail that only forwards is all there is.
    """
    kept = text
    for shape in _CUTS:
        if match := shape.search(kept):
            kept = kept[: match.start()]
    kept = _QUOTED.sub("", kept)
    return kept if kept.strip() else text
