"""Splits the change of a rate into other things being asked (mix) and each thing going better or worse (within)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from noria.stats.intervals import Floats
from noria.stats.mergeable import SUMS

_N, _K, _W, _WG, _W2 = (SUMS.index(name) for name in ("n", "k", "weight", "weight_good", "weight_squared"))


@dataclass(frozen=True, slots=True)
class SlicePart:
    """What one slice has to do with the change; rates are NaN where it has no labels.

    `z`: of the difference of its rates; `apart`: of that difference against the one of all other slices together, so
    that a change which is the same everywhere is nobody's. Both are 0 where a rate is lacking.

    `mix` is measured against the mean of both rates: asking more for what goes worse than the mean lowers the rate.
    """

    mix: float
    within: float
    share_before: float
    share_after: float
    before: float
    after: float
    labels_before: int
    labels_after: int
    z: float
    apart: float = 0.0


@dataclass(frozen=True, slots=True)
class Split:
    """A change `after` - `before` = sum of all `mix` + sum of all `within`, to the last bit that floats have."""

    before: float
    after: float
    mix: float
    within: float
    parts: Mapping[str, SlicePart]


def split_change(before: Mapping[str, Floats], after: Mapping[str, Floats]) -> Split | None:
    """Splits the change of a weighted rate over slices; None where one side has no labels.

    Each slice's share and rate are the players; since the rate is a sum of products, Shapley's value of a player is its
    change times the mean of the other factor (Kitagawa's and the symmetrical Oaxaca-Blinder split). A slice without
    labels on one side has no rate of its own there: all of it is mix.

    Args:
        before: slice → summed `rate_sums` (7,) of its labels before the change.
        after: the same since.

    Source: Kitagawa, JASA 50 (1955) 1168; Shorrocks, Journal of Economic Inequality 11 (2013) 99.

    >>> from noria.stats.mergeable import rate_sums
    >>> old = {"a": rate_sums([1] * 80 + [0] * 20, [1] * 100).sum(0), "b": rate_sums([1] * 40, [1] * 40).sum(0)}
    >>> new = {"a": rate_sums([1] * 50 + [0] * 50, [1] * 100).sum(0), "b": rate_sums([1] * 40, [1] * 40).sum(0)}
    >>> split = split_change(old, new)
    >>> round(split.after - split.before, 3), round(split.within, 3), round(split.parts["a"].within, 3)
    (-0.214, -0.214, -0.214)
    """
    nothing = np.zeros(len(SUMS))
    total0, total1 = (sum(side.values(), nothing) for side in (before, after))
    if not total0[_W] or not total1[_W]:
        return None
    rate0, rate1 = (float(t[_WG] / t[_W]) for t in (total0, total1))
    middle = (rate0 + rate1) / 2
    parts = {}
    for name in sorted({*before, *after}):
        old, new = before.get(name, nothing), after.get(name, nothing)
        if old[_W] or new[_W]:
            parts[name] = _part(old, new, float(total0[_W]), float(total1[_W]), middle)
    parts = _apart(parts, before, after)
    mix, within = (math.fsum(getattr(p, name) for p in parts.values()) for name in ("mix", "within"))
    return Split(rate0, rate1, mix, within, parts)


def _part(old: Floats, new: Floats, total0: float, total1: float, middle: float) -> SlicePart:
    share0, share1 = float(old[_W]) / total0, float(new[_W]) / total1
    own0, own1 = (float(s[_WG] / s[_W]) if s[_W] else math.nan for s in (old, new))
    low, high = own1 if math.isnan(own0) else own0, own0 if math.isnan(own1) else own1
    width = (share0 + share1) / 2
    within = (high - low) * width
    return SlicePart(
        mix=(share1 - share0) * ((low + high) / 2 - middle),
        within=within,
        share_before=share0,
        share_after=share1,
        before=own0,
        after=own1,
        labels_before=round(float(old[_N])),
        labels_after=round(float(new[_N])),
        z=_z(old, new),
    )


def _apart(
    parts: Mapping[str, SlicePart], before: Mapping[str, Floats], after: Mapping[str, Floats]
) -> dict[str, SlicePart]:
    """Each part with how far its slice moved apart from all others that have labels on both sides."""
    moved = {n: _moved(before[n], after[n]) for n, p in parts.items() if p.labels_before and p.labels_after}
    told = dict(parts)
    for name, (change, variance) in moved.items():
        others = [n for n in moved if n != name]
        if others:
            rest, spread = _moved(*(sum((side[n] for n in others), np.zeros(len(SUMS))) for side in (before, after)))
            told[name] = replace(parts[name], apart=(change - rest) / math.sqrt(variance + spread))
    return told


def _z(old: Floats, new: Floats) -> float:
    if not old[_W] or not new[_W]:
        return 0.0
    change, variance = _moved(old, new)
    return change / math.sqrt(variance)


def _moved(old: Floats, new: Floats) -> tuple[float, float]:
    """Difference of a slice's rates and its variance; a good and a bad label are added to each (Agresti, Caffo 2000).

    Else a handful of equal labels would look certain.
    """
    effective = [float(s[_W] ** 2 / s[_W2]) for s in (old, new)]
    rates = [(float(s[_WG] / s[_W]) * n + 1) / (n + 2) for s, n in zip((old, new), effective, strict=True)]
    spread = sum(r * (1 - r) / (n + 2) for r, n in zip(rates, effective, strict=True))
    return rates[1] - rates[0], spread
