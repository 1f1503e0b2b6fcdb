"""A candidate from the live agent and a few rows, in seconds: what a person accepted is live within minutes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from noria.agent import Agent
from noria.agent.refit import refit
from noria.build.evaluation import score_rows
from noria.build.training import keep
from noria.records import IRRELEVANT, OOS, Candidate, DataVersion, Example

if TYPE_CHECKING:
    from noria.stores import Stores


def learnable(rows: Sequence[Example]) -> list[Example]:
    """The rows that can be learnt at once; what is out of scope needs a full fit."""
    return [row for row in rows if row.intent not in (OOS, IRRELEVANT) and row.split != "test"]


def learn(
    stores: Stores,
    agent: Agent,
    base: Candidate,
    examples_at: DataVersion,
    changed: Sequence[Example],
    *,
    time_ms: int,
    code: Mapping[str, str],
    clock: Callable[[], float],
    notes: Mapping[str, str] | None = None,
) -> Candidate:
    """A candidate that knows the changed rows too, by a warm start (see `noria.agent.refit`).

    It depends on the agent that it started from, so its run names that agent's tag; the next full training takes its
    place. The articles are those of the base.

    Args:
        stores: lake, blobs and tracker.
        agent: the live agent, loaded with its encoder.
        base: the candidate it came from.
        examples_at: the version that holds the changed rows.
        changed: rows that are new, or whose intent is.
        time_ms: when.
        code: facts on the code.
        clock: seconds, for the training time.
        notes: further tags of the run, by which it is found.

    Raises:
        DataError: no row can be learnt at once. UsageError: the agent has parts that must be fitted anew.
    """
    _, rows = stores.lake.examples(examples_at.name, examples_at.version)
    started = clock()
    wiser = refit(agent, rows, changed)
    seconds = clock() - started
    data = (examples_at, base.articles, float(len(learnable(changed))))
    scores = score_rows(wiser, [r for r in rows if r.split == "val"])
    facts = {**code, "warm_start_of": base.tag}
    return keep(stores, wiser, data, scores, seconds=seconds, time_ms=time_ms, code=facts, notes=notes)
