"""Which class plays a part: one of ours by its short name, or one of yours by an entry point.

A package brings a part by an entry point of the group `noria.components`, named `SLOT.NAME`, and a recipe chooses it by
`NAME`; slots and what a class of each must do: `member` (`protocols.Member`, `MemberMaker`).
"""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import cast

from noria.agent.members import DenseHead, Neighbours, NgramSvm, TunedEncoder
from noria.agent.protocols import MemberMaker
from noria.errors import UsageError, nearest

GROUP = "noria.components"

_MEMBERS: dict[str, MemberMaker] = {
    "ngrams": NgramSvm,
    "dense": DenseHead,
    "neighbours": Neighbours,
    "tuned": TunedEncoder,
}


def member_maker(name: str) -> MemberMaker:
    """The class of members of that name.

    Raises:
        UsageError: there is none, or it cannot be loaded.
    """
    return _MEMBERS[name] if name in _MEMBERS else cast("MemberMaker", _brought("member", name, _MEMBERS))


def _brought(slot: str, name: str, ours: dict[str, MemberMaker]) -> object:
    found = {e.name: e for e in entry_points(group=GROUP)}
    wanted = f"{slot}.{name}"
    if wanted not in found:
        known = [*ours, *(n.removeprefix(f"{slot}.") for n in found if n.startswith(f"{slot}."))]
        raise UsageError(
            f"no {slot} {name!r}: no installed package has an entry point {wanted!r} in {GROUP}. {nearest(name, known)}"
        )
    try:
        return found[wanted].load()
    except (ImportError, AttributeError) as error:
        raise UsageError(f"the {slot} {name!r} ({found[wanted].value}) cannot be loaded: {error}.") from error
