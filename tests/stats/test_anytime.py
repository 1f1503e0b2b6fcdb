"""Verdicts on pairs that are looked at after every label: wrong ones stay in their budget over whole histories."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.errors import UsageError
from noria.stats import tango_lower
from noria.stats.gating import anytime_mean, anytime_paired, log_wealth
from noria.stats.gating.anytime import STAKES

ALPHA = 0.1
HISTORIES = 400
# Three standard errors of a share of ALPHA over so many histories.
MOST = ALPHA + 3 * math.sqrt(ALPHA * (1 - ALPHA) / HISTORIES)

values = st.lists(st.sampled_from([-1, 0, 1]), max_size=80)


def drawn(rng: np.random.Generator, difference: float, n: int, discordant: float = 0.1) -> np.ndarray:
    """Pairs (n,) with a mean difference, of which so many disagree."""
    u, won = rng.random(n), (discordant + difference) / 2
    return np.where(u < won, 1, np.where(u < discordant, -1, 0))


def labelled(rng: np.random.Generator, difference: float, n: int) -> tuple[np.ndarray, np.ndarray]:
    """The pairs that were drawn for labelling, unsure ones five times as often, and their weights (1 to 5).

    Among the unsure ones the challenger is better, among the sure ones worse: the plain mean of the labelled misleads.
    """
    unsure = rng.random(n) < 0.3
    x = np.where(unsure, drawn(rng, 0.2, n, 0.4), drawn(rng, (difference - 0.3 * 0.2) / 0.7, n, 0.2))
    chance = np.where(unsure, 0.5, 0.1)
    taken = rng.random(n) < chance
    return x[taken], 0.5 / chance[taken]


def ever(x: np.ndarray, mean: float, alpha: float = ALPHA, **weights) -> bool:
    """Whether a bettor against "at most this mean" ever gets rich."""
    return bool(log_wealth(x, mean, **weights).max(initial=-math.inf) >= -math.log(alpha))


@pytest.mark.parametrize("difference", [-0.05, 0.0, 0.03])
def test_the_true_difference_is_hardly_ever_refuted(difference) -> None:
    """Ville: over histories looked at after every pair, each bound fails in at most alpha of them."""
    rng = np.random.default_rng(1)
    below = above = 0
    for _ in range(HISTORIES):
        x = drawn(rng, difference, 1500)
        below += ever(x, difference)
        above += ever(-x, -difference)
    assert below / HISTORIES <= MOST
    assert above / HISTORIES <= MOST


def test_labels_drawn_with_unequal_chances_judge_all_traffic() -> None:
    """By their weights the bounds keep their promise; without them the same histories are wrong nearly always."""
    rng = np.random.default_rng(2)
    weighted = plain = 0
    for _ in range(HISTORIES):
        x, weight = labelled(rng, -0.05, 6000)
        weighted += ever(x, -0.05, weight=weight, heaviest=5)
        plain += ever(x, -0.05)
    assert weighted / HISTORIES <= MOST
    assert plain / HISTORIES > 0.9


def test_a_bound_is_the_last_mean_that_was_ever_refuted() -> None:
    """The confidence sequence inverts the bets, and is never sharper than Tango's bound for one look."""
    rng = np.random.default_rng(3)
    for difference in (-0.1, 0.0, 0.1):
        x = drawn(rng, difference, 700)
        lower, upper = anytime_mean(x, 0.05)
        assert ever(x, lower - 1e-6, 0.05)
        assert not ever(x, lower + 1e-6, 0.05)
        assert lower < x.mean() < upper
        assert lower <= tango_lower(int((x == -1).sum()), int((x == 1).sum()), len(x))


@given(x=values)
def test_bounds_never_widen_and_mirror(x) -> None:
    """More pairs narrow the bounds or leave them; with the roles changed they change their sign."""
    lower, upper = anytime_mean(x, 0.1)
    before = anytime_mean(x[:-1], 0.1)
    assert before[0] <= lower <= upper <= before[1]
    assert anytime_mean([-v for v in x], 0.1) == (-upper, -lower)


@pytest.mark.parametrize("n", [1, 40, 300])
def test_the_wealth_of_ties_is_known_in_closed_form(n) -> None:
    """Each stake grows by 1 + stake · margin a pair; the wealth is their mean."""
    expected = math.log(sum((1 + stake * 0.02) ** n for stake in STAKES) / len(STAKES))
    assert log_wealth([0] * n, -0.02)[-1] == pytest.approx(expected)


def test_ties_settle_after_about_as_many_as_were_said_to_lack() -> None:
    """Where all goes on as it was, what was said to lack is enough; a tenth less is not."""
    said = anytime_paired([0] * 50, 0.02, 0.05)
    assert said.verdict == "wait"
    assert said.lacking is not None
    assert anytime_paired([0] * (50 + said.lacking), 0.02, 0.05).verdict == "not worse"
    assert anytime_paired([0] * int(50 + 0.9 * said.lacking), 0.02, 0.05).verdict == "wait"


@pytest.mark.parametrize(
    ("difference", "verdict"), [(-0.08, "worse"), (-0.04, "worse"), (0.01, "not worse"), (0.02, "not worse")]
)
def test_the_right_verdict_is_reached(difference, verdict) -> None:
    """With a margin of two points, two thousand pairs tell a challenger that is worse from one that is not."""
    rng = np.random.default_rng(5)
    said = [anytime_paired(drawn(rng, difference, 2000), 0.02, 0.05).verdict for _ in range(4)]
    assert said.count(verdict) >= 2
    assert set(said) <= {verdict, "wait"}


def test_no_number_of_labels_helps_one_that_loses_the_margin() -> None:
    """A loss as large as the margin is never ruled out, and the verdict says that more labels would not do."""
    said = anytime_paired([-1] + [0] * 30, 0.02, 0.05)
    assert (said.verdict, said.lacking) == ("wait", None)
    assert anytime_paired([], 0.02, 0.05).verdict == "wait"


def test_a_loss_within_the_margin_is_not_called_harmless() -> None:
    """The margin is ruled out, but the point is below 0: more labels, for quality must not go down."""
    said = anytime_paired([0] * 400 + [-1] + [0] * 600, 0.02, 0.05)
    assert said.lower > -0.02
    assert said.verdict == "wait"


@pytest.mark.parametrize(
    "wrong",
    [
        {"x": [2]},
        {"x": [0.0], "margin": 0},
        {"x": [0.0], "alpha": 1.0},
        {"x": [0.0], "weight": [1.0, 1.0]},
        {"x": [0.0], "weight": 2.0},
        {"x": [0.0], "heaviest": 0.5},
    ],
)
def test_senseless_input_is_refused(wrong) -> None:
    """Each argument has limits, which the message names."""
    with pytest.raises(UsageError):
        anytime_paired(**({"margin": 0.02, "alpha": 0.05} | wrong))
    with pytest.raises(UsageError):
        log_wealth([0], 1.5)
