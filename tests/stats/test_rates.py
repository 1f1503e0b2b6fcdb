"""Rates and quantiles that are looked at at all times: wrong bounds stay in their budget over whole histories."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.errors import UsageError
from noria.stats import clopper_pearson, newcombe
from noria.stats.gating import anytime_quantile, anytime_rate, anytime_rates
from noria.stats.gating.rates import STAKES, _log_above

ALPHA = 0.1
HISTORIES = 100
MOST = ALPHA + 3 * math.sqrt(ALPHA * (1 - ALPHA) / HISTORIES)
LOOKS = (20, 50, 100, 200, 400, 800, 1600)


@given(outcomes=st.lists(st.booleans(), max_size=40), rate=st.floats(0.01, 0.99))
def test_counts_say_what_the_bets_one_by_one_say(outcomes, rate) -> None:
    """The wealth from counts is the mean over the stakes of the product over the outcomes, in any order."""
    wealth = np.ones(len(STAKES))
    for outcome in outcomes:
        wealth *= 1 + np.asarray(STAKES) * (outcome / rate - 1)
    said = _log_above(sum(outcomes), len(outcomes), rate)[0]
    assert said == pytest.approx(math.log(wealth.mean()), abs=1e-9)


@given(n=st.integers(0, 400), share=st.floats(0, 1))
def test_a_rate_is_never_bounded_more_sharply_than_by_the_exact_interval(n, share) -> None:
    """Bounds for all times hold the exact interval for one look; swapped, they mirror."""
    k = round(share * n)
    lower, upper = anytime_rate(k, n, 0.025)
    exact = clopper_pearson(k, n)
    assert lower <= exact.low + 1e-9
    assert upper >= exact.high - 1e-9
    assert anytime_rate(n - k, n, 0.025) == pytest.approx((1 - upper, 1 - lower), abs=1e-8)


@pytest.mark.parametrize("rate", [0.002, 0.2])
def test_the_true_rate_is_hardly_ever_excluded(rate) -> None:
    """Over histories looked at seven times, each bound fails in at most alpha of them."""
    rng = np.random.default_rng(1)
    wrong = [0, 0]
    for _ in range(HISTORIES):
        k = np.cumsum(rng.random(LOOKS[-1]) < rate)
        bounds = [anytime_rate(int(k[n - 1]), n, ALPHA) for n in LOOKS]
        wrong[0] += any(low > rate for low, _ in bounds)
        wrong[1] += any(high < rate for _, high in bounds)
    assert max(wrong) / HISTORIES <= MOST


@pytest.mark.parametrize(("canary", "champion"), [(0.01, 0.01), (0.7, 0.75)])
def test_the_true_difference_is_hardly_ever_excluded(canary, champion) -> None:
    """A canary of a tenth of the traffic beside the champion: each bound of the difference keeps its promise."""
    rng = np.random.default_rng(2)
    wrong = [0, 0]
    for _ in range(HISTORIES):
        k1, k0 = np.cumsum(rng.random(400) < canary), np.cumsum(rng.random(3600) < champion)
        bounds = [anytime_rates(int(k1[n - 1]), n, int(k0[9 * n - 1]), 9 * n, ALPHA) for n in (30, 120, 400)]
        wrong[0] += any(b.lower > canary - champion for b in bounds)
        wrong[1] += any(b.upper < canary - champion for b in bounds)
    assert max(wrong) / HISTORIES <= MOST


@given(
    n1=st.integers(1, 300), n0=st.integers(1, 300), share1=st.floats(0, 1), share0=st.floats(0, 1)
)  # fmt: skip
def test_a_difference_lies_within_its_bounds_and_mirrors(n1, n0, share1, share0) -> None:
    """Swapped groups change the sign; the bounds hold the point and all of Newcombe's interval for one look."""
    k1, k0 = round(share1 * n1), round(share0 * n0)
    there, back = anytime_rates(k1, n1, k0, n0, 0.025), anytime_rates(k0, n0, k1, n1, 0.025)
    assert (there.lower, there.upper) == (-back.upper, -back.lower)
    assert there.lower <= there.value <= there.upper
    # Newcombe's interval covers on average only: near 0 and 1 it may be a little wider than it must be.
    fixed = newcombe(k1, n1, k0, n0)
    assert there.lower <= fixed.low + 0.02
    assert there.upper >= fixed.high - 0.02


def test_a_broken_canary_is_noticed_among_few_queries() -> None:
    """Six errors in thirty queries, beside a champion that fails twice in a thousand."""
    assert anytime_rates(6, 30, 6, 3000, 0.0125).lower > 0.005
    assert anytime_rates(0, 30, 6, 3000, 0.0125).lower <= 0
    assert math.isnan(anytime_rates(0, 0, 6, 3000, 0.0125).value)
    assert anytime_rates(0, 0, 6, 3000, 0.0125).upper == 1


def test_the_true_quantile_is_hardly_ever_excluded() -> None:
    """Latencies with a long tail, looked at seven times."""
    rng, true = np.random.default_rng(3), math.exp(1.6448536)
    wrong = [0, 0]
    for _ in range(HISTORIES):
        x = rng.lognormal(size=LOOKS[-1])
        bounds = [anytime_quantile(x[:n], 0.95, ALPHA) for n in LOOKS]
        wrong[0] += any(low > true for low, _ in bounds)
        wrong[1] += any(high < true for _, high in bounds)
    assert max(wrong) / HISTORIES <= MOST
    assert bounds[-1][0] > 3.5
    assert bounds[-1][1] < 8


@pytest.mark.parametrize("call", [
    lambda: anytime_rate(3, 2, 0.05),
    lambda: anytime_rate(1, 2, 0.0),
    lambda: anytime_rates(1, 2, -1, 2, 0.05),
    lambda: anytime_quantile([1.0], 1.0, 0.05),
    lambda: anytime_quantile([math.nan], 0.5, 0.05),
])  # fmt: skip
def test_senseless_input_is_refused(call) -> None:
    """Counts, chances and quantiles have limits."""
    with pytest.raises(UsageError):
        call()
