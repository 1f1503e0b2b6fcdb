"""What the gate asks for, as written under `[release]` in the settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from noria.errors import UsageError, nearest
from noria.records import Example

SLICES = ("account", "domain", "intent")
"""What a protected slice can be drawn by."""


@dataclass(frozen=True, slots=True)
class GatePolicy:
    """What the gate asks for. Margins and caps are shares (0 to below 1), levels one-sided.

    margin: the loss on the frozen basket that must be ruled out at `level`; its point must never fall.
    fresh_margin: the loss against the anchor that must be ruled out on the latest labels. 1 - level is the chance of a
        wrong verdict that is spent over any `cycles` verdicts in a row; cycles = 0: over all for ever.
    min_fresh: labelled production queries below which the latest window is not asked at all. fresh_days: how far back
        it goes. require_fresh: hold until the latest labels have spoken, also where there are too few to be asked.
        fresh_once: a label judges one candidate only.
    compare_labels: tasks that a turn draws for a candidate that is held, from queries that it answers unlike champion
        or anchor; 0 = none. compare_days: how long the loop waits for them before the next candidate.
    protected: what slices are watched by, of "account", "domain" and "intent". min_slice: labels (and basket rows)
        below which a slice is not asked. slice_margin: the loss of a slice against the anchor that must be ruled out;
        `margins` by the slice's name ("account acme") instead. slice_cap: its largest loss against its best ever.
    """

    margin: float = 0.02
    level: float = 0.95
    fresh_margin: float = 0.1
    cycles: int = 52
    min_fresh: int = 30
    fresh_days: int = 28
    require_fresh: bool = False
    fresh_once: bool = False
    compare_labels: int = 0
    compare_days: int = 7
    protected: Sequence[str] = ()
    min_slice: int = 100
    slice_margin: float = 0.1
    slice_cap: float = 0.15
    margins: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if isinstance(self.protected, str):
            raise UsageError(f"protected = {self.protected!r} is a list: write [{self.protected!r}].")
        for by in self.protected:
            if by not in SLICES:
                raise UsageError(f"protected: slices cannot be drawn by {by!r}. {nearest(str(by), SLICES)}")
        shares = {"margin": self.margin, "fresh_margin": self.fresh_margin, "slice_margin": self.slice_margin}
        shares |= {"slice_cap": self.slice_cap} | {f"margins: {name}": value for name, value in self.margins.items()}
        for name, value in shares.items():
            if not 0 <= float(value) < 1:
                raise UsageError(f"{name} = {value!r} makes no sense; give a share from 0 to below 1, such as 0.02.")
        if not 0.5 < self.level < 1:
            raise UsageError(f"level = {self.level} makes no sense; give one above 0.5 and below 1, such as 0.95.")
        if self.cycles < 0:
            raise UsageError(f"cycles = {self.cycles} makes no sense; give 52 for a year of weeks, 0 for no end.")

    @property
    def alpha(self) -> float:
        return 1 - self.level

    def margin_of(self, slice_name: str) -> float:
        """The margin of one protected slice."""
        return float(self.margins.get(slice_name, self.slice_margin))


def slices_of(rows: Sequence[Example], by: Sequence[str]) -> dict[str, list[int]]:
    """Slice ("account acme") → the places of its rows, in order of name; rows without a value are in none.

    Args:
        rows: what is cut into slices.
        by: fields of an example: account, domain, intent.
    """
    found: dict[str, list[int]] = {}
    for what in by:
        for place, row in enumerate(rows):
            value = getattr(row, what)
            if value:
                found.setdefault(f"{what} {value}", []).append(place)
    return dict(sorted(found.items()))
