"""The intents that an agent is there for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from noria.records import RESERVED_INTENTS, Candidate

if TYPE_CHECKING:
    from noria.stores import Stores


def scope_of(stores: Stores, candidate: Candidate) -> set[str]:
    """The intents that a candidate's examples declare."""
    _, rows = stores.lake.examples(candidate.examples.name, candidate.examples.version)
    return {row.intent for row in rows} - RESERVED_INTENTS
