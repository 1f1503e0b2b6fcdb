"""The gate's findings as sentences that a manager can read."""

from __future__ import annotations

from noria.stats.gating import Line, LineVerdict


def percent(value: float) -> str:
    """A share as percent."""
    return f"{100 * value:.1f} %"


def signed(value: float) -> str:
    """A difference of shares in points, with its sign."""
    return f"{100 * value:+.1f}"


def titled(name: str) -> str:
    """A name at the beginning of a sentence; the rest of it stays as it is."""
    return name[:1].upper() + name[1:]


def confidence(level: float) -> str:
    """A level close to one, with as many digits as it needs."""
    return f"{100 * level:.3f}".rstrip("0").rstrip(".") + " %"


def line_sentence(title: str, line: Line, said: LineVerdict, *, anchor: str, best: str, level: float) -> str:
    """What one line of the anchored gate says: against whom, the bound, and what follows from it."""
    what = f"{title} ({line.anchor.n} pairs): "
    if said.why == "below the champion":
        return f"{what}{signed(said.difference)} points against the champion; it must not fall."
    if said.why == "cap":
        return (
            f"{what}{signed(said.difference)} points against its best ever, {best}; "
            f"at most {percent(line.cap or 0.0)} may be lost in all."
        )
    if line.champion is not None:
        what += f"{signed(line.champion.difference)} points against the champion, "
    bound = (
        f"{what}{signed(said.difference)} against the anchor {anchor}, "
        f"at least {signed(said.lower)} with {confidence(level)} confidence"
    )
    if said.kind == "refuse":
        return f"{bound}; a loss of {percent(line.margin)} or more must not be."
    if said.kind == "hold":
        return (
            f"{bound}; not enough labels yet to rule out a loss of {percent(line.margin)}: "
            f"about {said.lacking} more would settle it."
        )
    return f"{bound}; a loss of {percent(line.margin)} is ruled out."
