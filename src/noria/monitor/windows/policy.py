"""What windows may cost."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WindowPolicy:
    """`embed_an_hour`: texts of an hour, drawn by the hash of their ids, whose vectors are summed; 0 = none."""

    embed_an_hour: int = 5
