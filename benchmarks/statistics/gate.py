"""Years of updates through the anchored gate and through the naive rules: `python benchmarks/statistics/gate.py`.

500 simulated histories of 52 update cycles. A cycle has one challenger, whose true quality is that of the live model
plus a drawn effect, and freshly drawn labels on which challenger, champion and anchor are compared in pairs. An update
changes the outcome of 8 % of all queries (of 5 % in one scenario). Along a chain of updates the changes add up (a
Markov chain for each query), so that the further back the anchor lies, the less sharp is the comparison with it.

Each rule walks its own way from the same drawn effects. Writes its tables into docs/benchmarks-gate.md.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.special import bdtr

from noria.stats.gating import share_of_alpha, tango_lowers

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

TARGET = Path(__file__).resolve().parents[2] / "docs" / "benchmarks-gate.md"
START, MARGIN, ALPHA = 0.75, 0.01, 0.05
# Answers differ more often than their outcome does: two wrong answers can be two different ones.
DIFFER = 1.5
# Queries of a cycle; labels cannot be drawn from more.
TRAFFIC = 100_000
CYCLES, GOLDEN, VARIANTS = 52, 2000, 20
LABELS = (500, 2000, 5000)
CLOSE = 0.5
COLUMNS = (
    "| rule | labels a cycle | end quality | behind truth | better ones not promoted | worse promoted a year "
    "| ever > 1 point below the start | … below its best | … below the anchor | anchor fell |"
)


@dataclass(frozen=True)
class Scenario:
    """How challengers are drawn: mean and spread of their effects, `step` for a third each of +, 0, -.

    discordant: share of queries whose outcome an update changes. variants: so many are tried on the golden set and the
    best is proposed.
    """

    name: str
    said: str
    mean: float = 0.0
    spread: float = 0.0
    step: float = 0.0
    discordant: float = 0.08
    variants: int = 1

    def effects(self, size: tuple[int, ...], rng: np.random.Generator) -> Floats:
        drawn: Floats = rng.choice([self.step, 0.0, -self.step], size) if self.step else rng.normal(
            self.mean, self.spread, size
        )  # fmt: skip
        return drawn


SCENARIOS = (
    Scenario("mixed", "better, equal, worse by 1 point, a third each", step=0.01),
    Scenario("mixed, small updates", "the same, by updates that change 5 % of outcomes", step=0.01, discordant=0.05),
    Scenario("spread", "effects N(−0.5, 1) points: a third are better, most of those by little", -0.005, 0.01),
    Scenario("mostly worse", "effects N(−1, 0.5) points", -0.01, 0.005),
    Scenario(
        "tuned to a re-used basket",
        f"of {VARIANTS} variants with effects N(−0.5, 0.5) the best on one golden set of 2,000 rows, always the same",
        -0.005, 0.005, variants=VARIANTS,
    ),
)  # fmt: skip


@dataclass
class Walk:
    """Where the histories (h,) of one rule are. `joint` (h, 2, 2): share of queries by (champion, anchor) right."""

    champion: Floats
    anchor: Floats
    joint: Floats
    golden: Counts
    seen_best: Floats
    broken: Flags
    fell: Flags
    below_start: Flags
    below_best: Flags
    better: int = 0
    better_refused: int = 0
    worse_promoted: int = 0

    @classmethod
    def start(cls, histories: int, rng: np.random.Generator) -> Walk:
        def flags() -> Flags:
            return np.zeros(histories, bool)

        full = np.full(histories, START)
        joint = np.zeros((histories, 2, 2))
        joint[:, 1, 1], joint[:, 0, 0] = START, 1 - START
        golden = rng.binomial(GOLDEN, START, histories)
        return cls(full, full, joint, golden, full, flags(), flags(), flags(), flags())


@dataclass(frozen=True)
class Seen:
    """What a rule may look at: counts (h,) of pairs on fresh labels against champion and anchor, and on the golden set.

    b: only the other was right; c: only the challenger. `effect` is the truth.
    """

    n: int | Counts
    cycle: int
    b: Counts
    c: Counts
    anchor_b: Counts
    anchor_c: Counts
    golden_gain: Counts
    effect: Floats


Rule = Callable[[Seen], tuple[Flags, Flags]]
"""Which histories promote, and in which the anchor moves to what was promoted."""


def anchored(seen: Seen, cycles: int | None = CYCLES) -> tuple[Flags, Flags]:
    """The gate of noria.stats.gating, for many histories at once."""
    lower = tango_lowers(seen.anchor_b, seen.anchor_c, seen.n, 1 - share_of_alpha(seen.cycle, ALPHA, cycles) / 2)
    promoted = (seen.c >= seen.b) & (lower > -MARGIN)
    return promoted, promoted & (lower > 0)


def anchored_apart(seen: Seen) -> tuple[Flags, Flags]:
    """The same gate, on labels drawn from the queries that the agents answer differently."""
    return anchored(seen)


def by_point(seen: Seen) -> tuple[Flags, Flags]:
    """The plain rule: what scored no worse goes live."""
    return unanchored(seen.c >= seen.b)


def by_point_apart(seen: Seen) -> tuple[Flags, Flags]:
    """The plain rule on labels drawn from the queries that challenger and champion answer differently."""
    promoted, _ = by_point(seen)
    return promoted, promoted  # the anchor is the champion, so that no label goes to what lies further back


def chained(seen: Seen) -> tuple[Flags, Flags]:
    """Non-inferiority against the last champion, at 95 %."""
    return unanchored(tango_lowers(seen.b, seen.c, seen.n, 1 - ALPHA) > -MARGIN)


def by_mcnemar(seen: Seen) -> tuple[Flags, Flags]:
    """Proved better than the last champion, two-sided."""
    p = 2 * bdtr(np.minimum(seen.b, seen.c), np.maximum(seen.b + seen.c, 1), 0.5)
    return unanchored((seen.c > seen.b) & (p < ALPHA))


def by_golden_set(seen: Seen) -> tuple[Flags, Flags]:
    """What scored no worse on the golden set, the same in every cycle."""
    return unanchored(seen.golden_gain >= 0)


def by_truth(seen: Seen) -> tuple[Flags, Flags]:
    """What no rule can see."""
    return unanchored(seen.effect > 0)


def unanchored(promoted: Flags) -> tuple[Flags, Flags]:
    """A rule that keeps no anchor."""
    return promoted, np.zeros(len(promoted), bool)


RULES: dict[str, Rule] = {
    "promoting by truth": by_truth,
    "**anchored, 52 cycles**": anchored,
    "**anchored, endless**": lambda seen: anchored(seen, None),
    "**anchored, labels where they differ**": anchored_apart,
    "better wins": by_point,
    "not worse than the last": chained,
    "McNemar 5 %": by_mcnemar,
    "one golden set": by_golden_set,
}


def flips(quality: Floats, effect: Floats, discordant: float) -> tuple[Floats, Floats]:
    """Chance that an update loses a right answer and mends a wrong one, by history."""
    mended = np.minimum(np.maximum((discordant + effect) / 2, 0.0), 0.9 * (1 - quality))
    mended = np.maximum(mended, effect)
    return np.maximum(mended - effect, 0.0) / quality, mended / (1 - quality)


def challenger(
    walk: Walk, scenario: Scenario, draws: np.random.Generator, rng: np.random.Generator
) -> tuple[Floats, Counts]:
    """The effect of this cycle's challenger and what it gains on the golden set, by history (h,).

    An update mends at most 45 % of what is wrong.
    """
    quality = walk.champion
    effects = np.minimum(scenario.effects((scenario.variants, len(quality)), draws), 0.45 * (1 - quality))
    lost, mended = flips(quality, effects, scenario.discordant)
    gains: Counts = rng.binomial(GOLDEN - walk.golden, mended) - rng.binomial(walk.golden, lost)
    chosen = gains.argmax(axis=0), np.arange(len(quality))
    return effects[chosen], gains[chosen]


def step(
    walk: Walk, rule: Rule, n: int, cycle: int, drawn: tuple[Floats, Counts, float], rng: np.random.Generator
) -> None:
    """One cycle: labels are drawn, the rule speaks, the walk goes on. drawn: effect, golden gain, discordance."""
    effect, gain, discordant = drawn
    lost, mended = flips(walk.champion, effect, discordant)
    turned = np.stack(
        [np.stack([1 - mended, lost], 1), np.stack([mended, 1 - lost], 1)], 1
    )  # (h, challenger, champion)
    cells = turned[:, :, :, None] * walk.joint[:, None, :, :]
    if rule in {anchored_apart, by_point_apart}:
        counts, pairs = drawn_apart(cells, n, rng)
    else:
        counts, pairs = rng.multinomial(n, cells.reshape(len(effect), 8)).reshape(cells.shape), n
    seen = Seen(
        pairs, cycle,
        b=counts[:, 0, 1].sum(1), c=counts[:, 1, 0].sum(1),
        anchor_b=counts[:, 0, :, 1].sum(1), anchor_c=counts[:, 1, :, 0].sum(1),
        golden_gain=gain, effect=effect,
    )  # fmt: skip
    promoted, moved = rule(seen)
    quality = walk.champion + effect
    walk.better += int((effect > 0).sum())
    walk.better_refused += int((~promoted & (effect > 0)).sum())
    walk.worse_promoted += int((promoted & (effect < 0)).sum())
    walk.broken |= promoted & (quality < walk.anchor - MARGIN)
    walk.fell |= moved & (quality < walk.anchor)
    walk.champion = np.where(promoted, quality, walk.champion)
    walk.joint = np.where(promoted[:, None, None], cells.sum(2), walk.joint)
    walk.golden = np.where(promoted, walk.golden + gain, walk.golden)
    walk.anchor = np.where(moved, walk.champion, walk.anchor)
    walk.joint[moved] = 0.0
    walk.joint[moved, 1, 1], walk.joint[moved, 0, 0] = walk.champion[moved], 1 - walk.champion[moved]
    walk.seen_best = np.maximum(walk.seen_best, walk.champion)
    walk.below_start |= walk.champion < START - MARGIN
    walk.below_best |= walk.champion < walk.seen_best - MARGIN


def drawn_apart(cells: Floats, n: int, rng: np.random.Generator) -> tuple[Counts, Counts]:
    """Counts of n labels drawn from where the challenger answers unlike champion or anchor; and of how many pairs.

    cells: share of queries by who is right (h, challenger, champion, anchor). Queries that all answer alike are ties
    without a label, so that n labels from a share u of the traffic count like n / u pairs.
    """
    apart = cells.copy()
    apart[:, 0, 0, 0] = apart[:, 1, 1, 1] = 0.0
    share = np.minimum(1.0, DIFFER * apart.sum((1, 2, 3)))
    asked = np.minimum(n, np.floor(share * TRAFFIC)).astype(np.int64)
    chances = (apart / share[:, None, None, None]).reshape(len(cells), 8)
    ties = np.maximum(0.0, 1 - chances.sum(1, keepdims=True))
    counts = rng.multinomial(asked, np.hstack([chances, ties]))[:, :8]
    return counts.reshape(cells.shape), np.round(asked / share).astype(np.int64)


def walked(rule: Rule, scenario: Scenario, n: int, histories: int, seed: int) -> Walk:
    """All cycles of all histories under a rule; the drawn effects are the same for every rule."""
    draws, rng = np.random.default_rng(seed), np.random.default_rng(seed + 1)
    walk = Walk.start(histories, rng)
    for cycle in range(1, CYCLES + 1):
        effect, gain = challenger(walk, scenario, draws, rng)
        step(walk, rule, n, cycle, (effect, gain, scenario.discordant), rng)
    return walk


def table(scenario: Scenario, histories: int, seed: int) -> tuple[list[str], list[str]]:
    """One scenario's table, and its rows of the tables of targets."""
    lines = [
        COLUMNS,
        "| --- | --: | --: | --: | --: | --: | --: | --: | --: | --: |",
    ]
    truth, targets = 0.0, list[str]()
    for name, rule in RULES.items():
        kept, refused, gap = list[float](), list[str](), 0.0
        for n in (GOLDEN,) if rule in {by_truth, by_golden_set} else LABELS:
            walk = walked(rule, scenario, n, histories, seed)
            end = float(walk.champion.mean())
            truth = end if rule is by_truth else truth
            gap = 100 * (truth - end)
            own = name.startswith("**")
            kept.append(1 - float((walk.broken | walk.fell).mean()))
            refused.append(f"{100 * walk.better_refused / max(walk.better, 1):.0f} %")
            shares = [f"{100 * flags.mean():.1f} %" for flags in (walk.below_start, walk.below_best)]
            shares += [f"{100 * flags.mean():.1f} %" if own else "–" for flags in (walk.broken, walk.fell)]
            labels = "–" if rule is by_truth else f"{n:,}"
            lines.append(
                f"| {name} | {labels} | {100 * end:.2f} | {gap:.2f} | {refused[-1]} "
                f"| {walk.worse_promoted / histories:.2f} | {' | '.join(shares)} |"
            )
        if rule in {anchored, anchored_apart}:
            plain = by_point_apart if rule is anchored_apart else by_point
            point = 100 * (truth - float(walked(plain, scenario, max(LABELS), histories, seed).champion.mean()))
            promise = f"{100 * min(kept):.1f} %: {'met' if min(kept) >= 1 - ALPHA else '**missed**'}"
            near = "met" if gap <= CLOSE else f"**missed by {gap - CLOSE:.2f}**"
            told = "where they differ" if rule is anchored_apart else "all traffic"
            targets.append(
                f"| {scenario.name} | {told} | {promise} | {gap:.2f}: {near} | {point:.2f} | {', '.join(refused)} |"
            )
        if rule is by_golden_set:
            said, true = 100 * walk.golden.mean() / GOLDEN, 100 * walk.champion.mean()
            lines += ["", f"At the end the golden set of its own rule says {said:.2f}, the truth is {true:.2f}."]
    return lines, targets


def main() -> None:
    """Runs all and writes the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--histories", type=int, default=500)
    parser.add_argument("--seed", type=int, default=20_260_101)
    parser.add_argument("--print", action="store_true", help="Print only; leave the document as it is.")
    args = parser.parse_args()
    started, targets, body = time.process_time(), list[str](), list[str]()
    for scenario in SCENARIOS:
        lines, asked = table(scenario, args.histories, args.seed)
        said = scenario.said[0].upper() + scenario.said[1:]
        body += [f"## Challengers: {scenario.name}", "", f"{said}.", "", *lines, ""]
        targets += asked
    seconds = time.process_time() - started
    text = HEAD.format(histories=args.histories, seed=args.seed, seconds=seconds)
    text += "\n".join([*targets, "", *body])
    sys.stdout.write(text)
    if not args.print:
        TARGET.write_text(text, encoding="utf-8")


HEAD = """# Benchmark: a year of updates through the gate

Made by `python benchmarks/statistics/gate.py` ({histories} histories of 52 update cycles, seed {seed},
{seconds:.0f} s of processor time); do not edit it by hand. What the rules are: [gate.md](gate.md).

Simulated. A challenger's true quality is the live model's plus a drawn effect; the start is 75 %. An update changes the
outcome of 8 % of the queries unless said, and along a chain of updates these changes add up, so that a comparison with
an anchor far back is less sharp. Labels are drawn freshly in each cycle; margin 1 point, alpha 5 % a year. "Behind
truth": how many points higher promoting every truly better challenger, and no other, would have ended. "Better ones not
promoted": share of the challengers truly better than the champion. "Ever > 1 point below": share of the histories in
which that happened at least once. "One golden set" is 2,000 rows, labelled once. In "tuned" every rule gets the
challenger that was chosen on the re-used set.

"Labels where they differ": the labels of a cycle are drawn from the queries that the challenger answers unlike champion
or anchor, in the traffic of a cycle (100,000 queries). Queries that all answer alike are ties without a label. Answers
are taken to differ 1.5 times as often as their outcome does, since two wrong answers can be two different ones.

## Targets: the anchored gate, 52 cycles

The promise: in at least 95 % of the histories no promoted model is more than the margin below the anchor and the anchor
never falls (the worst of 500, 2,000 and 5,000 labels). The end: within half a point of promoting by truth at 5,000
labels a cycle. Beside it how far "better wins", which has no safeguard, is behind with as many such labels: what
their noise alone costs. Last the share of better challengers that were not promoted, by labels a cycle.

| challengers | labels from | promise kept | points behind truth | "better wins" | not promoted: 500, 2,000, 5,000 |
| --- | --- | --: | --: | --: | --: |
"""

if __name__ == "__main__":
    main()
