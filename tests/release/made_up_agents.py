"""Agents for the gate's tests that are wrong on chosen queries and right on all others."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from noria.records import Answer, Example


class Scripted:
    """Answers every query with the intent `vpn`, but for those it is wrong on."""

    intents = ("printer", "vpn")

    def __init__(self, wrong: Collection[str] = ()) -> None:
        self.wrong = frozenset(wrong)

    def answer_all(self, texts: Sequence[str], accounts: Sequence[str] | None = None) -> list[Any]:
        return [Answer("answer", "printer" if text in self.wrong else "vpn", 0.9, 1.0, True) for text in texts]


def rows(n: int, account: str | None = "acme", prefix: str = "q") -> list[Example]:
    """Queries of one account whose right intent is `vpn`."""
    return [
        Example(f"{prefix}{account}-{i}", f"{prefix} {account} {i}", "vpn", "test", None, account) for i in range(n)
    ]


def texts(of: Sequence[Example], share: float, start: int = 0) -> set[str]:
    """The texts of a share of the rows, from a place on."""
    return {row.text for row in of[start : start + round(share * len(of))]}
