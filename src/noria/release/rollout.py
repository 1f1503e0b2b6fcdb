"""Puts candidates through the gate, live, and back; every verdict stands in the ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from noria.agent import Agent, unpack
from noria.agent.bundle import Encoders
from noria.errors import DataError, NotFound, Problem, StateError, UsageError
from noria.records import Candidate, Example, LedgerEntry, Release, Verdict
from noria.release.gate import GatePolicy, judge

if TYPE_CHECKING:
    from noria.stores import Stores


def basket_name(examples: str) -> str:
    """The table that holds the frozen basket of an examples table."""
    return f"{examples}-basket"


def frozen_basket(stores: Stores, candidate: Candidate, time_ms: int) -> list[Example]:
    """The frozen basket of the candidate's data; frozen from its `test` rows the first time it is asked for.

    Raises:
        DataError: there is no basket yet and the examples have no test rows to freeze.
    """
    name = basket_name(candidate.examples.name)
    try:
        return stores.lake.examples(name)[1]
    except NotFound:
        pass
    _, rows = stores.lake.examples(candidate.examples.name, candidate.examples.version)
    test = [r for r in rows if r.split == "test"]
    if not test:
        problem = Problem(candidate.examples.ref, None, "split", "no row has the split 'test'.")
        raise DataError([problem], "The gate needs test rows that no model was trained on: add some with split=test.")
    note = {"source": candidate.examples.ref, "why": "frozen basket"}
    version = stores.lake.write_examples(name, test, mode="append", note=note, time_ms=time_ms)
    stores.lake.pin(version, "frozen basket")
    return test


def consider(
    stores: Stores,
    candidate: Candidate,
    fresh: Sequence[Example],
    policy: GatePolicy,
    *,
    time_ms: int,
    encoders: Encoders | None = None,
) -> Verdict:
    """Holds a candidate against the champion and writes a refusal or a hold to the ledger.

    Args:
        stores: where bundles, basket and ledger are.
        candidate: what asks to go live.
        fresh: labelled production queries that neither agent was trained on.
        policy: the gate's limits.
        time_ms: when.
        encoders: gives the encoder of a spec, for agents that need one.

    Returns:
        The verdict; a promotion is written by `roll_out`.
    """
    live = stores.journal.current_release()
    if live is not None and live.candidate.tag == candidate.tag:
        raise UsageError(f"{candidate.tag} is live already as {live.release}.")
    basket = frozen_basket(stores, candidate, time_ms)
    champion = load_agent(stores, live.candidate, encoders) if live else None
    verdict = judge(load_agent(stores, candidate, encoders), champion, basket, fresh, policy)
    if verdict.kind != "promote":
        stores.journal.record_release(
            kind=verdict.kind, time_ms=time_ms, release=None, candidate=candidate, evidence=evidence(verdict)
        )
    return verdict


def roll_out(stores: Stores, candidate: Candidate, verdict: Verdict, *, time_ms: int) -> Release:
    """Makes a promoted candidate the live release; servers pick it up by themselves.

    Raises:
        UsageError: the verdict is not a promotion.
    """
    if verdict.kind != "promote":
        raise UsageError(f"{candidate.tag} was not promoted ({verdict.kind}: {verdict.reason}), so it cannot go live.")
    name = f"r{len(stores.journal.releases()) + 1:04d}"
    stores.journal.record_release(
        kind="release", time_ms=time_ms, release=name, candidate=candidate, evidence=evidence(verdict)
    )
    return stores.journal.release(name)


def roll_back(
    stores: Stores, to: str | None, *, why: str, time_ms: int, encoders: Encoders | None = None
) -> LedgerEntry:
    """Makes an earlier release live again: the one named, or the one that was live before.

    Raises:
        StateError: there is nothing to go back to, or it cannot be loaded. NotFound: no such release.
        UsageError: it is live already.
    """
    live = stores.journal.current_release()
    if live is None:
        raise StateError("no release is live, so there is nothing to roll back.")
    if to is None:
        lived = [e.release for e in stores.journal.ledger() if e.kind in ("release", "rollback")]
        before = [r for r in lived if r is not None and r != live.release]
        if not before:
            raise StateError(f"{live.release} is the first release, so there is none to go back to.")
        to = before[-1]
    target = stores.journal.release(to)
    if target.release == live.release:
        raise UsageError(f"{to} is live already.")
    load_agent(stores, target.candidate, encoders)
    facts = {"from": live.release, "reason": why}
    return stores.journal.record_release(
        kind="rollback", time_ms=time_ms, release=to, candidate=target.candidate, evidence=facts
    )


def load_agent(stores: Stores, candidate: Candidate, encoders: Encoders | None = None) -> Agent:
    """The candidate's agent, from its bundle, every hash verified; `encoders` gives the encoder of a spec.

    Raises:
        StateError: the bundle is missing or damaged, or needs an encoder that is not there.
    """
    return unpack(stores.blobs.get(candidate.bundle_sha256), encoders)


def evidence(verdict: Verdict) -> Mapping[str, Any]:
    """What the ledger keeps of a verdict."""
    return {
        "verdict": verdict.kind,
        "reason": verdict.reason,
        "basket_score": verdict.basket_score,
        "champion_basket_score": verdict.champion_basket_score,
        "checks": [asdict(c) | {"figures": dict(c.figures)} for c in verdict.checks],
    }
