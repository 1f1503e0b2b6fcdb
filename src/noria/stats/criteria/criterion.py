"""A criterion: a named, directed measure with its definition, and the ways to compute one."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from noria.stats.criteria.sample import Sample
from noria.stats.criteria.view import Flags, Floats, View

Direction = Literal["higher", "lower", "target"]
Interval = Literal["wilson", "bootstrap", "none"]
Mask = Callable[[View], Flags]
Weighted = Callable[[Sample], Floats]
Plain = Callable[[View], float]


@dataclass(frozen=True, slots=True)
class Criterion:
    """A named measure.

    id: component, dot, name. direction: which values are better; `target`: the nearer to `target`. unit: "share" (0 to
    1) or what it counts. needs: fields of `Observed` without which it cannot be measured. lacks: what is missing where
    they are there and it still has no value. interval: how its 95 % interval is made. low, high: what bounds it.

    Exactly one of `share` (rows that count, of which rows), `weighted` and `plain` computes it.
    """

    id: str
    direction: Direction
    unit: str
    definition: str
    source: str = ""
    needs: tuple[str, ...] = ()
    lacks: str = "rows that it is defined on"
    interval: Interval = "none"
    target: float = math.nan
    low: float = -math.inf
    high: float = math.inf
    share: tuple[Mask, Mask] | None = None
    weighted: Weighted | None = None
    plain: Plain | None = None

    @property
    def component(self) -> str:
        return self.id.partition(".")[0]

    @property
    def name(self) -> str:
        return self.id.partition(".")[2]

    def turned(self, direction: Direction) -> Criterion:
        """The same with another direction."""
        return replace(self, direction=direction)

    def goodness(self, value: float) -> float:
        """The value turned so that more is better."""
        if self.direction == "target":
            return -abs(value - self.target)
        return value if self.direction == "higher" else -value

    def better(self, a: float, b: float) -> bool:
        """Whether the value a is better than b."""
        return self.goodness(a) > self.goodness(b)


def share(
    name: str,
    definition: str,
    counts: Mask,
    of: Mask,
    *,
    direction: Direction = "higher",
    needs: Sequence[str] = (),
    source: str = "",
    lacks: str = "rows that it is defined on",
    target: float = math.nan,
) -> Criterion:
    """A share of rows, with Wilson's interval.

    Args:
        name: the id.
        definition: in words: what counts ÷ of what.
        counts: rows (n,) that count.
        of: rows (n,) of which.

    Example:
        >>> share("mine.kept", "kept ÷ in scope", lambda v: v.accepted, lambda v: v.inside).interval
        'wilson'
    """
    return Criterion(
        name,
        direction,
        "share",
        definition,
        source,
        tuple(needs),
        lacks,
        "wilson",
        target,
        0.0,
        1.0,
        share=(counts, of),
    )


def weighted(
    name: str,
    definition: str,
    compute: Weighted,
    *,
    direction: Direction = "higher",
    unit: str = "share",
    needs: Sequence[str] = (),
    source: str = "",
    lacks: str = "rows that it is defined on",
    target: float = math.nan,
    bounds: tuple[float, float] = (0.0, 1.0),
) -> Criterion:
    """A figure of weighted rows, with a bootstrap interval.

    Example:
        >>> weighted("mine.sure", "mean confidence", lambda s: s.mean(s.view.confidence, s.view.every)).interval
        'bootstrap'
    """
    low, high = bounds
    return Criterion(
        name,
        direction,
        unit,
        definition,
        source,
        tuple(needs),
        lacks,
        "bootstrap",
        target,
        low,
        high,
        weighted=compute,
    )


def plain(
    name: str,
    definition: str,
    compute: Plain,
    *,
    direction: Direction = "higher",
    unit: str = "share",
    needs: Sequence[str] = (),
    source: str = "",
    lacks: str = "rows that it is defined on",
    target: float = math.nan,
    bounds: tuple[float, float] = (0.0, 1.0),
) -> Criterion:
    """A figure without an interval.

    Example:
        >>> plain("mine.rows", "rows", lambda v: v.n, unit="rows").interval
        'none'
    """
    low, high = bounds
    return Criterion(
        name, direction, unit, definition, source, tuple(needs), lacks, "none", target, low, high, plain=compute
    )


def both(*masks: Mask) -> Mask:
    """Rows that are in all of the masks.

    Example:
        >>> import numpy as np
        >>> both(lambda v: np.array([True, True]), lambda v: np.array([True, False]))(None).tolist()
        [True, False]
    """

    def rows(view: View) -> Flags:
        found = masks[0](view)
        for mask in masks[1:]:
            found = found & mask(view)
        return found

    return rows
