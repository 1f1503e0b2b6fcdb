"""Puts candidates through the gate, live, and back; every verdict stands in the ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from typing import TYPE_CHECKING, Any

from noria.agent import Agent, unpack
from noria.agent.bundle import Encoders
from noria.errors import DataError, NotFound, Problem, StateError, UsageError
from noria.records import Candidate, Example, LedgerEntry, LedgerKind, Release, Verdict
from noria.release.certificate import CERTIFICATE, PAIRS, as_json, certificate, evidence
from noria.release.gate import Differing, Field, judge
from noria.release.judging.contract import data_contract
from noria.release.policy import GatePolicy
from noria.release.proof import judged_before
from noria.release.standing import standing

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
    differing: Differing | None = None,
) -> Verdict:
    """Holds a candidate against champion and anchor and writes a refusal or a hold to the ledger.

    Args:
        stores: where bundles, basket and ledger are.
        candidate: what asks to go live.
        fresh: labelled production queries that neither agent was trained on.
        policy: the gate's limits.
        time_ms: when.
        encoders: gives the encoder of a spec, for agents that need one.
        differing: labels from where the candidate answers unlike champion or anchor (see `release.apart`).

    Returns:
        The verdict; a promotion is written by `roll_out`.
    """
    live = stores.journal.current_release()
    if live is not None and live.candidate.tag == candidate.tag:
        raise UsageError(f"{candidate.tag} is live already as {live.release}.")
    basket = frozen_basket(stores, candidate, time_ms)
    entries = stores.journal.ledger()
    spent = judged_before(stores, entries) if policy.fresh_once else set()
    contract = data_contract(
        basket, fresh, _trained(stores, candidate), _trained(stores, live.candidate) if live else (), spent
    )
    champion, against = _opponents(stores, live, entries, policy, encoders)
    agent = load_agent(stores, candidate, encoders)
    verdict = judge(
        agent, champion, basket, contract.fresh, policy, contract=contract, against=against, differing=differing
    )
    verdict = _with_proof(stores, verdict, candidate, policy)
    if verdict.kind != "promote":
        _record(stores, candidate, verdict, kind=verdict.kind, release=None, time_ms=time_ms)
    return verdict


def roll_out(stores: Stores, candidate: Candidate, verdict: Verdict, *, time_ms: int) -> Release:
    """Makes a promoted candidate the live release, with its certificate; servers pick it up by themselves.

    Raises:
        UsageError: the verdict is not a promotion, or the ledger has moved on since it was given.
    """
    if verdict.kind != "promote":
        raise UsageError(f"{candidate.tag} was not promoted ({verdict.kind}: {verdict.reason}), so it cannot go live.")
    name = f"r{len(stores.journal.releases()) + 1:04d}"
    _record(stores, candidate, verdict, kind="release", release=name, time_ms=time_ms)
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


def _trained(stores: Stores, candidate: Candidate) -> list[Example]:
    return stores.lake.examples(candidate.examples.name, candidate.examples.version)[1]


def _opponents(
    stores: Stores,
    live: Release | None,
    entries: Sequence[LedgerEntry],
    policy: GatePolicy,
    encoders: Encoders | None,
) -> tuple[Agent | None, Field]:
    """The champion's agent, and the anchor's and the slices' best ones, each bundle loaded once."""
    stand = standing(entries)
    if live is None:
        return None, Field(stand)
    loaded = {live.release: load_agent(stores, live.candidate, encoders)}

    def agent(release: str) -> Agent:
        if release not in loaded:
            loaded[release] = load_agent(stores, stores.journal.release(release).candidate, encoders)
        return loaded[release]

    anchor = agent(stand.anchor or live.release)
    names = {*stand.best.values(), *stand.order[:1]} if policy.protected else set[str]()
    return loaded[live.release], Field(stand, anchor, {name: agent(name) for name in sorted(names)})


def _with_proof(stores: Stores, verdict: Verdict, candidate: Candidate, policy: GatePolicy) -> Verdict:
    """Every single outcome goes into a blob, its address and the data versions into the evidence."""
    facts = dict(verdict.evidence)
    pairs = facts.pop("pairs", None)
    if pairs is not None:
        facts["pairs"] = stores.blobs.put({PAIRS: as_json(pairs)})
    basket = stores.lake.resolve("examples", basket_name(candidate.examples.name))
    facts["data"] = {"train": asdict(candidate.examples), "basket": asdict(basket)}
    if candidate.articles is not None:
        facts["data"]["articles"] = asdict(candidate.articles)
    facts["policy"] = {f.name: getattr(policy, f.name) for f in fields(policy)}
    return replace(verdict, evidence=facts)


def _record(
    stores: Stores, candidate: Candidate, verdict: Verdict, *, kind: LedgerKind, release: str | None, time_ms: int
) -> None:
    facts = evidence(verdict)
    check_current(stores, candidate, facts)
    facts = with_certificate(stores, facts, candidate, release=release, time_ms=time_ms)
    stores.journal.record_release(kind=kind, time_ms=time_ms, release=release, candidate=candidate, evidence=facts)


def with_certificate(
    stores: Stores, facts: Mapping[str, Any], candidate: Candidate, *, release: str | None, time_ms: int
) -> dict[str, Any]:
    """A ledger entry's evidence with the address of the certificate that was written of it."""
    told = certificate(facts, candidate=candidate, release=release, time_ms=time_ms)
    return {**facts, "certificate": stores.blobs.put({CERTIFICATE: as_json(told)})}


def check_current(stores: Stores, candidate: Candidate, facts: Mapping[str, Any]) -> None:
    """A verdict counts against the standing it was given in: two that were judged side by side cannot both go in.

    Raises:
        UsageError: the ledger has moved on since.
    """
    stand = standing(stores.journal.ledger())
    gate = facts.get("gate")
    first = gate is None and "pairs" in facts
    if (gate is not None and not stand.is_that_of(gate)) or (first and stand.champion is not None):
        raise UsageError(
            f"the ledger has moved on since {candidate.tag} was judged (now live: {stand.champion}, "
            f"anchor: {stand.anchor}, {stand.cycle} verdicts); propose it again."
        )
