"""Whether a turn learns by a warm start, and the candidate that comes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from noria.build.quick import learn, learnable
from noria.errors import UsageError
from noria.records import DAY_MS, Candidate, DataVersion, Example, Release
from noria.release import load_agent

if TYPE_CHECKING:
    from noria.loop.house import House

WARM = "warm_started_rows"
"""The metric of a candidate that was started warm."""


def full_fit_due(house: House, live: Release, *, now_ms: int) -> bool:
    """Whether the live agent was started warm, and the last full training is `full_every_days` ago."""
    return WARM in live.candidate.metrics and not _fresh(house, now_ms)


def _fresh(house: House, now_ms: int) -> bool:
    full = [r.candidate.created_ms for r in house.stores.journal.releases() if WARM not in r.candidate.metrics]
    return now_ms - max(full, default=0) < house.policy.update.full_every_days * DAY_MS


def warm_start_may(house: House, live: Release, *, now_ms: int) -> bool:
    """Whether a turn may learn by a warm start, if the rows allow it (see `learn_quickly`)."""
    entries = house.stores.journal.ledger()
    promoted = bool(entries) and entries[-1].kind == "release"
    same = live.candidate.recipe == house.policy.recipe.to_dict()
    return house.policy.update.quick and _fresh(house, now_ms) and promoted and same


def learn_quickly(
    house: House,
    live: Release,
    rows: Sequence[Example],
    examples: DataVersion,
    *,
    now_ms: int,
    notes: Mapping[str, str] | None = None,
) -> Candidate | None:
    """A candidate from the live agent and the new rows; None where a full training is due or needed.

    A full training is due after `full_every_days`, and after any verdict that was no release: what the gate turned
    away is not built upon.
    """
    if not (warm_start_may(house, live, now_ms=now_ms) and learnable(rows)):
        return None
    agent = load_agent(house.stores, live.candidate, house.encoders)
    try:
        return learn(
            house.stores,
            agent,
            live.candidate,
            examples,
            rows,
            time_ms=now_ms,
            code=house.code,
            clock=house.clock,
            notes=notes,
        )
    except UsageError:
        # parts of another package cannot be started warm
        return None
