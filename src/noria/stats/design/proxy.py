"""Guesses of outcomes for all predictions, fitted on the labelled few: what the difference estimator is fed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from noria.errors import UsageError
from noria.stats.intervals import Floats

_STEPS = 15
_HALVINGS = 8
_CLOSE = 1e-2


@dataclass(frozen=True, slots=True, eq=False)
class Proxy:
    """Logistic models of m outcomes on the same p features: coefficients (m, p + 1), the first of each the constant.

    centre, scale: (p,), taken off the features first.
    """

    coefficients: Floats
    centre: Floats
    scale: Floats

    def expect(self, X: Floats) -> Floats:
        """The probability (m, n) of each outcome for n rows of features (n, p)."""
        return _expit(self.coefficients @ _with_constant(X, self.centre, self.scale).T)


def fit_proxy(X: npt.ArrayLike, Y: npt.ArrayLike, weights: npt.ArrayLike | None = None, ridge: float = 1.0) -> Proxy:
    """Fits a logistic model of each outcome, kept tame by a ridge and half a made-up label of either kind.

    The probabilities stay off 0 and 1 whatever the labels are. A poor fit costs width, never truth: the difference
    estimator corrects it.

    Args:
        X: features (n, p).
        Y: outcomes (m, n), 0 to 1.
        weights: of the labels (n,), above 0; their mean does not matter. Take one over the inclusion probability.
        ridge: weight of the penalty on standardised coefficients, in labels.

    Raises:
        UsageError: no rows, or lengths that do not fit.

    Example:
        >>> model = fit_proxy([[0.0], [0.0], [1.0], [1.0]] * 20, [[0, 1, 1, 1] * 20])
        >>> model.expect(np.array([[0.0], [1.0]])).round(2).tolist()
        [[0.52, 0.97]]
    """
    features, outcomes = np.asarray(X, dtype=np.float64), np.asarray(Y, dtype=np.float64)
    n = len(features)
    if n == 0 or features.ndim != 2 or outcomes.ndim != 2 or outcomes.shape[1] != n:
        raise UsageError(f"features {features.shape} for outcomes {outcomes.shape}: give (n, p) and (m, n) with n > 0.")
    w = np.ones(n) if weights is None else np.asarray(weights, dtype=np.float64)
    if w.shape != (n,) or not (w > 0).all():
        raise UsageError(f"weights of shape {w.shape} for {n} labels; give one above 0 for each.")
    centre, scale = features.mean(axis=0), features.std(axis=0)
    scale = np.where(scale > 1e-9, scale, 1.0)
    Z = _with_constant(features, centre, scale)
    targets = outcomes + (0.5 - outcomes) / (n + 1)
    return Proxy(_newton(Z, targets, w / w.mean(), ridge), centre, scale)


def cross_fit(
    X: Floats, fold: npt.NDArray[np.int64], labelled: npt.NDArray[np.intp], Y: Floats, weights: Floats
) -> Floats:
    """Guesses (m, N) for all predictions, each from labels of other folds: its own label never shaped its guess.

    Args:
        X: features (N, p) of all predictions.
        fold: the part (N,) that each belongs to, by a coin.
        labelled: positions (n,) of the labelled.
        Y: their outcomes (m, n).
        weights: one over their inclusion probability (n,).

    Raises:
        UsageError: the labels lie in fewer than two folds.

    Source: Zrnic, Candès, arXiv 2309.16598 (cross-prediction).

    Example:
        >>> X, fold = np.arange(6.0)[:, None], np.array([0, 1, 0, 1, 0, 1])
        >>> cross_fit(X, fold, np.array([0, 1, 4, 5]), np.array([[0, 0, 1, 1.0]]), np.ones(4)).round(2).tolist()
        [[0.34, 0.44, 0.44, 0.56, 0.56, 0.66]]
    """
    # By rows, since scattered columns would cost more than the fits.
    guesses = np.empty((len(X), len(Y)))
    own = fold[labelled]
    for part in np.flatnonzero(np.bincount(fold)):
        others, here = own != part, np.flatnonzero(fold == part)
        if not others.any():
            raise UsageError("all labels lie in one fold; a guess needs labels of another one.")
        guesses[here] = fit_proxy(X[labelled[others]], Y[:, others], weights[others]).expect(X[here]).T
    return np.ascontiguousarray(guesses.T)


def _newton(Z: Floats, targets: Floats, w: Floats, ridge: float) -> Floats:
    """Penalised maximum likelihood of all outcomes at once, (m, p + 1)."""
    size = Z.shape[1]
    penalty = np.full(size, ridge)
    penalty[0] = 1e-6
    products = (Z[:, :, None] * Z[:, None, :]).reshape(len(Z), -1)
    b = np.zeros((len(targets), size))
    share = np.clip((targets @ w) / w.sum(), 1e-6, 1 - 1e-6)
    b[:, 0] = np.log(share / (1 - share))
    loss, p = _loss(b, Z, targets, w, penalty)
    for _ in range(_STEPS):
        slope = (w * (targets - p)) @ Z - penalty * b
        curve = ((w * p * (1 - p)) @ products).reshape(-1, size, size) + np.diag(penalty + 1e-9)
        step = np.linalg.solve(curve, slope[:, :, None])[:, :, 0]
        tried, p = _loss(b + step, Z, targets, w, penalty)
        # A full step overshoots where outcomes are rare: halve it for those that it made worse.
        for _ in range(_HALVINGS):
            worse = tried > loss + 1e-9
            if not worse.any():
                break
            step[worse] /= 2
            tried, p = _loss(b + step, Z, targets, w, penalty)
        step[tried > loss + 1e-9] = 0.0
        b += step
        loss = np.minimum(tried, loss)
        if np.abs(step).max() < _CLOSE:
            break
    return b


def _loss(b: Floats, Z: Floats, targets: Floats, w: Floats, penalty: Floats) -> tuple[Floats, Floats]:
    """Penalised minus log-likelihood (m,), and the probabilities (m, n)."""
    logit = np.clip(b @ Z.T, -30, 30)
    p = _expit(logit)
    return (b * b) @ penalty / 2 - (targets * logit + np.log(1 - p)) @ w, p


def _with_constant(X: Floats, centre: Floats, scale: Floats) -> Floats:
    Z = np.empty((len(X), X.shape[1] + 1))
    Z[:, 0] = 1.0
    np.subtract(X, centre, out=Z[:, 1:])
    Z[:, 1:] /= scale
    return Z


def _expit(x: Floats) -> Floats:
    out = np.exp(-np.clip(x, -30, 30))
    out += 1
    return np.reciprocal(out, out=out)
