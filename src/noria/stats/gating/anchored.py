"""A gate for many updates: each challenger is held against an anchor, the best champion proved so far.

A chain of "not much worse than the last" can go down for ever. Here what goes live is bounded against one fixed point,
which moves only where a gain over it is proved; the chance of a wrong verdict is spent over the cycles.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy.typing as npt

from noria.errors import UsageError
from noria.records import VerdictKind
from noria.stats.gating.gates import pairs_needed
from noria.stats.gating.paired import tango_lower
from noria.stats.intervals import as_flags, same_length

Why = Literal["", "below the champion", "cap", "margin"]


@dataclass(frozen=True, slots=True)
class Pairs:
    """Answers of a challenger and of another to the same n queries.

    b: queries on which only the other was right. c: on which only the challenger was. n: all of them.
    """

    b: int
    c: int
    n: int

    def __post_init__(self) -> None:
        if self.b < 0 or self.c < 0 or self.b + self.c > self.n:
            raise UsageError(f"{self.b} and {self.c} pairs with one right answer of {self.n} pairs cannot be.")

    @property
    def difference(self) -> float:
        """Challenger - other in the share of right answers; NaN without pairs."""
        return (self.c - self.b) / self.n if self.n else math.nan


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that must not fall: all traffic, or a protected slice of it.

    name: of the slice. anchor: the pairs against the anchor. margin: the loss against it that must be ruled out (share,
    0 to below 1). champion: the pairs against the live model, where the point must not be below it. best: the pairs
    against the best ever of this slice, and `cap` the largest loss against it (share); None = no cap.
    """

    name: str
    anchor: Pairs
    margin: float
    champion: Pairs | None = None
    best: Pairs | None = None
    cap: float | None = None


@dataclass(frozen=True, slots=True)
class LineVerdict:
    """What one line says. `lower`: bound of challenger - anchor. `lacking`: further pairs for a hold, about; else 0."""

    name: str
    kind: VerdictKind
    why: Why
    difference: float
    lower: float
    lacking: int


@dataclass(frozen=True, slots=True)
class AnchoredGate:
    """The state between two cycles.

    anchor: name of the best champion proved so far. cycle: verdicts given so far. spent: of the chance `alpha`, over
    all of them. cycles: over how many verdicts alpha is spent in equal parts, so that the promise holds for any so many
    in a row; None = for ever, in falling parts.
    """

    anchor: str
    cycle: int = 0
    spent: float = 0.0
    alpha: float = 0.05
    cycles: int | None = None

    @property
    def level(self) -> float:
        """One-sided confidence of the next cycle's bounds: half of its share of alpha for each use of them."""
        return 1 - share_of_alpha(self.cycle + 1, self.alpha, self.cycles) / 2


@dataclass(frozen=True, slots=True)
class AnchoredVerdict:
    """The verdict on a challenger, the line that decided, what every line says, and the state after.

    level: confidence of the bounds. lacking: about how many further pairs a hold lacks, on the line that decided.
    moves: whether the challenger, once live, is the new anchor.
    """

    kind: VerdictKind
    deciding: LineVerdict
    lines: tuple[LineVerdict, ...]
    level: float
    moves: bool
    after: AnchoredGate

    @property
    def lacking(self) -> int:
        return self.deciding.lacking


def decide(state: AnchoredGate, challenger: str, overall: Line, slices: Sequence[Line] = ()) -> AnchoredVerdict:
    """Promote, hold or refuse a challenger.

    `promote`: the point of challenger - champion is not below 0, and on every line the lower bound of challenger -
    anchor is above -margin. `refuse`: the point is below the champion, a slice lost more than its cap against its best
    ever, or a line lost its whole margin. `hold`: nothing of that, but too few pairs to rule the margin out. The anchor
    moves where the bound on all traffic is above 0.

    With pairs that are fresh (drawn independently of the challengers) this holds with a chance of at least 1 - alpha,
    over all cycles together: the anchor never gets worse, and nothing promoted is a margin or more below it. All lines
    must pass, so that more slices make a wrong promotion no likelier.

    Args:
        state: anchor, cycle and what of alpha is spent.
        challenger: its name, for the state after.
        overall: all traffic; it must have the champion's pairs.
        slices: the protected slices.

    Raises:
        UsageError: the overall line lacks the champion, or a margin is outside 0 to below 1.

    Example:
        >>> gate = AnchoredGate("r1", cycles=52)
        >>> line = Line("all", Pairs(40, 70, 2000), margin=0.01, champion=Pairs(40, 70, 2000))
        >>> verdict = decide(gate, "r2", line)
        >>> verdict.kind, verdict.moves, round(verdict.deciding.lower, 4), verdict.after.anchor
        ('promote', False, -0.0024, 'r1')
        >>> acme = Line("account acme", Pairs(30, 10, 400), margin=0.02)
        >>> verdict = decide(gate, "r2", line, [acme])
        >>> verdict.kind, verdict.deciding.name, verdict.deciding.difference
        ('refuse', 'account acme', -0.05)
        >>> short = Line("all", Pairs(8, 8, 200), margin=0.01, champion=Pairs(8, 8, 200))
        >>> decide(gate, "r2", short).kind, decide(gate, "r2", short).lacking
        ('hold', 13533)
    """
    if overall.champion is None:
        raise UsageError("the line of all traffic needs the pairs against the champion as well.")
    level = state.level
    lines = tuple(_line(line, level) for line in (overall, *slices))
    refused = [line for line in lines if line.kind == "refuse"]
    held = sorted((line for line in lines if line.kind == "hold"), key=lambda line: -line.lacking)
    deciding = (*refused, *held, lines[0])[0]
    moves = deciding.kind == "promote" and lines[0].lower > 0
    after = AnchoredGate(
        anchor=challenger if moves else state.anchor,
        cycle=state.cycle + 1,
        spent=state.spent + 2 * (1 - level),
        alpha=state.alpha,
        cycles=state.cycles,
    )
    return AnchoredVerdict(deciding.kind, deciding, lines, level, moves, after)


def share_of_alpha(cycle: int, alpha: float, cycles: int | None = None) -> float:
    """What the verdict number `cycle` (from 1) may spend of alpha.

    Equal parts over `cycles` verdicts where that number is known; else 6 / (pi² cycle²) of it, which sums up to alpha
    over endless cycles.

    Raises:
        UsageError: alpha is not between 0 and 1, or a number of cycles is below 1.

    Example:
        >>> round(share_of_alpha(3, 0.05, 50), 4)
        0.001
        >>> round(sum(share_of_alpha(k, 0.05) for k in range(1, 10_000)), 4)
        0.05
    """
    if not 0 < alpha < 1:
        raise UsageError(f"a chance of {alpha} of a wrong verdict; give one between 0 and 1, such as 0.05.")
    if cycle < 1 or (cycles is not None and cycles < 1):
        raise UsageError(f"cycle {cycle} of {cycles}: both count from 1.")
    return alpha / cycles if cycles is not None else 6 * alpha / (math.pi * cycle) ** 2


def pairs_of(other_right: npt.ArrayLike, challenger_right: npt.ArrayLike) -> Pairs:
    """Counts of two agents' answers to the same queries.

    Args:
        other_right: truth values (n,): was the champion (or the anchor) right?
        challenger_right: truth values (n,), same queries in the same order.

    Raises:
        UsageError: different lengths, or no truth values.

    Example:
        >>> pairs_of([True, True, False], [True, False, False])
        Pairs(b=1, c=0, n=3)
    """
    other, challenger = as_flags("other_right", other_right), as_flags("challenger_right", challenger_right)
    n = same_length(other_right=other, challenger_right=challenger)
    return Pairs(int((other & ~challenger).sum()), int((challenger & ~other).sum()), n)


def _line(line: Line, level: float) -> LineVerdict:
    if not 0 <= line.margin < 1:
        raise UsageError(f"{line.name}: a margin of {line.margin} makes no sense; give a share from 0 to below 1.")
    pairs, champion, best = line.anchor, line.champion, line.best
    lower = tango_lower(pairs.b, pairs.c, pairs.n, level)

    def said(kind: VerdictKind, why: Why, difference: float, lacking: int = 0) -> LineVerdict:
        return LineVerdict(line.name, kind, why, difference, lower, lacking)

    if champion is not None and champion.c < champion.b:
        return said("refuse", "below the champion", champion.difference)
    if best is not None and line.cap is not None and best.n and best.difference < -line.cap:
        return said("refuse", "cap", best.difference)
    if pairs.n and lower > -line.margin:
        return said("promote", "", pairs.difference)
    lacking = pairs_needed(pairs.b, pairs.c, pairs.n, margin=line.margin, level=level)
    if lacking is None and pairs.n:
        return said("refuse", "margin", pairs.difference)
    return said("hold", "margin", pairs.difference, lacking or 0)
