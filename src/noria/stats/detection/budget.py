"""One budget of false alarms for the whole installation, spread over everything that is watched."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from noria.errors import UsageError


def run_lengths(
    per_year: float, looks: Mapping[str, float], shares: Mapping[str, float] | None = None
) -> dict[str, float]:
    """The run length that each watched series must keep, so that all of them together keep the budget.

    A series that looks N times a year at a run length of A raises N / A false alarms a year at most; these add up,
    whatever depends on what.

    Args:
        per_year: false alarms a year that are accepted in all, above 0.
        looks: series → labels or windows a year; what its run length is counted in.
        shares: series → how much of the budget it gets, in proportion; None = all the same.

    Raises:
        UsageError: a budget, look or share that is not above 0.

    Example:
        >>> run_lengths(2.0, {"labels": 36_500, "hours": 8_760})
        {'labels': 36500.0, 'hours': 8760.0}
        >>> run_lengths(2.0, {"labels": 36_500, "hours": 8_760}, {"labels": 3, "hours": 1})["hours"]
        17520.0
    """
    part = {name: 1.0 if shares is None else shares[name] for name in looks}
    if not (per_year > 0 and all(v > 0 for v in [*looks.values(), *part.values()])):
        raise UsageError(f"a budget of {per_year} a year over {dict(looks)}: budget, looks and shares are above 0.")
    total = sum(part.values())
    # At least two looks apart: a shorter run length would be an alarm at every look.
    return {name: max(2.0, looks[name] * total / (per_year * part[name])) for name in looks}


def e_bh(e_values: Mapping[str, float], alpha: float) -> list[str]:
    """The names whose evidence stands when many are looked at: of those told, at most `alpha` are wrong on average.

    It holds whatever depends on what (slices share queries). An e-value has a mean of at most 1 where nothing changed;
    of an e-detector that has taken n labels, value ÷ n is one.

    Args:
        e_values: name → e-value, 0 or above.
        alpha: share of the told that may be wrong, on average, between 0 and 1.

    Returns:
        Names from the strongest evidence down, ties by name.

    Raises:
        UsageError: alpha is not between 0 and 1, or an e-value is negative.

    Source: Wang, Ramdas, JRSS B 84 (2022) 822 (e-BH).

    Example:
        >>> e_bh({"acme": 90.0, "bolt": 3.0, "cogs": 35.0}, 0.05)
        ['acme', 'cogs']
    """
    if not 0 < alpha < 1 or any(not e >= 0 for e in e_values.values()):
        raise UsageError(f"alpha {alpha} or an e-value is outside its limits: 0 to 1, and 0 or above.")
    ordered = sorted(e_values, key=lambda name: (-e_values[name], name))
    values = np.array([e_values[name] for name in ordered])
    enough = np.flatnonzero(np.arange(1, len(values) + 1) * values >= len(values) / alpha)
    return ordered[: int(enough[-1]) + 1] if len(enough) else []
