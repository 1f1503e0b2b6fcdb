"""The gates: nothing that fell is promoted, nothing is promoted without evidence, errors stay in their budget."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.errors import UsageError
from noria.stats import compare, e_gate, tango_lower

outcomes = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=200)


def pairs(b: int, c: int, n: int) -> tuple[list[bool], list[bool]]:
    """Answers of champion and candidate with b and c disagreements, both right otherwise."""
    return [True] * b + [False] * c + [True] * (n - b - c), [False] * b + [True] * c + [True] * (n - b - c)


@given(rows=outcomes, margin=st.floats(0, 0.5), level=st.floats(0.6, 0.99))
def test_the_verdict_follows_the_rule(rows, margin, level) -> None:
    """A fall is refused; the rest goes live if the bound says so and waits if it does not."""
    result = compare(*zip(*rows, strict=True), margin=margin, level=level)
    difference = sum(c - b for b, c in rows) / len(rows)
    assert result.difference == pytest.approx(difference)
    assert result.lower <= result.difference <= result.upper
    if difference < 0:
        assert result.verdict == "refuse"
    else:
        assert result.verdict == ("promote" if result.lower > -margin else "hold")
    assert result.needed is None or (result.verdict == "hold" and result.needed >= 1)


@given(rows=outcomes)
def test_counts_are_those_of_the_rows(rows) -> None:
    """b: only the champion was right; c: only the candidate; swapped, the bounds mirror."""
    champion, candidate = zip(*rows, strict=True)
    there, back = (compare(*sides, margin=0.05) for sides in ((champion, candidate), (candidate, champion)))
    assert there.b == sum(p and not q for p, q in rows) == back.c
    assert there.c == sum(q and not p for p, q in rows) == back.b
    assert there.n == len(rows)
    assert there.lower == tango_lower(there.b, there.c, there.n)
    assert (there.lower, there.upper) == (-back.upper, -back.lower)


@given(rows=outcomes, margin=st.floats(0, 0.5))
def test_a_wider_margin_never_turns_a_promotion_back(rows, margin) -> None:
    """What passes a margin passes every wider one."""
    sides = tuple(zip(*rows, strict=True))
    if compare(*sides, margin=margin).verdict == "promote":
        assert compare(*sides, margin=(1 + margin) / 2).verdict == "promote"


@pytest.mark.parametrize(
    ("b", "c", "n", "verdict"),
    [
        (11, 10, 5000, "refuse"),
        (10, 10, 5000, "promote"),
        (10, 10, 100, "hold"),
        (0, 0, 100, "hold"),
        (40, 10, 500, "refuse"),
    ],
)
def test_known_cases(b, c, n, verdict) -> None:
    """The smallest fall is refused even with much evidence; a tie needs enough pairs."""
    assert compare(*pairs(b, c, n), margin=0.02).verdict == verdict


@pytest.mark.parametrize("margin", [0.005, 0.02, 0.1])
def test_the_pairs_asked_for_settle_a_tie_without_disagreement(margin) -> None:
    """With exactly that many more the candidate is promoted, with one less it is not."""
    needed = compare([True] * 10, [True] * 10, margin=margin).needed
    assert needed is not None
    enough, short = [True] * (10 + needed), [True] * (9 + needed)
    assert compare(enough, enough, margin=margin).verdict == "promote"
    assert compare(short, short, margin=margin).verdict == "hold"


def test_the_pairs_asked_for_are_those_of_the_formula() -> None:
    """8 % disagreement, no gain, margin of a point: 4,950 pairs for a power of 80 %; a gain of a point: a quarter."""
    tie = compare(*pairs(20, 20, 500), margin=0.01)
    assert tie.needed == pytest.approx(4950 - 500, abs=10)
    early = compare(*pairs(14, 18, 400), margin=0.01)
    assert early.verdict == "hold"
    assert early.needed == pytest.approx(1240 - 400, abs=5)


def test_the_pairs_asked_for_settle_most_cases() -> None:
    """1,000 simulated comparisons of the size asked for: the margin is ruled out in about 80 %."""
    first = compare(*pairs(8, 8, 200), margin=0.03)
    assert first.needed is not None
    n = first.n + first.needed
    drawn = np.random.default_rng(5).multinomial(n, [0.04, 0.04, 0.92], 1000)
    assert 0.75 < np.mean([tango_lower(int(b), int(c), n) > -0.03 for b, c, _ in drawn]) < 0.86


def test_no_number_of_pairs_proves_a_tie_better() -> None:
    """With a margin of 0 and no gain nothing would settle it."""
    result = compare(*pairs(5, 5, 100), margin=0)
    assert (result.verdict, result.needed) == ("hold", None)


def test_without_pairs_it_waits() -> None:
    """Having n = 0 is no error: not enough labels."""
    result = compare([], [], margin=0.02)
    assert (result.verdict, result.n, result.lower, result.upper) == ("hold", 0, -1, 1)
    assert math.isnan(result.difference)
    assert result.needed == 133


@pytest.mark.parametrize(
    ("champion", "candidate", "margin"),
    [
        ([True], [True, False], 0.02),
        ([0.5], [1], 0.02),
        ([True], [True], -0.1),
        ([True], [True], 1),
        ([True], [True], 2),
    ],
)
def test_what_cannot_be_compared_is_refused(champion, candidate, margin) -> None:
    """Different lengths, no truth values, a margin that makes no sense."""
    with pytest.raises(UsageError):
        compare(champion, candidate, margin=margin)


def canaries(loss: float, gain: float, size: int, count: int) -> list[str | None]:
    rng = np.random.default_rng(11)
    x = rng.choice([-1, 0, 1], p=[loss, 1 - loss - gain, gain], size=(count, size))
    return [e_gate(row, delta=0.02, alpha=0.1) for row in x]


def test_looking_all_the_time_keeps_the_error_in_its_budget() -> None:
    """200 canaries exactly at the tolerated loss, looked at after each of 600 pairs: at most a tenth each way."""
    said = canaries(0.06, 0.04, 600, 200)
    # three standard errors above the budget
    assert said.count("promote") / 200 < 0.1 + 3 * math.sqrt(0.09 / 200)
    assert said.count("roll back") / 200 < 0.1 + 3 * math.sqrt(0.09 / 200)


@pytest.mark.parametrize(("loss", "gain", "verdict"), [(0.02, 0.12, "promote"), (0.16, 0.02, "roll back")])
def test_clear_cases_are_settled(loss, gain, verdict) -> None:
    """Ten points better or fourteen worse: nearly all of 60 canaries of 600 pairs end with the right verdict."""
    said = canaries(loss, gain, 600, 60)
    assert said.count(verdict) >= 54
    assert set(said) <= {verdict, None}


@given(x=st.lists(st.sampled_from([-1, 0, 1]), max_size=120), more=st.lists(st.sampled_from([-1, 0, 1]), max_size=20))
def test_a_verdict_does_not_change_with_later_pairs(x, more) -> None:
    """What was said on the first pairs is said on all of them."""
    early = e_gate(x, 0.01, 0.1)
    assert early is None or e_gate(x + more, 0.01, 0.1) == early


@pytest.mark.parametrize(
    ("x", "delta", "alpha", "bets"),
    [
        ([2], 0.01, 0.05, (0.1,)),
        ([1], 1, 0.05, (0.1,)),
        ([1], 0.01, 0, (0.1,)),
        ([1], 0.01, 0.05, ()),
        ([1], 0.5, 0.05, (0.7,)),
    ],
)
def test_bets_that_could_lose_all_are_refused(x, delta, alpha, bets) -> None:
    """Values, losses, chances and stakes outside their limits."""
    with pytest.raises(UsageError):
        e_gate(x, delta, alpha, bets)
