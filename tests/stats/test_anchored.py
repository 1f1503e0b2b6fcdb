"""The anchored gate: what falls is refused, what is not proved waits, and a year of updates keeps its promise."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.errors import UsageError
from noria.stats import tango_lower
from noria.stats.gating import (
    AnchoredGate,
    Line,
    Pairs,
    compare,
    decide,
    pairs_of,
    share_of_alpha,
    tango_lowers,
)

GATE = AnchoredGate("r1", cycles=52)


@st.composite
def pairs(draw, least: int = 0) -> Pairs:
    n = draw(st.integers(least, 400))
    b = draw(st.integers(0, n))
    return Pairs(b, draw(st.integers(0, n - b)), n)


def reference_lower(b: int, c: int, n: int, z: float) -> float:
    """Tango's bound, written down a second time from the paper."""

    def score(d: float) -> float:
        linear, constant = -b - c + (2 * n - c + b) * d, -b * d * (1 - d)
        q = (math.sqrt(max(linear**2 - 8 * n * constant, 0)) - linear) / (4 * n)
        v = n * (2 * q + d * (1 - d))
        return (c - b - n * d) / math.sqrt(v) if v > 0 else math.inf

    low, high = -1 + 1e-9, (c - b) / n
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if score(middle) > z else (low, middle)
    return low


@given(champion=pairs(), anchor=pairs(), margin=st.floats(0, 0.5), cycles=st.one_of(st.none(), st.integers(1, 60)))
def test_the_verdict_follows_the_rule(champion, anchor, margin, cycles) -> None:
    """Never promoted below the champion; promoted only with the bound above the margin; the anchor moves on a proof."""
    gate = AnchoredGate("r1", cycle=3, cycles=cycles)
    verdict = decide(gate, "r2", Line("all", anchor, margin, champion))
    bound = tango_lower(anchor.b, anchor.c, anchor.n, gate.level)
    if champion.c < champion.b:
        assert (verdict.kind, verdict.deciding.why) == ("refuse", "below the champion")
    elif verdict.kind == "promote":
        assert bound > -margin
    else:
        assert bound <= -margin or not anchor.n
    assert verdict.moves == (verdict.kind == "promote" and bound > 0)
    assert verdict.after.anchor == ("r2" if verdict.moves else "r1")
    assert verdict.after.cycle == 4
    assert verdict.after.spent == pytest.approx(share_of_alpha(4, 0.05, cycles))


@given(anchor=pairs(), margin=st.floats(0.001, 0.5))
def test_a_hold_says_how_many_labels_are_lacking(anchor, margin) -> None:
    """A hold names a number, and every other verdict none."""
    verdict = decide(GATE, "r2", Line("all", anchor, margin, Pairs(0, 0, anchor.n)))
    assert (verdict.lacking >= 1) == (verdict.kind == "hold")


@given(overall=pairs(1), slices=st.lists(pairs(1), max_size=4), margin=st.floats(0.01, 0.5))
def test_every_slice_has_to_pass(overall, slices, margin) -> None:
    """Promoted only if each line alone would be; a refusal goes before a hold."""
    lines = [Line(f"s{i}", p, margin) for i, p in enumerate(slices)]
    verdict = decide(GATE, "r2", Line("all", overall, margin, overall), lines)
    alone = [decide(GATE, "r2", Line(x.name, x.anchor, margin, Pairs(0, 0, x.anchor.n))).kind for x in lines]
    alone.append(decide(GATE, "r2", Line("all", overall, margin, overall)).kind)
    expected = "refuse" if "refuse" in alone else "hold" if "hold" in alone else "promote"
    assert verdict.kind == expected
    assert verdict.deciding.kind == expected


def test_better_overall_but_worse_for_one_slice_is_refused_by_its_name() -> None:
    """Three points up on all traffic, five down for one account."""
    overall = Line("all", Pairs(40, 100, 2000), 0.01, Pairs(40, 100, 2000))
    verdict = decide(GATE, "r2", overall, [Line("account a", Pairs(2, 30, 700), 0.02),
                                           Line("account b", Pairs(20, 5, 300), 0.02)])  # fmt: skip
    assert (verdict.kind, verdict.deciding.name, verdict.deciding.why) == ("refuse", "account b", "margin")
    assert verdict.deciding.lower < -0.02
    assert not verdict.moves


def test_a_slice_cannot_be_worn_down_below_its_best_ever() -> None:
    """Within the margin of the anchor, but six points below what this slice once had."""
    overall = Line("all", Pairs(5, 5, 3000), 0.01, Pairs(5, 5, 3000))
    worn = Line("account b", Pairs(2, 2, 900), 0.03, best=Pairs(70, 16, 900), cap=0.05)
    verdict = decide(GATE, "r2", overall, [worn])
    assert (verdict.kind, verdict.deciding.why) == ("refuse", "cap")
    assert verdict.deciding.difference == pytest.approx(-0.06)
    assert decide(GATE, "r2", overall, [Line("account b", Pairs(2, 2, 900), 0.03)]).kind == "promote"


def test_without_labels_it_waits() -> None:
    """No pairs are no proof: hold, with the number that would do if none disagreed."""
    verdict = decide(GATE, "r2", Line("all", Pairs(0, 0, 0), 0.02, Pairs(0, 0, 0)))
    assert verdict.kind == "hold"
    n = verdict.lacking
    assert decide(GATE, "r2", Line("all", Pairs(0, 0, n), 0.02, Pairs(0, 0, n))).kind == "promote"


@given(counts=pairs(1), level=st.floats(0.6, 0.9999))
def test_the_bounds_for_many_are_those_for_one(counts, level) -> None:
    """`tango_lowers` and `tango_lower` agree, and both with the formula written down again."""
    from noria.stats.intervals import one_sided

    one = tango_lower(counts.b, counts.c, counts.n, level)
    assert tango_lowers([counts.b], [counts.c], counts.n, level)[0] == pytest.approx(one, abs=1e-12)
    if counts.b < counts.n:
        assert one == pytest.approx(reference_lower(counts.b, counts.c, counts.n, one_sided(level)), abs=1e-8)


def test_the_plain_gate_is_the_anchored_one_with_the_champion_as_anchor() -> None:
    """One cycle with all of a doubled alpha: the same verdicts as `compare`."""
    rng = np.random.default_rng(3)
    for champion, challenger in rng.random((40, 2, 200)) < 0.8:
        plain = compare(champion, challenger, margin=0.06)
        p = pairs_of(champion, challenger)
        anchored = decide(AnchoredGate("r1", alpha=0.1, cycles=1), "r2", Line("all", p, 0.06, p))
        assert anchored.kind == plain.verdict
        assert anchored.deciding.lower == pytest.approx(plain.lower)


def test_many_bad_challengers_do_not_wear_the_quality_down() -> None:
    """60 years of 52 updates, most of them worse: none ends a margin below its anchor, no anchor falls.

    Promoting what merely scores better on its labels loses points in the same years.
    """
    rng = np.random.default_rng(8)
    broken = 0
    ends, naive_ends = [], []
    for _ in range(60):
        gate, truth = AnchoredGate("0", cycles=52), {"0": 0.80}
        champion = best = 0.80
        naive = 0.80
        wrong = False
        for k in range(1, 53):
            challenger = 0.80 + rng.normal(-0.01, 0.006) if k % 2 else champion + rng.normal(-0.01, 0.005)
            against_champion = drawn(rng, champion, challenger)
            verdict = decide(gate, str(k), Line("all", drawn(rng, truth[gate.anchor], challenger), 0.01,
                                                against_champion))  # fmt: skip
            truth[str(k)] = challenger
            if verdict.kind == "promote":
                wrong |= challenger <= truth[gate.anchor] - 0.01
                champion = challenger
            gate = verdict.after
            wrong |= truth[gate.anchor] < best
            best = max(best, truth[gate.anchor])
            step = rng.normal(-0.01, 0.005)
            other = drawn(rng, naive, naive + step)
            naive += step if other.c >= other.b else 0
        broken += wrong
        ends.append(champion)
        naive_ends.append(naive)
    assert broken <= 3
    assert np.mean(ends) > 0.79 > np.mean(naive_ends)


def drawn(rng: np.random.Generator, other: float, challenger: float, n: int = 2000, discordant: float = 0.08) -> Pairs:
    """Labels of n queries on which two models differ by their true qualities."""
    gain = challenger - other
    share = max(discordant, abs(gain))
    b, c, _ = rng.multinomial(n, [(share - gain) / 2, (share + gain) / 2, 1 - share])
    return Pairs(int(b), int(c), n)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Pairs(3, 3, 5),
        lambda: Pairs(-1, 0, 5),
        lambda: decide(GATE, "r2", Line("all", Pairs(0, 0, 5), 0.02)),
        lambda: decide(GATE, "r2", Line("all", Pairs(0, 0, 5), 1.0, Pairs(0, 0, 5))),
        lambda: share_of_alpha(1, 0.0),
        lambda: share_of_alpha(0, 0.05),
        lambda: share_of_alpha(1, 0.05, 0),
        lambda: tango_lowers([3], [3], 5),
    ],
)
def test_what_makes_no_sense_is_refused(wrong) -> None:
    """Impossible counts, margins and budgets; no champion to compare with."""
    with pytest.raises(UsageError):
        wrong()
