"""What is taken for personal data or a secret: shapes that regular expressions propose and checksums confirm.

No shape backtracks: the time is linear in the text. Names and addresses of people are not recognised; plug in a
recogniser of your own for them.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

Span = tuple[int, int]
"""Start and end of a place in a text, half-open."""


@dataclass(frozen=True, slots=True)
class Recogniser:
    """Finds one kind of thing; `find` gives the places, `kind` is what is written there instead."""

    kind: str
    find: Callable[[str], Iterable[Span]]


def of_pattern(kind: str, pattern: str, holds: Callable[[str], bool] = lambda _: True, flags: int = 0) -> Recogniser:
    """A recogniser of a regular expression; its group `it`, if any, is what counts, and `holds` has the last word."""
    shape = re.compile(pattern, flags)
    group: str | int = "it" if "it" in shape.groupindex else 0

    def find(text: str) -> Iterator[Span]:
        for match in shape.finditer(text):
            if holds(match.group(group)):
                yield match.span(group)

    return Recogniser(kind, find)


def luhn(digits: str) -> bool:
    """Whether the check digit of a card number is right. Source: ISO/IEC 7812-1, annex B."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _digits(text: str) -> str:
    return "".join(c for c in text if "0" <= c <= "9")


def _is_card(text: str) -> bool:
    digits = _digits(text)
    return 13 <= len(digits) <= 19 and len(set(digits)) > 1 and luhn(digits)


def _is_iban(text: str) -> bool:
    """Source: ISO 13616, check digits by ISO 7064 MOD 97-10."""
    plain = text.replace(" ", "").upper()
    if not 15 <= len(plain) <= 34:
        return False
    return int("".join(str(int(c, 36)) for c in plain[4:] + plain[:4])) % 97 == 1


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return any(c not in ":." for c in text)


def _is_phone(text: str) -> bool:
    digits = _digits(text)
    if text.startswith(("+", "00")):
        return 8 <= len(digits.removeprefix("00")) <= 15
    if re.fullmatch(r"\d{4}[-./]\d\d?[-./]\d\d?", text) or re.fullmatch(r"\d\d?[-./]\d\d?[-./]\d{4}", text):
        return False  # a date
    written_apart = re.search(r"[\s()./-]", text) is not None
    national = text.startswith(("0", "(")) and 9 <= len(digits) <= 13
    american = re.fullmatch(r"(?:1[\s.-])?\(?\d{3}\)?[\s.-]\d{3}[\s.-]\d{4}", text) is not None
    return (national and written_apart) or american or (text.startswith("0") and 10 <= len(digits) <= 12)


def _is_random(text: str) -> bool:
    """Long, and of mixed signs as no word is."""
    kinds = [any(test(c) for c in text) for test in (str.islower, str.isupper, str.isdigit)]
    return all(kinds) or re.fullmatch(r"[0-9a-fA-F]{32,}", text) is not None


def _is_secret(text: str) -> bool:
    """What follows `password:` and is no plain word."""
    return len(text) >= 4 and not text.startswith("[") and any(not c.isalpha() for c in text.rstrip(".,;:!?)"))


RECOGNISERS: tuple[Recogniser, ...] = (
    of_pattern("key", r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[^-]*(?:-----END [A-Z ]{0,30}PRIVATE KEY-----)?"),
    of_pattern("token", r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}"),
    of_pattern(
        "token",
        r"\b(?:AKIA[0-9A-Z]{16}|gh[pousr]_\w{30,}|github_pat_\w{30,}|glpat-[\w-]{20,}|xox[abeprs]-[\w-]{10,}"
        r"|AIza[\w-]{35}|sk-[\w-]{20,}|nor_\w{10,}_[\w-]{20,})",
    ),
    of_pattern("token", r"\bbearer\s+(?P<it>[\w.~+/=-]{16,})", flags=re.IGNORECASE),
    of_pattern("secret", r"://[^\s:/@]{1,100}:(?P<it>[^\s:/@]{1,200})@"),
    of_pattern(
        "secret",
        r"\b(?:password|passwort|passwd|passphrase|pwd|secret|api[ _-]?key|token|pin)\s{0,3}[:=]\s{0,3}"
        r"(?P<it>\S{1,200})",
        _is_secret,
        re.IGNORECASE,
    ),
    of_pattern("email", r"(?<![\w.+%-])[\w.+%-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}"),
    of_pattern("iban", r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{1,4}){3,8}\b", _is_iban),
    of_pattern("card", r"(?<![\w.-])\d(?:[ -]?\d){12,18}(?![\w-])", _is_card),
    of_pattern("ip", r"(?<![\w.:])(?:\d{1,3}\.){3}\d{1,3}(?![\w:]|\.\d)", _is_ip),
    of_pattern("ip", r"(?<![\w.:])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?![\w:])", _is_ip),
    of_pattern("phone", r"(?<![\w.@/-])(?:\+|\()?\d(?:[\s().\-/]{0,2}\d){6,16}(?![\w@-])", _is_phone),
    of_pattern("token", r"(?<![\w-])(?P<it>[A-Za-z0-9_-]{32,512})(?![\w-])", _is_random),
)
"""In order of precedence."""
