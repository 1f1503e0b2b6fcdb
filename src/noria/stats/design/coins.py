"""One coin for each thing, which anybody can throw again from the seed and the name of the thing."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from noria.errors import UsageError
from noria.stats.intervals import Floats


def coins(keys: Sequence[str], seed: int, purpose: str = "draw") -> Floats:
    """Independent numbers (n,), uniform on 0 to 1 (without 1), each from the sha256 of seed, purpose and its key.

    The coin of a key does not depend on the others or their order, and is the same on every machine for ever: from
    seed, key and probability of a task anyone can check that it was drawn by its coin.

    Args:
        keys: names (n,), each once.
        seed: any whole number.
        purpose: coins of two purposes are independent.

    Source: permanent random numbers, Ohlsson (1995) in Business Survey Methods, ch. 9.

    Example:
        >>> coins(["p1", "p2"], seed=7).round(4).tolist()
        [0.4044, 0.1345]
    """
    head = hashlib.sha256(f"{seed}/{purpose}/".encode())
    numbers = np.empty(len(keys))
    for index, key in enumerate(keys):
        digest = head.copy()
        digest.update(key.encode())
        # 53 bits are what a float between 0 and 1 holds.
        numbers[index] = (int.from_bytes(digest.digest()[:7], "big") >> 3) * 2.0**-53
    return numbers


def folds(keys: Sequence[str], count: int, seed: int = 0) -> npt.NDArray[np.int64]:
    """The part (n,), 0 to count - 1, that each thing falls in, whatever else is there.

    Raises:
        UsageError: fewer than two parts.

    Example:
        >>> folds(["p1", "p2", "p3"], 2).tolist()
        [1, 1, 0]
    """
    if count < 2:
        raise UsageError(f"{count} parts: a guess must come from other labels, so take at least 2.")
    return (coins(keys, seed, "fold") * count).astype(np.int64)


def write_design(version: str, floor: float) -> str:
    """The name of a design with the chance that every prediction had at least, for the task to keep.

    Example:
        >>> write_design("active-1", 0.0125)
        'active-1 floor=0.0125'
    """
    return f"{version} floor={floor!r}"


def read_floor(design: str) -> float | None:
    """The floor in the name of a design, to the last bit; None where every prediction had the same chance.

    Example:
        >>> read_floor("active-1 floor=0.0125"), read_floor("uniform-1")
        (0.0125, None)
    """
    _, found, floor = design.partition(" floor=")
    return float(floor) if found else None
