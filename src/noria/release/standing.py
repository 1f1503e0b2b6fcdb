"""Where the gate stands: champion, anchor and cycle, recomputed from the ledger and stored nowhere else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from noria.records import LedgerEntry
from noria.stats.gating import AnchoredGate

ALL = "all"
"""Name of the line of all traffic."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What a part of the ledger comes to.

    champion: the live release. anchor: the best release proved so far. cycle: verdicts so far, the first release apart.
    spent: of the chance of a wrong verdict, over all of them. best: slice → its best release, where that is not the
    first. order: every release, oldest first.
    """

    champion: str | None = None
    anchor: str | None = None
    cycle: int = 0
    spent: float = 0.0
    best: Mapping[str, str] = field(default_factory=dict)
    order: tuple[str, ...] = ()

    def best_of(self, slice_name: str) -> str | None:
        """The release that a slice's losses are counted from."""
        return self.best.get(slice_name, self.order[0] if self.order else None)

    def is_that_of(self, gate: Mapping[str, Any]) -> bool:
        """Whether a verdict's gate record was made in this standing."""
        return (gate["champion"], gate["anchor"], gate["cycle"]) == (self.champion, self.anchor, self.cycle + 1)

    def gate(self, alpha: float, cycles: int) -> AnchoredGate:
        """The state of the anchored gate before the next verdict; cycles = 0: for ever."""
        return AnchoredGate(self.anchor or "", self.cycle, self.spent, alpha, cycles or None)


def standing(entries: Sequence[LedgerEntry]) -> Standing:
    """What the ledger comes to."""
    return path(entries)[-1]


def path(entries: Sequence[LedgerEntry]) -> list[Standing]:
    """The standing before each entry, and at last that after all of them."""
    steps = [Standing()]
    for entry in entries:
        steps.append(_after(steps[-1], entry))
    return steps


def is_verdict(entry: LedgerEntry) -> bool:
    """Whether the gate judged here. Later stages of a candidate that it let in are no verdicts of their own."""
    stage = entry.evidence.get("stage")
    return entry.kind != "rollback" and (stage is None or stage["event"] == "enter")


def _after(before: Standing, entry: LedgerEntry) -> Standing:
    if entry.kind == "rollback":
        return _rolled_back(before, entry.release)
    gate = entry.evidence.get("gate") or {}
    judged = is_verdict(entry)
    spent = before.spent + (float(gate["alpha_cycle"]) if judged and gate.get("lines") else 0.0)
    cycle = before.cycle + (judged and before.champion is not None)
    if entry.kind != "release" or entry.release is None:
        return replace(before, cycle=cycle, spent=spent)
    name = entry.release
    moves = before.anchor is None or bool(gate.get("moves_anchor"))
    better = {str(line["slice"]): name for line in gate.get("lines", ()) if line.get("moves_best")}
    return Standing(
        champion=name,
        anchor=name if moves else before.anchor,
        cycle=cycle,
        spent=spent,
        best={**before.best, **better},
        order=(*before.order, name),
    )


def _rolled_back(before: Standing, to: str | None) -> Standing:
    """Back to a release: what was proved of later ones has turned out wrong."""
    if to is None or to not in before.order:
        return replace(before, champion=to)
    still = set(before.order[: before.order.index(to) + 1])
    return replace(
        before,
        champion=to,
        anchor=before.anchor if before.anchor in still else to,
        best={name: best if best in still else to for name, best in before.best.items()},
    )
