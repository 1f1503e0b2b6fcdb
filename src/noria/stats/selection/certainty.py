"""How sure rows make us that a risk is small, without assumptions on the distribution, and how many rows it takes.

The null hypothesis is always "the risk is above `most`"; a small p-value rejects it.
"""

from __future__ import annotations

import math

from noria.errors import UsageError

MOST_ROWS = 10_000_000
"""Where even so many rows would not do, none will."""


def binomial_p(errors: int, rows: int, most: float) -> float:
    """The exact p-value for a risk of losses that are 0 or 1.

    Args:
        errors: rows with loss 1.
        rows: all rows, independent.
        most: the risk to be ruled out, above 0 and below 1.

    Example:
        >>> round(binomial_p(3, 100, 0.1), 4)
        0.0078
    """
    from scipy.special import bdtr

    _check(most)
    return float(bdtr(errors, rows, most)) if rows else 1.0


def hoeffding_bentkus_p(mean: float, rows: int, most: float) -> float:
    """The p-value for a risk of losses anywhere from 0 to 1.

    Args:
        mean: mean loss of the rows, 0 to 1.
        rows: how many, independent.
        most: the risk to be ruled out, above 0 and below 1.

    Source: Bates et al., JACM 68 (2021); Angelopoulos et al., "Learn then test" (arXiv 2110.01052).

    Example:
        >>> round(hoeffding_bentkus_p(0.03, 100, 0.1), 4)
        0.0213
    """
    _check(most)
    if not rows:
        return 1.0
    a = min(mean, most)
    hoeffding = math.exp(-rows * _divergence(a, most))
    bentkus = math.e * binomial_p(math.ceil(rows * mean - 1e-9), rows, most)
    return min(1.0, hoeffding, bentkus)


def rows_needed(rate: float, most: float, delta: float) -> int | None:
    """About how many rows rule out a risk above `most` at level `delta`, if errors keep coming at `rate`; None: never.

    Example:
        >>> rows_needed(0.0, 0.1, 0.05), rows_needed(0.08, 0.1, 0.05), rows_needed(0.2, 0.1, 0.05)
        (29, 671, None)
    """
    if rate >= most:
        return None
    low, high = 0, 1
    while binomial_p(math.ceil(rate * high - 1e-9), high, most) > delta:
        low, high = high, 2 * high
        if high > MOST_ROWS:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        enough = binomial_p(math.ceil(rate * middle - 1e-9), middle, most) <= delta
        low, high = (low, middle) if enough else (middle, high)
    return high


def _divergence(a: float, b: float) -> float:
    """Kullback and Leibler's divergence of two coins."""
    first = a * math.log(a / b) if a > 0 else 0.0
    second = (1 - a) * math.log((1 - a) / (1 - b)) if a < 1 else 0.0
    return first + second


def _check(most: float) -> None:
    if not 0 < most < 1:
        raise UsageError(f"a risk of {most} cannot be ruled out; give one above 0 and below 1, such as 0.1.")
