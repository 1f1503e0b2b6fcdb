"""Guesses of outcomes: fitted as scikit-learn fits them, tame at few labels, never from a prediction's own label."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from noria.errors import UsageError
from noria.stats.design import cross_fit, fit_proxy


def made_up(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, 3)) * [1, 10, 0.1] + [0, 50, 1]
    odds = X[:, 0] - 0.1 * (X[:, 1] - 50)
    Y = np.array([rng.random(n) < 1 / (1 + np.exp(-odds)), rng.random(n) < 1 / (1 + np.exp(3 - 2 * odds))])
    return X, Y.astype(float)


def test_the_fit_is_that_of_scikit_learn() -> None:
    """Same penalty, same weights: probabilities within 0.01 (half a made-up label and an early stop differ)."""
    X, Y = made_up(800, 1)
    weights = np.linspace(0.5, 1.5, 800)
    ours = fit_proxy(X, Y, weights).expect(X)
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    for row, y in zip(ours, Y, strict=True):
        theirs = LogisticRegression(C=1.0, tol=1e-8).fit(Z, y, weights).predict_proba(Z)[:, 1]
        assert np.abs(row - theirs).max() < 0.01


@pytest.mark.parametrize("y", [[1.0] * 6, [0.0] * 6, [0, 0, 0, 1, 1, 1.0]])
def test_one_sided_and_separable_labels_stay_off_0_and_1(y) -> None:
    """All alike, or split without an exception: still probabilities, and finite ones."""
    X = np.arange(6.0)[:, None]
    p = fit_proxy(X, [y]).expect(X)
    assert ((p > 1e-3) & (p < 1 - 1e-3)).all()


def test_rare_outcomes_do_not_throw_the_fit_off() -> None:
    """Two per cent of outcomes on skewed features: the fit beats the mean (plain Newton steps diverge here)."""
    rng = np.random.default_rng(4)
    X = np.column_stack([rng.standard_normal(4_000), rng.standard_cauchy(4_000).clip(-30, 30)])
    y = (rng.random(4_000) < 1 / (1 + np.exp(5 - 2 * X[:, 0]))).astype(float)
    p = fit_proxy(X, [y]).expect(X)[0]
    assert p.mean() == pytest.approx(y.mean(), abs=1e-3)
    assert ((y - p) ** 2).mean() < 0.9 * y.var()


def test_a_label_never_shapes_its_own_guess() -> None:
    """Turning all labels of one fold round leaves the guesses of that fold as they are, and changes the others."""
    X, Y = made_up(200, 2)
    fold = np.arange(200) % 4
    labelled = np.arange(0, 200, 3)
    turned = Y.copy()
    turned[:, fold == 1] = 1 - turned[:, fold == 1]
    before = cross_fit(X, fold, labelled, Y[:, labelled], np.ones(len(labelled)))
    after = cross_fit(X, fold, labelled, turned[:, labelled], np.ones(len(labelled)))
    assert (before[:, fold == 1] == after[:, fold == 1]).all()
    assert (before[:, fold != 1] != after[:, fold != 1]).all()


def test_labels_of_one_fold_are_no_cross_fit() -> None:
    """Nothing to fit on is said, not guessed."""
    with pytest.raises(UsageError):
        cross_fit(np.ones((4, 1)), np.array([0, 0, 1, 1]), np.array([0, 1]), np.ones((1, 2)), np.ones(2))


@pytest.mark.parametrize(("X", "Y", "w"), [([[1.0]], [[1, 0]], None), ([[1.0]], [[1]], [0.0]), ([[]], [[]], None)])
def test_data_that_does_not_fit_together_is_refused(X, Y, w) -> None:
    """Lengths, weights, nothing at all."""
    with pytest.raises(UsageError):
        fit_proxy(np.array(X)[:0] if X == [[]] else X, Y, w)
