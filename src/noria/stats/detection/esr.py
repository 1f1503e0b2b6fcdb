"""Has quality fallen? A detector on a stream of labels with a stated run length between false alarms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from noria.errors import UsageError
from noria.stats.intervals import Floats, as_numbers, score_bounds

BETS = (0.05, 0.1, 0.2, 0.4, 0.8)
# The part of a sum that one label may take at most, at the heaviest weight.
_STAKE = 0.95


@dataclass(frozen=True, slots=True)
class ESRState:
    """The detector's memory between labels: store it, so that a restart does not forget.

    M: one sum for each bet, 0 at the start. bets: stakes between 0 and 1; large ones notice large drops.
    `value` is what is held against the wanted run length; after an alarm begin with a new state.

    Example:
        >>> state = ESRState()
        >>> for outcome in [1, 0, 0, 0]:
        ...     state = state.step(outcome, 0.8)
        >>> round(state.value, 2)
        6.92
        >>> ESRState(state.M) == state
        True
    """

    M: tuple[float, ...] = (0.0,) * len(BETS)
    bets: tuple[float, ...] = BETS

    def __post_init__(self) -> None:
        matching = 0 < len(self.M) == len(self.bets)
        if not (matching and all(0 < bet < 1 for bet in self.bets) and all(m >= 0 for m in self.M)):
            raise UsageError(
                f"a detector with the sums {self.M} and the bets {self.bets}: it takes one sum of 0 or more for each "
                "bet, and bets between 0 and 1."
            )

    @property
    def value(self) -> float:
        return sum(self.M) / len(self.M)

    def step(self, y: float, m0: float) -> ESRState:
        """The state after one more label.

        Args:
            y: the outcome, 0 (bad) to 1 (good).
            m0: the acceptable mean, 0 to 1, of the stratum that the label came from.

        Raises:
            UsageError: y or m0 is not from 0 to 1.

        Source: Shin, Ramdas, Rinaldo, arXiv 2203.03532 (e-SR).

        Example:
            >>> ESRState((0.0, 0.0), (0.1, 0.5)).step(0, 0.8).M
            (1.08, 1.4)
        """
        if not (0 <= y <= 1 and 0 <= m0 <= 1):
            raise UsageError(f"an outcome of {y} against an acceptable mean of {m0}: both must lie between 0 and 1.")
        return ESRState(_advance(self.M, self.bets, m0 - y), self.bets)


def e_sr(
    y: npt.ArrayLike,
    m0: npt.ArrayLike,
    A: float,
    bets: Sequence[float] = BETS,
    weight: npt.ArrayLike = 1.0,
    heaviest: float = 1.0,
) -> int | None:
    """Index of the label at which the alarm is raised, or None.

    While the mean stays at m0 or above, a false alarm comes after A labels on average at least; that holds for any
    dependence on the past. The delay of a true alarm is counted in labels, too.

    Labels drawn with unequal chances keep that promise for the mean of all traffic by `weight`, in proportion to one
    over the chance: a label drawn for its uncertainty moves the sums no more than it would on average in an even draw.
    Weights about 1 keep the delay short; where they go beyond 1, stakes are cut so that no label takes all.

    Args:
        y: outcomes (n,) in order of time, 0 (bad) to 1 (good). Without any there is no alarm.
        m0: the acceptable mean, 0 to 1: one for all, or (n,), that of each label's stratum. Take `baseline`.
        A: wanted run length in labels, above 1.
        bets: stakes between 0 and 1, mixed in equal parts.
        weight: one for all or (n,), 0 to `heaviest`.
        heaviest: the largest weight there can be, known beforehand, 1 or above.

    Raises:
        UsageError: an argument is outside its limits, or m0 or weight has another length.

    Source: Shin, Ramdas, Rinaldo, arXiv 2203.03532 (e-SR).

    Example:
        >>> quiet, bad = [1, 1, 1, 1, 0] * 40, [1, 0] * 40
        >>> e_sr(quiet + bad, 0.78, 1000), e_sr(quiet, 0.78, 1000)
        (231, None)
    """
    outcomes = as_numbers("y", y, 0, 1)
    if not heaviest >= 1:
        raise UsageError(f"a heaviest weight of {heaviest}; give 1 or above.")
    acceptable, weights = _for_each("m0", m0, outcomes, 1), _for_each("weight", weight, outcomes, heaviest)
    if not A > 1:
        raise UsageError(f"a run length of {A} labels is always in alarm; give one above 1, such as 10000.")
    state = ESRState((0.0,) * len(bets), tuple(bets))
    sums, limit = state.M, A * len(bets)
    # Plain floats: over five bets they are faster than an array, and the same bits as ESRState.step.
    rows = zip(outcomes.tolist(), acceptable.tolist(), weights.tolist(), strict=True)
    for index, (outcome, mean, by) in enumerate(rows):
        cut = _STAKE / max(heaviest * (1 - mean), _STAKE)
        stakes = state.bets if cut == 1 else tuple([min(bet, cut) for bet in state.bets])
        sums = _advance(sums, stakes, by * (mean - outcome))
        if sum(sums) >= limit:
            return index
    return None


def baseline(k: float, n: float) -> float:
    """The acceptable mean from a quiet time: its rate less one standard error, so that bad luck raises no false alarms.

    The standard error is that at the bound (the lower end of Wilson's interval at z = 1), hence above zero also where
    nothing went wrong. For n = 0 it is 0: nothing is held against anything.

    Args:
        k: successes, 0 to n.
        n: labels, or how many equal ones weighted ones are worth; take at least 14 days of them.

    Raises:
        UsageError: not 0 <= k <= n.

    Example:
        >>> round(baseline(448, 560), 4), round(baseline(100, 100), 4), baseline(0, 0)
        (0.7826, 0.9901, 0.0)
    """
    if not 0 <= k <= n:
        raise UsageError(f"{k} successes of {n} labels: there must be 0 <= successes <= labels.")
    return score_bounds(k / n, n, 1.0)[0] if n else 0.0


def _for_each(name: str, values: npt.ArrayLike, outcomes: Floats, most: float) -> Floats:
    given = np.asarray(values, dtype=np.float64)
    if given.shape not in {(), outcomes.shape}:
        raise UsageError(f"{name} has the shape {given.shape}; give one for all or one for each of {len(outcomes)}.")
    return as_numbers(name, np.broadcast_to(given, outcomes.shape), 0, most)


def _advance(sums: tuple[float, ...], bets: tuple[float, ...], shortfall: float) -> tuple[float, ...]:
    return tuple([(m + 1) * (1 + bet * shortfall) for m, bet in zip(sums, bets, strict=True)])
