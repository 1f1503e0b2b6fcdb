"""Recomputes what the ledger claims: verdicts, the anchor's path and the performance graph, from its own figures."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from noria.errors import StateError
from noria.records import LedgerEntry
from noria.release.certificate import PAIRS, STAGE_PAIRS
from noria.release.standing import ALL, Standing, path
from noria.stats.gating import AnchoredGate, AnchoredVerdict, Line, Pairs, anytime_paired, decide, pairs_of

if TYPE_CHECKING:
    from noria.stores import Stores

_CLOSE = 1e-9


@dataclass(frozen=True, slots=True)
class GraphPoint:
    """One step of the performance graph: what went live, its score on the frozen basket and on the latest labels.

    fresh_score: NaN without labels. anchor: the best release proved, once this one was live. basket: version of the
    frozen basket, which grows by rows of accepted intents; scores on two versions are not to be compared.
    """

    release: str
    time_ms: int
    kind: str
    basket_score: float
    fresh_score: float
    fresh_labels: int
    anchor: str
    basket: int = 0


@dataclass(frozen=True, slots=True)
class Proof:
    """What was recomputed: the graph, how many bounds and how many single outcomes, and where the gate stands."""

    graph: tuple[GraphPoint, ...]
    bounds: int
    outcomes: int
    standing: Standing

    @property
    def sentence(self) -> str:
        lows = [p for p in self.graph if p.kind == "release"]
        fell = sum(b.basket_score < a.basket_score and a.basket == b.basket for a, b in pairwise(lows))
        never = "never fell from release to release" if not fell else f"fell {fell} times after a rollback"
        return (
            f"The performance graph of {len(self.graph)} steps is the ledger's own: the basket score {never}; "
            f"{self.bounds} bounds and {self.outcomes} single outcomes were computed again; "
            f"the anchor is {self.standing.anchor or 'not set yet'}."
        )


def prove(stores: Stores) -> Proof:
    """Recomputes everything that the ledger claims.

    The hash chain; for each verdict the standing (champion, anchor, cycle) from the entries before it, its bounds and
    kind from its counts, and its counts and scores from the single outcomes.

    Raises:
        StateError: naming the first entry that claims something else.
    """
    stores.journal.verify_ledger()
    entries = stores.journal.ledger()
    steps = path(entries)
    graph: list[GraphPoint] = []
    scores: dict[str, tuple[float, float, int]] = {}
    baskets: dict[str, int] = {}
    bounds = outcomes = 0
    for entry, before, after in zip(entries, steps, steps[1:], strict=False):
        facts = entry.evidence
        if "stage" in facts:
            outcomes += _check_stage(stores, entry, entries, before)
        if entry.kind != "rollback":
            bounds += _check_verdict(entry, _judged_in(entry, before, steps))
            if facts.get("pairs"):
                outcomes += _check_outcomes(entry, json.loads(stores.blobs.get(str(facts["pairs"]))[PAIRS]))
        if entry.release is None:
            continue
        if entry.kind == "release":
            seen = (facts.get("gate") or {}).get("fresh") or {"n": 0, "candidate": 0}
            share = seen["candidate"] / seen["n"] if seen["n"] else math.nan
            baskets[entry.release] = int((facts.get("data") or {}).get("basket", {}).get("version", 0))
            scores[entry.release] = (float(facts.get("basket_score", math.nan)), share, int(seen["n"]))
        score = scores.get(entry.release, (math.nan, math.nan, 0))
        graph.append(
            GraphPoint(
                entry.release, entry.time_ms, entry.kind, *score, after.anchor or "", baskets.get(entry.release, 0)
            )
        )
    return Proof(tuple(graph), bounds, outcomes, steps[-1])


def judged_before(stores: Stores, entries: Sequence[LedgerEntry]) -> set[str]:
    """Ids of the labels that have judged a candidate already, in the form of an example's id."""
    spent: set[str] = set()
    for entry in entries:
        if (entry.evidence.get("gate") or {}).get("lines"):
            rows = json.loads(stores.blobs.get(str(entry.evidence["pairs"]))[PAIRS])["fresh"]
            spent |= {str(row[0]) for row in rows} | {f"label-{row[0]}" for row in rows}
    return spent


def _check_verdict(entry: LedgerEntry, before: Standing) -> int:
    """The number of bounds that came out as claimed."""
    facts = entry.evidence
    passed = [check["passed"] for check in facts.get("checks", ())]
    kind = "refuse" if False in passed else "hold" if None in passed else "release"
    if entry.kind != kind:
        raise _wrong(entry, f"its checks say {kind!r}")
    champion = facts.get("champion_basket_score")
    if entry.kind == "release" and champion is not None and facts["basket_score"] < champion:
        raise _wrong(entry, f"the basket fell from {champion:.4f} to {facts['basket_score']:.4f}")
    gate = facts.get("gate")
    if gate is None:
        return 0
    for name, true in (("champion", before.champion), ("anchor", before.anchor), ("cycle", before.cycle + 1)):
        if gate[name] != true:
            raise _wrong(entry, f"it names {gate[name]!r} as its {name}; the entries before it say {true!r}")
    if not gate["lines"]:
        if gate["moves_anchor"]:
            raise _wrong(entry, "it moves the anchor without any bound")
        return 0
    again = _decided(gate, before)
    for line, said in zip(gate["lines"], again.lines, strict=True):
        if line["kind"] != said.kind or abs(line["lower"] - said.lower) > _CLOSE:
            raise _wrong(
                entry,
                f"{line['slice']}: {line['kind']} at {line['lower']:.4f}; computed: {said.kind}, {said.lower:.4f}",
            )
    if gate["moves_anchor"] != (again.moves and entry.kind == "release"):
        raise _wrong(entry, "it moves the anchor otherwise than its bound allows")
    return len(again.lines)


def _decided(gate: Mapping[str, Any], before: Standing) -> AnchoredVerdict:
    state = AnchoredGate(before.anchor or "", before.cycle, before.spent, gate["alpha"], gate["cycles"] or None)
    lines = [
        Line(
            line["slice"],
            Pairs(**line["anchor"]),
            line["margin"],
            Pairs(**line["champion"]) if line["champion"] else None,
            Pairs(**line["best"]) if line["best"] else None,
            line["cap"],
        )
        for line in gate["lines"]
    ]
    return decide(state, "", lines[0], lines[1:])


def _judged_in(entry: LedgerEntry, before: Standing, steps: Sequence[Standing]) -> Standing:
    """The standing in which the gate judged: of a release by stages, that in which it was let in."""
    stage = entry.evidence.get("stage")
    return steps[stage["judged"] - 1] if stage and stage["event"] == "release" else before


def _check_stage(stores: Stores, entry: LedgerEntry, entries: Sequence[LedgerEntry], before: Standing) -> int:
    """A step of a challenger follows from its labelled pairs, and a release from the verdict that let it in."""
    stage = entry.evidence["stage"]
    if stage["event"] == "release":
        let_in = entries[stage["judged"] - 1]
        if let_in.tag != entry.tag or (let_in.evidence.get("stage") or {}).get("event") != "enter":
            raise _wrong(entry, f"entry {stage['judged']} did not let it in")
        if before.champion != stage["against"]:
            raise _wrong(entry, f"it was compared with {stage['against']}, and {before.champion} was live")
        gates = [{**(e.evidence.get("gate") or {}), "moves_anchor": None} for e in (let_in, entry)]
        if gates[0] != gates[1]:
            raise _wrong(entry, f"its bounds are not those of entry {stage['judged']}")
    if "pairs" not in stage:
        return 0
    rows = json.loads(stores.blobs.get(str(stage["pairs"]))[STAGE_PAIRS])
    for check in entry.evidence["checks"]:
        if check["name"] == "quality":
            figures = check["figures"]
            said = anytime_paired(
                [row[1] for row in rows], figures["margin"], figures["alpha"],
                alpha_worse=figures["alpha_worse"], weight=[row[2] for row in rows],
            )  # fmt: skip
            if abs(said.lower - figures["lower"]) > _CLOSE or abs(said.upper - figures["upper"]) > _CLOSE:
                raise _wrong(entry, f"its pairs say {said.lower:.4f} to {said.upper:.4f}")
            if (said.verdict == "worse") != (check["passed"] is False):
                raise _wrong(entry, f"its pairs say {said.verdict!r}")
    return len(rows)


def _check_outcomes(entry: LedgerEntry, pairs: Mapping[str, list[list[Any]]]) -> int:
    """The number of single outcomes that add up to what is claimed."""
    facts = entry.evidence
    basket, fresh = pairs["basket"], pairs.get("fresh", [])
    for column, name in ((1, "basket_score"), (2, "champion_basket_score")):
        claimed = facts.get(name)
        if claimed is not None and basket and abs(sum(row[column] for row in basket) / len(basket) - claimed) > _CLOSE:
            raise _wrong(entry, f"its {name} of {claimed:.4f} is not the share of its outcomes")
    for line in (facts.get("gate") or {}).get("lines", ()):
        if line["slice"] == ALL:
            apart = facts["gate"].get("apart")
            rows = pairs["apart"] if apart else fresh
            flags = [[bool(row[column]) for row in rows] for column in (1, 2, 3)]
            for other, name in ((flags[1], "champion"), (flags[2], "anchor")):
                counted = pairs_of(other, flags[0])
                if Pairs(**line[name]) != (replace(counted, n=apart["pairs"]) if apart else counted):
                    raise _wrong(entry, f"its counts against the {name} are not those of its outcomes")
    return len(basket) + len(fresh)


def _wrong(entry: LedgerEntry, why: str) -> StateError:
    return StateError(
        f"ledger entry {entry.seq} ({entry.kind} of tag {entry.tag!r}) does not follow from its own figures: {why}."
    )
