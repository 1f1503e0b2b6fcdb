"""May the challenger take over? A gate on a fixed set of pairs, and one that may be looked at after every pair."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from noria.errors import UsageError
from noria.records import VerdictKind
from noria.stats.gating.paired import tango_lower
from noria.stats.intervals import as_flags, as_numbers, one_sided, same_length

# The chance with which the pairs asked for shall settle the matter.
_POWER = 0.8
# A gain and margin so small together that no one will ever have pairs enough.
_HOPELESS = 1e-6


@dataclass(frozen=True, slots=True)
class Paired:
    """What n pairs say of a challenger.

    b, c: pairs in which only the champion, only the challenger was right. difference: challenger - champion in the
    share of right answers (NaN for n = 0), with one-sided bounds lower and upper. needed: about how many further pairs
    would settle a hold; None for other verdicts, and where no number of pairs would.
    """

    n: int
    b: int
    c: int
    difference: float
    lower: float
    upper: float
    verdict: VerdictKind
    needed: int | None


def compare(
    champion_right: npt.ArrayLike, candidate_right: npt.ArrayLike, *, margin: float, level: float = 0.95
) -> Paired:
    """The verdict on a candidate from answers of both to the same queries: quality must not go down.

    `refuse` where the candidate was right less often, however little. Else `promote` where the lower bound of the
    difference is above -margin, and `hold` where it is not: not enough pairs yet. Without any pair it is `hold`.

    Args:
        champion_right: truth values (n,): was the champion right?
        candidate_right: truth values (n,), same queries in the same order.
        margin: the loss (share, 0 to below 1) that must be ruled out; 0 asks for proof that it is better.
        level: one-sided confidence of the bounds, above 0.5.

    Raises:
        UsageError: different lengths, no truth values, or a margin or level outside its limits.

    Source: non-inferiority by Tango's bound (see `tango_lower`); pairs needed: Connor, Biometrics 43 (1987) 207.

    Example:
        >>> champion, candidate = [True] * 900 + [False] * 100, [True] * 910 + [False] * 90
        >>> result = compare(champion, candidate, margin=0.02)
        >>> result.verdict, result.b, result.c, round(result.difference, 3), round(result.lower, 4)
        ('promote', 0, 10, 0.01, 0.006)
        >>> result = compare([True] * 40, [True] * 40, margin=0.02)
        >>> result.verdict, round(result.lower, 4), result.needed
        ('hold', -0.0634, 93)
    """
    champion, candidate = as_flags("champion_right", champion_right), as_flags("candidate_right", candidate_right)
    n = same_length(champion_right=champion, candidate_right=candidate)
    if not 0 <= margin < 1:
        raise UsageError(f"a margin of {margin} makes no sense; give a share from 0 to below 1, such as 0.02.")
    b, c = int((champion & ~candidate).sum()), int((candidate & ~champion).sum())
    lower, upper = tango_lower(b, c, n, level), -tango_lower(c, b, n, level)
    verdict: VerdictKind = "refuse" if c < b else "promote" if n and lower > -margin else "hold"
    needed = pairs_needed(b, c, n, margin=margin, level=level) if verdict == "hold" else None
    return Paired(n, b, c, (c - b) / n if n else math.nan, lower, upper, verdict, needed)


def e_gate(
    x: npt.ArrayLike,
    delta: float,
    alpha: float,
    bets: Sequence[float] = (0.02, 0.05, 0.1, 0.2, 0.4, 0.7),
) -> Literal["promote", "roll back"] | None:
    """A verdict that stays valid however often one looks: two bets on pairs, for and against a loss of less than delta.

    "promote": the mean is above -delta. "roll back": it is below. A challenger that does not deserve the verdict gets
    it with a chance of at most alpha, over all looks together. None: wait for more pairs, also where there are none
    yet. A promotion says "less than delta worse", not "at least as good": ask for the point as well.

    Args:
        x: challenger - champion for each pair (n,), from -1 to 1, in the order in which they came.
        delta: the loss that is tolerated, 0 to below 1.
        alpha: chance of each wrong verdict, between 0 and 1.
        bets: stakes above 0 and below 1 / (1 + delta), mixed in equal parts; large ones notice large differences.

    Raises:
        UsageError: an argument is outside its limits.

    Source: Waudby-Smith, Ramdas, arXiv 2010.09686; Ville's inequality.

    Example:
        >>> e_gate([1, 0, 0, 1] * 10, delta=0.01, alpha=0.05)
        'promote'
        >>> e_gate([0, 0, -1, 0] * 30, delta=0.01, alpha=0.05)
        'roll back'
        >>> e_gate([0, 1, -1, 0], delta=0.01, alpha=0.05) is None
        True
    """
    values, stakes = as_numbers("x", x, -1, 1), as_numbers("bets", bets)
    if not 0 < alpha < 1:
        raise UsageError(f"a chance of {alpha} of a wrong verdict; give one between 0 and 1, such as 0.05.")
    limit = 1 / alpha
    if not 0 <= delta < 1:
        raise UsageError(f"a tolerated loss of {delta} makes no sense; give a share from 0 to below 1, such as 0.01.")
    if not (len(stakes) and (stakes > 0).all() and (stakes * (1 + delta) < 1).all()):
        raise UsageError(f"bets {list(bets)} could lose all; each must lie between 0 and {1 / (1 + delta):.3f}.")
    up, down = np.ones(len(stakes)), np.ones(len(stakes))
    for value in values:
        up *= 1 + stakes * (value + delta)
        down *= 1 - stakes * (value + delta)
        if up.mean() >= limit:
            return "promote"
        if down.mean() >= limit:
            return "roll back"
    return None


def pairs_needed(b: int, c: int, n: int, *, margin: float, level: float) -> int | None:
    """About how many further pairs rule the margin out in four of five cases, if all goes on as it was so far.

    Args:
        b: pairs in which only the one compared against was right.
        c: pairs in which only the challenger was right.
        n: all pairs so far.
        margin: the loss (share) that must be ruled out.
        level: one-sided confidence of the bound.

    Returns:
        At least 1; None where no number of pairs would do, for the loss seen is the margin or more.

    Source: Connor, Biometrics 43 (1987) 207.

    Example:
        >>> pairs_needed(20, 20, 500, margin=0.01, level=0.95)
        4447
        >>> pairs_needed(40, 10, 500, margin=0.01, level=0.95) is None
        True
    """
    gain, discordant = ((c - b) / n, (b + c) / n) if n else (0.0, 0.0)
    if gain + margin < _HOPELESS:
        return None
    z = one_sided(level)
    total = math.ceil((z + one_sided(_POWER)) ** 2 * discordant / (gain + margin) ** 2)
    if b == c:
        # Even where all pairs agree, the bound is -z² / (n + z²): so many are needed to bring it above the margin.
        total = max(total, math.floor(z * z * (1 - margin) / margin) + 1)
    return max(1, total - n)
