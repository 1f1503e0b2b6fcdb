r"""Text rules as pairs: a screen in Arrow that finds the texts it may concern, and the exact change in Python.

Python's `re` and `unicodedata` answer alike on every engine, while Rust, Java and RE2 differ on `\w` and `\b`; so
they alone decide, and RE2 only says where they need not look. A screen may let too many texts through, never too few.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from noria.build.cleaning.mail import without_mail
from noria.records.redaction import redact


@dataclass(frozen=True, slots=True)
class TextRule:
    """`screen`: array of texts → which may change (no nulls); `change`: the rule itself."""

    name: str
    screen: Callable[[pa.Array], pa.Array]
    change: Callable[[str], str]


_TAGS = (
    "a|abbr|address|article|aside|b|blockquote|body|br|button|center|cite|code|col|colgroup|dd|del|details|div|dl|dt|em|"
    "figure|font|footer|form|h[1-6]|head|header|hr|html|i|iframe|img|input|ins|label|li|link|main|meta|nav|o:p|object|ol|"
    "option|p|pre|s|samp|section|select|small|span|strike|strong|style|script|sub|summary|sup|table|tbody|td|textarea|tfoot|"
    "th|thead|title|tr|tt|u|ul|video|xml"
)
_INVISIBLE = re.compile(
    r"<(script|style|head|title)\b[^>]{0,2000}>.{0,100000}?</\1\s{0,20}>", re.IGNORECASE | re.DOTALL
)
_COMMENT = re.compile(r"<!--.{0,100000}?-->|<![A-Za-z][^>]{0,2000}>|<\?xml[^>]{0,2000}>", re.DOTALL)
_BLOCK = re.compile(
    r"</?(?:br|p|div|li|ul|ol|tr|table|h[1-6]|blockquote|hr|section|article|header|footer|pre|dd|dt)\b[^<>]{0,2000}/?>",
    re.IGNORECASE,
)
_TAG = re.compile(rf"</?(?:{_TAGS})(?:\s[^<>]{{0,4000}})?/?>", re.IGNORECASE)


def without_html(text: str) -> str:
    """The text of HTML; only known tags go, so that `<NAME>` and `a < b` stay."""
    if "<" in text:
        if "</" in text:
            text = _INVISIBLE.sub("\n", text)
        text = _TAG.sub("", _BLOCK.sub("\n", _COMMENT.sub("", text)))
    return html.unescape(text) if "&" in text else text


_CONTROL = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\ufeff\ufffe\uffff]"
)


def normal(text: str) -> str:
    """NFKC without control, direction and zero-width characters; joiners stay, since some scripts need them."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _CONTROL.sub("", unicodedata.normalize("NFKC", text))


_BLANKS = re.compile(r"[^\S\n]+")
_AROUND = re.compile(r" ?\n ?")
_LINES = re.compile(r"\n{3,}")


def tidy(text: str) -> str:
    """One blank at a time, none around line ends, at most one empty line, nothing around the text."""
    return _LINES.sub("\n\n", _AROUND.sub("\n", _BLANKS.sub(" ", text))).strip()


def masked(text: str) -> str:
    """The text without personal data and secrets."""
    return redact(text).text


def _matches(pattern: str) -> Callable[[pa.Array], pa.Array]:
    return lambda texts: pc.match_substring_regex(texts, pattern)


def _foreign_or(pattern: str) -> Callable[[pa.Array], pa.Array]:
    """Texts that are not plain ASCII, where RE2 and Python may differ, and those that match."""
    return lambda texts: pc.or_(pc.invert(pc.string_is_ascii(texts)), pc.match_substring_regex(texts, pattern))


# What the recognisers of noria.records.redaction need at least; a property test holds the two together.
_MAY_HOLD = (
    r"[@]|BEGIN|eyJ|AKIA|gh[pousr]_|glpat-|github_pat|xox|AIza|sk-|nor_|(?i:bearer)|://"
    r"|(?i:password|passwort|passwd|passphrase|pwd|secret|api[ _-]?key|token|pin)[\s\x0b\x1c-\x1f]{0,3}[:=]"
    r"|[A-Z]{2}\d\d|\d(?:[\s\x0b\x1c-\x1f().\-/]{0,2}\d){6}|\d\.\d{1,3}\.\d{1,3}\.\d|:[0-9A-Fa-f]{0,4}:|[A-Za-z0-9_-]{32}"
)

BY_NAME = {
    "html": TextRule("html", _matches(r"<[A-Za-z/!?]|&[#A-Za-z]"), without_html),
    "unicode": TextRule("unicode", _foreign_or("[\x01-\x08\x0b-\x1f\x7f]|\\x00"), normal),
    "mail": TextRule(
        "mail",
        _foreign_or(
            r"(?m)^[^\S\n]*>|(?i:wrote|schrieb|escribi|crit|scritto)|-{2,}|_{5,}"
            r"|(?i:sent from|gesendet von|get outlook)|(?i:^from:|^von:|^de:)"
        ),
        without_mail,
    ),
    "whitespace": TextRule(
        "whitespace", _foreign_or("[\t\r\x0b\x0c\x1c-\x1f]|  |\n\n\n| \n|\n |^\\s|\\s$|^ | $"), tidy
    ),
    "redact": TextRule("redact", _foreign_or(_MAY_HOLD), masked),
}
