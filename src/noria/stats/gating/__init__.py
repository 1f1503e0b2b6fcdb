"""May the challenger take over? Paired bounds, gates on one comparison, and the gate that is anchored over many."""

from noria.stats.gating.anchored import (
    AnchoredGate,
    AnchoredVerdict,
    Line,
    LineVerdict,
    Pairs,
    decide,
    pairs_of,
    share_of_alpha,
)
from noria.stats.gating.gates import Paired, compare, e_gate, pairs_needed
from noria.stats.gating.paired import mcnemar, tango_lower, tango_lowers

__all__ = [
    "AnchoredGate",
    "AnchoredVerdict",
    "Line",
    "LineVerdict",
    "Paired",
    "Pairs",
    "compare",
    "decide",
    "e_gate",
    "mcnemar",
    "pairs_needed",
    "pairs_of",
    "share_of_alpha",
    "tango_lower",
    "tango_lowers",
]
