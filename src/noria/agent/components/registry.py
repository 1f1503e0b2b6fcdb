"""Which class plays a part: one of ours, or one of yours by an entry point.

A package brings a part by an entry point of the group `noria.components`, named `SLOT.NAME`, and a recipe chooses it by
`NAME` in the setting of the slot (an encoder: `[encoder] spec = "own:NAME"`). What a class of each slot must do stands
in `agent.protocols`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any, cast

from noria.agent.members import DenseHead, Neighbours, NgramSvm, TunedEncoder
from noria.agent.protocols import MemberMaker
from noria.agent.recipe import Recipe
from noria.errors import StateError, UsageError, nearest

GROUP = "noria.components"
SLOTS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "member": (("train", "load"), ("evidence_names", "logits", "evidence", "stored")),
    "scope": (("train", "load"), ("threshold", "score", "p_value", "stored")),
    "decision": (("train", "load"), ("thresholds", "decide", "stored")),
    "retriever": (("train", "load"), ("find", "with_articles", "stored")),
    "ranker": (("train", "load"), ("scores", "stored")),
}
"""Slots that a recipe has a setting for: what the class must have, and what its objects must have."""
ENCODER = ((), ("spec", "fingerprint", "dim", "sentence_dim", "encode"))
"""The same of encoders, which are made by calling the class without arguments."""

_MEMBERS: dict[str, MemberMaker] = {
    "ngrams": NgramSvm,
    "dense": DenseHead,
    "neighbours": Neighbours,
    "tuned": TunedEncoder,
}


@dataclass(frozen=True, slots=True)
class Brought:
    """A part of a package: its class, and the package's name and version ("" where it tells none)."""

    made_by: Any
    package: str
    version: str


def member_maker(name: str) -> MemberMaker:
    """The class of members of that name.

    Raises:
        UsageError: there is none, or it cannot be used.
    """
    return _MEMBERS[name] if name in _MEMBERS else cast("MemberMaker", brought("member", name).made_by)


def brought(slot: str, name: str) -> Brought:
    """The class that plays a part by that name.

    Raises:
        UsageError: no package brings it, it cannot be loaded, or it lacks what the slot asks for.
    """
    found = _found(slot)
    if name not in found:
        known = [*(_MEMBERS if slot == "member" else ()), *found]
        raise UsageError(
            f"no {slot} {name!r}: no installed package has an entry point '{slot}.{name}' in {GROUP}. "
            f"{nearest(name, known)}"
        )
    entry = found[name]
    try:
        made_by = entry.load()
    except Exception as error:  # whatever a foreign module raises while it is imported
        raise UsageError(
            f"the {slot} {name!r} ({entry.value}) cannot be loaded: {type(error).__name__}: {error}."
        ) from error
    wanted = SLOTS[slot][0] if slot in SLOTS else ENCODER[0]
    _complete(made_by, wanted, f"the {slot} {name!r} ({entry.value})")
    package = getattr(entry, "dist", None)
    return Brought(made_by, package.name if package else "", package.version if package else "")


def brought_encoder(name: str) -> Any:
    """An encoder of a package, made by calling its class without arguments.

    Raises:
        UsageError: no package brings it, it cannot be made, or it lacks what an encoder must have.
    """
    made_by = brought("encoder", name).made_by
    try:
        made = made_by()
    except Exception as error:  # whatever a foreign class raises
        raise UsageError(f"the encoder {name!r} cannot be made: {type(error).__name__}: {error}.") from error
    _complete(made, ENCODER[1], f"the encoder {name!r}")
    return made


def fits(slot: str, name: str, made: object) -> Any:
    """What a class of a package made, once it is known to have all that the slot asks for.

    Raises:
        UsageError: it lacks something.
    """
    _complete(made, SLOTS[slot][1], f"what the {slot} {name!r} made, a {type(made).__name__},")
    return made


def chosen(recipe: Recipe) -> dict[str, str]:
    """Slot → name of each part of a recipe that is not ours."""
    names = {slot: str(getattr(recipe, slot)) for slot in SLOTS}
    return {slot: name for slot, name in names.items() if name and not (slot == "member" and name in _MEMBERS)}


def told(recipe: Recipe) -> dict[str, dict[str, str]]:
    """Of each part of a recipe that is not ours: name, package and version, for the manifest of a bundle."""
    parts = {slot: (name, brought(slot, name)) for slot, name in chosen(recipe).items()}
    return {slot: {"name": n, "package": b.package, "version": b.version} for slot, (n, b) in parts.items()}


def present(needed: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Sentences on parts that are there in another version than the one a bundle was made with.

    Args:
        needed: as `told`.

    Raises:
        StateError: some are not there; one message names them all.
    """
    missing, warnings = [], []
    for slot, part in sorted(needed.items()):
        name, package, version = part["name"], part["package"], part["version"]
        try:
            found = brought(slot, name)
        except UsageError as error:
            missing.append(f"{slot} {name!r} of {package or 'an unnamed package'} {version}".strip() + f" ({error})")
            continue
        if found.version != version:
            warnings.append(
                f"The {slot} {name!r} was trained with {package} {version}; {found.package} {found.version} is "
                "installed, and may answer otherwise."
            )
    if missing:
        raise StateError(
            f"the agent needs parts of other packages that are not here: {'; '.join(missing)} Install them, "
            "then try again."
        )
    return warnings


def _found(slot: str) -> dict[str, EntryPoint]:
    """The entry points of a slot, by name."""
    return {e.name.removeprefix(f"{slot}."): e for e in entry_points(group=GROUP) if e.name.startswith(f"{slot}.")}


def _complete(thing: object, names: tuple[str, ...], what: str) -> None:
    lacking = [name for name in names if not hasattr(thing, name)]
    if lacking:
        raise UsageError(f"{what} lacks {', '.join(lacking)}; docs/components.md says what a part must have.")
