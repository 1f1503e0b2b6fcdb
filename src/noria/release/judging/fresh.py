"""The latest labelled window and its protected slices, held against the anchor."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from noria.records import Check, Example
from noria.release.judging.wording import line_sentence, percent, signed, titled
from noria.release.policy import GatePolicy, slices_of
from noria.release.standing import ALL, Standing
from noria.stats import tango_lower
from noria.stats.gating import AnchoredGate, Line, LineVerdict, Pairs, decide, pairs_needed, pairs_of

NAME = "fresh labels"


@dataclass(frozen=True, slots=True)
class Rivals:
    """Whether champion, anchor and each slice's best ever (by release) served the rows, and where the gate stands."""

    champion: Sequence[bool]
    anchor: Sequence[bool]
    best: Mapping[str, Sequence[bool]]
    standing: Standing


@dataclass(frozen=True, slots=True)
class Sample:
    """Labelled queries with what everybody made of them; `stands_for` more pairs where most are known to be ties."""

    rows: tuple[Example, ...]
    candidate: Sequence[bool]
    rivals: Rivals
    stands_for: int | None = None

    def flags(self) -> tuple[Sequence[bool], Sequence[bool], Sequence[bool]]:
        return self.candidate, self.rivals.champion, self.rivals.anchor

    def pairs(self, other: Sequence[bool], places: Sequence[int] | None = None) -> Pairs:
        """Counts against another, on all rows or on some."""
        if places is not None:
            return pairs_of([other[i] for i in places], [self.candidate[i] for i in places])
        whole = pairs_of(other, self.candidate)
        return whole if self.stands_for is None else replace(whole, n=self.stands_for)

    def labels(self, pairs: int) -> int:
        """How many labels tell of so many pairs."""
        return pairs if self.stands_for is None else math.ceil(pairs * len(self.rows) / self.stands_for)


def judge_fresh(sample: Sample, policy: GatePolicy, apart: Sample | None = None) -> tuple[list[Check], dict[str, Any]]:
    """The checks on fresh labels (all traffic first) and what the ledger keeps of them.

    With labels from where the answers differ (`apart`) these speak for all traffic, the others for its slices only.
    Below `min_fresh` labels, or where so few could not rule the margin out even without a single disagreement, they do
    not decide (with `require_fresh`: hold), but for one thing: scoring lower than the champion is refused.
    """
    whole, stand = apart or sample, sample.rivals.standing
    n = whole.stands_for or len(sample.rows)
    state = stand.gate(policy.alpha, policy.cycles)
    champion = whole.pairs(whole.rivals.champion)
    record = _record(state, stand, sample)
    enough = pairs_needed(0, 0, 0, margin=policy.fresh_margin, level=state.level) or 1
    if n < policy.min_fresh:
        lacking = policy.min_fresh - n
        if policy.require_fresh:
            sentence = f"Fresh labels: {n} of {policy.min_fresh} needed, {lacking} are lacking."
            return [Check(NAME, None, sentence, {"n": n, "lacking": lacking})], record
        sentence = f"Fresh labels: {n} of {policy.min_fresh} needed, so they were not asked."
        return [Check(NAME, True, sentence, {"n": n})], record
    if n < enough:
        return [_short(champion, whole.labels(enough - n), policy)], record
    lines, best = _lines(sample, whole, policy)
    verdict = decide(state, "", lines[0], lines[1:])
    record |= {
        "alpha_cycle": verdict.after.spent - state.spent,
        "moves_anchor": verdict.moves,
        "lines": [
            _plain(line, said, best[line.name], verdict.level)
            for line, said in zip(lines, verdict.lines, strict=True)
        ],
    }  # fmt: skip
    checks = [
        _check(line, said, stand, best[line.name], verdict.level, whole if line.name == ALL else sample)
        for line, said in zip(lines, verdict.lines, strict=True)
    ]
    return checks, record


def _record(state: AnchoredGate, stand: Standing, sample: Sample) -> dict[str, Any]:
    return {
        "champion": stand.champion,
        "anchor": stand.anchor,
        "cycle": state.cycle + 1,
        "cycles": state.cycles or 0,
        "alpha": state.alpha,
        "alpha_cycle": 0.0,
        "level": state.level,
        "moves_anchor": False,
        "fresh": {
            "n": len(sample.rows),
            "candidate": sum(sample.candidate),
            "champion": sum(sample.rivals.champion),
            "anchor": sum(sample.rivals.anchor),
        },
        "lines": [],
    }


def _short(champion: Pairs, lacking: int, policy: GatePolicy) -> Check:
    """Too few labels for any bound: the point alone can refuse."""
    lower = tango_lower(champion.b, champion.c, champion.n, policy.level)
    figures = {"n": champion.n, "difference": champion.difference, "lower": lower, "champion_only": champion.b,
               "candidate_only": champion.c, "lacking": lacking}  # fmt: skip
    what = f"Fresh labels ({champion.n} pairs): {signed(champion.difference)} points against the champion"
    if champion.c < champion.b:
        return Check(NAME, False, f"{what}; it must not fall.", figures)
    bound = f"{what}; {lacking} more are needed to rule out a loss of {percent(policy.fresh_margin)}"
    if policy.require_fresh:
        return Check(NAME, None, f"{bound}.", figures)
    return Check(NAME, True, f"{bound}, so they could only have refused.", figures)


def _lines(sample: Sample, whole: Sample, policy: GatePolicy) -> tuple[list[Line], dict[str, str]]:
    """All traffic and every slice with enough labels; and the best release of each."""
    rivals = sample.rivals
    champion = whole.pairs(whole.rivals.champion)
    lines = [Line(ALL, whole.pairs(whole.rivals.anchor), policy.fresh_margin, champion)]
    best = {ALL: ""}
    for name, places in slices_of(sample.rows, policy.protected).items():
        if len(places) < policy.min_slice:
            continue
        best[name] = rivals.standing.best_of(name) or ""
        flags = rivals.best.get(best[name])
        lines.append(
            Line(
                name,
                sample.pairs(rivals.anchor, places),
                policy.margin_of(name),
                best=sample.pairs(flags, places) if flags is not None else None,
                cap=policy.slice_cap,
            )
        )
    return lines, best


def _check(line: Line, said: LineVerdict, stand: Standing, best: str, level: float, sample: Sample) -> Check:
    title = "Fresh labels" if line.name == ALL else titled(line.name)
    if sample.stands_for is not None:
        title = f"{len(sample.rows)} labels from where answers differ, which tell of all traffic"
        said = replace(said, lacking=sample.labels(said.lacking))
    sentence = line_sentence(title, line, said, anchor=stand.anchor or "the champion", best=best, level=level)
    against = line.champion or line.anchor
    figures = {"n": line.anchor.n, "difference": against.difference, "champion_only": against.b,
               "candidate_only": against.c, "anchor_difference": line.anchor.difference, "lower": said.lower,
               "margin": line.margin, "level": level, "lacking": said.lacking}  # fmt: skip
    passed = {"promote": True, "hold": None, "refuse": False}[said.kind]
    return Check(NAME if line.name == ALL else line.name, passed, sentence, figures)


def _plain(line: Line, said: LineVerdict, best: str, level: float) -> dict[str, Any]:
    """A line with everything it takes to compute its verdict again."""
    return {
        "slice": line.name,
        "margin": line.margin,
        "cap": line.cap,
        "anchor": asdict(line.anchor),
        "champion": asdict(line.champion) if line.champion else None,
        "best": asdict(line.best) if line.best else None,
        "best_release": best or None,
        "kind": said.kind,
        "why": said.why,
        "lower": said.lower,
        "lacking": said.lacking,
        "moves_best": bool(line.best) and proved_better(line.best, level),
    }


def proved_better(best: Pairs | None, level: float) -> bool:
    """Whether the candidate is proved better than a slice's best ever, and so takes its place once it is live."""
    return best is not None and best.n > 0 and tango_lower(best.b, best.c, best.n, level) > 0
