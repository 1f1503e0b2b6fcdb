"""Draws that can be repeated, with a known chance for everyone.

A simple random sample of `size` out of n gives each the inclusion probability size / n, and each set of that size the
same chance: the plain mean of its labels is right on average, and `wilson` covers it. Draws of unequal probability are
independent coins instead, one for each prediction; their labels go to `hajek` or `active_mean`. In both cases stratum,
probability and seed belong to the task, since no later computation can bring them back.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from noria.errors import UsageError


def simple_random(n: int, size: int, seed: int) -> npt.NDArray[np.int64]:
    """Positions (size,) of a simple random sample without replacement from n things, in rising order.

    The same three numbers give the same sample on every machine. With one seed, a larger sample contains a smaller one.

    Args:
        n: how many there are, in an order that is fixed (by id).
        size: how many to draw, 0 to n.
        seed: 0 or above.

    Raises:
        UsageError: a number is negative, or size > n.

    Example:
        >>> simple_random(100, 5, seed=7).tolist()
        [6, 32, 37, 96, 98]
    """
    _check(n, size)
    if seed < 0:
        raise UsageError(f"a seed of {seed}; give 0 or above.")
    # Raw bits of the generator stay the same in every release of numpy; what choice() makes of them may change.
    keys = np.random.PCG64(seed).random_raw(n)
    return np.sort(np.argsort(keys, kind="stable")[:size]).astype(np.int64)


def inclusion_probability(n: int, size: int) -> float:
    """The chance of each of n things to be in a simple random sample of `size`; NaN for n = 0.

    Raises:
        UsageError: a number is negative, or size > n.

    Example:
        >>> inclusion_probability(400, 40)
        0.1
    """
    _check(n, size)
    return size / n if n else math.nan


def _check(n: int, size: int) -> None:
    if not 0 <= size <= n:
        raise UsageError(f"a sample of {size} out of {n}; the size must lie between 0 and {n}.")
