"""Parts of the agent that a package of your own may bring: found by entry point, checked, told in the bundle."""

from noria.agent.components.registry import (
    GROUP,
    SLOTS,
    Brought,
    brought,
    brought_encoder,
    chosen,
    fits,
    member_maker,
    present,
    told,
)

__all__ = [
    "GROUP",
    "SLOTS",
    "Brought",
    "brought",
    "brought_encoder",
    "chosen",
    "fits",
    "member_maker",
    "present",
    "told",
]
