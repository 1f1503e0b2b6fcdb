"""The parts that a recipe chooses, ours or those of other packages: fitted, packed and unpacked."""

from noria.agent.parts.chosen import (
    decider_from,
    finder_from,
    finder_of,
    fit_decider,
    fit_finder_of,
    fit_scope_of,
    parts_of,
    scope_from,
)

__all__ = [
    "decider_from",
    "finder_from",
    "finder_of",
    "fit_decider",
    "fit_finder_of",
    "fit_scope_of",
    "parts_of",
    "scope_from",
]
