"""Ratios of difference estimates: as ppi-python computes them, right on average, honest about few labels.

ppi-python (MIT) is the peer, but brings numba, statsmodels and pandas: its figures below were computed once with its
version 0.2.3, and its formulas are written out again as `ppi_mean`.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from noria.errors import UsageError
from noria.stats import active_mean, active_ratio, wilson
from noria.stats.design import chances, cross_fit, uncertainty
from noria.stats.estimators import student

I = np.arange(600)  # noqa: E741
F = 0.05 + 0.9 * ((I * 37) % 101) / 100
PI = 0.05 + 0.3 * np.sqrt(F * (1 - F))
DRAWN = np.flatnonzero(((I * 61) % 127) / 127 < PI)
Y = (np.clip(F[DRAWN] * 0.9 + 0.04, 0, 1) > ((DRAWN * 53) % 97) / 97).astype(float)


def ppi_mean(y, f_drawn, f, w) -> tuple[float, float, float]:
    """ppi_py.ppi_mean_ci at lam = 1: point, standard error of the rectifier, standard error of the guesses' mean."""
    w = w / w.sum() * len(w)
    rectifier = w * (y - f_drawn)
    return f.mean() + rectifier.mean(), rectifier.std() / np.sqrt(len(y)), f.std() / np.sqrt(len(f))


def test_the_reference_is_ppi_python() -> None:
    """ppi_mean_pointestimate and ppi_mean_ci(alpha=0.05, lam=1, w=1/pi) of ppi-python 0.2.3 on this data."""
    point, rectified, guessed = ppi_mean(Y, F[DRAWN], F, 1 / PI[DRAWN])
    half = 1.959964 * np.hypot(rectified, guessed)
    assert len(DRAWN) == 107
    assert (point, point - half, point + half) == pytest.approx(
        (0.5246639384973151, 0.43703912159058994, 0.6122887554040405), abs=1e-7
    )


def test_the_point_is_that_of_ppi_python() -> None:
    """To the last digits; and without guesses (lam = 0) it is the weighted mean 0.49605740125281583."""
    ones = np.ones(600)
    estimate = active_ratio(F, ones, DRAWN, Y, np.ones(107), PI[DRAWN])
    assert estimate.value == pytest.approx(0.5246639384973151, abs=1e-12)
    blank = active_ratio(np.zeros(600), ones, DRAWN, Y, np.ones(107), PI[DRAWN])
    assert blank.value == pytest.approx(0.49605740125281583, abs=1e-12)


def test_the_width_is_that_of_ppi_python_for_a_finite_week() -> None:
    """Its rectifier's standard error within a tenth; ours leaves out what a census of the week would settle."""
    _, rectified, _ = ppi_mean(Y, F[DRAWN], F, 1 / PI[DRAWN])
    estimate = active_ratio(F, np.ones(600), DRAWN, Y, np.ones(107), PI[DRAWN])
    assert 0.8 < (estimate.high - estimate.low) / (2 * 1.959964 * rectified) < 1.05


def samples(pi) -> list[tuple[np.ndarray, float]]:
    """Every possible draw of independent coins with its probability."""
    out = []
    for taken in itertools.product([False, True], repeat=len(pi)):
        flags = np.array(taken)
        probability = float(np.where(flags, pi, 1 - pi).prod())
        if probability > 0:
            out.append((np.flatnonzero(flags), probability))
    return out


def test_the_difference_estimator_is_right_on_average_over_every_draw() -> None:
    """Exact expectation over all 512 draws of a design of ours, with guesses that are far off."""
    y = np.array([1, 0, 1, 1, 0, 1, 0, 1, 1.0])
    f = np.array([0.9, 0.3, 0.4, 0.8, 0.4, 0.9, 0.2, 0.6, 0.2])
    pi = np.maximum(chances(uncertainty(f), 7.0), 0.6)
    pi[0] = 1.0
    drawn = samples(pi)
    assert sum(p for _, p in drawn) == pytest.approx(1)
    mean = sum(p * active_mean(f, pi, s, y[s]).value for s, p in drawn)
    assert mean == pytest.approx(y.mean(), abs=1e-12)


def test_cross_fitted_guesses_keep_it_right_on_average() -> None:
    """Guesses that change with every draw: exact expectation over all draws, each fold guessed from the other."""
    X = np.array([[0.1], [0.4], [0.5], [0.9], [0.2], [0.6], [0.7], [0.3]])
    y = np.array([0, 1, 0, 1, 1, 1, 0, 0.0])
    fold = np.array([0, 1, 0, 1, 0, 1, 0, 1])
    pi = np.array([1, 1, 0.7, 0.8, 0.75, 0.8, 0.9, 0.7])
    total = 0.0
    for s, p in samples(pi):
        f = cross_fit(X, fold, s, y[None, s], 1 / pi[s])[0]
        total += p * float(f.mean() + ((y[s] - f[s]) / pi[s]).sum() / len(y))
    assert total == pytest.approx(y.mean(), abs=1e-12)


def test_without_guesses_and_with_equal_chances_it_is_the_plain_share() -> None:
    """Nothing known, a small part drawn: Wilson's interval within a fifth, and labels worth about their number."""
    N = 100_000
    y = np.r_[np.ones(300), np.zeros(100)]
    top, pi = np.full(N, 0.75), np.full(400, 0.004)
    estimate = active_ratio(top, np.ones(N), np.arange(400), y, np.ones(400), pi)
    plain = wilson(300, 400)
    assert estimate.value == pytest.approx(plain.value)
    assert (estimate.low, estimate.high) == pytest.approx((plain.low, plain.high), abs=0.002)
    assert estimate.n_effective == pytest.approx(400, rel=0.02)


def test_tasks_nobody_answered_do_not_pull_it_down() -> None:
    """Half of the drawn tasks are still open, by chance: the estimate stays where it was."""
    half = np.arange(0, 107, 2)
    all_of_them = active_ratio(F, np.ones(600), DRAWN, Y, np.ones(107), PI[DRAWN])
    some = active_ratio(F, np.ones(600), DRAWN[half], Y[half], np.ones(len(half)), PI[DRAWN][half])
    assert abs(some.value - all_of_them.value) < 0.05
    assert some.high - some.low > all_of_them.high - all_of_them.low


def test_ten_right_answers_of_ten_prove_no_certainty() -> None:
    """Labels without an exception leave an interval of the width that the guesses and their number warrant."""
    estimate = active_ratio(
        np.full(500, 0.95), np.ones(500), np.arange(10), np.ones(10), np.ones(10), np.full(10, 0.02)
    )
    assert estimate.value == pytest.approx(1.0)
    assert 0.6 < estimate.low < 0.9
    assert estimate.high == 1


def test_nothing_to_go_by_is_said() -> None:
    """No labels, or none that count: no value, every share possible."""
    nobody = active_ratio([0.5], [0.5], [], [], [], [])
    assert (nobody.n, nobody.low, nobody.high) == (0, 0.0, 1.0)
    assert nobody.value != nobody.value
    assert active_ratio([0.5] * 3, [0.5] * 3, [0, 1], [0, 0], [0, 0], [0.5, 0.5]).n == 0


def test_a_success_that_does_not_count_is_refused() -> None:
    """A right answer to a query outside the metric makes no ratio."""
    with pytest.raises(UsageError):
        active_ratio([0.5], [0.5], [0], [1], [0], [0.5])


@pytest.mark.slow
def test_ratios_from_drawn_labels_are_unbiased_and_covered() -> None:
    """400 draws of about 300 labels, guesses cross-fitted each time: bias under half a point, coverage 92 to 98 %."""
    rng = np.random.default_rng(8)
    N = 5_000
    X = rng.standard_normal((N, 2))
    counts = rng.random(N) < 1 / (1 + np.exp(-2 - X[:, 1]))
    wins = counts & (rng.random(N) < 1 / (1 + np.exp(-1.5 - 1.5 * X[:, 0])))
    both = np.array([wins, counts]).astype(float)
    truth = wins.sum() / counts.sum()
    fold = rng.integers(4, size=N)
    pi = chances(uncertainty(1 / (1 + np.exp(-1.2 - 1.5 * X[:, 0]))), 300)
    errors, covered = [], []
    for _ in range(400):
        s = np.flatnonzero(rng.random(N) < pi)
        top, bottom = cross_fit(X, fold, s, both[:, s], 1 / pi[s])
        e = active_ratio(top, bottom, s, both[0, s], both[1, s], pi[s])
        errors.append(e.value - truth)
        covered.append(e.low <= truth <= e.high)
    assert abs(np.mean(errors)) < 0.005
    assert 0.92 < np.mean(covered) < 0.98


def test_students_quantile_is_that_of_scipy() -> None:
    """Within 0.2 % from 8 degrees of freedom on."""
    from scipy.stats import t

    for df in (8, 20, 100, 1e6):
        assert student(0.95, df) == pytest.approx(t.ppf(0.975, df), rel=2e-3)
